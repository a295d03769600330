/**
 * The task that runs here and now, usable anywhere below it.
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { ResolvedConfig } from './config/config.ts'
import { NoCurrentTaskError } from './errors.ts'
import type { Future } from './future/future.ts'
import type { Ports } from './ports/backend.ts'
import type { CallOptions } from './submit/call-options.ts'
import type { AnyFunction, ResultOf } from './task.ts'

/**
 * What `onWorkerStart` makes, as `currentTask.context` types it. Declare your own fields once:
 *
 * @example
 * declare module 'errand' { interface WorkerContext { db: Database } }
 */
// biome-ignore lint/suspicious/noEmptyInterface: users merge their fields into it
export interface WorkerContext {}

/** The running attempt, as `currentTask` shows it. */
export interface RunningTask {
  readonly id: string
  readonly task: string
  readonly attempt: number
  readonly owner: string
  readonly tenant: string | undefined
  readonly depth: number
  readonly signal: AbortSignal
  readonly context: WorkerContext
  /** Whose task it is, and the ports of the environment that runs it. */
  readonly config: ResolvedConfig
  readonly ports: Ports
  progress(value: unknown): Promise<void>
  submit(target: AnyFunction, args: readonly unknown[], options: CallOptions): Promise<Future<unknown>>
}

/** Access to the running task; every member but `active` throws `NoCurrentTaskError` where none runs. */
export interface CurrentTask {
  /** Whether a task runs here. */
  readonly active: boolean
  /** The call's id: the same in each attempt, so a good idempotency key for what the task does elsewhere. */
  readonly id: string
  /** The registered name. */
  readonly task: string
  /** From 1; it never goes down, also over retries by hand. */
  readonly attempt: number
  /** A random nonce of this attempt alone: a fence for what the task writes elsewhere. */
  readonly owner: string
  readonly tenant: string | undefined
  /** Aborted when the time limit is reached, when somebody calls `future.abort()`, and when the lease is lost. */
  readonly signal: AbortSignal
  /** What `onWorkerStart` made. */
  readonly context: WorkerContext
  /**
   * Records how far the task is; any value the codec keeps, up to 4 KiB. Calls while a write is under way are
   * merged: the newest value is written.
   * @throws PayloadTooLargeError, UnsupportedValueError, LeaseLostError
   */
  progress(value: unknown): Promise<void>
  /** Celery's form of `progress`: a state word of your own, and what belongs to it. */
  updateState(update: { readonly state: string; readonly meta?: unknown }): Promise<void>
  /** Submits as the executor does; the new call's parent is this one. */
  submit<F extends AnyFunction>(target: F, ...args: Parameters<F>): Promise<Future<ResultOf<F>>>
}

const storage = new AsyncLocalStorage<RunningTask>()

/** Calls `work` with `args` as this task. */
export function runAs<Args extends unknown[], Result>(
  task: RunningTask,
  work: (...args: Args) => Result,
  ...args: Args
): Result {
  return storage.run(task, work, ...args)
}

/** The task that runs here, or `undefined`. */
export function runningTask(): RunningTask | undefined {
  return storage.getStore()
}

/**
 * Calls `work` in the async context of the program's start: in-process workers must not see the request, or the
 * task, in which somebody happened to submit first.
 */
export const outsideAnyContext: <Args extends unknown[], Result>(
  work: (...args: Args) => Result,
  ...args: Args
) => Result = AsyncLocalStorage.snapshot()

function current(member: string): RunningTask {
  const task = storage.getStore()
  if (task === undefined) {
    throw new NoCurrentTaskError(
      `currentTask.${member} was used where no task runs; it works inside a task that a worker runs, ask currentTask.active first`,
    )
  }
  return task
}

/**
 * What nobody waits for must not end the process: a report that fails without being awaited is a report less, and an
 * attempt that lost its lease is told by its signal.
 */
function report(member: 'progress' | 'updateState', value: unknown): Promise<void> {
  const reported = (async () => current(member).progress(value))()
  reported.catch(() => {})
  return reported
}

/** The task that runs here and now: a proxy, as Flask's are. */
export const currentTask: CurrentTask = {
  get active() {
    return storage.getStore() !== undefined
  },
  get id() {
    return current('id').id
  },
  get task() {
    return current('task').task
  },
  get attempt() {
    return current('attempt').attempt
  },
  get owner() {
    return current('owner').owner
  },
  get tenant() {
    return current('tenant').tenant
  },
  get signal() {
    return current('signal').signal
  },
  get context() {
    return current('context').context
  },
  progress: (value) => report('progress', value),
  updateState: (update) => report('updateState', update),
  submit: async <F extends AnyFunction>(target: F, ...args: Parameters<F>) =>
    current('submit').submit(target, args, {}) as Promise<Future<ResultOf<F>>>,
}
