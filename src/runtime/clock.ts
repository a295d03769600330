/**
 * Time, passed in: nothing in errand reads the wall clock or sets a timer but through this.
 * @module
 */

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
   * the default does: a worker that awaits something on an otherwise empty event loop must not exit.
   */
  setTimer(task: () => void, delayMs: number, options?: { readonly background?: boolean }): Timer
}

/** The longest delay that `setTimeout` keeps, about 24.8 days; longer ones would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

// Taken when this module loads, so that a test runner's fake timers do not stop errand's own work.
const { setTimeout, clearTimeout } = globalThis
const now = Date.now.bind(Date)

/** The system's clock. */
export const systemClock: Clock = {
  now,
  setTimer(task, delayMs, options) {
    const handle = setTimeout(task, Math.min(Math.max(delayMs, 0), MAX_TIMEOUT_MS))
    if (options?.background) handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

/** Resolves `delayMs` from now. */
export function delay(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(resolve, delayMs)
  })
}
