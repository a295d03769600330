/**
 * The end of an attempt: its result or error written, its call retried or final, its message settled.
 * @module
 */

import { historyWith } from '../call/attempt-history.ts'
import { type CallRecord, lastErrorOf } from '../call/call-record.ts'
import type { ReceivedEnvelope } from '../call/envelope.ts'
import { keepResultBeside, tooLarge } from '../call/large-result.ts'
import { outlivesMessage } from '../call/message-life.ts'
import {
  type Claim,
  expiryOf,
  type Finish,
  finishChange,
  isEchoOfFinish,
  isEchoOfRetry,
  killsOf,
  retryChange,
} from '../call/record.ts'
import { retryDelaySeconds } from '../call/retry.ts'
import { LIMITS } from '../config/config.ts'
import type { Written } from '../ports/store.ts'
import type { RegisteredTask } from '../registry.ts'
import type { Delivery, Environment } from './attempt.ts'
import { reportEnd } from './attempt-report.ts'
import { afterFinal } from './follow-up.ts'
import { canKeep, keepMessage } from './kept-message.ts'
import { longestWaitSeconds, waitInSchedule } from './long-wait.ts'
import { leaseLost } from './marks.ts'
import { persist, persistAgain } from './persist.ts'
import type { Ended } from './run-task.ts'
import { acknowledge, hide, type Settlement } from './settlement.ts'

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
  const now = ports.clock.now()
  const wanted = retryDelaySeconds(options, failures, ended.error, ports.entropy, now)
  if (wanted === undefined) return fail(environment, claimed, ended.error, reason, true)
  const { seconds, isLong, isTooOld } = possibleWait(environment, claimed, wanted, now)
  const dueAt = now + seconds * 1000
  if (isTooOld) {
    environment.log('warn', TOO_OLD, { id: envelope.id, task: envelope.task, failures })
    return fail(environment, claimed, ended.error, reason, true)
  }
  const lastError = lastErrorOf(ended.error)
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
    if (!isLong) return hide(seconds)
    const waiting = answer.written ? answer.record : (answer.existing as CallRecord)
    return waitInSchedule(environment, envelope, waiting, claimed.delivery.deadline)
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

/** How a call can wait for its next attempt. */
interface PossibleWait {
  readonly seconds: number
  /** Whether a schedule has to send its message anew: it cannot be hidden for so long, or SQS would drop it before. */
  readonly isLong: boolean
  /** Whether SQS would drop its message before, and nothing can send another. */
  readonly isTooOld: boolean
}

/** How the call can wait, of what was asked for: SQS hides a message for 12 h from its receipt, before the attempt. */
function possibleWait(
  environment: Environment,
  { envelope, delivery, claim }: Claimed,
  wantedSeconds: number,
  now: number,
): PossibleWait {
  const queue = environment.app.config.queues.get(envelope.queue)
  const isTooOld = (seconds: number) =>
    outlivesMessage(now + seconds * 1000, delivery.sentAt, queue?.retentionSeconds)
  const hideableSeconds = LIMITS.backoffSeconds - (now - claim.now) / 1000
  if (wantedSeconds <= hideableSeconds && !isTooOld(wantedSeconds)) {
    return { seconds: wantedSeconds, isLong: false, isTooOld: false }
  }
  const longest = longestWaitSeconds(environment, envelope, delivery.body)
  const seconds = Math.min(wantedSeconds, longest)
  if (seconds < wantedSeconds) {
    environment.log('warn', 'a retry comes earlier than asked for; see docs/scheduling.md', {
      id: envelope.id,
      wantedSeconds,
      seconds,
    })
  }
  const isLong = longest > LIMITS.backoffSeconds && seconds > LIMITS.delaySeconds
  return { seconds, isLong, isTooOld: !isLong && isTooOld(seconds) }
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
    { state: 'failed', reason, failedIn: claimed.record.queue, failure, lastError: lastErrorOf(error) },
    text,
    Buffer.byteLength(text),
  )
}

/** False where time ran out. A message that no item can hold is not kept, and its call cannot be retried by hand. */
export async function keepForRetry(
  environment: Environment,
  kept: Pick<Claimed, 'envelope' | 'delivery'>,
): Promise<boolean> {
  if (!canKeep(environment, kept)) return true
  const { envelope, delivery } = kept
  const done = await persist(environment, envelope.id, delivery.deadline, async () => {
    await keepMessage(environment, kept)
    return true
  })
  return done !== undefined
}

/** Ends a schedule's run without running it: an earlier one still goes. */
export function skip(environment: Environment, claimed: Claimed, earlier: CallRecord): Promise<Settlement> {
  const lastError = `skipped: the run ${earlier.id} was still ${earlier.state}, and the schedule has overlap 'skip'`
  environment.log('info', 'run skipped: an earlier one of its schedule still goes', {
    id: claimed.envelope.id,
    earlier: earlier.id,
  })
  return finish(environment, claimed, { state: 'cancelled', lastError, failure: false })
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
