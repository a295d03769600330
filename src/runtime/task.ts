/**
 * Tasks: functions that are declared to be submitted. A plain function needs none of this; a declared one carries
 * options, an input schema, and its own `submit`.
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { ScheduleOptions, TaskOptions } from './config/config.ts'
import { showValue } from './config/nearest-name.ts'
import { InvalidInputError, InvalidTaskError, UnregisteredTaskError } from './errors.ts'
import type { Future } from './future/future.ts'
import type { FutureGroup } from './future/future-group.ts'
import type { CallOptions } from './submit/call-options.ts'

/** Any function; `never` arguments so that every function type is one. */
export type AnyFunction = (...args: never[]) => unknown

/** What a future of this function's call resolves to. */
export type ResultOf<F extends AnyFunction> = Awaited<ReturnType<F>>

/** Submits one function: what `task.with(options)` gives. */
export interface TaskSubmitter<F extends AnyFunction> {
  submit(...args: Parameters<F>): Promise<Future<ResultOf<F>>>
  /** Celery's name for `submit`. */
  delay(...args: Parameters<F>): Promise<Future<ResultOf<F>>>
  /** One call for each list of arguments. */
  map(argumentLists: ArgumentLists<F>): Promise<FutureGroup<ResultOf<F>>>
}

/** What `map` takes: a list of arguments for each call. */
export type ArgumentLists<F extends AnyFunction> =
  | Iterable<Readonly<Parameters<F>>>
  | AsyncIterable<Readonly<Parameters<F>>>

/** What a function is called with: may be left out where it can do without. */
export type ScheduledArgs<F extends AnyFunction> =
  [] extends Parameters<F>
    ? { readonly args?: Readonly<Parameters<F>> }
    : { readonly args: Readonly<Parameters<F>> }

/** A schedule that is declared on its task. */
export type TaskSchedule<F extends AnyFunction> = ScheduleOptions &
  ScheduledArgs<F> & {
    /** @default the task's name, with `-` for its dots */
    readonly name?: string
  }

/** A declared task: still the function it was made of, and it can be submitted. */
export type Task<F extends AnyFunction = AnyFunction> = F &
  TaskSubmitter<F> & {
    /** Options of the sender for the calls that follow. */
    with(options: CallOptions): TaskSubmitter<F>
    /**
     * Declares a schedule of the task, and returns the task; what breaks a rule is refused where the app is started,
     * deployed or looked at.
     *
     * @example
     * export const build = task(async (month?: string) => { … }).schedule({ cron: '0 2 1 * *', timezone: 'Europe/Berlin' })
     */
    schedule(schedule: TaskSchedule<F>): Task<F>
  }

/** How a task with options is declared. */
export interface TaskDefinition<F extends AnyFunction> extends TaskOptions {
  readonly run: F
}

/** How a task with an input schema is declared: one input, parsed at submit and again in the worker. */
export interface InputTaskDefinition<S extends StandardSchemaV1, R> extends TaskOptions {
  /** Any Standard Schema: Zod, Valibot, ArkType, … */
  readonly input: S
  readonly run: (input: StandardSchemaV1.InferOutput<S>) => R
}

/** A task with an input schema as a function: it parses what it is given. */
export type InputFunction<S extends StandardSchemaV1, R> = (
  input: StandardSchemaV1.InferInput<S>,
) => Promise<Awaited<R>>

/** What `task` was given, as the registry reads it. */
export interface Declaration {
  readonly run: (...args: unknown[]) => unknown
  readonly input: StandardSchemaV1 | undefined
  readonly options: TaskOptions
}

/** Sends the calls of one task: what an executor binds a declared task to. */
export interface TaskSender {
  submit(target: AnyFunction, args: readonly unknown[], options: CallOptions): Promise<Future<unknown>>
  map(target: AnyFunction, lists: unknown, options: CallOptions): Promise<FutureGroup<unknown>>
}

interface TaskState {
  readonly declaration: Declaration
  /** The executors that the task is registered on; a submit by the task itself needs exactly one. */
  readonly senders: Set<TaskSender>
  readonly schedules: TaskSchedule<AnyFunction>[]
}

const states = new WeakMap<object, TaskState>()

/** Executors whose tasks were not read yet: a task that is submitted first asks them to. */
const unreadRegistries = new Set<() => void>()

/** Has `read` called before a task that knows no executor gives up. */
export function onUnboundTask(read: () => void): void {
  unreadRegistries.add(read)
}

/** The counterpart of `onUnboundTask`. */
export function offUnboundTask(read: () => void): void {
  unreadRegistries.delete(read)
}

/** What a declared task was declared with, or `undefined` for anything else. */
export function declarationOf(value: unknown): Declaration | undefined {
  return typeof value === 'function' ? states.get(value)?.declaration : undefined
}

/** The schedules that were declared on a task; of anything else there are none. */
export function taskSchedulesOf(value: unknown): readonly TaskSchedule<AnyFunction>[] {
  return typeof value === 'function' ? (states.get(value)?.schedules ?? []) : []
}

/** Makes `task.submit` go through this sender. */
export function bindTask(task: AnyFunction, sender: TaskSender): void {
  states.get(task)?.senders.add(sender)
}

/** The counterpart of `bindTask`: the executor was closed. */
export function unbindTask(task: AnyFunction, sender: TaskSender): void {
  states.get(task)?.senders.delete(sender)
}

/**
 * Declares a task: with an input schema, with options, or of a plain function. Its name is its key in the `tasks`
 * of `createExecutor`.
 *
 * @example
 * export const mail = task({ input: z.object({ to: z.email() }), run: async ({ to }) => { … }, maxAttempts: 5 })
 * @throws InvalidTaskError where `run` is not a function, or is a class
 */
export function task<S extends StandardSchemaV1, R>(
  definition: InputTaskDefinition<S, R>,
): Task<InputFunction<S, R>>
export function task<F extends AnyFunction>(definition: TaskDefinition<F>): Task<F>
export function task<F extends AnyFunction>(run: F): Task<F>
export function task(definition: unknown): unknown {
  const parts = (typeof definition === 'function' ? { run: definition } : definition) as Partial<
    InputTaskDefinition<StandardSchemaV1, unknown>
  > | null
  if (typeof parts !== 'object' || parts === null || typeof parts.run !== 'function') {
    throw new InvalidTaskError(
      `task() was given ${showValue(definition)}, expected a function, or options with a function \`run\``,
    )
  }
  if (isClass(parts.run))
    throw new InvalidTaskError(`task() was given the class ${parts.run.name}; pass a function`)
  const { run, input, ...options } = parts
  if ('input' in parts && typeof input?.['~standard']?.validate !== 'function') {
    throw new InvalidTaskError(
      `task() was given the input ${showValue(input)}, expected a Standard Schema: of Zod, Valibot, ArkType, …`,
    )
  }
  const declaration = { run: run as Declaration['run'], input, options }
  const callable = input === undefined ? directCall(declaration) : parsedCall(declaration, input)
  Object.defineProperty(callable, 'name', { value: run.name, configurable: true })
  const schedules: TaskSchedule<AnyFunction>[] = []
  states.set(callable, { declaration, senders: new Set(), schedules })
  return Object.assign(callable, submitterOf(callable, {}), {
    with: (callOptions: CallOptions) => submitterOf(callable, callOptions),
    schedule: (schedule: TaskSchedule<AnyFunction>) => {
      schedules.push(schedule)
      return callable
    },
  })
}

function directCall(declaration: Declaration): AnyFunction {
  return (...args: unknown[]) => declaration.run(...args)
}

function parsedCall(declaration: Declaration, input: StandardSchemaV1): AnyFunction {
  return async (...args: unknown[]) => {
    return declaration.run(await parseInput(input, args, declaration.run.name))
  }
}

function submitterOf(callable: AnyFunction, options: CallOptions): TaskSubmitter<AnyFunction> {
  const submit = async (...args: unknown[]) => senderOf(callable).submit(callable, args, options)
  return {
    submit,
    delay: submit,
    map: async (lists) => senderOf(callable).map(callable, lists, options),
  }
}

/** Has executors read their tasks; returns what those threw that cannot. */
function readRegistries(): unknown[] {
  const refusals: unknown[] = []
  for (const read of [...unreadRegistries]) {
    try {
      read()
    } catch (error) {
      refusals.push(error)
    }
  }
  return refusals
}

function senderOf(callable: AnyFunction): TaskSender {
  const senders = (states.get(callable) as TaskState).senders
  const refusals = senders.size === 0 ? readRegistries() : []
  const [sender, another] = senders
  const name = callable.name || 'a task'
  // The newest executor that could not be read: perhaps it would have been this task's.
  if (sender === undefined && refusals.length > 0) throw refusals.at(-1)
  if (sender === undefined) {
    throw new UnregisteredTaskError(
      `${name} was submitted before it was registered; add it to an executor: createExecutor(config, { tasks: { ${callable.name || 'name'} } })`,
    )
  }
  if (another !== undefined) {
    throw new UnregisteredTaskError(
      `${name} is registered on ${senders.size} executors; say which: executor.submit(${callable.name || 'task'}, …)`,
    )
  }
  return sender
}

/**
 * Whether a function is a class, built in or not: calling it would throw, so it can never run as a task. A class has a
 * `prototype` that cannot be replaced, as a frozen function has; its text tells the two apart.
 */
export function isClass(value: AnyFunction): boolean {
  if (Object.getOwnPropertyDescriptor(value, 'prototype')?.writable !== false) return false
  return /^class\b|\{ \[native code\] \}$/.test(Function.prototype.toString.call(value))
}

/**
 * Parses the one input of a task that has a schema.
 * @throws InvalidInputError with the schema's issues
 */
export async function parseInput(
  schema: StandardSchemaV1,
  args: readonly unknown[],
  name: string,
): Promise<unknown> {
  const answer = schema['~standard'].validate(args[0])
  const result = answer instanceof Promise ? await answer : answer
  if (args.length > 1) {
    throw new InvalidInputError(
      `task ${JSON.stringify(name)} was given ${args.length} arguments; with an input schema it takes one`,
      [],
    )
  }
  if (result.issues === undefined) return result.value
  const issues = result.issues.map(({ message, path = [] }) => ({
    message,
    path: path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
  }))
  const listed = issues
    .slice(0, 5)
    .map(({ message, path }) => (path === '' ? message : `${path}: ${message}`))
  throw new InvalidInputError(
    `task ${JSON.stringify(name)} refused its input: ${listed.join('; ')}${issues.length > 5 ? '; …' : ''}`,
    issues,
  )
}
