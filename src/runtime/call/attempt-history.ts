/**
 * How a call's last attempts went. The record tells of its last one in fields of their own; of those before it in one
 * short text, `history`, which a retry writes along with what it writes anyway: no write more, and no byte for a call
 * that is never retried. An attempt that was killed could write nothing: it is a number that is missing.
 * @module
 */
import { type CallRecord, isFinal, killsOf } from './record.ts'

/** How an attempt ended, or that it has not. */
export type AttemptEnd = 'succeeded' | 'failed' | 'killed' | 'cancelled' | 'running' | 'not run'

/** One attempt of a call. */
export interface PastAttempt {
  /** Its number, from 1. */
  readonly attempt: number
  /** A claim that found that the call is not to be run (any more) counts as an attempt, and is `not run`. */
  readonly ended: AttemptEnd
  /** Epoch milliseconds. Absent: it was killed, and said nothing. */
  readonly startedAt?: number
  readonly finishedAt?: number
  /** The name of the error that it failed with. */
  readonly error?: string
}

/** How many attempts before the last are remembered: a record is billed by its size, and a write unit is 1 KB. */
const MOST_REMEMBERED = 5

/** Characters of an error's name that are remembered. */
const NAME_LENGTH = 28

/** What classes of errors are called. What else stands before the colon of an error's text may be data. */
const className = /^[A-Za-z_$][\w$.]*(?=:|$)/

/**
 * The history with the record's last attempt in it, which failed.
 * @param lastError name and message of what it failed with
 */
export function historyWith(
  { history, attempts, createdAt, startedAt }: CallRecord,
  finishedAt: number,
  lastError: string,
): string {
  const began = startedAt ?? finishedAt
  const [after, took] = [began - createdAt, finishedAt - began].map((time) => Math.max(time, 0).toString(36))
  const name = className.exec(lastError)?.[0].slice(0, NAME_LENGTH) ?? 'Error'
  const kept = history?.split(' ').slice(1 - MOST_REMEMBERED) ?? []
  return [...kept, `${attempts}:${after}:${took}:${name}`].join(' ')
}

/** The last attempts of a call, the last of all at the end: six at most. */
export function attemptsOf(record: CallRecord): readonly PastAttempt[] {
  const remembered = rememberedOf(record)
  const { attempts, forgiven = 0 } = record
  const first = Math.max(attempts - MOST_REMEMBERED, 1)
  const all: PastAttempt[] = []
  for (let attempt = first; attempt <= attempts; attempt++) {
    const known = remembered.get(attempt) ?? (attempt === attempts ? lastOf(record) : undefined)
    if (known !== undefined) all.push(known)
    // A record of a version that remembered nothing has failures without a history.
    else if (killedAttempts(record) > 0 || attempt <= forgiven) all.push({ attempt, ended: 'killed' })
  }
  return all
}

function rememberedOf({ history, createdAt }: CallRecord): Map<number, PastAttempt> {
  const remembered = new Map<number, PastAttempt>()
  for (const entry of history?.split(' ') ?? []) {
    const [, attempt = '', after = '', took = '', error = ''] =
      /^(\d{1,9}):([\da-z]{1,9}):([\da-z]{1,9}):([\w$.]+)$/.exec(entry) ?? []
    if (attempt === '') continue
    const startedAt = createdAt + Number.parseInt(after, 36)
    const finishedAt = startedAt + Number.parseInt(took, 36)
    remembered.set(Number(attempt), {
      attempt: Number(attempt),
      ended: 'failed',
      startedAt,
      finishedAt,
      error,
    })
  }
  return remembered
}

function lastOf(record: CallRecord): PastAttempt | undefined {
  const { attempts: attempt, state, startedAt, finishedAt, lastError = '' } = record
  if (startedAt === undefined) return undefined
  if (state === 'running') return { attempt, ended: 'running', startedAt }
  if (!isFinal(state) || !endedByAttempt(record)) return isFinal(state) ? notRun(record) : undefined
  const times = { startedAt, ...(finishedAt !== undefined && { finishedAt }) }
  if (state !== 'failed') return { attempt, ended: state as 'succeeded' | 'cancelled', ...times }
  return { attempt, ended: 'failed', ...times, error: className.exec(lastError)?.[0] ?? 'Error' }
}

/** A claim that ended the call in place of an attempt; a dead letter's claim does not count as one. */
function notRun({ attempts: attempt, state, reason }: CallRecord): PastAttempt | undefined {
  return state === 'failed' && reason !== 'undeliverable' ? { attempt, ended: 'not run' } : undefined
}

/** Of a call that is over: whether the attempt that is counted last said itself how it ended. */
export function endedByAttempt({ state, reason, abortReason }: CallRecord): boolean {
  if (state === 'succeeded') return true
  // One that nobody asked to stop was cancelled while it waited; one that was asked is taken to have stopped.
  if (state === 'cancelled') return abortReason !== undefined
  return reason === 'threw' || reason === 'timed-out' || reason === 'result-too-large'
}

/** How many attempts ended without a word, for people: `killsOf` without the one that ended the call by itself. */
export function killedAttempts(record: CallRecord): number {
  const { state, reason } = record
  const hasLast = isFinal(state) && state !== 'failed' && endedByAttempt(record)
  // The claim that gives up on a call counts as an attempt, and was none.
  const hasClaim =
    state === 'failed' && (reason === 'killed' || reason === 'unknown-task' || reason === 'expired')
  return Math.max(killsOf(record) - (hasLast || hasClaim ? 1 : 0), 0)
}
