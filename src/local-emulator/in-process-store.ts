/**
 * The store port in this process. Every write takes effect within its call, so the order of calls is the order
 * of effect; records are never changed in place, so a record that was read stays what it was.
 * @module
 */
import type { Clock } from '../runtime/clock.ts'
import { LIMITS } from '../runtime/config.ts'
import { ResultTooLargeError } from '../runtime/errors.ts'
import { type CallRecord, isFinal } from '../runtime/record.ts'
import type { Change, Condition, Store, Written } from '../runtime/store.ts'
import { changed, holds } from './condition.ts'

interface KeptResult {
  readonly key: string
  readonly result: string
  readonly expiresAtSeconds: number
}

/** The store port, with the watch that this process can have. */
export interface InProcessStore extends Store {
  /** How many calls have a record that is not final. */
  unfinished(): number
  watch(listener: (record: CallRecord) => void): () => void
  peek(id: string): CallRecord | undefined
}

/** Entries looked at per write: more than a write can add, so that the sweep gets round. */
const SWEPT_PER_WRITE = 2

/**
 * Drops what expired, a few entries at a time: as DynamoDB's TTL it comes late, and unlike a full sweep it never
 * pauses the process.
 */
function sweeper<T extends { readonly expiresAtSeconds: number }>(
  entries: Map<string, T>,
  keyOf: (entry: T) => string,
): (nowMs: number) => void {
  let iterator = entries.values()
  return (nowMs) => {
    for (let looked = 0; looked < SWEPT_PER_WRITE; looked++) {
      const { done, value } = iterator.next()
      if (done) {
        iterator = entries.values()
        return
      }
      if (value.expiresAtSeconds * 1000 <= nowMs) entries.delete(keyOf(value))
    }
  }
}

/** Refuses what DynamoDB would, so that a result that is too large is found on a laptop. */
function checkResult(result: string): void {
  // A UTF-16 unit takes at most 3 bytes: most results need not be measured.
  if (result.length * 3 <= LIMITS.resultBytes) return
  const bytes = Buffer.byteLength(result)
  if (bytes <= LIMITS.resultBytes) return
  throw new ResultTooLargeError(
    `a result of ${bytes} bytes: a DynamoDB item takes up to ${LIMITS.resultBytes}; keep the data in S3 and return its key`,
  )
}

const keyOfResult = (id: string, owner: string) => `${id}\n${owner}`

/** Makes an empty store. */
export function inProcessStore({ clock }: { readonly clock: Clock }): InProcessStore {
  const records = new Map<string, CallRecord>()
  const results = new Map<string, KeptResult>()
  const messages = new Map<string, KeptResult>()
  const listeners = new Set<(record: CallRecord) => void>()
  const sweepRecords = sweeper(records, ({ id }) => id)
  const sweepResults = sweeper(results, ({ key }) => key)
  const sweepMessages = sweeper(messages, ({ key }) => key)

  function write(record: CallRecord): Written {
    records.set(record.id, record)
    for (const listener of listeners) listener(record)
    return { written: true, record }
  }

  /** Before each write that adds a record: only those add what will have to go, and none of it at once. */
  function sweep(): void {
    const now = clock.now()
    sweepRecords(now)
    if (results.size > 0) sweepResults(now)
    if (messages.size > 0) sweepMessages(now)
  }

  function put(record: CallRecord, when: Condition): Written {
    const existing = records.get(record.id)
    if (!holds(when, existing)) return { written: false, existing }
    sweep()
    return write(record)
  }

  function update(id: string, change: Change): Written {
    const existing = records.get(id)
    if (!holds(change.when, existing)) return { written: false, existing }
    if (existing === undefined) sweep()
    return write(changed(id, existing, change))
  }

  return {
    peek: (id) => records.get(id),
    read: async (ids) => ids.map((id) => records.get(id)),
    put: async (record, when) => put(record, when),
    update: async (id, change) => update(id, change),
    async putResult(id, owner, result, expiresAtSeconds) {
      checkResult(result)
      const key = keyOfResult(id, owner)
      results.set(key, { key, result, expiresAtSeconds })
    },
    readResult: async (id, owner) => results.get(keyOfResult(id, owner))?.result,
    async putMessage(id, body, expiresAtSeconds) {
      checkResult(body)
      messages.set(id, { key: id, result: body, expiresAtSeconds })
    },
    readMessage: async (id) => messages.get(id)?.result,
    async *failed(queue, sinceMs, untilMs) {
      for (const { id, failedIn, finishedAt = 0 } of [...records.values()]) {
        if (failedIn === queue && finishedAt >= sinceMs && finishedAt <= untilMs) yield id
      }
    },
    unfinished() {
      let count = 0
      for (const { state } of records.values()) if (!isFinal(state)) count += 1
      return count
    },
    watch(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
  }
}
