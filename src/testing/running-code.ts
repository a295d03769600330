/**
 * The user's code that runs at this moment, which waits on real time (a file, a socket, a timer), while errand's own
 * waits on virtual time.
 * @module
 */
import type { App } from '../runtime/app.ts'
import { systemClock } from '../runtime/clock.ts'
import { PROTOCOL, type ResolvedWorker } from '../runtime/config/config.ts'
import type { Middleware } from '../runtime/middleware.ts'

/** One attempt, or one start hook. */
interface Run {
  /** When its time limit ends it, in virtual time. */
  readonly limitAt: number
  /** It was waited for in vain: time goes on without it. */
  isStuck: boolean
}

/** What runs. */
export interface RunningCode {
  /** The same app, its attempts and start hooks in one environment seen from here, until that has `ended`. */
  watch(app: App, worker: ResolvedWorker, ended: AbortSignal): App
  /** The earliest time limit of what runs, `undefined` where nothing does that is worth waiting for. */
  horizon(): number | undefined
  /** Waits, in real time, until something of it ends; what has not by then is no longer waited for. */
  waitForOne(realSeconds: number): Promise<void>
}

/** Watches from now on; `now` is virtual. */
export function runningCode(now: () => number): RunningCode {
  const runs = new Set<Run>()
  const listeners = new Set<() => void>()

  async function watched<T>(limitMs: number, ended: AbortSignal, work: () => T): Promise<Awaited<T>> {
    const run: Run = { limitAt: now() + limitMs, isStuck: false }
    const end = () => {
      runs.delete(run)
      for (const listener of listeners) listener()
    }
    // Of a batch that was killed some attempts may only now begin.
    if (!ended.aborted) runs.add(run)
    // What a dead environment's code still does counts no more, and what it asks of errand is never answered.
    ended.addEventListener('abort', end)
    try {
      return await work()
    } finally {
      ended.removeEventListener('abort', end)
      end()
    }
  }

  return {
    watch(app, worker, ended) {
      const workerMs = (worker.timeoutSeconds - PROTOCOL.attemptReserveSeconds) * 1000
      const outermost: Middleware = {
        run({ task }, next) {
          const own = app.registry.find(task)?.options.timeoutSeconds
          return watched(own === undefined ? workerMs : Math.min(own * 1000, workerMs), ended, next)
        },
      }
      return {
        ...app,
        // Read at each attempt: what a test adds later counts as well.
        get middleware() {
          return [outermost, ...app.middleware]
        },
        get startHooks() {
          return app.startHooks.map((hook) => () => watched(workerMs, ended, hook))
        },
      }
    },
    horizon() {
      const limits = [...runs].filter(({ isStuck }) => !isStuck).map(({ limitAt }) => limitAt)
      return limits.length === 0 ? undefined : Math.min(...limits)
    },
    async waitForOne(realSeconds) {
      let onEnd = () => {}
      const ended = new Promise<void>((resolve) => {
        onEnd = resolve
      })
      listeners.add(onEnd)
      const hasEnded = await isOverWithin(ended, realSeconds)
      listeners.delete(onEnd)
      if (!hasEnded) for (const run of runs) run.isStuck = true
    },
  }
}

/** Whether it settles, whichever way, within so many real seconds. */
export function isOverWithin(work: Promise<unknown>, realSeconds: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = systemClock.setTimer(() => resolve(false), realSeconds * 1000)
    const over = () => {
      timer.cancel()
      resolve(true)
    }
    work.then(over, over)
  })
}
