/**
 * An app whose functions are called through somebody else.
 * @module
 */
import type { App } from '../runtime/app.ts'
import type { RegisteredTask } from '../runtime/registry.ts'

/** Calls a task's function, or does not. */
export type CallTask = (task: RegisteredTask, args: readonly unknown[]) => unknown

/** The same app, its tasks run by `call`. */
export function wrapTasks(app: App, call: CallTask): App {
  const wrap = (task: RegisteredTask): RegisteredTask => ({
    ...task,
    run: (...args) => call(task, args),
  })
  const find = (name: string) => {
    const task = app.registry.find(name)
    return task === undefined ? undefined : wrap(task)
  }
  return { ...app, registry: { ...app.registry, find } }
}
