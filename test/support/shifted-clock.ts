/**
 * The system's clock, put forward: leases end and calls fall due without anybody waiting.
 * @module
 */
import { type Clock, systemClock } from '../../src/runtime/clock.ts'

/** A clock that a test puts forward; its timers are the system's. */
export interface ShiftedClock extends Clock {
  /** Puts it forward by so many seconds. */
  shift(seconds: number): void
}

/** Makes one that shows the system's time. */
export function shiftedClock(): ShiftedClock {
  let offsetMs = 0
  return {
    now: () => systemClock.now() + offsetMs,
    setTimer: systemClock.setTimer,
    shift(seconds) {
      offsetMs += seconds * 1000
    },
  }
}
