/**
 * The end of an attempt: its result or error written, its call retried or final, its message settled.
 * @module
 */
import type { Delivery, Environment } from './attempt.ts'
import { historyWith } from './attempt-history.ts'
import { reportEnd } from './attempt-report.ts'
import { delay } from './clock.ts'
import { LIMITS } from './config.ts'
import type { ReceivedEnvelope } from './envelope.ts'
import { afterFinal } from './follow-up.ts'
import { canKeep, keepMessage } from './kept-message.ts'
import { keepResultBeside, tooLarge } from './large-result.ts'
import { leaseLost } from './marks.ts'
import { outlivesMessage } from './message-life.ts'
import {
  type CallRecord,
  type Claim,
  expiryOf,
  type Finish,
  finishChange,
  isEchoOfFinish,
  isEchoOfRetry,
  killsOf,
  retryChange,
} from './record.ts'
import type { RegisteredTask } from './registry.ts'
import { retryDelaySeconds } from './retry.ts'
import type { Ended } from './run-task.ts'
import { isCertain } from './send.ts'
import { acknowledge, hide, type Settlement } from './settlement.ts'
import type { Written } from './store.ts'

/** A call that this attempt owns. */
export interface Claimed {
  readonly envelope: ReceivedEnvelope
  readonly claim: Claim
  readonly delivery: Delivery
  /** `undefined` where nobody deployed it within the hour. */
  readonly task: RegisteredTask | undefined
  readonly record: CallRecord
  /** How long its function ran; set only where attempts are observed. */
  durationMilliseconds?: number
  /** What it failed with, for those who observe. */
  error?: unknown
}

/**
 * Writes the end of an attempt.
 * @param begunAt when its function began, in epoch milliseconds
 */
export function settle(
  environment: Environment,
  claimed: Claimed,
  ended: Ended,
  begunAt: number,
): Promise<Settlement> {
  if (environment.observe !== undefined) {
    claimed.durationMilliseconds = Math.max(environment.ports.clock.now() - begunAt, 0)
  }
  switch (ended.kind) {
    case 'returned':
      return succeed(environment, claimed, ended)
    case 'aborted':
      return finish(environment, claimed, { state: 'cancelled', failure: false })
    case 'lost':
      reportEnd(environment, claimed, 'lost')
      return Promise.resolve(lost(environment, claimed.envelope.id))
    case 'threw':
    case 'timed-out':
      return retryOrFail(environment, claimed, ended)
  }
}

function succeed(
  environment: Environment,
  claimed: Claimed,
  ended: Ended & { kind: 'returned' },
): Promise<Settlement> {
  const bytes = byteLength(ended.text)
  const error = tooLarge(environment.ports, claimed.envelope.task, bytes)
  if (error === undefined) {
    return finishWithResult(environment, claimed, { state: 'succeeded', failure: false }, ended.text, bytes)
  }
  return fail(environment, claimed, error, 'result-too-large', true)
}

/** Exact only where it matters: a text this short cannot reach the limit of what lies in the record. */
function byteLength(text: string): number {
  return text.length * 3 <= LIMITS.inlineResultBytes ? text.length : Buffer.byteLength(text)
}

async function retryOrFail(
  environment: Environment,
  claimed: Claimed,
  ended: Ended & { kind: 'threw' | 'timed-out' },
): Promise<Settlement> {
  const { ports } = environment
  const { claim, record, envelope, task } = claimed
  const reason = ended.kind
  claimed.error = ended.error
  const failures = record.failures + 1
  const options = (task as RegisteredTask).options
  const seconds = retryDelaySeconds(options, failures, ended.error, ports.entropy)
  if (seconds === undefined) return fail(environment, claimed, ended.error, reason, true)
  const now = ports.clock.now()
  const dueAt = now + seconds * 1000
  const queue = environment.app.config.queues.get(envelope.queue)
  if (outlivesMessage(dueAt, claimed.delivery.sentAt, queue?.retentionSeconds)) {
    environment.log('warn', TOO_OLD, { id: envelope.id, task: envelope.task, failures })
    return fail(environment, claimed, ended.error, reason, true)
  }
  const lastError = describe(ended.error)
  const kills = killsOf(record)
  const known = { history: historyWith(record, now, lastError), ...(kills > 0 && { killsBefore: kills }) }
  const expiresAtSeconds = expiryOf(dueAt, claim.retentionSeconds)
  const change = retryChange(claim.owner, dueAt, lastError, expiresAtSeconds, known)
  const answer = await persist(environment, envelope.id, claimed.delivery.deadline, () =>
    ports.store.update(envelope.id, change),
  )
  if (answer === undefined) return unwritten(environment, claimed)
  if (answer.written || isEchoOfRetry(answer.existing, claim.owner)) {
    reportEnd(environment, claimed, 'retrying', reason)
    return hide(seconds)
  }
  const { existing } = answer
  // Somebody asked it to stop while it ran: a marked call is not retried.
  if (existing?.owner === claim.owner && existing.abortReason !== undefined) {
    return finish(environment, claimed, { state: 'cancelled', failure: true })
  }
  reportEnd(environment, claimed, 'lost')
  return lost(environment, envelope.id)
}

const TOO_OLD =
  'failed before its attempts were used up: SQS drops the message before the next; raise the `retentionSeconds` of its queue (14 days at most), or wait less between attempts'

/** The characters of an error that a record keeps while the call is retried. */
const LAST_ERROR_LENGTH = 200

function describe(error: unknown): string {
  try {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return text.slice(0, LAST_ERROR_LENGTH).toWellFormed()
  } catch {
    return 'an error that cannot be shown'
  }
}

/** Ends the call as `failed`. Its message is kept first, for a retry by hand: nothing may fail without it. */
export async function fail(
  environment: Environment,
  claimed: Claimed,
  error: unknown,
  reason: NonNullable<Finish['reason']>,
  failure: boolean,
): Promise<Settlement> {
  const text = environment.app.codec.encodeThrown(error, claimed.envelope.task)
  claimed.error = error
  if (!(await keepForRetry(environment, claimed))) return unwritten(environment, claimed)
  return finishWithResult(
    environment,
    claimed,
    { state: 'failed', reason, failedIn: claimed.record.queue, failure, lastError: describe(error) },
    text,
    Buffer.byteLength(text),
  )
}

/** False where time ran out. A message that no item can hold is not kept, and its call cannot be retried by hand. */
async function keepForRetry(environment: Environment, claimed: Claimed): Promise<boolean> {
  if (!canKeep(environment, claimed)) return true
  const { envelope, delivery } = claimed
  const kept = await persist(environment, envelope.id, delivery.deadline, async () => {
    await keepMessage(environment, claimed)
    return true
  })
  return kept !== undefined
}

/** A large result goes to an item of its own first: the final write must not refer to what is not there. */
function finishWithResult(
  environment: Environment,
  claimed: Claimed,
  end: Finish,
  text: string,
  bytes: number,
): Promise<Settlement> {
  if (bytes <= LIMITS.inlineResultBytes) return finish(environment, claimed, { ...end, result: text })
  return finishWithResultBeside(environment, claimed, end, text, bytes)
}

async function finishWithResultBeside(
  environment: Environment,
  claimed: Claimed,
  end: Finish,
  text: string,
  bytes: number,
): Promise<Settlement> {
  const { ports } = environment
  const { claim, envelope } = claimed
  const expiresAtSeconds = expiryOf(ports.clock.now(), claim.retentionSeconds)
  const place = await persist(environment, envelope.id, claimed.delivery.deadline, () =>
    keepResultBeside(ports, claim, text, bytes, expiresAtSeconds),
  )
  if (place === undefined) return unwritten(environment, claimed)
  return finish(environment, claimed, { ...end, ...place })
}

async function finish(environment: Environment, claimed: Claimed, end: Finish): Promise<Settlement> {
  const { ports } = environment
  const { claim, envelope } = claimed
  const now = ports.clock.now()
  const change = finishChange(claim.owner, end, now, expiryOf(now, claim.retentionSeconds))
  const write = () => ports.store.update(envelope.id, change)
  let answer: Written | undefined
  try {
    answer = await write()
  } catch (error) {
    answer = await persistAgain(environment, envelope.id, claimed.delivery.deadline, write, error)
  }
  if (answer === undefined) return unwritten(environment, claimed)
  const ending = answer.written
    ? answer.record
    : isEchoOfFinish(answer.existing, claim.owner)
      ? answer.existing
      : undefined
  // Before what follows from it, which may take the rest of the invocation.
  reportEnd(environment, claimed, ending === undefined ? 'lost' : end.state, end.reason)
  if (ending === undefined) return lost(environment, envelope.id)
  // Most calls have no follow-ups, and then wait for nothing.
  if (envelope.onSucceeded === undefined && envelope.onFailed === undefined) return acknowledge
  return afterFinal(environment, envelope, claimed.delivery.deadline, ending)
}

/** An attempt whose end nobody could write: its call runs again when its lease is over. */
function unwritten(environment: Environment, claimed: Claimed): Settlement {
  reportEnd(environment, claimed, 'unwritten')
  return hide(undefined)
}

/** An attempt that lost its lease drops its result, and leaves the message to whoever owns the call now. */
function lost(environment: Environment, id: string): Settlement {
  environment.log('warn', 'result dropped', { id, error: leaseLost(id) })
  return hide(undefined)
}

/** The first wait between tries of a write that fails, which doubles up to the last. */
export const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 2000

/**
 * Tries a write for as long as the environment lives: the work is done, and only this write can say so. `undefined`
 * where time ran out; the call then runs again.
 */
function persist<Answer extends object | true>(
  environment: Environment,
  id: string,
  deadline: number,
  write: () => Promise<Answer>,
): Promise<Answer | undefined> {
  return write().catch((error: unknown) => persistAgain(environment, id, deadline, write, error))
}

async function persistAgain<Answer extends object | true>(
  environment: Environment,
  id: string,
  deadline: number,
  write: () => Promise<Answer>,
  firstError: unknown,
): Promise<Answer | undefined> {
  const { ports, log } = environment
  let error = firstError
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, LAST_RETRY_MS)) {
    // What a missing grant or table refuses will be refused again; the call runs again when that is mended.
    if (isCertain(error) || ports.clock.now() + waitMs > deadline) {
      log('error', 'the end of an attempt could not be written', { id, error })
      return undefined
    }
    await delay(ports.clock, waitMs)
    try {
      return await write()
    } catch (again) {
      error = again
    }
  }
}
