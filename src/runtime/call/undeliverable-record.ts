/**
 * The record of what can never be a call: a message that nobody can read, a follow-up that no message can hold. It is
 * there so that a future of it ends, and so that it is listed with what failed.
 * @module
 */

import type { Codec } from '../codec/codec.ts'
import type { UndeliverableError } from '../errors.ts'
import { lastErrorOf } from './call-record.ts'
import { type CallRecord, expiryOf } from './record.ts'

/** The task of a message that nobody can read. */
export const UNREADABLE = '(unreadable)'

/** A failed record, for the reason `undeliverable`; it cannot be retried, since no message of it was kept. */
export function undeliverableRecord(
  codec: Codec,
  call: Pick<CallRecord, 'id' | 'task' | 'queue' | 'parent' | 'createdAt'>,
  error: UndeliverableError,
  now: number,
  retentionSeconds: number,
): CallRecord {
  return {
    ...call,
    payloadHash: '(none)',
    state: 'failed',
    dueAt: now,
    expiresAtSeconds: expiryOf(now, retentionSeconds),
    attempts: 0,
    failures: 0,
    finishedAt: now,
    reason: 'undeliverable',
    failedIn: call.queue,
    lastError: lastErrorOf(error),
    result: codec.encodeThrown(error, call.task),
  }
}
