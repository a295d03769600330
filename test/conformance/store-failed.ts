/**
 * What a store keeps of failed calls, and how they are given new allowances.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { historyWith } from '../../src/runtime/call/attempt-history.ts'
import {
  type CallRecord,
  claimChange,
  finishChange,
  killsOf,
  refusalOf,
} from '../../src/runtime/call/record.ts'
import { ResultTooLargeError } from '../../src/runtime/errors.ts'
import { renewChange } from '../../src/runtime/operations/renewal.ts'
import type { Store } from '../../src/runtime/ports/store.ts'
import { given, NOW, newRecord, stored, type UsingStore } from './store-records.ts'

const LATER = Math.ceil(NOW / 1000) + 864_000
const failure = { state: 'failed', reason: 'threw', result: '{}', failure: true } as const

/** A call of `queue` that fails at `finishedAt`. */
async function failedCall(store: Store, queue: string, finishedAt: number): Promise<CallRecord> {
  const running = await given(store, { queue, state: 'running', owner: 'mine', attempts: 2, failures: 1 })
  const answer = await store.update(
    running.id,
    finishChange('mine', { ...failure, failedIn: queue }, finishedAt, LATER),
  )
  return (answer as { record: CallRecord }).record
}

async function listed(store: Store, queue: string, since = 0, until = NOW + 1000): Promise<string[]> {
  const ids: string[] = []
  for await (const id of store.failed(queue, since, until)) ids.push(id)
  return ids.sort()
}

/** The tests of failed calls. */
export function describeFailed(using: UsingStore): void {
  test(
    'lists the failed calls of a queue by the time of their end, and no others',
    using(async (store) => {
      const queue = `q-${randomUUID()}`
      const other = `${queue}-other`
      const calls = await Promise.all(
        Array.from({ length: 30 }, (_, index) => failedCall(store, queue, NOW - index)),
      )
      await failedCall(store, other, NOW)
      await given(store, { queue, state: 'succeeded', finishedAt: NOW })
      const ids = (from: number, to: number) =>
        calls
          .slice(from, to)
          .map(({ id }) => id)
          .sort()
      expect(await listed(store, queue)).toEqual(ids(0, 30))
      expect(await listed(store, queue, NOW - 9)).toEqual(ids(0, 10))
      expect(await listed(store, queue, NOW - 9, NOW - 5)).toEqual(ids(5, 10))
      expect(await listed(store, queue, NOW + 1)).toEqual([])
      expect(await listed(store, `${queue}-none`)).toEqual([])
      expect(await stored(store, calls[0]!.id)).toMatchObject({ failedIn: queue })
    }),
  )
  test(
    'lists a failed record that was put as one',
    using(async (store) => {
      const queue = `q-${randomUUID()}`
      const record = newRecord({ queue, state: 'failed', finishedAt: NOW, failedIn: queue })
      await store.put(record, ['id', 'absent'])
      expect(await listed(store, queue)).toEqual([record.id])
      expect(await stored(store, record.id)).toEqual(record)
    }),
  )
  test(
    'renew: a failed call is pending again, its attempts counting on, and listed until its claim; only once',
    using(async (store) => {
      const queue = `q-${randomUUID()}`
      const failed = await failedCall(store, queue, NOW)
      const change = renewChange(failed, NOW + 5, LATER + 1)
      const { reason: _, result: __, ...kept } = failed
      const renewed = {
        ...kept,
        state: 'pending',
        dueAt: NOW + 5,
        failures: 0,
        forgiven: 2,
        sends: 2,
        expiresAtSeconds: LATER + 1,
        history: historyWith(failed, failed.finishedAt ?? 0, failed.lastError ?? ''),
      }
      expect(await store.update(failed.id, change)).toEqual({ written: true, record: renewed })
      expect(await listed(store, queue)).toEqual([failed.id])
      expect(await store.update(failed.id, change)).toEqual({ written: false, existing: renewed })
      expect(killsOf(renewed as CallRecord)).toBe(0)
      // Failed once more: whoever read it the first time comes too late.
      await store.update(failed.id, { when: ['state', '=', 'pending'], set: { state: 'failed' } })
      expect(await store.update(failed.id, change)).toMatchObject({ written: false })
      const again = (await stored(store, failed.id)) as CallRecord
      expect(await store.update(failed.id, renewChange(again, NOW, LATER))).toMatchObject({
        written: true,
        record: { sends: 3 },
      })
      const { id, task, payloadHash, createdAt, dueAt } = failed
      const claim = { id, call: { task, queue, payloadHash, createdAt, dueAt, failures: 0 }, owner: 'next' }
      const when = { leaseUntil: NOW + 63_000, now: NOW, retentionSeconds: 60, isAttempt: true }
      const claimed = await store.update(id, claimChange({ ...claim, ...when }))
      expect(claimed).toMatchObject({ written: true, record: { state: 'running', attempts: 3 } })
      expect(await listed(store, queue)).toEqual([])
    }),
  )
  test(
    'a dead letter claims no call that was sent again since',
    using(async (store) => {
      const record = await given(store, { sends: 2 })
      const { id, task, queue, payloadHash, createdAt, dueAt } = record
      const claim = {
        ...{ id, call: { task, queue, payloadHash, createdAt, dueAt, failures: 0 }, owner: 'dead' },
        ...{ leaseUntil: NOW + 63_000, now: NOW, retentionSeconds: 60, isAttempt: false },
      }
      expect(await store.update(id, claimChange(claim))).toEqual({ written: false, existing: record })
      expect(refusalOf(claim, record)).toEqual({ kind: 'stale' })
      const own = await store.update(id, claimChange({ ...claim, sends: 2 }))
      expect(own).toMatchObject({ written: true, record: { state: 'running', attempts: 0 } })
    }),
  )
  test(
    'renew: nothing but a failed call',
    using(async (store) => {
      for (const state of [
        'pending',
        'scheduled',
        'running',
        'retrying',
        'succeeded',
        'cancelled',
      ] as const) {
        const record = await given(store, { state })
        expect(await store.update(record.id, renewChange(record, NOW, LATER)), state).toEqual({
          written: false,
          existing: record,
        })
      }
    }),
  )
  test(
    'keeps the message of a call apart from its record and its results',
    using(async (store) => {
      const record = await given(store)
      await store.putMessage(record.id, 'first', LATER)
      await store.putMessage(record.id, `é${'x'.repeat(300_000)}`, LATER)
      await store.putResult(record.id, 'M', 'a result', LATER)
      expect(await store.readMessage(record.id)).toBe(`é${'x'.repeat(300_000)}`)
      expect(await store.readResult(record.id, 'M')).toBe('a result')
      expect(await store.readMessage(randomUUID())).toBeUndefined()
      expect(await stored(store, record.id)).toEqual(record)
      await expect(store.putMessage(record.id, 'é'.repeat(204_289), LATER)).rejects.toSatisfy((error) =>
        ResultTooLargeError.is(error),
      )
    }),
  )
}
