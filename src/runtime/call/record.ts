/**
 * The state machine of a call's record, which every store applies; what it holds is `call-record.ts`'s.
 *
 * ```
 *             claim                finish
 *  pending ──────────► running ───────────────► succeeded | failed | cancelled
 *  scheduled ─(due)──►  │  ▲
 *                 retry │  │ claim (due)      cancel: pending | scheduled | retrying ──► cancelled
 *                       ▼  │                  claim:  running, its lease over ──► running, another owner
 *                     retrying                 by hand: failed ──► pending
 * ```
 *
 * - **Final is final.** No condition below holds of a final record, so nothing changes it; but for
 *   `renewChange` (`renewal.ts`), by which people have a failed call tried again.
 * - **The owner is the fence.** A claim writes a fresh random owner; progress, finish and retry hold only for the
 *   owner that is in the record. An attempt that lost its lease can write nothing.
 * - **Echoes.** A write whose response was lost is sent again by the SDK and fails its own condition. Each write
 *   carries the owner, so the record that comes back tells whether it was us (`isEcho…`).
 * - **Counting.** `attempts` and `failures` go up in the same conditional write as the state, so a write that is
 *   repeated cannot count twice. Kills are the attempts that ended without a word: attempts − failures, less those
 *   that a retry by hand has forgiven.
 * - **The mark.** `abortReason` asks a running call to stop. A marked call is never claimed or retried again.
 * - **The expiry.** A call that no attempt has begun by `startBy` ends as `failed`, for the reason `expired`: whoever
 *   sees it past that time writes so. An attempt that began in time is retried as any other.
 * @module
 */

import { PROTOCOL } from '../config/config.ts'
import type { Change, Condition, Field } from '../ports/store.ts'
import { type CallRecord, type FailureReason, isFinal, isPast } from './call-record.ts'

export { type CallRecord, type CallState, type FailureReason, isFinal } from './call-record.ts'

/** Whether a record still counts: DynamoDB deletes expired items days late, so every reader asks. */
export function isLive(record: CallRecord | undefined, nowMs: number): record is CallRecord {
  return record !== undefined && record.expiresAtSeconds * 1000 > nowMs
}

/** How many attempts ended without a word: killed by the time-out, out of memory, a crash. */
export function killsOf(record: CallRecord): number {
  const counted = record.attempts - (record.forgiven ?? 0)
  return counted - record.failures - (record.state === 'running' ? 1 : 0)
}

/** Whether the attempt before this claim ended without a word: each kill is found by the one claim after it. */
export function followsKill(record: CallRecord, { isAttempt }: Pick<Claim, 'isAttempt'>): boolean {
  // Only an attempt counts itself.
  const kills = isAttempt ? killsOf(record) : killsOf(record) + 1
  return kills > (record.killsBefore ?? 0)
}

/** When a record written now, of a call due at `dueAtMs`, may be deleted, in epoch seconds. */
export function expiryOf(dueAtMs: number, retentionSeconds: number): number {
  return Math.ceil(dueAtMs / 1000) + retentionSeconds + PROTOCOL.recordMarginSeconds
}

// What never differs is made once: a claim and a finish are made for each call.
const noRecord: Condition = ['id', 'absent']
const pending: Condition = ['state', '=', 'pending']
const running: Condition = ['state', '=', 'running']
const postponed: Condition = ['state', 'in', ['scheduled', 'retrying']]
const unmarked: Condition = ['abortReason', 'absent']
const attempted = ['attempts'] as const
const failed = ['failures'] as const
/** What a claim leaves behind: of the attempt before, and where the call was retried by hand, of its failure. */
const leftBehind = ['progress', 'progressNumber', 'failedIn', 'finishedAt'] as const
const lease = ['leaseUntil'] as const
const leaseAndError = ['leaseUntil', 'lastError'] as const
const notBegun: Condition = ['state', 'in', ['pending', 'scheduled', 'retrying']]

function notExpired(nowMs: number): Condition {
  return ['expiresAtSeconds', '>', Math.floor(nowMs / 1000)]
}

function leaseOver(nowMs: number): Condition {
  return {
    all: [running, ['leaseUntil', '<', nowMs]],
  }
}

function owned(owner: string): Condition {
  return {
    all: [running, ['owner', '=', owner]],
  }
}

/** Submit's condition: there is no record of this id, or one whose time is over. */
export function mayCreate(nowMs: number): Condition {
  return { any: [noRecord, ['expiresAtSeconds', '<=', Math.floor(nowMs / 1000)]] }
}

/** What a claim needs to know. */
export interface Claim {
  readonly id: string
  /** The call as its envelope tells it: what a record that is not there is made of. */
  readonly call: Pick<
    CallRecord,
    | 'task'
    | 'queue'
    | 'payloadHash'
    | 'createdAt'
    | 'dueAt'
    | 'startBy'
    | 'tenant'
    | 'parent'
    | 'depth'
    | 'failures'
  >
  readonly owner: string
  readonly leaseUntil: number
  readonly now: number
  readonly retentionSeconds: number
  /** Whether a function is going to run. A dead letter's call is claimed only to be ended. */
  readonly isAttempt: boolean
  /** Whether it is claimed to be ended as expired: only where no attempt has begun. @default false */
  readonly isExpired?: boolean
  /**
   * Which send the message is of, absent being the first. A dead letter of an earlier one says nothing of a call that
   * was sent again since.
   */
  readonly sends?: number
}

/**
 * Whether a call without a record may be run: its due time is younger than a record's minimum life. An older one
 * had a record, ran, and was forgotten. Half a day of margin keeps the two apart under any clock.
 */
function mayBeNew(claim: Claim): boolean {
  const lifeSeconds = claim.retentionSeconds + PROTOCOL.recordMarginSeconds / 2
  return claim.now < claim.call.dueAt + lifeSeconds * 1000
}

/** The claim: one write that makes an attempt the call's owner. */
export function claimChange(claim: Claim): Change {
  const { now, call, isAttempt } = claim
  const due: Condition = {
    all: [postponed, ['dueAt', '<=', now + PROTOCOL.dueToleranceSeconds * 1000]],
  }
  const claimable: Condition = {
    all: [
      ['payloadHash', '=', call.payloadHash],
      unmarked,
      notExpired(now),
      { any: [pending, due, leaseOver(now)] },
    ],
  }
  const set = {
    state: 'running',
    owner: claim.owner,
    leaseUntil: claim.leaseUntil,
    expiresAtSeconds: expiryOf(Math.max(now, call.dueAt), claim.retentionSeconds),
  } as const
  const mayMake = mayBeNew(claim) && (!isAttempt || !isPast(call.startBy, now))
  const when = mayMake ? { any: [noRecord, claimable] } : claimable
  if (isAttempt) {
    if (call.startBy !== undefined) {
      const inTime = { all: [when, { any: [noRecord, mayBegin(now)] }] }
      return {
        when: inTime,
        set: { ...set, startedAt: now },
        initial: call,
        increment: attempted,
        remove: leftBehind,
      }
    }
    return { when, set: { ...set, startedAt: now }, initial: call, increment: attempted, remove: leftBehind }
  }
  const initial = { ...call, attempts: 0 }
  if (claim.isExpired === true) {
    const expired: Condition = { any: [noRecord, unbegunPast(now)] }
    return { when: { all: [when, expired] }, set, initial, remove: leftBehind }
  }
  const notSentAgain: Condition = {
    any: [
      ['sends', 'absent'],
      ['sends', '<=', sendsOf(claim)],
    ],
  }
  return { when: { all: [when, notSentAgain] }, set, initial, remove: leftBehind }
}

/** An attempt has begun, or may begin now. */
function mayBegin(nowMs: number): Condition {
  return {
    any: [
      ['startBy', 'absent'],
      ['startBy', '>', nowMs],
      ['startedAt', 'present'],
    ],
  }
}

/** No attempt has begun, and the time for the first is over. */
function unbegunPast(nowMs: number): Condition {
  return {
    all: [
      ['startBy', '<=', nowMs],
      ['startedAt', 'absent'],
    ],
  }
}

/** Ends a call that has expired while it waits: by whoever reads it, holding no message of it. */
export function expireChange(
  now: number,
  end: Pick<Finish, 'result' | 'failedIn' | 'lastError'>,
  expiresAtSeconds: number,
): Change {
  return {
    when: { all: [{ any: [notBegun, leaseOver(now)] }, unmarked, notExpired(now), unbegunPast(now)] },
    set: { ...end, state: 'failed', reason: 'expired', finishedAt: now, expiresAtSeconds },
    remove: lease,
  }
}

/** Why a claim was refused, and so what to do with its message. */
export type Refusal =
  /** Our own write, its response lost: go on. */
  | { readonly kind: 'echo'; readonly record: CallRecord }
  /** It ended: acknowledge. */
  | { readonly kind: 'final'; readonly record: CallRecord }
  /** Somebody asked it to stop and nobody runs it: end it `cancelled`. */
  | { readonly kind: 'marked' }
  /** Another attempt owns it: hide the message until its lease is over. Never acknowledge it. */
  | { readonly kind: 'postponed'; readonly until: number }
  /** It is not due: hide the message until then, or have a schedule send it. */
  | { readonly kind: 'waiting'; readonly record: CallRecord }
  /** It ran and its record is gone, or the record is of another payload: drop the message. */
  | { readonly kind: 'stale' }
  /** Its id is of a record whose time is over, which DynamoDB has not deleted yet: write a new one first. */
  | { readonly kind: 'expired' }
  /** The record changed between the condition and the answer: look again soon. */
  | { readonly kind: 'raced' }

/** Reads from the record that stood in its way why a claim was refused. */
export function refusalOf(claim: Claim, existing: CallRecord | undefined): Refusal {
  if (!isLive(existing, claim.now)) {
    if (!mayBeNew(claim)) return { kind: 'stale' }
    return { kind: existing === undefined ? 'raced' : 'expired' }
  }
  if (existing.owner === claim.owner && existing.state === 'running')
    return { kind: 'echo', record: existing }
  if (existing.payloadHash !== claim.call.payloadHash) return { kind: 'stale' }
  if (isFinal(existing.state)) return { kind: 'final', record: existing }
  if (!claim.isAttempt && claim.isExpired !== true && sendsOf(existing) > sendsOf(claim)) {
    return { kind: 'stale' }
  }
  if (existing.state === 'running' && (existing.leaseUntil ?? 0) >= claim.now) {
    return { kind: 'postponed', until: (existing.leaseUntil ?? 0) + 1 }
  }
  if (existing.abortReason !== undefined) return { kind: 'marked' }
  if (existing.dueAt > claim.now) return { kind: 'waiting', record: existing }
  return { kind: 'raced' }
}

/** Writes the progress of the attempt that owns the call, its `number`th; a request that comes late undoes no later one. */
export function progressChange(owner: string, progress: string, number: number): Change {
  const inOrder: Condition = {
    any: [
      ['progressNumber', 'absent'],
      ['progressNumber', '<=', number],
    ],
  }
  return { when: { all: [owned(owner), inOrder] }, set: { progress, progressNumber: number } }
}

/** Renews the lease of the attempt that owns the call; a request that comes late does not shorten it. */
export function extendLeaseChange(owner: string, leaseUntil: number): Change {
  return { when: { all: [owned(owner), ['leaseUntil', '<=', leaseUntil]] }, set: { leaseUntil } }
}

/** How an attempt ends its call. */
export interface Finish {
  readonly state: 'succeeded' | 'failed' | 'cancelled'
  readonly result?: string
  readonly resultBytes?: number
  readonly resultIn?: 'blob'
  readonly reason?: FailureReason
  readonly failedIn?: string
  readonly lastError?: string
  /** Whether this attempt ended in an error of its own; a killed one's predecessors did not. */
  readonly failure: boolean
}

/** Ends the call; only for the attempt that owns it. */
export function finishChange(owner: string, finish: Finish, now: number, expiresAtSeconds: number): Change {
  const { state, result, resultBytes, resultIn, reason, failedIn, lastError } = finish
  // Assigned one by one: this runs for each call, and spreading what is rarely there would take longer than the rest.
  const set: { -readonly [Name in Field]?: CallRecord[Name] } = { state, finishedAt: now, expiresAtSeconds }
  if (result !== undefined) set.result = result
  if (resultBytes !== undefined) set.resultBytes = resultBytes
  if (resultIn !== undefined) set.resultIn = resultIn
  if (reason !== undefined) set.reason = reason
  if (failedIn !== undefined) set.failedIn = failedIn
  if (lastError !== undefined) set.lastError = lastError
  const remove = state === 'succeeded' ? leaseAndError : lease
  const when = owned(owner)
  return finish.failure ? { when, set, increment: failed, remove } : { when, set, remove }
}

/** Whether a refused finish was our own, its response lost. */
export function isEchoOfFinish(existing: CallRecord | undefined, owner: string): existing is CallRecord {
  return existing !== undefined && existing.owner === owner && isFinal(existing.state)
}

/**
 * Gives the call back to be tried again at `dueAt`; only for its owner, and never where it is marked.
 * @param known what the record is to remember of the attempts so far; @default nothing
 */
export function retryChange(
  owner: string,
  dueAt: number,
  lastError: string,
  expiresAtSeconds: number,
  known: Pick<CallRecord, 'killsBefore' | 'history'> = {},
): Change {
  return {
    when: { all: [owned(owner), unmarked] },
    set: { state: 'retrying', dueAt, lastError, expiresAtSeconds, ...known },
    increment: failed,
    remove: lease,
  }
}

/** Whether a refused retry was our own, its response lost. */
export function isEchoOfRetry(existing: CallRecord | undefined, owner: string): boolean {
  return existing?.owner === owner && existing.state === 'retrying'
}

/** How often the call's message was sent on purpose. */
export function sendsOf(record: Pick<CallRecord, 'sends'>): number {
  return record.sends ?? 1
}

/** Cancels a call that nobody runs. */
export function cancelChange(now: number): Change {
  return {
    when: { all: [notBegun, notExpired(now)] },
    set: { state: 'cancelled', finishedAt: now },
    remove: ['failedIn'],
  }
}

/** Asks the attempt that runs the call to stop. */
export function markChange(reason: string): Change {
  return { when: { all: [running, unmarked] }, set: { abortReason: reason } }
}

/** Ends a marked call that nobody runs (any more). */
export function endMarkedChange(now: number): Change {
  return {
    when: { all: [['abortReason', 'present'], { any: [notBegun, leaseOver(now)] }] },
    set: { state: 'cancelled', finishedAt: now },
    remove: ['leaseUntil'],
  }
}
