/**
 * Calls whose sending AWS refused for good (a grant, a queue, a bucket is missing), after their records were written. A
 * record that nobody will ever send a message for would wait until it expires, and be counted with what waits.
 * @module
 */

import { undeliverableRecord } from '../call/undeliverable-record.ts'
import type { Codec } from '../codec/codec.ts'
import type { ResolvedQueue } from '../config/config.ts'
import { UndeliverableError } from '../errors.ts'
import type { Backend } from '../ports/backend.ts'
import type { Condition } from '../ports/store.ts'
import type { OutgoingCall } from './outgoing-call.ts'

/**
 * Ends the records of such calls as `failed`, those that wait. Never rejects: the refusal itself is what the sender is
 * told of.
 *
 * Only for calls whose ids were made by this very submit. Nobody else knows such an id, so nobody has sent it meanwhile,
 * or will; should a try before the refused one have arrived, its message finds the call over. A call under a key, or an id
 * of the sender's own, stays as it is: another process may just have sent it, and the next submit sends it again.
 */
export async function endRefused(
  codec: Codec,
  { store, clock }: Pick<Backend, 'store' | 'clock'>,
  queue: ResolvedQueue,
  calls: readonly OutgoingCall[],
  cause: unknown,
): Promise<void> {
  const now = clock.now()
  const refusal = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  await Promise.allSettled(
    calls.map(({ record }) => {
      const error = new UndeliverableError(
        `the message of this call of task ${JSON.stringify(record.task)} was not sent (${refusal}); its submit said so, and it will not run`,
      )
      const ended = undeliverableRecord(codec, record, error, now, queue.retentionSeconds)
      // A put, which whoever submits may do.
      return store.put({ ...ended, payloadHash: record.payloadHash }, waitsAsWritten(record))
    }),
  )
}

function waitsAsWritten({ state, createdAt }: OutgoingCall['record']): Condition {
  return {
    all: [
      ['state', '=', state],
      ['createdAt', '=', createdAt],
    ],
  }
}
