/**
 * The client: for a web app that must not bundle the workers' code. It knows names and types only.
 * @module
 */

import { createCodec } from './codec/codec.ts'
import type { Config, QueueName } from './config/config.ts'
import { showValue } from './config/nearest-name.ts'
import { InvalidTaskError } from './errors.ts'
import {
  closedError,
  createConnection,
  type declaredTypes,
  type Executor,
  handles,
  type OpenBackend,
  type SharedOptions,
} from './executor.ts'
import { createCalls } from './future/calls.ts'
import type { Future } from './future/future.ts'
import type { FutureGroup } from './future/future-group.ts'
import { checkMiddleware, type Middleware } from './middleware.ts'
import { createOperations } from './operations/operations.ts'
import { checkTaskName, type RegisteredTask } from './registry.ts'
import { resolveConfig } from './resolve-config.ts'
import { type CallOptions, NO_OPTIONS } from './submit/call-options.ts'
import { createSender } from './submit/submit.ts'
import type { AnyFunction, ArgumentLists, ResultOf, TaskSender } from './task.ts'

type Skipped = readonly unknown[] | (abstract new (...args: never[]) => unknown) | Date | RegExp

/** The dotted names of the tasks in a tree: `'add' | 'reports.build'`. */
export type TaskName<Tasks, Prefix extends string = ''> = {
  [Key in keyof Tasks & string]: Tasks[Key] extends AnyFunction
    ? `${Prefix}${Key}`
    : Tasks[Key] extends Skipped
      ? never
      : Tasks[Key] extends object
        ? TaskName<Tasks[Key], `${Prefix}${Key}.`>
        : never
}[keyof Tasks & string]

/** The function of a dotted name. */
export type TaskOfName<Tasks, Name extends string> = Name extends keyof Tasks
  ? Extract<Tasks[Name], AnyFunction>
  : Name extends `${infer Head}.${infer Rest}`
    ? Head extends keyof Tasks
      ? TaskOfName<Tasks[Head], Rest>
      : never
    : never

/** The tasks of an executor's type. */
export type TasksOf<E> = E extends { readonly [declaredTypes]?: { readonly tasks: infer Tasks } }
  ? Tasks
  : never

/** The config of an executor's type. */
export type ConfigOf<E> = E extends { readonly [declaredTypes]?: { readonly config: infer C extends Config } }
  ? C
  : Config

/** Submits by name. */
export interface NameSubmitter<Tasks> {
  /**
   * Sends one call: when it resolves, the call is durable. An input schema is parsed by the worker alone.
   * @throws what `executor.submit` throws
   */
  submit<Name extends TaskName<Tasks>>(
    name: Name,
    ...args: Parameters<TaskOfName<Tasks, Name>>
  ): Promise<Future<ResultOf<TaskOfName<Tasks, Name>>>>
  /** Sends one call for each list of arguments. */
  map<Name extends TaskName<Tasks>>(
    name: Name,
    lists: ArgumentLists<TaskOfName<Tasks, Name>>,
  ): Promise<FutureGroup<ResultOf<TaskOfName<Tasks, Name>>>>
}

/** Submits by name, and holds futures. */
export interface Client<Tasks, C extends Config = Config>
  extends NameSubmitter<Tasks>,
    Pick<Executor<never, C>, 'future' | 'group' | 'retry' | 'retryAll' | 'status' | 'inspect' | 'close'> {
  readonly [declaredTypes]?: { readonly tasks: Tasks; readonly config: C }
  /** Options of the sender for the calls that follow. */
  with(options: CallOptions<QueueName<C>>): NameSubmitter<Tasks>
  /** Adds middleware; a client runs only its `submit` part. */
  use(middleware: Middleware): void
}

/** Makes a client; `open` picks its backend at the first use. */
export function buildClient<Tasks, C extends Config>(
  declared: C,
  options: SharedOptions,
  open: OpenBackend,
): Client<Tasks, C> {
  const config = resolveConfig(declared)
  const codec = createCodec(options.errors === undefined ? {} : { errors: options.errors })
  const middleware: Middleware[] = []
  const connection = createConnection(config, () => open(config, undefined))
  const { connect } = connection
  const calls = createCalls(config, codec, connect)
  const sender = createSender({ config, codec, calls, connect, middleware, resolve: resolveName })
  const { status, inspect, retry, retryAll } = createOperations({
    ...{ config, codec, calls, connect, resolve: resolveName },
    // A client knows no tasks: what follows a call that it retries goes by the name that is in the message.
    nameNow: (name) => name,
    schedules: () => config.schedules,
    submitByName: (name, args, queue) => sender.submit(name as unknown as AnyFunction, args, { queue }),
  })
  return {
    status,
    inspect,
    ...submitterOf<Tasks>(sender, NO_OPTIONS),
    with: (callOptions) => submitterOf<Tasks>(sender, callOptions),
    use: (layer) => {
      middleware.push(checkMiddleware(layer))
    },
    ...handles(calls),
    ...{ retry, retryAll },
    close: async () => {
      await connection.close()
      calls.close(closedError(config))
    },
  }
}

function submitterOf<Tasks>(sender: TaskSender, options: CallOptions): NameSubmitter<Tasks> {
  const target = (name: string) => name as unknown as AnyFunction
  return {
    submit: (name, ...args) => sender.submit(target(name), args, options) as Promise<Future<never>>,
    map: (name, lists) => sender.map(target(name), lists, options) as Promise<FutureGroup<never>>,
  }
}

function resolveName(name: unknown): Pick<RegisteredTask, 'name' | 'input' | 'formerly'> {
  if (typeof name !== 'string') {
    throw new InvalidTaskError(
      `a client submits by name, as in client.submit('reports.build', …); got ${showValue(name)}`,
    )
  }
  checkTaskName(name)
  return { name, input: undefined, formerly: [] }
}
