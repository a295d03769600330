/**
 * Retries by hand: a call that has failed gets new allowances, and its kept message is sent again. Record first, then
 * message, as at submit; a crash between the two leaves a pending call, and retrying that again sends its message.
 * @module
 */

import { submitFollowUp } from '../attempt/follow-up.ts'
import { decodeEnvelope, type ReceivedEnvelope } from '../call/envelope.ts'
import { type CallRecord, expiryOf, isFinal, isLive, sendsOf } from '../call/record.ts'
import { UNREADABLE } from '../call/undeliverable-record.ts'
import type { Codec } from '../codec/codec.ts'
import { LIMITS, type ResolvedConfig, type ResolvedQueue } from '../config/config.ts'
import { quoteNames, showValue, suggestName } from '../config/nearest-name.ts'
import { checkKeys } from '../config/option-checks.ts'
import {
  BlobLostError,
  InvalidOptionError,
  NotWiredError,
  RetryRefusedError,
  SubmitUncertainError,
} from '../errors.ts'
import type { Calls, Connect } from '../future/calls.ts'
import { Future } from '../future/future.ts'
import { notFound } from '../future/waiting.ts'
import type { Backend } from '../ports/backend.ts'
import { argumentsKey, readArguments } from '../ports/blobs.ts'
import { isCertain } from '../ports/certain-refusal.ts'
import type { RegisteredTask } from '../registry.ts'
import { messageOf } from '../submit/outgoing-call.ts'
import { renewChange } from './renewal.ts'

/** Which failed calls to retry. */
export interface RetryFilter<Queue extends string = string> {
  /** @default all queues */
  readonly queue?: Queue
  /** A registered function, its former names included, or a name that calls were sent under. @default all tasks */
  readonly task?: unknown
  /** Those that failed at this time or later. @default all that are kept */
  readonly since?: Date
}

/** What came of `retryAll`. */
export interface Retried {
  /** The ids of the calls that are tried again. */
  readonly ids: readonly string[]
  /** The calls that are not, and why. */
  readonly refused: readonly { readonly id: string; readonly error: Error }[]
}

/** Retries failed calls by hand. */
export interface Retries {
  retry(id: string): Promise<Future<never>>
  retryAll(filter: RetryFilter): Promise<Retried>
}

/** What it needs of its executor or client. */
export interface RetryContext {
  readonly config: ResolvedConfig
  readonly codec: Codec
  readonly calls: Calls
  readonly connect: Connect
  readonly resolve: (target: unknown) => Pick<RegisteredTask, 'name' | 'formerly'>
  /** The name that a task has now, as far as this process knows. */
  readonly nameNow: (task: string) => string
}

/** Makes `retry` and `retryAll`. */
export function createRetries(context: RetryContext): Retries {
  return {
    async retry(id) {
      if (typeof id !== 'string' || id === '') {
        throw new InvalidOptionError(`a call's id is ${showValue(id)}, expected the \`id\` of a future`)
      }
      await retry(context, await context.connect(), id)
      return new Future<never>(context.calls, id)
    },
    retryAll: (filter) => retryAll(context, filter),
  }
}

async function retry(context: RetryContext, backend: Backend, id: string): Promise<void> {
  const { store, clock } = backend
  const [record] = await store.read([id], { consistent: true })
  if (!isLive(record, clock.now())) throw notFound(id)
  // An earlier retry may have died before its send, and an older message have claimed the call and be gone since.
  const mayBeUnsent = !isFinal(record.state) && record.sends !== undefined
  if (record.state !== 'failed' && !mayBeUnsent) {
    throw new RetryRefusedError(
      `the call ${JSON.stringify(id)} is ${record.state}; only a call that has failed can be retried by hand`,
    )
  }
  if (record.task === UNREADABLE) {
    throw new RetryRefusedError(
      `${JSON.stringify(id)} is a message that nobody could read, not a call: there is nothing to run; see who sent it`,
    )
  }
  const body = await store.readMessage(id)
  if (body === undefined && record.reason === 'expired') {
    throw new RetryRefusedError(
      `the call ${JSON.stringify(id)} has expired, and its message has not come to a worker yet, which keeps its arguments; retry it once it has, or submit it again`,
    )
  }
  if (body === undefined) {
    throw new RetryRefusedError(
      `the arguments of the call ${JSON.stringify(id)} were not kept: they expired, or were too large; submit it again`,
    )
  }
  // Whatever refuses does so before the record says that the call waits.
  const envelope = decodeEnvelope(body)
  if (envelope.payloadHash !== record.payloadHash) {
    throw new RetryRefusedError(
      `the arguments that were kept of ${JSON.stringify(id)} are of an earlier call of that id; submit it again`,
    )
  }
  const queue = queueOf(context.config, record)
  await renewBlob(backend, queue, envelope)
  // Whoever wrote the failure may have died before it sent what follows it, and no delivery will find it failed now.
  await submitFollowUp({ ...context, ports: backend }, envelope, record)
  const renewed = mayBeUnsent ? record : await renew(backend, queue, record)
  if (renewed !== undefined) await sendAgain(backend, queue, renewed, envelope)
}

/** Arguments in a blob are written again, so that they live as long as those that are sent anew. */
async function renewBlob(
  { blobs, clock }: Backend,
  { retentionSeconds }: ResolvedQueue,
  { id, blob }: ReceivedEnvelope,
): Promise<void> {
  if (blob === undefined) return
  if (blobs === undefined) {
    throw new NotWiredError(
      `the arguments of the call ${JSON.stringify(id)} lie in a bucket, and this process has none; make it of a config that has \`blobs\``,
    )
  }
  const text = await readArguments(blobs, id, blob).catch((cause: unknown) => {
    if (!BlobLostError.is(cause)) throw cause
    throw new RetryRefusedError(`${cause.message}; submit it again`, { cause })
  })
  const expiresAtSeconds = expiryOf(expiryOf(clock.now(), retentionSeconds) * 1000, retentionSeconds)
  await blobs.put(argumentsKey(id, blob), text, expiresAtSeconds)
}

function queueOf({ queues }: ResolvedConfig, { id, queue }: CallRecord): ResolvedQueue {
  const found = queues.get(queue)
  if (found !== undefined) return found
  throw new RetryRefusedError(
    `the call ${JSON.stringify(id)} is of the queue ${showValue(queue)}, which is not declared (any more): ${quoteNames([...queues.keys()])}; declare it again, with \`draining: true\`, or submit the call again`,
  )
}

/** The record that is pending now; `undefined` where somebody else retried it meanwhile, and it went on. */
async function renew(
  { store, clock }: Backend,
  queue: ResolvedQueue,
  failed: CallRecord,
): Promise<CallRecord | undefined> {
  const now = clock.now()
  const change = renewChange(failed, now, expiryOf(now, queue.retentionSeconds))
  const answer = await store.update(failed.id, change)
  if (answer.written) return answer.record
  // Our own echo, its response lost, or somebody who did the same and may not have come to sending: the claim
  // absorbs a message too many.
  const { existing } = answer
  return existing?.state === 'pending' && sendsOf(existing) > sendsOf(failed) ? existing : undefined
}

async function sendAgain(
  { queue: port, clock }: Backend,
  queue: ResolvedQueue,
  record: CallRecord,
  kept: ReceivedEnvelope,
): Promise<void> {
  try {
    const { args, ...envelope } = kept
    const now = clock.now()
    // One that failed again since it was retried may wait for long: whoever finds its message too early hides it, or has
    // a schedule made.
    const dueAt = Math.min(record.dueAt, now + LIMITS.delaySeconds * 1000)
    const call = { envelope, args: JSON.stringify(args) }
    const message = messageOf(now, queue, call, { ...record, dueAt })
    const [result] = await port.send(queue.name, [message])
    if (result !== undefined && 'error' in result) throw result.error
  } catch (error) {
    if (isCertain(error)) throw error
    throw new SubmitUncertainError(
      `the call ${record.id} may not have been sent again (${String(error)}); retry it again: it stays one call`,
      [record.id],
      { cause: error },
    )
  }
}

/** Calls that are retried at once. */
const LANES = 10

async function retryAll(context: RetryContext, filter: RetryFilter): Promise<Retried> {
  const { queues, tasks, sinceMs } = checkFilter(context, filter)
  const backend = await context.connect()
  const ids: string[] = []
  const refused: { readonly id: string; readonly error: Error }[] = []
  // Up to now: what fails again meanwhile is not retried a second time.
  const untilMs = backend.clock.now()
  let stopped = false
  for (const queue of queues) {
    const failed = backend.store.failed(queue, sinceMs, untilMs)[Symbol.asyncIterator]()
    const lane = async () => {
      for (;;) {
        const next = await failed.next()
        if (next.done === true || stopped) return
        const id = next.value
        try {
          if (tasks !== undefined && !(await isOf(backend, id, tasks))) continue
          await retry(context, backend, id)
          ids.push(id)
        } catch (error) {
          if (isCertain(error)) {
            stopped = true
            throw error
          }
          refused.push({ id, error: error instanceof Error ? error : new Error(String(error)) })
        }
      }
    }
    // All lanes are awaited: one that went on in the background might freeze between record and message.
    const ended = await Promise.allSettled(Array.from({ length: LANES }, lane))
    const failure = ended.find((lane) => lane.status === 'rejected')
    if (failure !== undefined) throw failure.reason
  }
  return { ids, refused }
}

async function isOf({ store }: Backend, id: string, tasks: readonly string[]): Promise<boolean> {
  const [record] = await store.read([id])
  return record !== undefined && tasks.includes(record.task)
}

function checkFilter({ config, resolve }: RetryContext, filter: RetryFilter) {
  checkKeys('the filter of retryAll', filter, ['queue', 'task', 'since'])
  const { queue, task, since } = filter
  if (queue !== undefined && !config.queues.has(queue)) {
    throw new InvalidOptionError(
      `queue ${showValue(queue)} is not declared; ${suggestName(String(queue), config.queues.keys())}`,
    )
  }
  if (since !== undefined && !(since instanceof Date && Number.isFinite(since.getTime()))) {
    throw new InvalidOptionError(`\`since\` of retryAll is ${showValue(since)}, expected a Date`)
  }
  return {
    queues: queue === undefined ? [...config.queues.keys()] : [queue],
    tasks: task === undefined ? undefined : namesOf(resolve, task),
    sinceMs: since?.getTime() ?? 0,
  }
}

/**
 * The names that calls of a task may have been sent under. A name is taken as it is: what failed may be of a task that
 * is not registered any more.
 */
function namesOf(resolve: RetryContext['resolve'], task: unknown): readonly string[] {
  if (typeof task === 'string') return [task]
  const { name, formerly } = resolve(task)
  return [name, ...formerly]
}
