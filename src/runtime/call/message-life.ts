/**
 * How long a message lives: SQS drops it, without a word, when its queue's retention since its sending is over. A call
 * that waited longer for its next attempt would never have one, and never end.
 * @module
 */

import { LIMITS, type ResolvedConfig } from '../config/config.ts'

/** How long a queue keeps messages; the longest that SQS does where the config does not have it (any more). */
export function retentionSecondsOf({ queues }: Pick<ResolvedConfig, 'queues'>, queue: string): number {
  return queues.get(queue)?.retentionSeconds ?? LIMITS.maxRetentionSeconds
}

/** What is left to a message that comes back for its last attempt: an hour, or of a short life the last tenth. */
const LAST_SECONDS = 3600

/**
 * Whether a message that is to come back at `untilMs` may be dropped before it has: its call must end now.
 * @param sentAt when it was sent, in epoch milliseconds; 0 or absent where nobody says, and it is not known to be too old
 */
export function outlivesMessage(
  untilMs: number,
  sentAt: number | undefined,
  retentionSeconds: number | undefined,
): boolean {
  if (sentAt === undefined || sentAt === 0 || retentionSeconds === undefined) return false
  const lifeSeconds = retentionSeconds - Math.min(LAST_SECONDS, retentionSeconds / 10)
  return untilMs > sentAt + lifeSeconds * 1000
}
