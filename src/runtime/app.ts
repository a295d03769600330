/**
 * What a user declared, as workers need it: config, tasks, middleware, hooks.
 * @module
 */
import type { Codec } from './codec/codec.ts'
import type { ResolvedConfig, ResolvedSchedule } from './config/config.ts'
import type { Middleware } from './middleware.ts'
import type { Registry } from './registry.ts'
import type { SubmitFromTask } from './submit/submit.ts'

/** Makes what a worker reuses; its fields become `currentTask.context`. */
export type StartHook = () => unknown
/** Undoes a start hook; best-effort on Lambda, which may freeze or drop an environment without a word. */
export type StopHook = (context: unknown) => unknown

/** An app, as its workers need it. */
export interface App {
  readonly config: ResolvedConfig
  /** What the code names as its backend; absent where it is chosen, or of the user's own making. */
  readonly backend?: string
  readonly registry: Registry
  readonly codec: Codec
  /**
   * All schedules, of the config and of the code, by name.
   * @throws InvalidOptionError, UnregisteredTaskError where one that the code declares breaks a rule
   */
  schedules(): ReadonlyMap<string, ResolvedSchedule>
  readonly middleware: readonly Middleware[]
  readonly startHooks: readonly StartHook[]
  readonly stopHooks: readonly StopHook[]
  /** How a running task submits: as the executor does, with the running call as parent. */
  readonly submit: SubmitFromTask
}

const key = Symbol.for('errand.apps')

/** By name, on `globalThis`: a module that is loaded again, or another copy of errand, must see the same. */
function announcedApps(): Map<string, App> {
  const holder = globalThis as unknown as Record<symbol, Map<string, App> | undefined>
  holder[key] ??= new Map()
  return holder[key]
}

/** Lets a client of the same process find the app whose workers are to run its calls. The last one of a name counts. */
export function announceApp(app: App): void {
  announcedApps().set(app.config.name, app)
}

/** The counterpart of `announceApp`: the executor was closed. */
export function withdrawApp(app: App): void {
  if (findApp(app.config.name) === app) announcedApps().delete(app.config.name)
}

/** The app of this name in this process. */
export function findApp(name: string): App | undefined {
  return announcedApps().get(name)
}
