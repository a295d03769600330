/**
 * The newest calls, kept between readings: charts, figures and the tasks page are made of them.
 *
 * There is no counter of calls to read: healthy calls are in no index by state, which would triple their price. So the
 * listing is read, back to a bound. What has been seen to succeed or to be cancelled is not read again.
 * @module
 */

import { compareListed } from '../runtime/call/listing-position.ts'
import { type CallRecord, isLive } from '../runtime/call/record.ts'
import type { ResolvedConfig } from '../runtime/config/config.ts'
import { LIMITS } from '../runtime/config/config.ts'
import type { Backend } from '../runtime/ports/backend.ts'
import type { ListingPosition } from '../runtime/ports/store.ts'

/** The longest that it looks back. */
export const WINDOW_MS = 24 * 3600 * 1000

/** How far the listing index may lag, and senders' clocks be apart: what is this young is looked for again. */
const LAG_MS = 60_000

/**
 * How often all of it is listed again: the record of a cron call, and of any with `record: 'on-claim'`, is written by its
 * claim, which may come long after the time by which it is listed.
 */
const WHOLE_MS = 5 * 60_000

/** The latest time that the listing can hold: 15 digits. */
const END_OF_TIME_MS = 999_999_999_999_999

/** The newest calls. */
export interface CallWindow {
  /** The newest first. */
  readonly records: readonly CallRecord[]
  /** Every call that was submitted since this time is among them; epoch milliseconds. */
  readonly since: number
  /** Whether there were more, which were not looked at. */
  readonly isCut: boolean
}

/** Reads the window, again and again. */
export interface WindowReader {
  read(backend: Backend): Promise<CallWindow>
}

/** A call of the window: where it stands in the listing, or its record, once that was read. */
type Row = ListingPosition | CallRecord

/** Makes a reader of the newest `lookAt` calls of the last day. */
export function createWindowReader(config: ResolvedConfig, lookAt: number): WindowReader {
  let known = new Map<string, CallRecord>()
  let since = Number.POSITIVE_INFINITY
  let wholeAt = Number.NEGATIVE_INFINITY
  const seen = seenTimes()
  return {
    async read(backend) {
      const now = backend.clock.now()
      const horizon = now - WINDOW_MS
      const isWhole = now - wholeAt >= WHOLE_MS
      const from = isWhole ? horizon : Math.max(seen.completeUntil() + 1, horizon)
      const stretch = { queues: [...config.queues.keys()], sinceMs: from, untilMs: END_OF_TIME_MS }
      const { entries, isComplete } = await backend.store.list({ ...stretch, limit: lookAt })
      if (isWhole) wholeAt = now
      // Where more came than are looked at, what was known and is not listed again is not among the newest.
      const rows: readonly Row[] = isComplete
        ? merged(entries, known)
        : entries.map((entry) => known.get(entry.id) ?? entry)
      const young = rows.filter(({ createdAt }) => createdAt >= horizon)
      const kept = young.slice(0, lookAt)
      const isCut = !isComplete || young.length > lookAt
      const records = await readAgain(backend, kept, now)
      known = new Map(records.map((record) => [record.id, record]))
      since = Math.max(isCut ? (kept.at(-1)?.createdAt ?? now) : Math.min(since, from), horizon)
      seen.note(kept[0]?.createdAt, now)
      const declared = [...known.values()].filter(({ queue }) => config.queues.has(queue))
      return { records: declared, since, isCut: since > horizon }
    },
  }
}

/**
 * Keeps the time until which all that was made has been listed. The newest call tells what time it is for the senders: as
 * it is listed, all is that was made `LAG_MS` before it, and from then on as much more as time goes by. So the last minute
 * of a burst is listed again for a minute, and then no more.
 */
function seenTimes() {
  let newest = Number.NEGATIVE_INFINITY
  let [firstSeenAt, lastReadAt] = [0, 0]
  return {
    completeUntil: () => newest - Math.max(LAG_MS - (lastReadAt - firstSeenAt), 0),
    note(createdAt: number | undefined, now: number) {
      // A sender whose clock is ahead tells nothing of what is made meanwhile.
      const madeAt = Math.min(createdAt ?? newest, now)
      if (madeAt > newest) [newest, firstSeenAt] = [madeAt, now]
      lastReadAt = now
    },
  }
}

/** What is known and what is listed besides, the newest first. Only what is as young as that is sorted. */
function merged(entries: readonly ListingPosition[], known: ReadonlyMap<string, CallRecord>): Row[] {
  const fresh = entries.filter(({ id }) => !known.has(id))
  const before = [...known.values()]
  const oldest = fresh.at(-1)?.createdAt ?? Number.POSITIVE_INFINITY
  const older = before.findIndex(({ createdAt }) => createdAt < oldest)
  const end = older < 0 ? before.length : older
  return [...[...fresh, ...before.slice(0, end)].sort(compareListed), ...before.slice(end)]
}

/** Their records, without those that are gone; only what may have changed is read. */
async function readAgain({ store }: Backend, rows: readonly Row[], now: number): Promise<CallRecord[]> {
  const unsure = rows.filter((row) => !isSettled(row)).map(({ id }) => id)
  const batches: Promise<readonly (CallRecord | undefined)[]>[] = []
  for (let from = 0; from < unsure.length; from += LIMITS.readBatch) {
    batches.push(store.read(unsure.slice(from, from + LIMITS.readBatch)))
  }
  const read = (await Promise.all(batches)).flat()
  const fresh = new Map(unsure.map((id, index) => [id, read[index]]))
  return rows.map((row) => (isSettled(row) ? row : fresh.get(row.id))).filter((record) => isLive(record, now))
}

/** Of what nothing will change any more: a call that failed may be retried. */
function isSettled(row: Row): row is CallRecord {
  return 'state' in row && (row.state === 'succeeded' || row.state === 'cancelled')
}
