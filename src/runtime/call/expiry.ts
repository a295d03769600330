/**
 * Expiry: a call that no attempt has begun by its time ends as `failed`, whoever finds it so.
 *
 * Who has its message ends it as any other call that fails. Who only reads it ends it too, so that a future tells the
 * truth even where the message is lost; the message, when it comes, is kept for a retry by hand, and what follows sent.
 * @module
 */

import type { Codec } from '../codec/codec.ts'
import { PROTOCOL, type ResolvedConfig } from '../config/config.ts'
import { ExpiredError } from '../errors.ts'
import type { Backend } from '../ports/backend.ts'
import { isCertain } from '../ports/certain-refusal.ts'
import { type CallRecord, lastErrorOf } from './call-record.ts'
import { retentionSecondsOf } from './message-life.ts'
import { expireChange, expiryOf, isLive } from './record.ts'

/** What a call ends in that has expired. */
export function expiredError({ task, startBy = 0 }: Pick<CallRecord, 'task' | 'startBy'>): ExpiredError {
  return new ExpiredError(
    `no attempt of this call of task ${JSON.stringify(task)} had begun by its expiry, ${new Date(startBy).toISOString()}: its queue was longer than that, or its workers were away; executor.retry(id) runs it all the same`,
  )
}

/**
 * Ends a call that was read and has expired; gives its record as it is then. Never rejects: who may not write sees it as
 * ended a minute later, when no worker can be about to begin it any more.
 */
export async function writeExpired(
  { config, codec }: { readonly config: ResolvedConfig; readonly codec: Codec },
  { store, clock }: Pick<Backend, 'store' | 'clock'>,
  record: CallRecord,
): Promise<CallRecord> {
  const now = clock.now()
  const error = expiredError(record)
  const retentionSeconds = retentionSecondsOf(config, record.queue)
  const end = {
    result: codec.encodeThrown(error, record.task),
    failedIn: record.queue,
    lastError: lastErrorOf(error),
  }
  try {
    const answer = await store.update(record.id, expireChange(now, end, expiryOf(now, retentionSeconds)))
    if (answer.written) return answer.record
    return isLive(answer.existing, now) ? answer.existing : record
  } catch (refused) {
    const { startBy = now } = record
    // What passes is tried again at the next look.
    if (!isCertain(refused) || now < startBy + PROTOCOL.expiryMarginSeconds * 1000) return record
    return { ...record, ...end, state: 'failed', reason: 'expired', finishedAt: startBy }
  }
}
