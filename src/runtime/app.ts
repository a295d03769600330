/**
 * What a user declared, as workers need it: config, tasks, middleware, hooks.
 * @module
 */
import type { Codec } from './codec.ts'
import type { ResolvedConfig } from './config.ts'
import type { Middleware } from './middleware.ts'
import type { Registry } from './registry.ts'
import type { SubmitFromTask } from './submit.ts'

/** Makes what a worker reuses; its fields become `currentTask.context`. */
export type StartHook = () => unknown
/** Undoes a start hook; best-effort on Lambda, which may freeze or drop an environment without a word. */
export type StopHook = (context: unknown) => unknown

/** An app, as its workers need it. */
export interface App {
  readonly config: ResolvedConfig
  readonly registry: Registry
  readonly codec: Codec
  readonly middleware: readonly Middleware[]
  readonly startHooks: readonly StartHook[]
  readonly stopHooks: readonly StopHook[]
  /** How a running task submits: as the executor does, with the running call as parent. */
  readonly submit: SubmitFromTask
}
