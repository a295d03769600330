/**
 * What `onWorkerStart` makes: once an environment, before its first call.
 * @module
 */
import type { App } from '../runtime/app.ts'

/** Holds the context of one environment. */
export interface WorkerContextHolder {
  /** Runs the start hooks at the first call. Where one throws, the next call tries again. */
  get(): Promise<unknown>
  /**
   * Runs the stop hooks, each whatever the others do. Does nothing where the start hooks did not run.
   * @throws the first error of a hook
   */
  stop(): Promise<void>
}

/** Makes the holder; nothing runs yet. */
export function startContext(app: App): WorkerContextHolder {
  let starting: Promise<unknown> | undefined
  return {
    get() {
      starting ??= runStartHooks(app).catch((error: unknown) => {
        starting = undefined
        throw error
      })
      return starting
    },
    async stop() {
      const started = starting
      starting = undefined
      if (started !== undefined) await runStopHooks(app, await started)
    },
  }
}

async function runStartHooks(app: App): Promise<unknown> {
  const context = {}
  for (const hook of app.startHooks) Object.assign(context, await hook())
  return context
}

async function runStopHooks(app: App, context: unknown): Promise<void> {
  const answers = await Promise.allSettled(app.stopHooks.map(async (hook) => hook(context)))
  const failed = answers.find((answer) => answer.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
