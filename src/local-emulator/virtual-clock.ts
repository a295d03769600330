/**
 * A clock that stands still until it is told to go on: three days of retries in milliseconds.
 * @module
 */

import type { Clock, Timer } from '../runtime/clock.ts'
import { checkKeys, checkNumber } from '../runtime/config/option-checks.ts'
import { type DeadlineHeap, deadlineHeap } from '../runtime/deadline-heap.ts'

/** How far to go on. */
export interface Span {
  readonly days?: number
  readonly hours?: number
  readonly minutes?: number
  readonly seconds?: number
  readonly milliseconds?: number
}

/** A clock whose time moves by `advance` and `runUntil` alone. */
export interface VirtualClock extends Clock {
  /**
   * Moves time on by `span`, firing what falls due in order of time, then of setting. Between two timers all
   * work that needs no time settles: promises, `setImmediate`, file reads. Sockets are not waited for.
   */
  advance(span: Span): Promise<void>
  /**
   * Moves time on, timer by timer, until `promise` settles, and returns what it gives. Throws where no timer is
   * left that could bring it about.
   */
  runUntil<T>(promise: Promise<T>): Promise<T>
  /** How many timers are set. */
  readonly pendingTimers: number
  /** When the next timer fires, in epoch milliseconds; `undefined` where none is set. */
  readonly nextTimerAt: number | undefined
  /** Whether no timer is left but those of schedules, which go on for ever. */
  readonly isIdle: boolean
}

// Taken when this module loads, so that a test runner's fake timers cannot stop time itself.
const { setImmediate } = globalThis

/** Where time begins: any fixed moment, so that runs repeat. */
const START_MS = Date.UTC(2026, 0, 1)

/** A program that never stops setting immediates is not settled, but time goes on after this many turns. */
const MAX_SETTLING_TURNS = 100_000

/** Turns without any work left before a promise counts as stuck: real sockets and threads get some 10 ms. */
const IDLE_TURNS = 2000

/** Turns that are waited for here: immediates that are nobody's work, or two that move time would wait for each other. */
let waitedTurns = 0

function turn(): Promise<void> {
  waitedTurns += 1
  return new Promise((resolve) => {
    setImmediate(() => {
      waitedTurns -= 1
      resolve()
    })
  })
}

/** Work of this process that goes on without the clock: immediates, and requests such as file reads. */
function isWork(resource: string): boolean {
  return resource === 'Immediate' || resource.includes('Req')
}

async function settle(): Promise<void> {
  // Two turns: what a request's end calls may set an immediate only when the poll phase has run.
  await turn()
  for (let turns = 0; turns < MAX_SETTLING_TURNS; turns++) {
    await turn()
    if (process.getActiveResourcesInfo().filter(isWork).length <= waitedTurns) return
  }
}

/**
 * A span in milliseconds.
 * @throws InvalidOptionError
 */
export function millisecondsOf(span: Span): number {
  checkKeys('the span of advance', span, ['days', 'hours', 'minutes', 'seconds', 'milliseconds'])
  for (const [unit, value] of Object.entries(span)) {
    checkNumber(`the span of advance: \`${unit}\``, value, { min: 0, max: Number.MAX_SAFE_INTEGER }, 0)
  }
  const { days = 0, hours = 0, minutes = 0, seconds = 0, milliseconds = 0 } = span
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
}

/** Makes a clock that stands at `startMs`. */
export function virtualClock(startMs: number = START_MS): VirtualClock {
  const timers = deadlineHeap<() => void>()
  let nowMs = startMs
  const endless = { count: 0 }

  /** Goes to the next timer at or before `untilMs`, and fires it. */
  function fireNext(untilMs: number): boolean {
    const at = timers.next()?.at
    if (at === undefined || at > untilMs) return false
    nowMs = Math.max(nowMs, at)
    timers.take(nowMs)?.()
    return true
  }

  return {
    now: () => nowMs,
    setTimer(task, delayMs, options) {
      // An endless wait is no timer: it would only ever be jumped to.
      if (delayMs === Number.POSITIVE_INFINITY) return { cancel: () => {} }
      const at = nowMs + Math.max(delayMs, 0)
      if (options?.endless === true) return endlessTimer(timers, endless, at, task)
      const timer = timers.add(at, task)
      return { cancel: () => timers.cancel(timer) }
    },
    async advance(span) {
      const untilMs = nowMs + millisecondsOf(span)
      await settle()
      while (fireNext(untilMs)) await settle()
      // Somebody else may have moved it further meanwhile: time never goes back.
      nowMs = Math.max(nowMs, untilMs)
    },
    async runUntil(promise) {
      let settled = false
      const done = () => {
        settled = true
      }
      promise.then(done, done)
      await settle()
      while (!settled) {
        if (timers.size() > endless.count && fireNext(Number.POSITIVE_INFINITY)) await settle()
        else await settleOrThrow(() => settled || timers.size() > endless.count)
      }
      return promise
    },
    get pendingTimers() {
      return timers.size()
    },
    get isIdle() {
      return timers.size() === endless.count
    },
    get nextTimerAt() {
      return timers.next()?.at
    },
  }
}

/** A timer of what goes on for ever: counted, so that the others are told apart. */
function endlessTimer(
  timers: DeadlineHeap<() => void>,
  endless: { count: number },
  at: number,
  task: () => void,
): Timer {
  endless.count += 1
  const timer = timers.add(at, () => {
    endless.count -= 1
    task()
  })
  return {
    cancel() {
      if (timer.item !== undefined) endless.count -= 1
      timers.cancel(timer)
    },
  }
}

/** Gives work that needs no timer its time. */
async function settleOrThrow(moved: () => boolean): Promise<void> {
  for (let turns = 0; turns < IDLE_TURNS; turns++) {
    if (moved()) return
    await turn()
  }
  if (moved()) return
  throw new Error(
    'virtual time stands still: no timer is left, and the promise has not settled; what it waits for was never started, or waits on real time',
  )
}
