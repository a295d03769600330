/**
 * Calls by id, in any process: reading, waiting, cancelling. Futures and groups stand on it.
 * @module
 */

import { type CallRecord, hasExpired } from '../call/call-record.ts'
import { isLongDelay } from '../call/call-times.ts'
import { writeExpired } from '../call/expiry.ts'
import { decodeResult, readResultBeside } from '../call/large-result.ts'
import { cancelChange, type FailureReason, isFinal, isLive, markChange } from '../call/record.ts'
import type { Codec } from '../codec/codec.ts'
import { LIMITS, PROTOCOL, type ResolvedConfig } from '../config/config.ts'
import { showValue } from '../config/nearest-name.ts'
import { checkKeys, checkNumber } from '../config/option-checks.ts'
import { timeOfId } from '../entropy.ts'
import { CancelledError, ErrandError, InvalidOptionError } from '../errors.ts'
import type { Backend } from '../ports/backend.ts'
import { scheduleName } from '../ports/one-time-schedules.ts'
import { createPoller, notFound, type Poller, type WaitOptions, waitLimited } from './waiting.ts'

/** How a call ended. */
export type Outcome<T> =
  | { readonly state: 'succeeded'; readonly value: T }
  | {
      readonly state: 'failed'
      readonly reason: FailureReason
      readonly error: Error
      readonly attempts: number
    }
  | { readonly state: 'cancelled' }

/** What futures need of their executor or client. */
export interface Calls {
  /** The record as it is now; one eventually consistent read, sure of absence. Throws `CallNotFoundError`. */
  read(id: string): Promise<CallRecord>
  /** Many records, in order, `undefined` where there is none. */
  readAll(ids: readonly string[]): Promise<readonly (CallRecord | undefined)[]>
  /** The first record that `until` accepts. */
  wait(
    id: string,
    until: (record: CallRecord) => boolean,
    options: WaitOptions,
    /** Whether the caller has just seen the record, so that the first look can wait. */
    isSeen?: boolean,
  ): Promise<CallRecord>
  /** The final records in order, up to and with the first that `last` accepts. */
  waitInOrder(
    ids: readonly string[],
    last: (record: CallRecord) => boolean,
    what: string,
    options: WaitOptions,
  ): Promise<readonly CallRecord[]>
  /** How a call whose record is final ended; a promise only where its result lies beside the record. */
  outcomeOf(record: CallRecord): Outcome<unknown> | Promise<Outcome<unknown>>
  cancel(id: string): Promise<boolean>
  abort(id: string, reason: string | Error): Promise<boolean>
  /** Decodes a progress value. */
  decode(text: string): unknown
  /** Rejects everybody who waits. */
  close(reason: Error): void
}

/** Gives the backend, connecting first where that has not happened. */
export type Connect = () => Backend | Promise<Backend>

interface Access {
  readonly config: ResolvedConfig
  readonly codec: Codec
  readonly connect: Connect
  poller: Poller | undefined
}

/** Makes the access to calls of one executor or client. */
export function createCalls(config: ResolvedConfig, codec: Codec, connect: Connect): Calls {
  const access: Access = { config, codec, connect, poller: undefined }
  return {
    read: async (id) => {
      const [record] = await readLive(access, await connect(), [id])
      if (record === undefined) throw notFound(id)
      return record
    },
    readAll: async (ids) => {
      const backend = await connect()
      const batches: Promise<readonly (CallRecord | undefined)[]>[] = []
      for (let from = 0; from < ids.length; from += LIMITS.readBatch) {
        batches.push(readLive(access, backend, ids.slice(from, from + LIMITS.readBatch)))
      }
      return (await Promise.all(batches)).flat()
    },
    wait: (id, until, options, isSeen) => {
      const { poller } = access
      if (poller === undefined) return firstWait(access, id, until, options)
      return waitLimited(
        poller.ports,
        poller.wait(id, until, isSeen),
        `the call ${JSON.stringify(id)}`,
        options,
      )
    },
    waitInOrder: async (ids, last, what, options) => {
      const poller = await pollerOf(access)
      return waitLimited(poller.ports, poller.waitInOrder(ids, last), what, options)
    },
    outcomeOf: (record) => outcomeOf(access, record),
    cancel: (id) => cancel(access, id),
    abort: (id, reason) => abort(access, id, reason),
    decode: (text) => codec.decode(text),
    close: (reason) => {
      access.poller?.close(reason)
      access.poller = undefined
    },
  }
}

/** Reads up to 100 records, and ends those among them that have expired. */
async function readLive(
  access: Access,
  backend: Backend,
  ids: readonly string[],
): Promise<readonly (CallRecord | undefined)[]> {
  const records = await readThere(access, backend, ids)
  const now = backend.clock.now()
  if (!records.some((record) => record !== undefined && hasExpired(record, now))) return records
  return Promise.all(
    records.map((record) =>
      record !== undefined && hasExpired(record, now) ? writeExpired(access, backend, record) : record,
    ),
  )
}

/**
 * Reads up to 100 records. Absence is believed only after a consistent read: an eventually consistent one may miss
 * what was submitted a moment ago.
 */
async function readThere(
  access: Access,
  backend: Backend,
  ids: readonly string[],
): Promise<(CallRecord | undefined)[]> {
  const now = backend.clock.now()
  const live = (record: CallRecord | undefined) => (isLive(record, now) ? record : undefined)
  const records = (await backend.store.read(ids)).map(live)
  // A young call that has no record before its claim is no absence that would have to be made sure of.
  const missing = ids.filter(
    (id, index) => records[index] === undefined && unwritten(access, id, now) === undefined,
  )
  if (missing.length === 0)
    return records.map((record, index) => record ?? unwritten(access, ids[index] as string, now))
  const second = await backend.store.read(missing, { consistent: true })
  const found = new Map(second.map((record, index) => [missing[index], live(record)]))
  return records.map((record, index) => {
    const id = ids[index] as string
    return record ?? found.get(id) ?? unwritten(access, id, now)
  })
}

/**
 * With `record: 'on-claim'` a call has no record until a worker claims it. Its id tells its age: a young one is
 * taken to wait in its queue, an old one to be gone.
 */
function unwritten(access: Access, id: string, now: number): CallRecord | undefined {
  const createdAt = access.config.record === 'on-claim' ? timeOfId(id) : undefined
  if (createdAt === undefined || createdAt > now + PROTOCOL.clockSkewSeconds * 1000) return undefined
  const longest = Math.max(...[...access.config.queues.values()].map((queue) => queue.retentionSeconds))
  const delaySeconds = access.config.longDelays ? LIMITS.longDelaySeconds : LIMITS.delaySeconds
  const expiresAtSeconds = Math.ceil(createdAt / 1000) + delaySeconds + longest
  if (expiresAtSeconds * 1000 <= now) return undefined
  const nothing = { task: '', queue: '', payloadHash: '', attempts: 0, failures: 0 }
  return { ...nothing, id, state: 'pending', createdAt, dueAt: createdAt, expiresAtSeconds }
}

/** Checks what a caller says of how long to wait. */
export function checkWait(options: WaitOptions): WaitOptions {
  checkKeys('the options of a wait', options, ['timeoutSeconds', 'signal', 'returnWhen'])
  const rule = {
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    why: '0 looks once; leave it out to wait without limit',
  }
  checkNumber('`timeoutSeconds`', options.timeoutSeconds, rule, undefined)
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
    throw new InvalidOptionError(`\`signal\` is ${showValue(options.signal)}, expected an AbortSignal`)
  }
  return options
}

async function firstWait(
  access: Access,
  id: string,
  until: (record: CallRecord) => boolean,
  options: WaitOptions,
): Promise<CallRecord> {
  const poller = await pollerOf(access)
  return waitLimited(poller.ports, poller.wait(id, until), `the call ${JSON.stringify(id)}`, options)
}

async function pollerOf(access: Access): Promise<Poller> {
  const backend = await access.connect()
  access.poller ??= createPoller(backend, (ids) => readLive(access, backend, ids))
  return access.poller
}

function outcomeOf(access: Access, record: CallRecord): Outcome<unknown> | Promise<Outcome<unknown>> {
  if (record.state === 'cancelled') return { state: 'cancelled' }
  if (record.result === undefined) return outcomeBeside(access, record)
  return decodeOutcome(access, record, record.result)
}

function decodeOutcome(access: Access, record: CallRecord, text: string): Outcome<unknown> {
  const value = decodeResult(access.codec, record, text)
  if (record.state === 'succeeded') return { state: 'succeeded', value }
  const { reason = 'threw', attempts } = record
  return { state: 'failed', reason, error: asError(value), attempts }
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new ErrandError('the call failed', { cause: value })
}

async function outcomeBeside(access: Access, record: CallRecord): Promise<Outcome<unknown>> {
  const backend = await access.connect()
  const text = await readResultBeside(backend, record)
  if (text === undefined) throw notFound(record.id)
  return decodeOutcome(access, record, text)
}

async function cancel(access: Access, id: string): Promise<boolean> {
  const backend = await access.connect()
  const answer = await backend.store.update(id, cancelChange(backend.clock.now()))
  if (answer.written) {
    await forgetSchedule(backend, answer.record)
    return true
  }
  const { existing } = answer
  if (isLive(existing, backend.clock.now())) return existing.state === 'cancelled'
  // With `record: 'on-claim'` a waiting call has nothing that could be marked; it will run.
  if (unwritten(access, id, backend.clock.now()) !== undefined) return false
  throw notFound(id)
}

/** What a schedule sends of a cancelled call is dropped: it is deleted to save that, where that is allowed. */
async function forgetSchedule({ oneTimeSchedules, clock }: Backend, cancelled: CallRecord): Promise<void> {
  if (oneTimeSchedules === undefined || !isLongDelay(cancelled.dueAt, clock.now())) return
  await oneTimeSchedules.delete(scheduleName(cancelled)).catch(() => {})
}

/** What a reason may take of the record, which is billed by its size. */
const REASON_LENGTH = 200

async function abort(access: Access, id: string, given: unknown): Promise<boolean> {
  const text = given instanceof Error ? given.message : given
  if (typeof text !== 'string') {
    throw new InvalidOptionError(`the reason of an abort is ${showValue(given)}, expected a text or an Error`)
  }
  const reason = text.slice(0, REASON_LENGTH).toWellFormed()
  const backend = await access.connect()
  // A call may go from waiting to running, or back to waiting, between the two writes: look again then.
  for (let round = 0; round < 5; round++) {
    const cancelled = await backend.store.update(id, cancelChange(backend.clock.now()))
    if (cancelled.written) {
      await forgetSchedule(backend, cancelled.record)
      return true
    }
    const { existing } = cancelled
    if (!isLive(existing, backend.clock.now())) {
      if (unwritten(access, id, backend.clock.now()) !== undefined) return false
      throw notFound(id)
    }
    if (isFinal(existing.state)) return false
    if (existing.abortReason !== undefined) return true
    const marked = await backend.store.update(id, markChange(reason))
    if (marked.written) return true
  }
  return false
}

/** The error of waiting for a result that will never come. */
export function cancelledError(id: string): CancelledError {
  return new CancelledError(`the call ${JSON.stringify(id)} was cancelled`)
}
