/**
 * The ids of follow-ups, by which they are known, and how long their records live.
 *
 * Whoever finds a call final submits what follows it again, for as long as the record of that call lives. The record of
 * the follow-up must live as long, or the last of them would find none, and run it a second time: so whatever the
 * retention of its own queue, it is kept for the longest of all.
 * @module
 */
import type { ResolvedConfig } from '../config/config.ts'
import { retentionSecondsOf } from './message-life.ts'
import { type CallRecord, sendsOf } from './record.ts'

/** What an id of a follow-up ends in: no sender may choose such an id. */
export const followUpForm = /:(?:then|catch)(?::\d+)?$/

/** One for each end: a call that failed, was retried by hand and failed again has had two. */
export function followUpId(id: string, after: 'then' | 'catch', ending: Pick<CallRecord, 'sends'>): string {
  const sends = sendsOf(ending)
  return `${id}:${after}${sends === 1 ? '' : `:${sends}`}`
}

/** For how long beyond its due time the record of a call is kept, but for the margin, in seconds. */
export function recordRetentionSeconds(config: ResolvedConfig, id: string, queue: string): number {
  const own = retentionSecondsOf(config, queue)
  if (!followUpForm.test(id)) return own
  let longest = own
  for (const { retentionSeconds } of config.queues.values()) longest = Math.max(longest, retentionSeconds)
  return longest
}
