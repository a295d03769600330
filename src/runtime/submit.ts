/**
 * Submitting: record first, then message. A crash between the two leaves a record that a second submit of the same
 * id completes; the other order would leave a message that nobody can find.
 * @module
 */
import type { Backend } from './backend.ts'
import { type CallOptions, checkCallOptions, checkOptionNames, NO_OPTIONS } from './call-options.ts'
import type { Calls, Connect } from './calls.ts'
import type { Codec } from './codec.ts'
import { LIMITS, type ResolvedConfig, type ResolvedQueue } from './config.ts'
import { runningTask } from './current-task.ts'
import { idInGroup, idOfKey, newGroupId } from './entropy.ts'
import {
  AccessDeniedError,
  IdempotencyConflictError,
  InvalidOptionError,
  ResourceNotFoundError,
  SubmitUncertainError,
} from './errors.ts'
import { Future, observe } from './future.ts'
import { FutureGroup } from './future-group.ts'
import { compose, type Middleware, type SubmittedCall } from './middleware.ts'
import { longestMatch } from './name-pattern.ts'
import { showValue, suggestName } from './nearest-name.ts'
import { messageOf, type OutgoingCall, prepareCall, type Route } from './outgoing-call.ts'
import type { OutgoingMessage, SendResult } from './queue.ts'
import { type CallRecord, isLive, mayCreate } from './record.ts'
import type { RegisteredTask } from './registry.ts'
import type { Written } from './store.ts'
import { type AnyFunction, parseInput, type TaskSender } from './task.ts'

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
  const backend = connecting instanceof Promise ? await connecting : connecting
  const route = routeOf(context, target, options)
  const future = isPlain(context, route)
    ? await sendOne(context, backend, route, args)
    : await throughMiddleware(context, route, args, async (finalArgs) => {
        await checkInput(route, finalArgs)
        return sendOne(context, backend, route, finalArgs)
      })
  if (backend.propagate === true) await throwFailure(future)
  return future
}

/** Sends one call; throws, and does not reject, where it cannot be sent at all. */
function sendOne(
  context: SenderContext,
  backend: Backend,
  route: Route,
  args: readonly unknown[],
): Promise<Future<unknown>> {
  const now = backend.clock.now()
  const call = prepareCall(context.codec, now, route, args, idOf(backend, route, now))
  return send(context, backend, route.queue, [call], now).then((failed) => {
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
  const backend = await context.connect()
  const route = routeOf(context, target, options)
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
    await throughMiddleware(context, route, args, async (finalArgs) => {
      await checkInput(route, finalArgs)
      calls.push(prepareCall(context.codec, clock.now(), route, finalArgs, id))
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
  route: Route,
  args: readonly unknown[],
  work: (args: readonly unknown[]) => Promise<Result>,
): Promise<Result> {
  const layers = context.middleware.flatMap(({ submit: layer }) => (layer === undefined ? [] : [layer]))
  const call: SubmittedCall = {
    task: route.task.name,
    args,
    queue: route.queue.name,
    tenant: route.options.tenant,
    parent: runningTask()?.id,
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
      done = { result: await work(call.args) }
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
function routeOf(context: SenderContext, target: AnyFunction, options: CallOptions): Route {
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
  if (options !== NO_OPTIONS) checkCallOptions(config, queue, options)
  return { task, queue, options }
}

function idOf(backend: Backend, route: Route, now: number): string {
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
  let next = 0
  const lane = async () => {
    while (next < calls.length) {
      const from = next
      next += LIMITS.batchEntries
      const batch = calls.slice(from, from + LIMITS.batchEntries)
      unsent.push(...(await send(context, backend, queue, batch, backend.clock.now())))
    }
  }
  // On a FIFO queue the order of sending is the order of running.
  await Promise.all(Array.from({ length: queue.fifo ? 1 : MAP_LANES }, lane))
  return unsent
}

/** A call that may not have been sent, and why. */
interface Unsent {
  readonly id: string
  readonly error: unknown
}

/**
 * Record first, then message, for up to ten calls.
 * @throws IdempotencyConflictError, AccessDeniedError, ResourceNotFoundError
 */
async function send(
  context: SenderContext,
  backend: Backend,
  queue: ResolvedQueue,
  calls: readonly OutgoingCall[],
  now: number,
): Promise<readonly Unsent[]> {
  const unsent: Unsent[] = []
  const messages: OutgoingMessage[] = []
  const ids: string[] = []
  const writes =
    context.config.record === 'on-claim'
      ? undefined
      : await settleAll(calls.map(({ record }) => backend.store.put(record, mayCreate(now))))
  for (let index = 0; index < calls.length; index++) {
    const call = calls[index] as OutgoingCall
    const write = writes?.[index]
    if (write?.status === 'rejected') {
      if (isCertain(write.reason)) throw write.reason
      unsent.push({ id: call.id, error: write.reason })
      continue
    }
    const record = write === undefined ? call.record : recordToSend(call, write.value, now)
    if (record === undefined) continue
    messages.push(messageOf(now, queue, call, record))
    ids.push(call.id)
  }
  if (messages.length === 0) return unsent
  try {
    const results = await backend.queue.send(queue.name, messages)
    for (let index = 0; index < results.length; index++) {
      const result = results[index] as SendResult
      if ('error' in result) unsent.push({ id: ids[index] as string, error: result.error })
    }
  } catch (error) {
    if (isCertain(error)) throw error
    for (const id of ids) unsent.push({ id, error })
  }
  return unsent
}

/** `Promise.allSettled`, but for the one promise of a single submit without its half a dozen more. */
function settleAll<T>(promises: readonly Promise<T>[]): Promise<PromiseSettledResult<T>[]> {
  const [first] = promises
  if (first === undefined || promises.length > 1) return Promise.allSettled(promises)
  return first.then(
    (value) => [{ status: 'fulfilled', value }],
    (reason: unknown) => [{ status: 'rejected', reason }],
  )
}

/** Whether trying again would meet the same refusal: a grant, a table or a queue is missing. */
function isCertain(error: unknown): boolean {
  return AccessDeniedError.is(error) || ResourceNotFoundError.is(error)
}

/**
 * The record whose message is to be sent, or `undefined` where the call needs none.
 * @throws IdempotencyConflictError
 */
function recordToSend(call: OutgoingCall, answer: Written, now: number): CallRecord | undefined {
  if (answer.written) return call.record
  const { existing } = answer
  // It was there for the condition and is gone since: nothing holds the id any more.
  if (!isLive(existing, now)) return call.record
  if (existing.payloadHash !== call.record.payloadHash) throw conflict(call)
  // Our own echo after a lost response, or a sender that crashed before its send: send (again). The claim absorbs a
  // message too many; a message too few would leave the call waiting for ever.
  return existing.state === 'pending' || existing.state === 'scheduled' ? existing : undefined
}

function conflict(call: OutgoingCall): IdempotencyConflictError {
  return new IdempotencyConflictError(
    `the call ${call.id} of task ${JSON.stringify(call.record.task)} exists with other arguments; a key (or id) stands for one call: use another key, or the same arguments`,
  )
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
