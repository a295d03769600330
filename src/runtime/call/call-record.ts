/**
 * What is kept of a call: its states, and the row that holds them.
 * @module
 */

/** The states of a call; the last three are final. */
export type CallState =
  | 'pending'
  | 'scheduled'
  | 'running'
  | 'retrying'
  | 'succeeded'
  | 'failed'
  | 'cancelled'

/** Why a call ended as `failed`. */
export type FailureReason =
  | 'threw'
  | 'timed-out'
  | 'killed'
  | 'expired'
  | 'unknown-task'
  | 'undeliverable'
  | 'result-too-large'

/** The row that holds a call's state. Times are epoch milliseconds unless the name says otherwise. */
export interface CallRecord {
  readonly id: string
  readonly task: string
  readonly queue: string
  /** `payloadHash` of the arguments: what makes a second submit the same call, and a message this call's. */
  readonly payloadHash: string
  readonly state: CallState
  readonly createdAt: number
  /** When it may run next: at once, after its delay, or after the back-off. */
  readonly dueAt: number
  /** Its expiry: where no attempt has begun by then, none will. Absent: it waits for as long as its message lives. */
  readonly startBy?: number
  /** When DynamoDB may delete it, in epoch seconds as its TTL wants them. */
  readonly expiresAtSeconds: number
  /** Claims so far. It only counts, and never goes down. */
  readonly attempts: number
  /** Attempts that ended in an error of their own. */
  readonly failures: number
  readonly startedAt?: number
  readonly finishedAt?: number
  /** The nonce of the last claim: the fencing token. */
  readonly owner?: string
  readonly leaseUntil?: number
  /** The mark: somebody asked the running call to stop, and said why. */
  readonly abortReason?: string
  /** The last progress, encoded. */
  readonly progress?: string
  /** Which of its attempt's it is, from 1: a read that lags may show an older one after it. */
  readonly progressNumber?: number
  /** The value, or where `state` is `failed` the error, encoded. */
  readonly result?: string
  /** Set where the result was too large for the record and lies beside it, under the owner. */
  readonly resultBytes?: number
  /** Where it lies then. Absent: in an item of its own. */
  readonly resultIn?: 'blob'
  readonly reason?: FailureReason
  /** The queue of a call that failed, and of no other: what finds the failed ones without reading the rest. */
  readonly failedIn?: string
  /** How often its message was sent on purpose, absent being once: each retry by hand sends it again. */
  readonly sends?: number
  /** The attempts before the last retry by hand: they count neither as failures nor as kills. */
  readonly forgiven?: number
  /** The kills before its last failure, absent being none: what a claim finds beyond them is new to it. */
  readonly killsBefore?: number
  /** Name and message of the last failure, cut: for people who look at a call that did not succeed (yet). */
  readonly lastError?: string
  /** The attempts before the last that failed, as `attempt-history.ts` writes them. */
  readonly history?: string
  readonly tenant?: string
  /** The id of the call whose task submitted this one. */
  readonly parent?: string
  /** How many calls deep. 0 where absent. */
  readonly depth?: number
}

/** Whether a state is final: nothing changes it. */
export function isFinal(state: CallState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled'
}

/** The characters of an error that a record keeps. */
const LAST_ERROR_LENGTH = 200

/** Name and message of an error, as `lastError` has them. Never throws. */
export function lastErrorOf(error: unknown): string {
  try {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return text.slice(0, LAST_ERROR_LENGTH).toWellFormed()
  } catch {
    return 'an error that cannot be shown'
  }
}

/** Whether a time, where there is one, is over. */
export function isPast(timeMs: number | undefined, nowMs: number): boolean {
  return timeMs !== undefined && timeMs <= nowMs
}

/** Whether a call has expired, be it that nobody has written so yet. */
export function hasExpired(
  { state, startBy, startedAt }: Pick<CallRecord, 'state' | 'startBy' | 'startedAt'>,
  nowMs: number,
): boolean {
  return isPast(startBy, nowMs) && startedAt === undefined && !isFinal(state)
}
