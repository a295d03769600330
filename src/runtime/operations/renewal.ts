/**
 * The one way out of a final state: people have a failed call tried again. It is a transition like those of `record.ts`.
 * @module
 */
import { endedByAttempt, historyWith } from '../call/attempt-history.ts'
import { type CallRecord, sendsOf } from '../call/record.ts'
import type { Change } from '../ports/store.ts'

/**
 * Of the failure, and the expiry, which is overruled; not what lists it: until its next claim a call whose retry was
 * interrupted must be found.
 */
const ending = [
  'startBy',
  'leaseUntil',
  'result',
  'resultBytes',
  'resultIn',
  'reason',
  'abortReason',
  'progress',
  'progressNumber',
  'killsBefore',
] as const

/**
 * Gives a failed call new allowances; only where nobody did so since `failed` was read. The attempt count goes on, and
 * the owner stays: until the next claim no attempt is the call's, since it does not run.
 */
export function renewChange(failed: CallRecord, now: number, expiresAtSeconds: number): Change {
  const { sends, finishedAt = now, lastError = '' } = failed
  return {
    when: {
      all: [['state', '=', 'failed'], sends === undefined ? ['sends', 'absent'] : ['sends', '=', sends]],
    },
    set: {
      state: 'pending',
      dueAt: now,
      failures: 0,
      forgiven: failed.attempts,
      sends: sendsOf(failed) + 1,
      expiresAtSeconds,
      ...(endedByAttempt(failed) && { history: historyWith(failed, finishedAt, lastError) }),
    },
    remove: ending,
  }
}
