/**
 * The listing of calls, in this process: as DynamoDB's index it is kept in its order, so that a stretch costs what is in
 * it, however many calls there are.
 * @module
 */
import { compareListed } from '../runtime/call/listing-position.ts'
import type { CallRecord } from '../runtime/call/record.ts'
import type { Listed, ListingPosition, ListingStretch } from '../runtime/ports/store.ts'

/** A listing of a store's records. */
export interface InProcessListing {
  /** To be told of every record that is written, and what was there before. */
  add(record: CallRecord, existing: CallRecord | undefined): void
  /** Reads a stretch, the newest first. */
  list(stretch: ListingStretch): Listed
}

/** So many positions of records that are gone are borne: below it, clearing them up would cost more than they do. */
const SPARE = 1000

/** Makes the listing of `records`, which their store changes. */
export function inProcessListing(records: ReadonlyMap<string, CallRecord>): InProcessListing {
  // The oldest first, so that what is new comes last. Most programs list nothing: until one does, nothing is kept.
  let positions: ListingPosition[] | undefined
  const dropWhereWorn = () => {
    if (positions !== undefined && positions.length > 2 * records.size + SPARE) positions = undefined
  }
  const kept = () => {
    dropWhereWorn()
    if (positions === undefined) {
      positions = [...records.values()].filter(isListed).map(positionOf)
      positions.sort((a, b) => compareListed(b, a))
    }
    return positions
  }
  return {
    add(record, existing) {
      dropWhereWorn()
      if (positions === undefined || !isListed(record)) return
      if (existing !== undefined && isListed(existing) && existing.createdAt === record.createdAt) return
      const at = firstWhere(positions, (position) => compareListed(position, record) <= 0)
      const there = positions[at]
      // Of a record that was swept and is written again the position may still be here.
      if (there === undefined || compareListed(there, record) !== 0)
        positions.splice(at, 0, positionOf(record))
    },
    list({ queues, sinceMs, untilMs, after, limit }) {
      const all = kept()
      const isBeyond = (position: ListingPosition) =>
        position.createdAt > untilMs || (after !== undefined && compareListed(position, after) <= 0)
      const entries: ListingPosition[] = []
      for (let at = firstWhere(all, isBeyond) - 1; at >= 0; at--) {
        const position = all[at] as ListingPosition
        if (position.createdAt < sinceMs) break
        const record = records.get(position.id)
        if (record?.createdAt !== position.createdAt || !queues.includes(record.queue)) continue
        if (entries.length === limit) return { entries, isComplete: false }
        entries.push(position)
      }
      return { entries, isComplete: true }
    },
  }
}

/** A cancel may come before the call that it is of: then there is nothing to list yet. */
function isListed({ createdAt, queue }: Partial<CallRecord>): boolean {
  return createdAt !== undefined && queue !== undefined
}

function positionOf({ id, createdAt }: CallRecord): ListingPosition {
  return { id, createdAt }
}

/** The index of the first that is so, of items of which those that are so come last; the length where none is. */
function firstWhere<Item>(items: readonly Item[], isSo: (item: Item) => boolean): number {
  let [from, to] = [0, items.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (isSo(items[middle] as Item)) to = middle
    else from = middle + 1
  }
  return from
}
