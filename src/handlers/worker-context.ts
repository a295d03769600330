/**
 * What `onWorkerStart` makes: once an environment, before its first call.
 * @module
 */
import type { App } from '../runtime/app.ts'

/** Holds the context of one environment. */
export interface WorkerContextHolder {
  /** Runs the start hooks at the first call. Where one throws, the next call tries again. */
  get(): Promise<unknown>
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
  }
}

async function runStartHooks(app: App): Promise<unknown> {
  const context = {}
  for (const hook of app.startHooks) Object.assign(context, await hook())
  return context
}

/** Runs the stop hooks, each whatever the others do; the first error is thrown at the end. */
export async function stopContext(app: App, context: unknown): Promise<void> {
  const answers = await Promise.allSettled(app.stopHooks.map(async (hook) => hook(context)))
  const failed = answers.find((answer) => answer.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
