/**
 * What became of an attempt, for those who watch: metrics and the log on Lambda. Where nobody watches, nothing is made.
 *
 * A report never holds arguments, results, or an error's message, which may quote either.
 * @module
 */

import { type FailureReason, followsKill } from '../call/record.ts'
import type { Environment } from './attempt.ts'
import type { Claimed } from './finish-attempt.ts'

/** How an attempt ended. */
export type AttemptOutcome =
  /** Its end was written, and is final. */
  | 'succeeded'
  | 'failed'
  | 'cancelled'
  /** Its end was written, and the call is tried again. */
  | 'retrying'
  /** It ended without a word: the claim after it says so. */
  | 'killed'
  /** It outlived its lease, and its result was dropped. */
  | 'lost'
  /** Its end could not be written before the invocation was over. */
  | 'unwritten'

/** What is told of an attempt, once. Of one that was lost or unwritten, the claim after it tells again, as `killed`. */
export interface AttemptReport {
  readonly id: string
  /** As the message says: what no worker knows is among them. */
  readonly task: string
  readonly queue: string
  /** Which attempt of the call it was, from 1; of a dead letter, how many there were. */
  readonly attempt: number
  readonly outcome: AttemptOutcome
  /** Why the call failed; `threw` or `timed-out` where it is tried again. */
  readonly reason?: FailureReason
  /** How long the function ran. Absent where it did not run, or nobody saw its end. */
  readonly durationMilliseconds?: number
  /**
   * From its due time to its claim. Absent where the function did not run, and after a kill: that wait is the lease's,
   * not the queue's.
   */
  readonly queueWaitMilliseconds?: number
  /** The name of what it threw, as far as that is one. */
  readonly error?: string
  /** The invocation's id. */
  readonly requestId?: string
}

/** Is told of each attempt; must not throw. */
export type Observe = (report: AttemptReport) => void

/** Tells of the attempt before a claim, where that ended without a word. */
export function reportKill({ observe }: Environment, { envelope, claim, delivery, record }: Claimed): void {
  if (observe === undefined || !followsKill(record, claim)) return
  const { id, task, queue } = envelope
  const attempt = claim.isAttempt ? record.attempts - 1 : record.attempts
  const { requestId } = delivery
  observe({ id, task, queue, attempt, outcome: 'killed', ...(requestId !== undefined && { requestId }) })
}

/** Tells of the end of an attempt. */
export function reportEnd(
  { observe }: Environment,
  claimed: Claimed,
  outcome: AttemptOutcome,
  reason?: FailureReason,
): void {
  if (observe === undefined) return
  const { envelope, claim, delivery, record, durationMilliseconds } = claimed
  const { id, task, queue } = envelope
  const hasError = outcome === 'failed' || outcome === 'retrying'
  const waited = Math.max(claim.now - record.dueAt, 0)
  const isOfQueue = durationMilliseconds !== undefined && !followsKill(record, claim)
  observe({
    id,
    task,
    queue,
    attempt: record.attempts,
    outcome,
    ...(reason !== undefined && { reason }),
    ...(durationMilliseconds !== undefined && { durationMilliseconds }),
    ...(isOfQueue && { queueWaitMilliseconds: waited }),
    ...(hasError && { error: nameOf(claimed.error) }),
    ...(delivery.requestId !== undefined && { requestId: delivery.requestId }),
  })
}

/** What classes of errors are called. Anything else that stands in `name` may be data, and is not shown. */
const className = /^[A-Za-z_$][\w$.]{0,99}$/

function nameOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return typeof error
    const { name } = error
    return typeof name === 'string' && className.test(name) ? name : 'Error'
  } catch {
    return 'unknown'
  }
}
