/**
 * Sending: record first, then message. A crash between the two leaves a record that a second submit of the same id
 * completes; the other order would leave a message that nobody can find. Arguments that go to a blob are there before
 * both. What is due later than SQS can delay it waits in a schedule, which sends its message.
 * @module
 */

import { type CallRecord, expiryOf, isLive, mayCreate } from '../call/record.ts'
import { LIMITS, type ResolvedConfig, type ResolvedQueue } from '../config/config.ts'
import { IdempotencyConflictError, NotWiredError } from '../errors.ts'
import type { Backend } from '../ports/backend.ts'
import { argumentsKey } from '../ports/blobs.ts'
import { isCertain } from '../ports/certain-refusal.ts'
import { type OneTimeSchedules, scheduleName } from '../ports/one-time-schedules.ts'
import type { OutgoingMessage, SendResult } from '../ports/queue.ts'
import type { Written } from '../ports/store.ts'
import { messageOf, type OutgoingCall } from './outgoing-call.ts'

/** A call that may not have been sent, and why. */
export interface Unsent {
  readonly id: string
  readonly error: unknown
}

/** Is told of the calls whose records this send may have written, when it will throw since AWS refuses for good. */
export type OnRefused = (calls: readonly OutgoingCall[], error: unknown) => Promise<void>

/**
 * Record first, then message, for up to ten calls.
 * @throws IdempotencyConflictError, AccessDeniedError, ResourceNotFoundError, NotWiredError
 */
export async function send(
  config: ResolvedConfig,
  backend: Pick<Backend, 'store' | 'queue' | 'blobs' | 'oneTimeSchedules'>,
  queue: ResolvedQueue,
  calls: readonly OutgoingCall[],
  now: number,
  onRefused?: OnRefused,
): Promise<readonly Unsent[]> {
  const unsent: Unsent[] = []
  const messages: OutgoingMessage[] = []
  const records: CallRecord[] = []
  const isRecorded = config.record === 'on-submit'
  const writes =
    isRecorded || calls.some(({ envelope }) => envelope.blob !== undefined)
      ? await settleAll(calls.map((call) => write(backend, queue, call, isRecorded ? now : undefined)))
      : undefined
  for (let index = 0; index < calls.length; index++) {
    const call = calls[index] as OutgoingCall
    const write = writes?.[index]
    if (write?.status === 'rejected') {
      if (isCertain(write.reason)) throw await refused(calls, writes, write.reason, onRefused)
      unsent.push({ id: call.id, error: write.reason })
      continue
    }
    // On a FIFO queue nothing may overtake what could not be sent.
    const before = queue.fifo ? unsent[0] : undefined
    if (before !== undefined) {
      unsent.push({ id: call.id, error: before.error })
      continue
    }
    const record = write?.value === undefined ? call.record : recordToSend(call, write.value, now)
    if (record === undefined) continue
    messages.push(messageOf(now, queue, call, record))
    records.push(record)
  }
  if (messages.length === 0) return unsent
  try {
    const results = await sendMessages(backend, queue, messages, records)
    for (let index = 0; index < results.length; index++) {
      const result = results[index] as SendResult
      if ('error' in result) unsent.push({ id: (records[index] as CallRecord).id, error: result.error })
    }
  } catch (error) {
    if (isCertain(error)) throw await refused(calls, writes, error, onRefused)
    for (const { id } of records) unsent.push({ id, error })
  }
  return unsent
}

/**
 * Sends the messages of these calls: those that SQS delays itself together, and each that is due later by a schedule.
 * @throws AccessDeniedError, ResourceNotFoundError, NotWiredError
 */
export async function sendMessages(
  { queue: port, oneTimeSchedules }: Pick<Backend, 'queue' | 'oneTimeSchedules'>,
  queue: ResolvedQueue,
  messages: readonly OutgoingMessage[],
  records: readonly CallRecord[],
): Promise<readonly SendResult[]> {
  const now = messages.filter(({ delaySeconds = 0 }) => delaySeconds <= LIMITS.delaySeconds)
  // Most delay nothing, and then nothing need be put in order.
  if (now.length === messages.length) return port.send(queue.name, messages)
  const sent = now.length === 0 ? [] : await port.send(queue.name, now)
  let next = 0
  return Promise.all(
    messages.map((message, index) =>
      (message.delaySeconds ?? 0) <= LIMITS.delaySeconds
        ? (sent[next++] as SendResult)
        : schedule(oneTimeSchedules, queue, message, records[index] as CallRecord),
    ),
  )
}

async function schedule(
  schedules: OneTimeSchedules | undefined,
  queue: ResolvedQueue,
  { body, groupId }: OutgoingMessage,
  record: CallRecord,
): Promise<SendResult> {
  const name = scheduleName(record)
  try {
    if (schedules === undefined) {
      throw new NotWiredError(
        `the backend makes no schedules, and the call ${record.id} is due later than SQS can delay it; make it of a config that has \`longDelays\``,
      )
    }
    const message = groupId === undefined ? { body } : { body, groupId }
    await schedules.create({ name, queue: queue.name, message, dueAt: record.dueAt })
    return { messageId: name }
  } catch (error) {
    if (isCertain(error)) throw error
    return { error: error instanceof Error ? error : new Error(String(error)) }
  }
}

/** The error that a send throws, once whoever is concerned was told. */
async function refused(
  calls: readonly OutgoingCall[],
  writes: readonly PromiseSettledResult<Written | undefined>[] | undefined,
  error: unknown,
  onRefused: OnRefused | undefined,
): Promise<unknown> {
  // One whose answer was lost may be there as well.
  const mayBeWritten = (write: PromiseSettledResult<unknown> | undefined) =>
    write !== undefined && !(write.status === 'rejected' && isCertain(write.reason))
  const concerned = calls.filter((_, index) => mayBeWritten(writes?.[index]))
  await onRefused?.(concerned, error)
  return error
}

/** Writes what a call needs before its message: its blob, then its record (`undefined`: none yet). */
function write(
  backend: Pick<Backend, 'store' | 'blobs'>,
  queue: ResolvedQueue,
  call: OutgoingCall,
  now: number | undefined,
): Promise<Written | undefined> {
  if (call.envelope.blob === undefined) return writeRecord(backend, call, now)
  return putArguments(backend, queue, call).then(() => writeRecord(backend, call, now))
}

function writeRecord(
  { store }: Pick<Backend, 'store'>,
  { record }: OutgoingCall,
  now: number | undefined,
): Promise<Written | undefined> {
  return now === undefined ? Promise.resolve(undefined) : store.put(record, mayCreate(now))
}

async function putArguments(
  { blobs }: Pick<Backend, 'blobs'>,
  queue: ResolvedQueue,
  { id, args, envelope, record }: OutgoingCall,
): Promise<void> {
  if (blobs === undefined || envelope.blob === undefined) {
    throw new NotWiredError(
      `the backend has no blob port, and the arguments of the call ${id} need one; make it of a config that has \`blobs\``,
    )
  }
  // They outlive the record: a call that fails on its last day can be retried by hand for as long as it is kept.
  const expiresAtSeconds = expiryOf(record.expiresAtSeconds * 1000, queue.retentionSeconds)
  await blobs.put(argumentsKey(id, envelope.blob), args, expiresAtSeconds)
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
  const name = call.key === undefined ? `id ${JSON.stringify(call.id)}` : `key ${JSON.stringify(call.key)}`
  return new IdempotencyConflictError(
    `the ${name} of task ${JSON.stringify(call.record.task)} stands for a call with other arguments (${call.id}); a key (or id) is of one call: use another, or the same arguments`,
  )
}
