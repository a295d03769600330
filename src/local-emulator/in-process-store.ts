/**
 * The store port in this process. Every write takes effect within its call, so the order of calls is the order
 * of effect; records are never changed in place, so a record that was read stays what it was.
 * @module
 */

import { type CallRecord, isFinal } from '../runtime/call/record.ts'
import type { Clock } from '../runtime/clock.ts'
import { LIMITS } from '../runtime/config/config.ts'
import { ResultTooLargeError } from '../runtime/errors.ts'
import type { Change, Condition, Store, Written } from '../runtime/ports/store.ts'
import { changed, holds } from './condition.ts'
import { inProcessListing } from './in-process-listing.ts'
import { inProcessNotices } from './in-process-notices.ts'
import { sweeper } from './sweeper.ts'

interface KeptText {
  readonly key: string
  readonly text: string
  readonly expiresAtSeconds: number
}

/** The store port, with the watch that this process can have. */
export interface InProcessStore extends Store {
  /** How many calls have a record that is not final. */
  unfinished(): number
  watch(listener: (record: CallRecord) => void): () => void
  peek(id: string): CallRecord | undefined
}

/** Refuses what DynamoDB would, so that a result that is too large is found on a laptop. */
function checkSize(text: string): void {
  // A UTF-16 unit takes at most 3 bytes: most texts need not be measured.
  if (text.length * 3 <= LIMITS.resultBytes) return
  const bytes = Buffer.byteLength(text)
  if (bytes <= LIMITS.resultBytes) return
  throw new ResultTooLargeError(
    `a result of ${bytes} bytes: a DynamoDB item takes up to ${LIMITS.resultBytes}; keep the data in S3 and return its key`,
  )
}

/** Texts that lie beside the records, as items of their own. */
function keptTexts() {
  const texts = new Map<string, KeptText>()
  const sweep = sweeper(texts, ({ key }) => key)
  return {
    get: async (key: string) => texts.get(key)?.text,
    put: async (key: string, text: string, expiresAtSeconds: number) => {
      checkSize(text)
      texts.set(key, { key, text, expiresAtSeconds })
    },
    sweep(nowMs: number) {
      if (texts.size > 0) sweep(nowMs)
    },
  }
}

const keyOfResult = (id: string, owner: string) => `R#${id}\n${owner}`
const keyOfMessage = (id: string) => `M#${id}`

async function* failedAmong(
  records: readonly CallRecord[],
  queue: string,
  sinceMs: number,
  untilMs: number,
): AsyncGenerator<string, void, undefined> {
  for (const { id, failedIn, finishedAt = 0 } of records) {
    if (failedIn === queue && finishedAt >= sinceMs && finishedAt <= untilMs) yield id
  }
}

function unfinishedAmong(records: Iterable<CallRecord>): number {
  let count = 0
  for (const { state } of records) if (!isFinal(state)) count += 1
  return count
}

/** Makes an empty store. */
export function inProcessStore({ clock }: { readonly clock: Clock }): InProcessStore {
  const records = new Map<string, CallRecord>()
  const listing = inProcessListing(records)
  const beside = keptTexts()
  const listeners = new Set<(record: CallRecord) => void>()
  const sweepRecords = sweeper(records, ({ id }) => id)

  function write(record: CallRecord, existing: CallRecord | undefined): Written {
    records.set(record.id, record)
    listing.add(record, existing)
    for (const listener of listeners) listener(record)
    return { written: true, record }
  }

  /** Before each write that adds a record: only those add what will have to go, and none of it at once. */
  function sweep(): void {
    const now = clock.now()
    sweepRecords(now)
    beside.sweep(now)
  }

  function put(record: CallRecord, when: Condition): Written {
    const existing = records.get(record.id)
    if (!holds(when, existing)) return { written: false, existing }
    sweep()
    return write(record, existing)
  }

  function update(id: string, change: Change): Written {
    const existing = records.get(id)
    if (!holds(change.when, existing)) return { written: false, existing }
    if (existing === undefined) sweep()
    return write(changed(id, existing, change), existing)
  }

  return {
    peek: (id) => records.get(id),
    read: async (ids) => ids.map((id) => records.get(id)),
    put: async (record, when) => put(record, when),
    update: async (id, change) => update(id, change),
    putResult: (id, owner, result, expiresAtSeconds) =>
      beside.put(keyOfResult(id, owner), result, expiresAtSeconds),
    readResult: (id, owner) => beside.get(keyOfResult(id, owner)),
    putMessage: (id, body, expiresAtSeconds) => beside.put(keyOfMessage(id), body, expiresAtSeconds),
    readMessage: (id) => beside.get(keyOfMessage(id)),
    failed: (queue, sinceMs, untilMs) => failedAmong([...records.values()], queue, sinceMs, untilMs),
    list: async (stretch) => listing.list(stretch),
    ...inProcessNotices(),
    unfinished: () => unfinishedAmong(records.values()),
    watch(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
  }
}
