/**
 * Submitting: options, route, middleware and schema, and then the call is sent.
 * @module
 */

import { headersOf } from '../call/headers.ts'
import type { Codec } from '../codec/codec.ts'
import { LIMITS, type ResolvedConfig, type ResolvedQueue } from '../config/config.ts'
import { longestMatch } from '../config/name-pattern.ts'
import { quoteNames, showValue, suggestName } from '../config/nearest-name.ts'
import { runningTask } from '../current-task.ts'
import { idInGroup, idOfKey, newGroupId } from '../entropy.ts'
import { InvalidOptionError, SubmitUncertainError } from '../errors.ts'
import type { Calls, Connect } from '../future/calls.ts'
import { Future, observe } from '../future/future.ts'
import { FutureGroup } from '../future/future-group.ts'
import { compose, type Middleware, type SubmittedCall } from '../middleware.ts'
import type { Backend } from '../ports/backend.ts'
import type { RegisteredTask } from '../registry.ts'
import { type AnyFunction, parseInput, type TaskSender } from '../task.ts'
import { type CallOptions, checkCallOptions, checkOptionNames, NO_OPTIONS } from './call-options.ts'
import { type OutgoingCall, prepareCall, type Route } from './outgoing-call.ts'
import { endRefused } from './refused-send.ts'
import { type OnRefused, send, type Unsent } from './send.ts'

/** How a running task submits. */
export type SubmitFromTask = TaskSender['submit']

/** What sending needs of its executor or client. */
export interface SenderContext {
  readonly config: ResolvedConfig
  readonly codec: Codec
  readonly calls: Calls
  readonly connect: Connect
  readonly middleware: readonly Middleware[]
  /** The task that a function is, or that a name names. */
  readonly resolve: (target: unknown) => Pick<RegisteredTask, 'name' | 'input'>
}

/** A route with all that the sender decided. */
interface SubmitRoute extends Route {
  readonly options: CallOptions
}

/** Records first for so many calls of a `map` at once, each lane sending its own batches: 50 requests, the SDK's sockets. */
const MAP_LANES = 5

/** Makes what `submit` and `map` stand on. */
export function createSender(context: SenderContext): TaskSender {
  return {
    submit: (target, args, options) => submit(context, target, args, options),
    map: (target, lists, options) => map(context, target, lists, options),
  }
}

async function submit(
  context: SenderContext,
  target: AnyFunction,
  args: readonly unknown[],
  options: CallOptions,
): Promise<Future<unknown>> {
  const connecting = context.connect()
  const backend = backendHere(context, connecting instanceof Promise ? await connecting : connecting)
  const route = routeOf(context, backend, target, options)
  const future = isPlain(context, route)
    ? await sendOne(context, backend, route, args)
    : await submitThroughMiddleware(context, backend, route, args)
  if (backend.propagate === true) await throwFailure(future)
  return future
}

function submitThroughMiddleware(
  context: SenderContext,
  backend: Backend,
  route: SubmitRoute,
  args: readonly unknown[],
): Promise<Future<unknown>> {
  const id = idOf(backend, route, backend.clock.now())
  return throughMiddleware(context, route, { id, args }, async (finalRoute, finalArgs) => {
    await checkInput(finalRoute, finalArgs)
    return sendOne(context, backend, finalRoute, finalArgs, id)
  })
}

/** In a task of this app, its environment's way to the backend: who is killed sends nothing any more. */
function backendHere(context: SenderContext, backend: Backend): Backend {
  const running = runningTask()
  return running === undefined || running.config !== context.config
    ? backend
    : { ...backend, ...running.ports }
}

/** Sends one call; throws, and does not reject, where it cannot be sent at all. */
function sendOne(
  context: SenderContext,
  backend: Backend,
  route: SubmitRoute,
  args: readonly unknown[],
  id?: string,
): Promise<Future<unknown>> {
  const now = backend.clock.now()
  const prepared = prepareCall(context.codec, now, route, args, id ?? idOf(backend, route, now))
  const key = route.options.idempotencyKey
  const call = key === undefined ? prepared : { ...prepared, key }
  const isOwnId = key === undefined && route.options.id === undefined
  const onRefused = isOwnId ? ending(context, backend, route.queue) : undefined
  return send(context.config, backend, route.queue, [call], now, onRefused).then((failed) => {
    if (failed.length > 0) throw uncertain(failed, [call.id], route.task.name)
    const future = new Future<unknown>(context.calls, call.id)
    if (backend.kind === 'eager') {
      // It is final by now, and its future knows.
      const record = backend.store.peek?.(call.id)
      if (record !== undefined) observe(future, record)
    }
    return future
  })
}

function ending({ codec }: SenderContext, backend: Backend, queue: ResolvedQueue): OnRefused {
  return (calls, error) => endRefused(codec, backend, queue, calls, error)
}

/** Whether nothing stands between the arguments and their encoding: most calls, and they then wait for nothing. */
function isPlain(context: SenderContext, route: Route): boolean {
  return (
    route.task.input === undefined &&
    (context.middleware.length === 0 || context.middleware.every(({ submit: layer }) => layer === undefined))
  )
}

async function checkInput(route: Route, args: readonly unknown[]): Promise<void> {
  if (route.task.input !== undefined) await parseInput(route.task.input, args, route.task.name)
}

async function throwFailure(future: Future<unknown>): Promise<void> {
  const outcome = await future.outcome()
  if (outcome.state === 'failed') throw outcome.error
}

async function map(
  context: SenderContext,
  target: AnyFunction,
  lists: unknown,
  options: CallOptions,
): Promise<FutureGroup<unknown>> {
  checkOptionNames(options)
  for (const option of ['idempotencyKey', 'id'] as const) {
    if (options[option] === undefined) continue
    throw new InvalidOptionError(
      `map was given the constant \`${option}\` ${showValue(options[option])}: all its calls would be one; submit them one by one, each with a key of its own`,
    )
  }
  const backend = backendHere(context, await context.connect())
  const route = routeOf(context, backend, target, options)
  const argumentLists = await collect(lists)
  const groupId = newGroupId(backend.entropy, backend.clock.now(), argumentLists.length)
  const { clock } = backend
  // Everything is encoded before anything is sent: a value that the codec refuses refuses the whole map.
  const plain = isPlain(context, route)
  const calls: OutgoingCall[] = []
  for (const [index, args] of argumentLists.entries()) {
    const id = idInGroup(groupId, index)
    if (plain) {
      calls.push(prepareCall(context.codec, clock.now(), route, args, id))
      continue
    }
    await throughMiddleware(context, route, { id, args }, async (finalRoute, finalArgs) => {
      await checkInput(finalRoute, finalArgs)
      calls.push(prepareCall(context.codec, clock.now(), finalRoute, finalArgs, id))
    })
  }
  const failed = await sendInLanes(context, backend, route.queue, calls)
  if (failed.length > 0) {
    throw uncertain(
      failed,
      failed.map(({ id }) => id),
      route.task.name,
      groupId,
    )
  }
  const group = new FutureGroup<unknown>(context.calls, groupId, calls.length, true)
  if (backend.propagate === true) for (const future of group) await throwFailure(future)
  return group
}

async function collect(lists: unknown): Promise<readonly (readonly unknown[])[]> {
  const isIterable =
    typeof lists === 'object' && lists !== null && (Symbol.iterator in lists || Symbol.asyncIterator in lists)
  if (!isIterable) {
    throw new InvalidOptionError(
      `map was given ${showValue(lists)}, expected an iterable of argument lists, as in [[1, 2], [3, 4]]`,
    )
  }
  const collected: (readonly unknown[])[] = []
  for await (const args of lists as AsyncIterable<unknown>) {
    if (!Array.isArray(args)) {
      throw new InvalidOptionError(
        `map: item ${collected.length} is ${showValue(args)}, expected a list of arguments; wrap it: [item]`,
      )
    }
    if (collected.push(args) > LIMITS.groupSize) {
      throw new InvalidOptionError(`map was given over ${LIMITS.groupSize} items; map them in parts`)
    }
  }
  return collected
}

/** Runs the `submit` parts of the middleware around `work`. */
async function throughMiddleware<Result>(
  context: SenderContext,
  route: SubmitRoute,
  { id, args }: Pick<SubmittedCall, 'id' | 'args'>,
  work: (route: SubmitRoute, args: readonly unknown[]) => Promise<Result>,
): Promise<Result> {
  const layers = context.middleware.flatMap(({ submit: layer }) => (layer === undefined ? [] : [layer]))
  const call: SubmittedCall = {
    id,
    task: route.task.name,
    args,
    queue: route.queue.name,
    tenant: route.options.tenant,
    parent: runningTask()?.id,
    headers: {},
  }
  let done: { readonly result: Result } | undefined
  let failure: unknown
  await compose(layers, call, async () => {
    try {
      if (!Array.isArray(call.args)) {
        throw new InvalidOptionError(
          `a middleware set \`call.args\` to ${showValue(call.args)}, expected a list of arguments`,
        )
      }
      const headers = headersOf(call.headers)
      const finalRoute = headers === undefined ? route : { ...route, headers }
      done = { result: await work(finalRoute, call.args) }
    } catch (error) {
      failure = error
      throw error
    }
  })
  // A middleware may look at an error, but not make a call of it that was never sent.
  if (done === undefined) throw failure
  return done.result
}

/**
 * Checks the options, and finds the queue: the sender's choice, else the task's route, else the first queue.
 * @throws InvalidOptionError, UnregisteredTaskError, InvalidTaskError
 */
function routeOf(
  context: SenderContext,
  { version, clock }: Pick<Backend, 'version' | 'clock'>,
  target: AnyFunction,
  options: CallOptions,
): SubmitRoute {
  const { config } = context
  const task = context.resolve(target)
  if (options !== NO_OPTIONS) checkOptionNames(options)
  const name = options.queue ?? longestMatch(config.routes, task.name) ?? config.defaultQueue
  const queue = config.queues.get(name)
  if (queue === undefined) {
    throw new InvalidOptionError(
      `queue ${showValue(name)} is not declared; ${suggestName(String(name), config.queues.keys())}`,
    )
  }
  const blobs = config.blobs !== undefined
  if (options === NO_OPTIONS) return { task, queue, options, blobs, version }
  // Neither a route nor the default leads to one: the sender named it.
  if (queue.draining) throw drains(config, queue)
  checkCallOptions(config, queue, options, clock.now())
  return { task, queue, options, blobs, version, followUps: followUpsOf(context, options) }
}

function drains({ queues }: ResolvedConfig, { name }: ResolvedQueue): InvalidOptionError {
  const taking = [...queues.values()].filter(({ draining }) => !draining).map((queue) => queue.name)
  return new InvalidOptionError(
    `queue ${JSON.stringify(name)} is draining: its workers run what it holds, and it takes no new calls; submit without a \`queue\`, or to one of ${quoteNames(taking)}`,
  )
}

/** @throws UnregisteredTaskError, InvalidTaskError where a follow-up is no task */
function followUpsOf(context: SenderContext, options: CallOptions): Route['followUps'] {
  if (options.then === undefined && options.catch === undefined) return undefined
  return {
    ...(options.then !== undefined && { onSucceeded: followUpName(context, options, 'then') }),
    ...(options.catch !== undefined && { onFailed: followUpName(context, options, 'catch') }),
  }
}

function followUpName(context: SenderContext, options: CallOptions, option: 'then' | 'catch'): string {
  const target = options[option]
  if (typeof target === 'function' || typeof target === 'string') return context.resolve(target).name
  throw new InvalidOptionError(
    `\`${option}\` is ${showValue(target)}, expected a registered function, or on a client its name`,
  )
}

function idOf(backend: Backend, route: SubmitRoute, now: number): string {
  const { id, idempotencyKey, tenant } = route.options
  if (idempotencyKey !== undefined) return idOfKey(tenant, route.task.name, idempotencyKey)
  return id ?? backend.entropy.id(now)
}

async function sendInLanes(
  context: SenderContext,
  backend: Backend,
  queue: ResolvedQueue,
  calls: readonly OutgoingCall[],
): Promise<Unsent[]> {
  const unsent: Unsent[] = []
  const refusals: unknown[] = []
  const onRefused = ending(context, backend, queue)
  let next = 0
  const sendBatch = async (batch: readonly OutgoingCall[]) => {
    const now = backend.clock.now()
    try {
      unsent.push(...(await send(context.config, backend, queue, batch, now, onRefused)))
    } catch (error) {
      refusals.push(error)
    }
  }
  const lane = async () => {
    while (next < calls.length && refusals.length === 0) {
      const from = next
      next += LIMITS.batchEntries
      const batch = calls.slice(from, from + LIMITS.batchEntries)
      const before = queue.fifo ? unsent[0] : undefined
      if (before === undefined) {
        await sendBatch(batch)
      } else {
        unsent.push(...batch.map(({ id }) => ({ id, error: before.error })))
      }
    }
  }
  // On a FIFO queue the order of sending is the order of running: nothing may overtake what could not be sent.
  await Promise.all(Array.from({ length: queue.fifo ? 1 : MAP_LANES }, lane))
  // Once all lanes have ended: one that went on would send calls of a map that has thrown.
  if (refusals.length > 0) throw refusals[0]
  return unsent
}

function uncertain(
  unsent: readonly Unsent[],
  ids: readonly string[],
  task: string,
  groupId?: string,
): SubmitUncertainError {
  const cause = unsent[0]?.error
  const first = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  const of = groupId === undefined ? '' : ` of the group ${groupId}`
  return new SubmitUncertainError(
    `${ids.length} call${ids.length === 1 ? '' : 's'} of task ${JSON.stringify(task)}${of} may not have been sent (${first}); submit again with({ id: error.ids[0] }): the same id never becomes two calls`,
    ids,
    { cause },
  )
}
