/**
 * The listing of calls, in this process: all records are looked at, and the newest kept.
 * @module
 */
import { compareListed } from '../runtime/call/listing-position.ts'
import type { CallRecord } from '../runtime/call/record.ts'
import type { Listed, ListingPosition, ListingStretch } from '../runtime/ports/store.ts'

/** A stretch of the listing of these records, which stand in the order of their making, or nearly so. */
export function listAmong(records: readonly CallRecord[], stretch: ListingStretch): Listed {
  const { queues, sinceMs, untilMs, after, limit } = stretch
  const entries: ListingPosition[] = []
  let isComplete = true
  for (let index = records.length - 1; index >= 0; index--) {
    const record = records[index] as CallRecord
    const { id, createdAt, queue } = record
    if (createdAt < sinceMs || createdAt > untilMs || !queues.includes(queue)) continue
    if (after !== undefined && compareListed(after, record) >= 0) continue
    isComplete &&= entries.length < limit
    insert(entries, { id, createdAt }, limit)
  }
  return { entries, isComplete }
}

/** From the end, where most of them belong. */
function insert(entries: ListingPosition[], entry: ListingPosition, limit: number): void {
  let at = entries.length
  while (at > 0 && compareListed(entry, entries[at - 1] as ListingPosition) < 0) at--
  if (at === limit) return
  entries.splice(at, 0, entry)
  if (entries.length > limit) entries.pop()
}
