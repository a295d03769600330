/**
 * A call on its way out: its record, its envelope, its message.
 * @module
 */

import { type CallTimes, dueAtOf, isLongDelay, startByOf } from '../call/call-times.ts'
import { ENVELOPE_VERSION, type Envelope, encodeEnvelope } from '../call/envelope.ts'
import type { Headers } from '../call/headers.ts'
import { type CallRecord, expiryOf, sendsOf } from '../call/record.ts'
import type { Codec } from '../codec/codec.ts'
import { payloadHash } from '../codec/codec.ts'
import { LIMITS, PROTOCOL, type ResolvedQueue } from '../config/config.ts'
import { runningTask } from '../current-task.ts'
import { InvalidOptionError, PayloadTooLargeError } from '../errors.ts'
import { type ArgumentsFingerprint, fingerprintOf } from '../ports/blobs.ts'
import { scheduleInputBytes } from '../ports/one-time-schedules.ts'
import type { OutgoingMessage } from '../ports/queue.ts'
import type { RegisteredTask } from '../registry.ts'
import type { CallOptions } from './call-options.ts'

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

/** One call, ready to be sent. */
export interface OutgoingCall {
  readonly id: string
  readonly record: CallRecord
  readonly envelope: Envelope
  readonly args: string
  /** The idempotency key that its id was made of. */
  readonly key?: string
}

/** Where a call goes and whose it is: the same for all calls of a `map`. */
export interface Route {
  readonly task: Pick<RegisteredTask, 'name' | 'input'>
  readonly queue: ResolvedQueue
  readonly options: Pick<CallOptions, 'tenant' | keyof CallTimes>
  /** Whether arguments that no message can hold go to a blob. @default false: they are refused */
  readonly blobs?: boolean
  /** The names of the tasks that follow. */
  readonly followUps?: Pick<Envelope, 'onSucceeded' | 'onFailed'> | undefined
  /** The version of the code that sends. */
  readonly version?: string | undefined
  /** What goes along; with middleware, each call has its own. */
  readonly headers?: Headers | undefined
}

/** The call whose task, or whose end, submits another. */
export interface Parent {
  readonly id: string
  readonly depth: number
}

/**
 * Makes the record and the envelope of one call.
 * @throws UnsupportedValueError, PayloadTooLargeError, InvalidOptionError where tasks submit tasks too deep
 */
export function prepareCall(
  codec: Codec,
  now: number,
  route: Route,
  args: readonly unknown[],
  id: string,
  parent: Parent | undefined = runningTask(),
): OutgoingCall {
  const { task, queue, options, followUps } = route
  const encoded = codec.encode(args, 'arguments')
  const dueAt = dueAtOf(options, now)
  const startBy = startByOf(options, now)
  const depth = depthBelow(parent, task.name)
  // What follows it is one deeper, and would be refused when it is too late to say so.
  if (followUps !== undefined) depthBelow({ id, depth }, `what follows ${task.name}`)
  // Assigned one by one: this runs for each call, and spreading what is rarely there would take longer than the rest.
  const envelope: Mutable<Envelope> = {
    v: ENVELOPE_VERSION,
    id,
    task: task.name,
    queue: queue.name,
    payloadHash: payloadHash(task.name, args, encoded),
    createdAt: now,
    dueAt,
  }
  const record: Mutable<CallRecord> = {
    id,
    task: task.name,
    queue: queue.name,
    payloadHash: envelope.payloadHash,
    state: dueAt > now ? 'scheduled' : 'pending',
    createdAt: now,
    dueAt,
    expiresAtSeconds: expiryOf(dueAt, queue.retentionSeconds),
    attempts: 0,
    failures: 0,
  }
  if (startBy !== undefined) envelope.startBy = record.startBy = startBy
  if (options.tenant !== undefined) envelope.tenant = record.tenant = options.tenant
  if (followUps?.onSucceeded !== undefined) envelope.onSucceeded = followUps.onSucceeded
  if (followUps?.onFailed !== undefined) envelope.onFailed = followUps.onFailed
  if (parent !== undefined) {
    envelope.parent = record.parent = parent.id
    envelope.depth = record.depth = depth
  }
  if (route.version !== undefined) envelope.version = route.version
  if (route.headers !== undefined) envelope.headers = route.headers
  const blob = isLongDelay(dueAt, now)
    ? blobOfScheduled(route, envelope, encoded)
    : blobOf(route, envelope, encoded)
  if (blob !== undefined) envelope.blob = blob
  return { id, record, envelope, args: encoded }
}

/** The envelope of a message that is sent for `record` as it is now: with its times, and which send it is. */
export function envelopeOf(sent: Envelope, { createdAt, dueAt, startBy, sends }: CallRecord): Envelope {
  const { startBy: _, ...envelope } = sent
  return {
    ...envelope,
    createdAt,
    dueAt,
    ...(startBy !== undefined && { startBy }),
    ...(sends !== undefined && { sends }),
  }
}

/** @throws InvalidOptionError */
function depthBelow(parent: Parent | undefined, task: string): number {
  const depth = parent === undefined ? 0 : parent.depth + 1
  if (depth <= LIMITS.depth) return depth
  throw new InvalidOptionError(
    `task ${JSON.stringify(task)} would be call ${depth} in a chain of tasks that submit tasks, at most ${LIMITS.depth}; end the chain, or start it anew from outside a task`,
  )
}

/** What an envelope's other fields can take at the most, so that a small call's size need not be counted. */
const ENVELOPE_BYTES = 8192

/**
 * The fingerprint of arguments that no message can hold, where there is a place for them.
 * @throws PayloadTooLargeError
 */
function blobOf({ task, blobs }: Route, envelope: Envelope, args: string): ArgumentsFingerprint | undefined {
  // A UTF-16 unit takes at most six bytes, where it is escaped.
  if (args.length * 6 + ENVELOPE_BYTES <= LIMITS.messageBytes) return undefined
  const what = `the arguments of task ${JSON.stringify(task.name)}`
  // To escape a whole message takes long, and where it goes to a blob, nobody sends it.
  if (blobs !== true || Buffer.byteLength(args) <= LIMITS.messageBytes) {
    const bytes = Buffer.byteLength(encodeEnvelope(envelope, args))
    if (bytes <= LIMITS.messageBytes) return undefined
    if (blobs !== true) {
      throw new PayloadTooLargeError(
        `${what} make a message of ${bytes} bytes, at most ${LIMITS.messageBytes} (SQS's limit of 1 MiB); store the data and pass its key, or configure a bucket (\`blobs\`)`,
      )
    }
  }
  return fingerprintWithin(what, args)
}

/** @throws PayloadTooLargeError */
function fingerprintWithin(what: string, args: string): ArgumentsFingerprint {
  const blob = fingerprintOf(args)
  if (blob.bytes <= LIMITS.blobBytes) return blob
  throw new PayloadTooLargeError(
    `${what} make a blob of ${blob.bytes} bytes, at most ${LIMITS.blobBytes} (64 MiB: a worker holds it whole); store the data and pass its key`,
  )
}

/**
 * The same of a call whose message a schedule sends, which holds less.
 * @throws PayloadTooLargeError
 */
function blobOfScheduled(
  { task, blobs, queue }: Route,
  envelope: Envelope,
  args: string,
): ArgumentsFingerprint | undefined {
  const bytes = scheduleInputBytes(encodeEnvelope(envelope, args))
  if (bytes <= LIMITS.scheduleInputBytes) return undefined
  const what = `the arguments of task ${JSON.stringify(task.name)}`
  if (blobs !== true) {
    throw new PayloadTooLargeError(
      `${what} make a schedule of ${bytes} bytes, at most ${LIMITS.scheduleInputBytes} (EventBridge Scheduler's limit of 256 KB, for delays over ${LIMITS.delaySeconds} s); store the data and pass its key, or configure a bucket (\`blobs\`)`,
    )
  }
  const days = longestBlobDelayDays(queue)
  if (envelope.dueAt - envelope.createdAt <= days * DAY_MS) return fingerprintWithin(what, args)
  throw new PayloadTooLargeError(
    `${what} make a schedule of ${bytes} bytes, at most ${LIMITS.scheduleInputBytes} (EventBridge Scheduler's limit of 256 KB), and lie in a blob then, which lives for ${LIMITS.blobDays} days: its call can be delayed by ${days} days; store the data and pass its key`,
  )
}

const DAY_MS = 86_400_000

/** For how many days a call may wait whose arguments lie in a blob: its message may stay in its queue after that. */
export function longestBlobDelayDays({ retentionSeconds }: Pick<ResolvedQueue, 'retentionSeconds'>): number {
  const laterSeconds = retentionSeconds + PROTOCOL.recordMarginSeconds
  return LIMITS.blobDays - Math.ceil((laterSeconds * 1000) / DAY_MS)
}

/**
 * The message of a call, delayed for as long as it takes, be it longer than SQS can; `record` is the one that stands for it, of an earlier submit perhaps, or of a retry by hand:
 * the message then says which send it is.
 */
export function messageOf(
  now: number,
  queue: ResolvedQueue,
  call: Pick<OutgoingCall, 'envelope' | 'args'>,
  record: CallRecord,
): OutgoingMessage {
  const { createdAt, dueAt, sends } = record
  const isOwn = sends === undefined && createdAt === call.envelope.createdAt
  const envelope = isOwn ? call.envelope : envelopeOf(call.envelope, record)
  const body = encodeEnvelope(envelope, call.args)
  // A FIFO queue delays no single message and needs a group; calls without a tenant are one group. The de-duplication
  // id names the send: SQS would swallow one that it takes for the last.
  if (queue.fifo) {
    const deduplicationId = `${record.id}:${sendsOf(record)}`
    return { body, groupId: envelope.tenant ?? 'default', deduplicationId }
  }
  const delaySeconds = Math.max(0, Math.ceil((dueAt - now) / 1000))
  if (delaySeconds === 0 && envelope.tenant === undefined) return { body }
  return {
    body,
    ...(delaySeconds > 0 && { delaySeconds }),
    ...(envelope.tenant !== undefined && { groupId: envelope.tenant }),
  }
}
