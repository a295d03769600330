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

/** Makes a reader of the newest `lookAt` calls of the last day. */
export function createWindowReader(config: ResolvedConfig, lookAt: number): WindowReader {
  let known = new Map<string, CallRecord>()
  let since = Number.POSITIVE_INFINITY
  return {
    async read(backend) {
      const now = backend.clock.now()
      const horizon = now - WINDOW_MS
      const newest = known.values().next().value?.createdAt
      const from = newest === undefined ? horizon : Math.max(newest - LAG_MS, horizon)
      const listed = await listNewest(config, backend, from, lookAt)
      // More came since than are looked at: nothing that was known is among the newest.
      const before = listed.isComplete ? [...known.values()] : []
      const reached = listed.isComplete ? Math.min(since, from) : (listed.entries.at(-1)?.createdAt ?? now)
      // Only what is as young as what was listed can be among it; what is older stands in its order already.
      const older = before.findIndex(({ createdAt }) => createdAt < from)
      const young = older < 0 ? before : before.slice(0, older)
      const old = older < 0 ? [] : before.slice(older).filter(({ createdAt }) => createdAt >= horizon)
      const positions = [...newestOf([...listed.entries, ...young], horizon), ...old]
      const kept = positions.slice(0, lookAt)
      const isOverflowing = positions.length > lookAt
      const records = await readAgain(backend, kept, known, now)
      known = new Map(records.map((record) => [record.id, record]))
      since = Math.max(isOverflowing ? (kept.at(-1)?.createdAt ?? now) : reached, horizon)
      const declared = records.filter(({ queue }) => config.queues.has(queue))
      return { records: declared, since, isCut: since > horizon }
    },
  }
}

async function listNewest(config: ResolvedConfig, { store }: Backend, sinceMs: number, lookAt: number) {
  const stretch = { queues: [...config.queues.keys()], sinceMs, untilMs: END_OF_TIME_MS }
  const entries: ListingPosition[] = []
  for (;;) {
    const limit = Math.min(LIMITS.readBatch, lookAt - entries.length)
    const after = entries.at(-1)
    const listed = await store.list({ ...stretch, limit, ...(after && { after }) })
    entries.push(...listed.entries)
    if (listed.isComplete || listed.entries.length === 0) return { entries, isComplete: true }
    if (entries.length >= lookAt) return { entries, isComplete: false }
  }
}

/** Each once, the newest first. */
function newestOf(positions: readonly ListingPosition[], horizon: number): ListingPosition[] {
  const byId = new Map(positions.map((position) => [position.id, position]))
  return [...byId.values()].filter(({ createdAt }) => createdAt >= horizon).sort(compareListed)
}

/** Their records, without those that are gone; only what may have changed is read. */
async function readAgain(
  { store }: Backend,
  positions: readonly ListingPosition[],
  known: ReadonlyMap<string, CallRecord>,
  now: number,
): Promise<CallRecord[]> {
  const isSettled = (record: CallRecord | undefined) =>
    record?.state === 'succeeded' || record?.state === 'cancelled'
  const unsure = positions.map(({ id }) => id).filter((id) => !isSettled(known.get(id)))
  const batches: Promise<readonly (CallRecord | undefined)[]>[] = []
  for (let from = 0; from < unsure.length; from += LIMITS.readBatch) {
    batches.push(store.read(unsure.slice(from, from + LIMITS.readBatch)))
  }
  const read = (await Promise.all(batches)).flat()
  const fresh = new Map(unsure.map((id, index) => [id, read[index]]))
  return positions
    .map(({ id }) => (fresh.has(id) ? fresh.get(id) : known.get(id)))
    .filter((record) => isLive(record, now))
}
