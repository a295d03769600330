/**
 * The executor: what tasks are registered on and submitted to.
 * @module
 */

import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type App, announceApp, type StartHook, type StopHook, withdrawApp } from './app.ts'
import { createCodec, type ErrorClass } from './codec/codec.ts'
import type { Config, QueueName, ResolvedConfig, ScheduleOptions } from './config/config.ts'
import { showValue } from './config/nearest-name.ts'
import { checkFunction } from './config/option-checks.ts'
import { outsideAnyContext, type WorkerContext } from './current-task.ts'
import { sizeOfGroup } from './entropy.ts'
import { ClosedError, InvalidOptionError } from './errors.ts'
import { type Calls, type Connect, createCalls } from './future/calls.ts'
import { Future } from './future/future.ts'
import { FutureGroup } from './future/future-group.ts'
import { checkMiddleware, type Middleware } from './middleware.ts'
import type { Inspection } from './operations/inspection.ts'
import { createOperations } from './operations/operations.ts'
import type { Retried, RetryFilter } from './operations/retry-by-hand.ts'
import type { Backend } from './ports/backend.ts'
import { createRegistry, type TaskTree } from './registry.ts'
import { resolveConfig } from './resolve-config.ts'
import { createAppSchedules } from './schedules/app-schedules.ts'
import type { ScheduleContext } from './schedules/schedule-control.ts'
import { type CallOptions, NO_OPTIONS } from './submit/call-options.ts'
import { createSender } from './submit/submit.ts'
import {
  type AnyFunction,
  type ArgumentLists,
  task as declareTask,
  type InputFunction,
  type InputTaskDefinition,
  type ResultOf,
  type ScheduledArgs,
  type Task,
  type TaskDefinition,
  type TaskSender,
} from './task.ts'

/** Submits, with options of the sender or without. */
export interface Submitter {
  /**
   * Sends one call: when it resolves, the call is durable.
   * @throws UnregisteredTaskError, InvalidTaskError, InvalidInputError, UnsupportedValueError, PayloadTooLargeError,
   *   InvalidOptionError, IdempotencyConflictError, SubmitUncertainError, AccessDeniedError, ResourceNotFoundError
   */
  submit<F extends AnyFunction>(target: F, ...args: Parameters<F>): Promise<Future<ResultOf<F>>>
  /** Sends one call for each list of arguments, in batches. Refused whole where one value cannot be sent. */
  map<F extends AnyFunction>(target: F, lists: ArgumentLists<F>): Promise<FutureGroup<ResultOf<F>>>
}

/** What `executor.task` makes: declared and registered in one go. */
export interface TaskRegistrar {
  <S extends StandardSchemaV1, R>(
    name: string,
    definition: InputTaskDefinition<S, R>,
  ): Task<InputFunction<S, R>>
  <F extends AnyFunction>(name: string, definition: TaskDefinition<F>): Task<F>
  <F extends AnyFunction>(name: string, run: F): Task<F>
}

/** Where the types of an executor's tasks and config are kept; never a value. */
export declare const declaredTypes: unique symbol

/** Tasks are registered on it and submitted to it. */
export interface Executor<Tasks extends TaskTree = TaskTree, C extends Config = Config>
  extends Submitter,
    Inspection<QueueName<C>> {
  readonly [declaredTypes]?: { readonly tasks: Tasks; readonly config: C }
  /** The checked config. */
  readonly config: ResolvedConfig
  /** Options of the sender for the calls that follow. */
  with(options: CallOptions<QueueName<C>>): Submitter
  /** Declares a task and registers it under `name`. */
  readonly task: TaskRegistrar
  /**
   * Declares a schedule of a registered task in code, as `schedules` of the config does; what breaks a rule is refused
   * where the app is started, deployed or looked at.
   *
   * @example
   * executor.schedule('nightly', reports.build, { cron: '0 2 * * *', timezone: 'Europe/Berlin', args: ['2026-10'] })
   */
  schedule<F extends AnyFunction>(name: string, target: F, schedule: ScheduleOptions & ScheduledArgs<F>): void
  /** The future of a call, from any process. Makes no request. */
  future<T = unknown>(id: string): Future<T>
  /** The futures of a `map`, from any process. Makes no request. */
  group<T = unknown>(id: string): FutureGroup<T>
  /**
   * Has a failed call tried again, with the arguments that were kept and new allowances; its attempts count on. Where
   * a process died in the middle of it, do it again. Who had its error already keeps it: take the future returned.
   * @throws RetryRefusedError where it has not failed, or its arguments were not kept; CallNotFoundError,
   *   SubmitUncertainError, AccessDeniedError, ResourceNotFoundError
   */
  retry<T = unknown>(id: string): Promise<Future<T>>
  /**
   * `retry` for all calls that failed in a queue, of a task, since a time; all of them where the filter says nothing.
   * What failed in the last second may be missing, what fails again meanwhile is not retried twice.
   * @throws InvalidOptionError, AccessDeniedError, ResourceNotFoundError
   */
  retryAll(filter: RetryFilter<QueueName<C>>): Promise<Retried>
  /** Adds middleware, innermost last. Attempts that have begun do not see it. */
  use(middleware: Middleware): void
  /** What each worker environment makes before its first call; the fields become `currentTask.context`. */
  onWorkerStart(
    hook: () => Partial<WorkerContext> | Promise<Partial<WorkerContext>> | void | Promise<void>,
  ): void
  /** Undoes it; best-effort on Lambda, which may end an environment without a word. */
  onWorkerStop(hook: (context: WorkerContext) => unknown): void
  /** Starts the workers where the backend runs them; a local one does so at the first submit by itself. */
  start(): Promise<void>
  /**
   * Takes no more submits, stops workers after the attempts that run, frees connections. Who still waits for a
   * result then gets `ClosedError`. What the local backend has not run by then is lost, and it says so.
   */
  close(): Promise<void>
}

/** What executors and clients are made with, beside the config. */
export interface SharedOptions {
  /** Error classes that come back as themselves, by the name they travel under. @default {} */
  readonly errors?: Readonly<Record<string, ErrorClass>>
}

/** Makes the backend of an app; for a client, `app` is `undefined`. */
export type OpenBackend = (config: ResolvedConfig, app: App | undefined) => Promise<Backend>

/** What workers and tests need of an executor. */
export interface ExecutorInternals {
  readonly app: App
  readonly connect: Connect
  /** Has the executor use this backend, until the returned function is called; whoever waits then gets `ClosedError`. */
  readonly lend: Connection['lend']
}

const internals = new WeakMap<object, ExecutorInternals>()

/**
 * The app and the connection of an executor: what workers run.
 * @throws InvalidOptionError where it is not an executor
 */
export function internalsOf(executor: object): ExecutorInternals {
  const found = internals.get(executor)
  if (found !== undefined) return found
  throw new InvalidOptionError(`expected an executor of createExecutor, got ${showValue(executor)}`)
}

/** A connection that is made at first use, once, and can be closed. */
export interface Connection {
  readonly connect: Connect
  /**
   * Gives it a backend in place of the one that it would open, until the returned function is called.
   * @throws InvalidOptionError where it has one already, ClosedError
   */
  lend(backend: Backend): () => void
  close(): Promise<void>
}

/** Opens the backend at the first use. */
export function createConnection(config: ResolvedConfig, open: () => Promise<Backend>): Connection {
  let backend: Backend | undefined
  let opening: Promise<Backend> | undefined
  let lent: Backend | undefined
  let closed = false
  const openOnce = async () => {
    backend = await outsideAnyContext(open)
    return backend
  }
  return {
    connect() {
      if (closed) throw closedError(config)
      if (backend !== undefined) return backend
      if (lent !== undefined) return lent
      opening ??= openOnce().catch((error: unknown) => {
        opening = undefined
        throw error
      })
      return opening
    },
    lend(to) {
      if (closed) throw closedError(config)
      if (lent !== undefined || opening !== undefined) throw alreadyConnected(config, lent !== undefined)
      lent = to
      return () => {
        lent = undefined
      }
    },
    async close() {
      closed = true
      await (await opening?.catch(() => undefined))?.close()
    },
  }
}

function alreadyConnected(config: ResolvedConfig, isLent: boolean): InvalidOptionError {
  const name = JSON.stringify(config.name)
  return new InvalidOptionError(
    isLent
      ? `the executor of ${name} is under test already; close the first testExecutor`
      : `the executor of ${name} has connected to its own backend already, where its calls now are; call testExecutor before anything is submitted, or make an executor for the test`,
  )
}

/** The error of whoever uses, or waits on, what was closed. */
export function closedError(config: ResolvedConfig): ClosedError {
  return new ClosedError(
    `the executor or client of ${JSON.stringify(config.name)} was closed; make a new one, and take up a call by its id`,
  )
}

/** What an executor is built of, beside its config. */
export interface BuildOptions<Tasks extends TaskTree> extends SharedOptions {
  readonly tasks?: Tasks
  readonly backend?: unknown
  /** The schedules of an app that was read elsewhere; @default those of the config and of the code */
  readonly scheduled?: Pick<ScheduleContext, 'schedules' | 'submitByName'>
}

/** Makes an executor; `open` picks its backend at the first use. */
export function buildExecutor<Tasks extends TaskTree, C extends Config>(
  declared: C,
  options: BuildOptions<Tasks>,
  open: OpenBackend,
): Executor<Tasks, C> {
  const config = resolveConfig(declared)
  const codec = createCodec(options.errors === undefined ? {} : { errors: options.errors })
  const middleware: Middleware[] = []
  const startHooks: StartHook[] = []
  const stopHooks: StopHook[] = []
  const sender: TaskSender = {
    submit: (target, args, callOptions) => realSender.submit(target, args, callOptions),
    map: (target, lists, callOptions) => realSender.map(target, lists, callOptions),
  }
  const registry = createRegistry(config, options.tasks ?? {}, sender)
  const scheduled = createAppSchedules(config, registry, sender)
  const { schedules } = scheduled
  const parts = { config, registry, codec, schedules, middleware, startHooks, stopHooks }
  const app: App = { ...parts, ...named(options), submit: sender.submit }
  announceApp(app)
  const connection = createConnection(config, () => open(config, app))
  const { connect } = connection
  const calls = createCalls(config, codec, connect)
  const realSender = createSender({ config, codec, calls, connect, middleware, resolve: registry.taskOf })
  const nameNow = (name: string) => registry.find(name)?.name ?? name
  const executor: Executor<Tasks, C> = {
    config,
    ...submitterOf(sender, NO_OPTIONS),
    with: (callOptions) => submitterOf(sender, callOptions),
    task: registrar(registry.add) as TaskRegistrar,
    ...handles(calls),
    ...createOperations({
      ...{ config, codec, calls, connect, resolve: registry.taskOf, nameNow },
      ...(options.scheduled ?? scheduled),
    }),
    schedule: scheduled.declare,
    ...hooksOf(middleware, startHooks, stopHooks),
    start: async () => (await connect()).start(),
    close: async () => {
      registry.release()
      withdrawApp(app)
      await connection.close()
      calls.close(closedError(config))
    },
  }
  const lend: Connection['lend'] = (backend) => {
    const giveBack = connection.lend(backend)
    return () => {
      giveBack()
      calls.close(closedError(config))
    }
  }
  internals.set(executor, { app, connect, lend })
  return executor
}

/** What adds to these lists. */
function hooksOf(
  middleware: Middleware[],
  startHooks: StartHook[],
  stopHooks: StopHook[],
): Pick<Executor, 'use' | 'onWorkerStart' | 'onWorkerStop'> {
  return {
    use: (layer) => {
      middleware.push(checkMiddleware(layer))
    },
    onWorkerStart: (hook) => {
      startHooks.push(checkFunction('the hook of onWorkerStart', hook))
    },
    onWorkerStop: (hook) => {
      stopHooks.push(checkFunction('the hook of onWorkerStop', hook) as StopHook)
    },
  }
}

function named({ backend }: { readonly backend?: unknown }): Pick<App, 'backend'> {
  return typeof backend === 'string' ? { backend } : {}
}

function submitterOf(sender: TaskSender, options: CallOptions): Submitter {
  return {
    submit: (target, ...args) => sender.submit(target, args, options) as Promise<Future<never>>,
    map: (target, lists) => sender.map(target, lists, options) as Promise<FutureGroup<never>>,
  }
}

function registrar(add: (name: string, target: AnyFunction) => void) {
  return (name: string, definition: AnyFunction): Task => {
    const declared = declareTask(definition)
    add(name, declared)
    return declared
  }
}

/** Futures and groups by id. */
export function handles(calls: Calls): Pick<Executor, 'future' | 'group'> {
  return {
    future: <T>(id: string) => {
      if (typeof id === 'string' && id !== '') return new Future<T>(calls, id)
      throw new InvalidOptionError(`a call's id is ${showValue(id)}, expected the \`id\` of a future`)
    },
    group: <T>(id: string) => {
      const size = typeof id === 'string' ? sizeOfGroup(id) : undefined
      if (size !== undefined) return new FutureGroup<T>(calls, id, size)
      throw new InvalidOptionError(
        `a group's id is ${showValue(id)}, expected the \`id\` of what map returned`,
      )
    },
  }
}
