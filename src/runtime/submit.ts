/**
 * Submitting: record first, then message. A crash between the two leaves a record that a second submit of the same
 * id completes; the other order would leave a message that nobody can find.
 * @module
 */
import type { Backend } from './backend.ts'
import type { Calls, Connect } from './calls.ts'
import { type Codec, payloadHash } from './codec.ts'
import { LIMITS, type ResolvedConfig, type ResolvedQueue } from './config.ts'
import { runningTask } from './current-task.ts'
import { idInGroup, idOfKey, newGroupId } from './entropy.ts'
import { type Envelope, encodeEnvelope } from './envelope.ts'
import {
  AccessDeniedError,
  IdempotencyConflictError,
  InvalidOptionError,
  PayloadTooLargeError,
  ResourceNotFoundError,
  SubmitUncertainError,
} from './errors.ts'
import { Future } from './future.ts'
import { FutureGroup } from './future-group.ts'
import { compose, type Middleware, type SubmittedCall } from './middleware.ts'
import { longestMatch } from './name-pattern.ts'
import { showValue, suggestName } from './nearest-name.ts'
import { checkKeys, checkNumber } from './option-checks.ts'
import type { OutgoingMessage } from './queue.ts'
import { type CallRecord, expiryOf, isLive, mayCreate } from './record.ts'
import type { RegisteredTask } from './registry.ts'
import { type AnyFunction, parseInput, type TaskSender } from './task.ts'

/** What the sender of a call decides. */
export interface CallOptions<Queue extends string = string> {
  /** @default the task's route, else the config's first queue */
  readonly queue?: Queue
  /** Not before this, 0–900 s (SQS's limit). Refused on FIFO queues. @default 0 */
  readonly delaySeconds?: number
  /**
   * The same key of the same task (and tenant) is the same call, for as long as its record lives: a second submit
   * gets the first one's future, a failed one included. 1–256 characters.
   */
  readonly idempotencyKey?: string
  /** Whose call it is: tenants share a queue fairly, and on a FIFO queue each is a group of its own. */
  readonly tenant?: string
  /** The id of an earlier submit that ended in `SubmitUncertainError`: try again without a second call. */
  readonly id?: string
}

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

/** One call, ready to be sent. */
interface Prepared {
  readonly id: string
  readonly queue: string
  readonly record: CallRecord
  readonly envelope: Envelope
  readonly args: string
}

/** Where a call goes and whose it is: the same for all calls of a `map`. */
interface Route {
  readonly task: Pick<RegisteredTask, 'name' | 'input'>
  readonly queue: ResolvedQueue
  readonly options: CallOptions
}

const optionNames = ['queue', 'delaySeconds', 'idempotencyKey', 'tenant', 'id'] as const

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
  const future = await throughMiddleware(context, route, args, async (finalArgs) => {
    if (route.task.input !== undefined) await parseInput(route.task.input, finalArgs, route.task.name)
    const id = idOf(backend, route)
    const call = prepare(context, backend, route, finalArgs, id)
    const failed = await send(context, backend, route.queue, [call])
    if (failed.length > 0) throw uncertain(failed, [id], route.task.name)
    return new Future<unknown>(context.calls, call.id)
  })
  if (backend.propagate === true) await throwFailure(future)
  return future
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
  // Everything is encoded before anything is sent: a value that the codec refuses refuses the whole map.
  const calls: Prepared[] = []
  for (const [index, args] of argumentLists.entries()) {
    await throughMiddleware(context, route, args, async (finalArgs) => {
      if (route.task.input !== undefined) await parseInput(route.task.input, finalArgs, route.task.name)
      calls.push(prepare(context, backend, route, finalArgs, idInGroup(groupId, index)))
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
  const group = new FutureGroup<unknown>(context.calls, groupId, calls.length)
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

/** Runs the `submit` parts of the middleware around `work`; costs nothing where there are none. */
async function throughMiddleware<Result>(
  context: SenderContext,
  route: Route,
  args: readonly unknown[],
  work: (args: readonly unknown[]) => Promise<Result>,
): Promise<Result> {
  const layers = context.middleware.flatMap(({ submit: layer }) => (layer === undefined ? [] : [layer]))
  if (layers.length === 0) return work(args)
  const call: SubmittedCall = {
    task: route.task.name,
    args,
    queue: route.queue.name,
    tenant: route.options.tenant,
    parent: runningTask()?.id,
  }
  let result: Result | undefined
  await compose(layers, call, async () => {
    result = await work(call.args)
  })
  return result as Result
}

/**
 * Checks the options, and finds the queue: the sender's choice, else the task's route, else the first queue.
 * @throws InvalidOptionError, UnregisteredTaskError, InvalidTaskError
 */
function routeOf(context: SenderContext, target: AnyFunction, options: CallOptions): Route {
  const { config } = context
  const task = context.resolve(target)
  const name = options.queue ?? longestMatch(config.routes, task.name) ?? config.defaultQueue
  const queue = config.queues.get(name)
  if (queue === undefined) {
    throw new InvalidOptionError(
      `queue ${showValue(name)} is not declared; ${suggestName(String(name), config.queues.keys())}`,
    )
  }
  checkCallOptions(config, queue, options)
  return { task, queue, options }
}

/** The characters that SQS takes in a `MessageGroupId`. */
const tenantForm = /^[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]{1,128}$/
const idForm = /^[A-Za-z0-9_:-]{1,100}$/

function checkCallOptions(config: ResolvedConfig, queue: ResolvedQueue, options: CallOptions): void {
  checkKeys('the options of a call', options, optionNames)
  const { delaySeconds, idempotencyKey, tenant, id } = options
  checkNumber(
    '`delaySeconds`',
    delaySeconds,
    { min: 0, max: LIMITS.delaySeconds, why: "SQS's limit" },
    undefined,
  )
  if (queue.fifo && delaySeconds !== undefined && delaySeconds > 0) {
    throw new InvalidOptionError(
      `\`delaySeconds\` is ${delaySeconds}, but the queue ${JSON.stringify(queue.name)} is FIFO, and SQS delays no single message there; use a standard queue`,
    )
  }
  if (tenant !== undefined && (typeof tenant !== 'string' || !tenantForm.test(tenant))) {
    throw new InvalidOptionError(
      `\`tenant\` is ${showValue(tenant)}, expected 1–${LIMITS.tenantLength} letters, digits and ASCII punctuation (SQS's MessageGroupId)`,
    )
  }
  if (id !== undefined && (typeof id !== 'string' || !idForm.test(id))) {
    throw new InvalidOptionError(`\`id\` is ${showValue(id)}, expected the id of an earlier submit`)
  }
  if (idempotencyKey === undefined) return
  if (typeof idempotencyKey !== 'string' || idempotencyKey === '' || idempotencyKey.length > 256) {
    throw new InvalidOptionError(
      `\`idempotencyKey\` is ${showValue(idempotencyKey)}, expected a text of 1–256 characters`,
    )
  }
  if (id !== undefined) throw new InvalidOptionError('a call has an `id` or an `idempotencyKey`, not both')
  if (config.record === 'on-claim') {
    throw new InvalidOptionError(
      "`idempotencyKey` needs a record at submit; the config says record: 'on-claim', use 'on-submit'",
    )
  }
}

function idOf(backend: Backend, route: Route): string {
  const { id, idempotencyKey, tenant } = route.options
  if (idempotencyKey !== undefined) return idOfKey(tenant, route.task.name, idempotencyKey)
  return id ?? backend.entropy.id(backend.clock.now())
}

/**
 * Makes record and envelope.
 * @throws UnsupportedValueError, PayloadTooLargeError, InvalidOptionError where tasks submit tasks too deep
 */
function prepare(
  context: SenderContext,
  backend: Backend,
  route: Route,
  args: readonly unknown[],
  id: string,
): Prepared {
  const { task, queue, options } = route
  const encoded = context.codec.encode(args, 'arguments')
  const now = backend.clock.now()
  const delayMs = (options.delaySeconds ?? 0) * 1000
  const parent = runningTask()
  const depth = parent === undefined ? 0 : parent.depth + 1
  if (depth > LIMITS.depth) {
    throw new InvalidOptionError(
      `task ${JSON.stringify(task.name)} would be call ${depth} in a chain of tasks that submit tasks, at most ${LIMITS.depth}; end the chain, or start it anew from outside a task`,
    )
  }
  const envelope: Envelope = {
    id,
    task: task.name,
    queue: queue.name,
    payloadHash: payloadHash(task.name, args, encoded),
    createdAt: now,
    dueAt: now + delayMs,
    ...(options.tenant !== undefined && { tenant: options.tenant }),
    ...(parent !== undefined && { parent: parent.id, depth }),
  }
  const record: CallRecord = {
    ...envelope,
    state: delayMs > 0 ? 'scheduled' : 'pending',
    expiresAtSeconds: expiryOf(envelope.dueAt, queue.retentionSeconds),
    attempts: 0,
    failures: 0,
  }
  const call = { id, queue: queue.name, record, envelope, args: encoded }
  checkSize(call, task.name)
  return call
}

/** What an envelope's other fields can take at the most, so that a small call's size need not be counted. */
const ENVELOPE_BYTES = 2048

function checkSize(call: Prepared, task: string): void {
  // A UTF-16 unit takes at most six bytes, where it is escaped.
  if (call.args.length * 6 + ENVELOPE_BYTES <= LIMITS.messageBytes) return
  const bytes = Buffer.byteLength(encodeEnvelope(call.envelope, call.args))
  if (bytes <= LIMITS.messageBytes) return
  throw new PayloadTooLargeError(
    `the arguments of task ${JSON.stringify(task)} make a message of ${bytes} bytes, at most ${LIMITS.messageBytes} (SQS's limit of 1 MiB); store the data and pass its key`,
  )
}

async function sendInLanes(
  context: SenderContext,
  backend: Backend,
  queue: ResolvedQueue,
  calls: readonly Prepared[],
): Promise<Unsent[]> {
  const unsent: Unsent[] = []
  let next = 0
  const lane = async () => {
    while (next < calls.length) {
      const from = next
      next += LIMITS.batchEntries
      unsent.push(...(await send(context, backend, queue, calls.slice(from, from + LIMITS.batchEntries))))
    }
  }
  await Promise.all(Array.from({ length: MAP_LANES }, lane))
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
  calls: readonly Prepared[],
): Promise<Unsent[]> {
  const unsent: Unsent[] = []
  const messages: OutgoingMessage[] = []
  const ids: string[] = []
  const toSend = await Promise.all(calls.map((call) => writeRecord(context, backend, call, unsent)))
  for (const record of toSend) {
    if (record === undefined) continue
    const call = calls.find(({ id }) => id === record.id) as Prepared
    messages.push(messageOf(backend, queue, call, record))
    ids.push(call.id)
  }
  if (messages.length === 0) return unsent
  try {
    const results = await backend.queue.send(queue.name, messages)
    for (const [index, result] of results.entries()) {
      if ('error' in result) unsent.push({ id: ids[index] as string, error: result.error })
    }
  } catch (error) {
    for (const id of ids) unsent.push({ id, error })
  }
  return unsent
}

/** The record whose message is to be sent, or `undefined` where the call needs none. */
async function writeRecord(
  context: SenderContext,
  backend: Backend,
  call: Prepared,
  unsent: Unsent[],
): Promise<CallRecord | undefined> {
  if (context.config.record === 'on-claim') return call.record
  const now = backend.clock.now()
  try {
    const answer = await backend.store.put(call.record, mayCreate(now))
    if (answer.written) return call.record
    const { existing } = answer
    // It was there for the condition and is gone since: nothing holds the id any more.
    if (!isLive(existing, now)) return call.record
    if (existing.payloadHash !== call.record.payloadHash) throw conflict(call)
    // Our own echo after a lost response, or a sender that crashed before its send: send (again). The claim absorbs
    // a message too many; a message too few would leave the call waiting for ever.
    return existing.state === 'pending' || existing.state === 'scheduled' ? existing : undefined
  } catch (error) {
    const certain = [IdempotencyConflictError, AccessDeniedError, ResourceNotFoundError].some((kind) =>
      kind.is(error),
    )
    if (certain) throw error
    unsent.push({ id: call.id, error })
    return undefined
  }
}

function messageOf(
  backend: Backend,
  queue: ResolvedQueue,
  call: Prepared,
  record: CallRecord,
): OutgoingMessage {
  const { createdAt, dueAt } = record
  const envelope =
    createdAt === call.record.createdAt ? call.envelope : { ...call.envelope, createdAt, dueAt }
  const body = encodeEnvelope(envelope, call.args)
  // A FIFO queue delays no single message and needs a group; calls without a tenant are one group.
  if (queue.fifo) {
    return { body, groupId: envelope.tenant ?? 'default', deduplicationId: `${call.id}:1` }
  }
  const delaySeconds = Math.max(0, Math.ceil((dueAt - backend.clock.now()) / 1000))
  return {
    body,
    ...(delaySeconds > 0 && { delaySeconds }),
    ...(envelope.tenant !== undefined && { groupId: envelope.tenant }),
  }
}

function conflict(call: Prepared): IdempotencyConflictError {
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
