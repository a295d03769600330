/**
 * `errand`: submit a function, hold its future. This module is the package's face, and its composition root: it
 * picks the backend and wires the ports.
 * @module
 */
import type { FaultSwitches } from 'errand/local-emulator'
import { createDeadLetterHandler } from './handlers/dead-letter.ts'
import { createWorkerHandler } from './handlers/worker.ts'
import { type App, findApp } from './runtime/app.ts'
import type { AwsOptions } from './runtime/aws/aws-backend.ts'
import { chooseBackend } from './runtime/choose-backend.ts'
import { buildClient, type Client, type ConfigOf, type TasksOf } from './runtime/client.ts'
import type { Clock } from './runtime/clock.ts'
import type { Config, ResolvedConfig } from './runtime/config/config.ts'
import { checkKeys } from './runtime/config/option-checks.ts'
import { NotWiredError } from './runtime/errors.ts'
import { buildExecutor, type Executor, type SharedOptions } from './runtime/executor.ts'
import type { Backend, BackendKind } from './runtime/ports/backend.ts'
import type { TaskTree } from './runtime/registry.ts'

/** Where calls go, and how. */
export interface ConnectOptions extends SharedOptions {
  /**
   * `aws`, `local` (workers in this process), `eager` (inline), or a backend of your own making.
   * @default `ERRAND_BACKEND`, else `aws` where the construct's variables are set, else `local` in development
   */
  readonly backend?: BackendKind | Backend
  /** How to reach AWS: table, queues, endpoints. @default from the construct's variables and the SDK's own */
  readonly aws?: AwsOptions
  /** Settings of the local backend. @default {} */
  readonly local?: {
    /** Whether the first submit starts the workers. @default true */
    readonly startWorkers?: boolean
    /** A clock of your own, as `virtualClock()`. Makes a backend apart from the one the process shares. @default the system's */
    readonly clock?: Clock
    /** What goes wrong on AWS now and then, by chance from a seed. @default nothing */
    readonly faults?: FaultSwitches
  }
  /** Settings of the eager backend. @default {} */
  readonly eager?: {
    /** Let a submit reject with the error of a call that failed. @default false: it stays in the future */
    readonly propagate?: boolean
  }
}

/** What `createExecutor` takes beside the config. */
export interface ExecutorOptions<Tasks extends TaskTree> extends ConnectOptions {
  /** Functions and declared tasks; their keys are their names. Modules may be given whole: `import * as reports`. @default {} */
  readonly tasks?: Tasks
}

const connectOptions = ['backend', 'aws', 'local', 'eager', 'errors'] as const

/**
 * Makes the executor of an app. Nothing runs and no connection is made until the first call.
 *
 * @example
 * export const executor = createExecutor(config, { tasks: { reports, add } })
 * @throws InvalidOptionError where the config breaks a rule
 */
export function createExecutor<const C extends Config, Tasks extends TaskTree>(
  config: C,
  options: ExecutorOptions<Tasks> = {},
): Executor<Tasks, C> {
  checkKeys('the options of createExecutor', options, [...connectOptions, 'tasks'])
  return buildExecutor(config, options, (resolved, app) => openBackend(resolved, options, app))
}

/**
 * Makes a client: for a web app that submits by name and must not bundle the workers' code.
 *
 * @example
 * const client = createClient<typeof executor>(config)
 * @throws InvalidOptionError where the config breaks a rule
 */
export function createClient<E extends object>(
  config: ConfigOf<E>,
  options: ConnectOptions = {},
): Client<TasksOf<E>, ConfigOf<E>> {
  checkKeys('the options of createClient', options, connectOptions)
  return buildClient(config, options, (resolved) => openBackend(resolved, options, undefined))
}

async function openBackend(
  config: ResolvedConfig,
  options: ConnectOptions,
  app: App | undefined,
): Promise<Backend> {
  const { backend, local, eager } = options
  if (typeof backend === 'object' && backend !== null) return attached(backend, app)
  const kind = chooseBackend(backend, process.env, config.name)
  if (kind === 'aws') {
    const { awsBackend } = await import('./runtime/aws/aws-backend.ts')
    return awsBackend(config, options.aws)
  }
  const worker = app ?? findApp(config.name)
  if (worker === undefined) throw noWorker(config.name, kind)
  // By the package's own name, which bundlers are told to leave out: a worker's bundle must not hold the emulator.
  const emulator = await import('errand/local-emulator')
  const handlers = { makeHandler: createWorkerHandler, makeDeadLetterHandler: createDeadLetterHandler }
  if (kind === 'local' && local?.clock !== undefined) {
    return attached(emulator.localBackend(config, { ...handlers, ...local }), worker)
  }
  const make = () =>
    kind === 'eager'
      ? emulator.eagerBackend(config, { ...eager })
      : emulator.localBackend(config, { ...handlers, ...local })
  return attached(
    emulator.shareBackend(config, kind, make, { app: worker, isClient: app === undefined }),
    worker,
  )
}

function attached(backend: Backend, app: App | undefined): Backend {
  if (app !== undefined) backend.attach?.(app)
  return backend
}

function noWorker(name: string, kind: BackendKind): NotWiredError {
  return new NotWiredError(
    `no executor of ${JSON.stringify(name)} was made in this process, so on the ${kind} backend nothing would run its calls; import the module that calls createExecutor`,
  )
}

export type { AwsOptions } from './runtime/aws/aws-backend.ts'
export type { CallState, FailureReason } from './runtime/call/record.ts'
export type { Client } from './runtime/client.ts'
export type { Clock, Timer } from './runtime/clock.ts'
export type { ErrorClass } from './runtime/codec/codec.ts'
export type {
  Backoff,
  Config,
  LogLevel,
  QueueOptions,
  TaskOptions,
  WorkerOptions,
} from './runtime/config/config.ts'
export { type CurrentTask, currentTask, type WorkerContext } from './runtime/current-task.ts'
export * from './runtime/errors.ts'
export type { Executor, Submitter } from './runtime/executor.ts'
export type { Outcome } from './runtime/future/calls.ts'
export { Future, type Snapshot } from './runtime/future/future.ts'
export {
  asCompleted,
  FutureGroup,
  type ReturnWhen,
  type Waited,
  wait,
} from './runtime/future/future-group.ts'
export type { WaitOptions } from './runtime/future/waiting.ts'
export type { Middleware, Next, RunningCall, SubmittedCall } from './runtime/middleware.ts'
export type { CallFilter, CallPage, InspectedCall, PageOptions } from './runtime/operations/call-listing.ts'
export type {
  ProcessStats,
  QueueStats,
  Status,
  WorkerState,
  WorkerStats,
} from './runtime/operations/fleet-status.ts'
export type {
  Inspect,
  Purged,
  QueueControl,
  Reserved,
  StatelessFilter,
  Stats,
} from './runtime/operations/inspection.ts'
export type { Retried, RetryFilter } from './runtime/operations/retry-by-hand.ts'
export type { Backend, BackendKind, Ports } from './runtime/ports/backend.ts'
export type { Fleet, QueueHoldings, WorkerAnswer } from './runtime/ports/fleet.ts'
export type { WorkerReport } from './runtime/ports/worker-report.ts'
export { defineConfig } from './runtime/resolve-config.ts'
export type { CallOptions, FollowUp } from './runtime/submit/call-options.ts'
export { type Task, task } from './runtime/task.ts'
