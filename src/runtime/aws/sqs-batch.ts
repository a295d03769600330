/**
 * How messages, receipts and answers travel in SQS's batch requests.
 * @module
 */
import type { Clock } from '../clock.ts'
import { LIMITS } from '../config/config.ts'
import type { Entropy } from '../entropy.ts'
import { jitteredDelay } from './jittered-delay.ts'

/** Something of a batch, with its place in the whole list. */
export interface Placed<T> {
  readonly item: T
  readonly index: number
}

/** One entry that a batch request reports as failed; SQS's `BatchResultErrorEntry`. */
export interface FailedEntry {
  readonly Id?: string | undefined
  readonly SenderFault?: boolean | undefined
  readonly Code?: string | undefined
  readonly Message?: string | undefined
}

/** What became of one entry: whether it was taken, or the last failure that was reported of it. */
export type EntryOutcome<Entry> = { readonly taken: Entry } | { readonly failed: FailedEntry }

/**
 * Fills batches in order: at most 10 items, at most 1 MiB of `bytesOf` together, and no two of one group, where
 * `groupOf` tells it. SQS may refuse an entry and take those behind it; sent again, it would come after them.
 */
export function fillBatches<T>(
  items: readonly Placed<T>[],
  bytesOf: (item: T) => number,
  groupOf: (item: T) => string | undefined = () => undefined,
): Placed<T>[][] {
  const batches: Placed<T>[][] = []
  let batch: Placed<T>[] = []
  let groups = new Set<string>()
  let bytes = 0
  for (const placed of items) {
    const size = bytesOf(placed.item)
    const group = groupOf(placed.item)
    const isFull = batch.length === LIMITS.batchEntries || bytes + size > LIMITS.messageBytes
    if (batch.length > 0 && (isFull || (group !== undefined && groups.has(group)))) {
      batches.push(batch)
      batch = []
      groups = new Set()
      bytes = 0
    }
    batch.push(placed)
    if (group !== undefined) groups.add(group)
    bytes += size
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}

/** Requests of one batch before its failures stand. With the waits between them, under half a second. */
const MAX_TRIES = 4

/**
 * Sends one batch, and again what SQS reports as failed without fault of ours. The entries' ids are their places
 * in `items`; the outcomes are in their order.
 */
export async function requestBatch<T, Entry extends { readonly Id?: string | undefined }>(
  ports: { readonly clock: Clock; readonly entropy: Entropy },
  items: readonly T[],
  request: (
    entries: readonly { readonly Id: string; readonly item: T }[],
  ) => Promise<{ readonly Successful?: Entry[] | undefined; readonly Failed?: FailedEntry[] | undefined }>,
): Promise<EntryOutcome<Entry>[]> {
  const unanswered: FailedEntry = { Code: 'NoAnswer', Message: 'the answer of SQS does not name this entry' }
  const outcomes: EntryOutcome<Entry>[] = items.map(() => ({ failed: unanswered }))
  let open = items.map((item, index) => ({ Id: String(index), item }))
  for (let tries = 1; open.length > 0; tries += 1) {
    const answer = await request(open)
    for (const entry of answer.Successful ?? []) outcomes[Number(entry.Id)] = { taken: entry }
    for (const failed of answer.Failed ?? []) outcomes[Number(failed.Id)] = { failed }
    open = open.filter(({ Id }) => {
      const outcome = outcomes[Number(Id)]
      return outcome !== undefined && 'failed' in outcome && !outcome.failed.SenderFault
    })
    if (tries === MAX_TRIES || open.length === 0) break
    await jitteredDelay(ports.clock, ports.entropy, tries)
  }
  return outcomes
}

/** Calls `run` for each item, at most `limit` at a time, starting in order; stops starting where it returns false. */
export async function runBounded<T>(
  items: readonly T[],
  limit: number,
  run: (item: T) => Promise<boolean>,
): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const item = items[next] as T
      next += 1
      if (!(await run(item))) next = items.length
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
}
