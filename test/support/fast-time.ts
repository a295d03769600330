/**
 * Time that runs faster, for processes whose leases would make a test wait: clock and queue of a process go by it alike.
 * @module
 */
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import type { Queue } from '../../src/runtime/ports/queue.ts'

/** A clock that showed the system's time at `sinceMs`, and runs `factor` times as fast. */
export function fastClock(factor: number, sinceMs: number): Clock {
  return {
    now: () => sinceMs + (systemClock.now() - sinceMs) * factor,
    setTimer: (task, delayMs, options) => systemClock.setTimer(task, delayMs / factor, options),
  }
}

/** A queue on the wire, as somebody by that clock sees it: what it hides comes back, and its polls are over, sooner. */
export function fastQueue(queue: Queue, factor: number): Queue {
  const soon = (seconds: number) => Math.ceil(seconds / factor)
  return {
    ...queue,
    receive: (name, { visibilitySeconds, ...options }) =>
      queue.receive(name, {
        ...options,
        waitSeconds: soon(options.waitSeconds),
        ...(visibilitySeconds !== undefined && { visibilitySeconds: soon(visibilitySeconds) }),
      }),
    changeVisibility: (name, changes) =>
      queue.changeVisibility(
        name,
        changes.map((change) => ({ ...change, visibilitySeconds: soon(change.visibilitySeconds) })),
      ),
  }
}
