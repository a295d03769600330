/**
 * Virtual time: events in order, one macrotask each, so that all promises settle between two of them.
 * @module
 */
import { type Deadline, deadlineHeap } from '../../src/runtime/deadline-heap.ts'

/** Time, and what is to happen in it. */
export interface VirtualWorld {
  /** True time, in epoch milliseconds; processes see it skewed. */
  now(): number
  /** Lets `task` happen `delayMs` from now. */
  after(delayMs: number, task: () => void): Deadline<() => void>
  cancel(event: Deadline<() => void>): void
  /** Resolves `delayMs` from now. */
  pause(delayMs: number): Promise<void>
  /** Goes on, event by event, until `until` holds, `deadline` is reached, or no event is left. */
  run(until: () => boolean, deadline: number): Promise<void>
  /** How many events there were. */
  events(): number
}

// Some at a time: Node runs all immediates of a turn without a look at its sockets, and microtasks between any two.
const IMMEDIATES = 32

/** A world that begins at `startMs`. */
export function virtualWorld(startMs: number, maxEvents: number): VirtualWorld {
  const heap = deadlineHeap<() => void>()
  let nowMs = startMs
  let events = 0

  /** Whole milliseconds, as a clock shows them. */
  const later = (delayMs: number) => nowMs + Math.max(Math.ceil(delayMs), 0)

  function step(until: () => boolean, deadline: number): boolean {
    const next = heap.next()
    if (events >= maxEvents || until()) return false
    if (next === undefined) {
      nowMs = Math.max(nowMs, deadline)
      return false
    }
    if (next.at > deadline) {
      nowMs = deadline
      return false
    }
    nowMs = Math.max(nowMs, next.at)
    events++
    heap.take(nowMs)?.()
    return true
  }

  return {
    now: () => nowMs,
    after: (delayMs, task) => heap.add(later(delayMs), task),
    cancel: heap.cancel,
    pause: (delayMs) =>
      new Promise((resolve) => {
        heap.add(later(delayMs), resolve)
      }),
    run: (until, deadline) =>
      new Promise((resolve, reject) => {
        let waiting = 0
        let over = false
        const turn = () => {
          waiting--
          if (over) return
          try {
            over = !step(until, deadline)
          } catch (error) {
            over = true
            reject(error)
          }
          if (over) resolve()
          else if (waiting === 0) schedule()
        }
        const schedule = () => {
          for (; waiting < IMMEDIATES; waiting++) setImmediate(turn)
        }
        schedule()
      }),
    events: () => events,
  }
}
