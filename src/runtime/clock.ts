/**
 * Time, passed in: nothing in errand reads the wall clock or sets a timer but through this.
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { deadlineHeap } from './deadline-heap.ts'

/** A timer that was set; `cancel` may be called at any time, also after it fired. */
export interface Timer {
  cancel(): void
}

/** Where time comes from. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number
  /**
   * Runs `task` once, `delayMs` from now. A timer with `background: true` does not keep the process alive;
   * the default does: a worker that awaits something on an otherwise empty event loop must not exit. One with
   * `endless: true` will be set again and again: a virtual clock does not go on for its sake alone.
   */
  setTimer(task: () => void, delayMs: number, options?: TimerOptions): Timer
}

/** What a timer is to others. */
export interface TimerOptions {
  /** @default false */
  readonly background?: boolean
  /** @default false */
  readonly endless?: boolean
}

/** The longest delay that `setTimeout` keeps, about 24.8 days; longer ones would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

// Taken when this module loads, so that a test runner's fake timers do not stop errand's own work.
const { setTimeout, clearTimeout } = globalThis
const now = Date.now.bind(Date)
const monotonicNow = performance.now.bind(performance)
const outsideAnyContext = AsyncLocalStorage.snapshot()

interface SystemTimer {
  readonly task: () => void
  readonly isBackground: boolean
}

const timers = deadlineHeap<SystemTimer>()
/** The one `setTimeout` of all timers, set for the earliest of them, or for one that was cancelled since. */
let handle: NodeJS.Timeout | undefined
let handleAt = Number.POSITIVE_INFINITY
/** How many timers keep the process alive. */
let foreground = 0

function arm(at: number): void {
  clearTimeout(handle)
  handleAt = at
  // Whoever sets a timer first happens to: the others are no part of that request or task.
  handle = outsideAnyContext(setTimeout, fire, Math.min(Math.max(at - monotonicNow(), 0), MAX_TIMEOUT_MS))
  if (foreground === 0) handle.unref()
}

function fire(): void {
  handle = undefined
  handleAt = Number.POSITIVE_INFINITY
  const due = monotonicNow()
  try {
    for (let timer = timers.take(due); timer !== undefined; timer = timers.take(due)) {
      if (!timer.isBackground) release()
      timer.task()
    }
  } finally {
    const next = timers.next()
    if (next !== undefined && next.at < handleAt) arm(next.at)
  }
}

function release(): void {
  foreground -= 1
  if (foreground === 0) handle?.unref()
}

/**
 * The system's clock. Its timers share one `setTimeout`: most are the limits of work that is over at once, and to set
 * and clear one each, three in the way of a call, took a tenth of the call's time.
 */
export const systemClock: Clock = {
  now,
  setTimer(task, delayMs, options) {
    const isBackground = options?.background === true
    const at = monotonicNow() + Math.max(delayMs, 0)
    const deadline = timers.add(at, { task, isBackground })
    if (!isBackground) {
      foreground += 1
      if (foreground === 1) handle?.ref()
    }
    if (at < handleAt) arm(at)
    return {
      cancel() {
        if (deadline.item === undefined) return
        timers.cancel(deadline)
        if (!isBackground) release()
      },
    }
  },
}

/** Resolves `delayMs` from now. */
export function delay(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(resolve, delayMs)
  })
}
