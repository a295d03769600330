/**
 * What failed: the index of failed calls, which holds nothing else, read back to a bound. It needs no listing.
 * @module
 */

import type { CallRecord } from '../runtime/call/record.ts'
import { checkQueueName } from '../runtime/operations/call-listing.ts'
import type { CallRow } from './call-row.ts'
import { errorNameOf } from './figures.ts'
import type { Sources } from './sources.ts'

/** How many failed calls are looked at for a page. */
export const MOST_FAILED = 1000

/** How many of them a page lists. */
const MOST_LISTED = 50

/** Which failed calls. */
export interface FailedFilter {
  readonly queue?: string
  readonly task?: string
  /** Those that failed at this time or later. */
  readonly since?: Date
}

/** Calls that failed alike. */
export interface FailedGroup {
  readonly task: string
  readonly error: string
  readonly count: number
  /** When the last of them failed, ISO. */
  readonly newestAt: string
}

/** What failed. */
export interface FailedCalls {
  readonly filter: { readonly queue?: string; readonly task?: string; readonly since?: string }
  /** How many match the filter, of those that were looked at. */
  readonly count: number
  /** How many failed calls were looked at. */
  readonly lookedAt: number
  /** Whether those were all. */
  readonly isComplete: boolean
  /** The most frequent first. */
  readonly groups: readonly FailedGroup[]
  /** The last that failed first, 50 of them at most. */
  readonly calls: readonly CallRow[]
}

/**
 * Reads what failed.
 * @throws InvalidOptionError where the queue is not declared
 */
export async function readFailedCalls(sources: Sources, filter: FailedFilter): Promise<FailedCalls> {
  const { ids, isComplete } = await failedIds(sources, filter)
  const records = (await sources.calls.readAll(ids)).filter(
    (record): record is CallRecord =>
      record?.state === 'failed' && (filter.task === undefined || record.task === filter.task),
  )
  const endOf = ({ finishedAt, createdAt }: CallRecord) => finishedAt ?? createdAt
  records.sort((a, b) => endOf(b) - endOf(a))
  const { queue, task, since } = filter
  return {
    filter: {
      ...(queue !== undefined && { queue }),
      ...(task !== undefined && { task }),
      ...(since !== undefined && { since: since.toISOString() }),
    },
    ...{ count: records.length, lookedAt: ids.length, isComplete },
    groups: groupsOf(records, endOf),
    calls: records.slice(0, MOST_LISTED).map(sources.rowOf),
  }
}

async function failedIds(sources: Sources, { queue, since }: FailedFilter) {
  const { store, clock } = await sources.backend()
  const { config } = sources.executor
  const queues = queue === undefined ? [...config.queues.keys()] : [checkQueueName(config, queue)]
  const ids: string[] = []
  for (const name of queues) {
    for await (const id of store.failed(name, since?.getTime() ?? 0, clock.now())) {
      if (ids.length === MOST_FAILED) return { ids, isComplete: false }
      ids.push(id)
    }
  }
  return { ids, isComplete: true }
}

function groupsOf(records: readonly CallRecord[], endOf: (record: CallRecord) => number): FailedGroup[] {
  const groups = Map.groupBy(records, (record) =>
    JSON.stringify([record.task, errorNameOf(record) ?? 'Error']),
  )
  return [...groups]
    .map(([key, [newest, ...others]]) => {
      const [task, error] = JSON.parse(key) as [string, string]
      const newestAt = new Date(newest === undefined ? 0 : endOf(newest)).toISOString()
      return { task, error, count: others.length + 1, newestAt }
    })
    .sort((a, b) => b.count - a.count || (a.newestAt < b.newestAt ? 1 : -1))
}
