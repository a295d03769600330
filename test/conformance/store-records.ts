/**
 * The records that the parts of the store suite work on.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { CallRecord } from '../../src/runtime/call/record.ts'
import type { Condition, Store } from '../../src/runtime/ports/store.ts'

/** What the parts of the suite are given. */
export type UsingStore = (run: (store: Store) => Promise<void>) => () => Promise<void>

/** Holds of every record, and of none. */
export const anything: Condition = {
  any: [
    ['id', 'absent'],
    ['id', 'present'],
  ],
}

/** The time at which the suite's records live: now, so that no store thinks them expired. */
export const NOW = Date.now()

/** A record of a new call, pending and due. */
export function newRecord(change: Partial<CallRecord> = {}): CallRecord {
  return {
    id: randomUUID(),
    task: 'reports.build',
    queue: 'low-priority',
    payloadHash: 'hash',
    state: 'pending',
    createdAt: NOW - 1000,
    dueAt: NOW - 1000,
    expiresAtSeconds: Math.ceil(NOW / 1000) + 432_000,
    attempts: 0,
    failures: 0,
    ...change,
  }
}

/** Writes a record whatever was there, and returns it. */
export async function given(store: Store, change: Partial<CallRecord> = {}): Promise<CallRecord> {
  const record = newRecord(change)
  expect(await store.put(record, anything)).toEqual({ written: true, record })
  return record
}

/** The record as the store has it now. */
export async function stored(store: Store, id: string): Promise<CallRecord | undefined> {
  const [record] = await store.read([id], { consistent: true })
  return record
}
