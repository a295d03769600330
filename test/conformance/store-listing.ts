/**
 * What a store lists of calls, and the notices that it keeps.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { compareListed } from '../../src/runtime/call/listing-position.ts'
import { claimChange } from '../../src/runtime/call/record.ts'
import type { ListingPosition, ListingStretch, Notice, Store } from '../../src/runtime/ports/store.ts'
import { given, NOW, stored, type UsingStore } from './store-records.ts'

type Wanted = Partial<ListingStretch> & Pick<ListingStretch, 'queues'>

const whole = { sinceMs: 0, untilMs: 999_999_999_999_999, limit: 100 }

const list = async (store: Store, wanted: Wanted) => store.list({ ...whole, ...wanted })

const idsOf = (entries: readonly ListingPosition[]) => entries.map(({ id }) => id)

/** Reads on from page to page, `limit` calls each, until the listing says that it is complete. */
async function readOn(store: Store, wanted: Wanted): Promise<string[][]> {
  const pages: string[][] = []
  let after: ListingPosition | undefined
  for (;;) {
    const { entries, isComplete } = await list(store, { ...wanted, ...(after && { after }) })
    if (entries.length > 0) pages.push(idsOf(entries))
    if (isComplete) return pages
    after = entries.at(-1)
    expect(after).toBeDefined()
  }
}

/** Calls of a queue, `stepMs` apart, the newest first. */
async function calls(store: Store, queue: string, count: number, stepMs: number): Promise<ListingPosition[]> {
  const made = await Promise.all(
    Array.from({ length: count }, (_, index) => given(store, { queue, createdAt: NOW - index * stepMs })),
  )
  return made.map(({ id, createdAt }) => ({ id, createdAt })).sort(compareListed)
}

/** The tests of listing. */
export function describeListing(using: UsingStore): void {
  test(
    'lists the calls of some queues, the newest first, and no others',
    using(async (store) => {
      const [low, high, other] = [randomUUID(), randomUUID(), randomUUID()]
      const made = [...(await calls(store, low, 20, 2)), ...(await calls(store, high, 20, 3))].sort(
        compareListed,
      )
      await calls(store, other, 3, 1)
      expect(await list(store, { queues: [low, high] })).toEqual({ entries: made, isComplete: true })
      expect(await list(store, { queues: [randomUUID()] })).toEqual({ entries: [], isComplete: true })
      expect(await list(store, { queues: [] })).toEqual({ entries: [], isComplete: true })
    }),
  )
  test(
    'reads on from where a stretch ended, and leaves out none and repeats none',
    using(async (store) => {
      const queue = randomUUID()
      // Of each millisecond seven: stretches end in the midst of them.
      const made = (await Promise.all(Array.from({ length: 7 }, () => calls(store, queue, 9, 1)))).flat()
      const expected = idsOf(made.sort(compareListed))
      for (const limit of [1, 4, 7, 62, 63, 100]) {
        const pages = await readOn(store, { queues: [queue], limit })
        expect(pages.flat()).toEqual(expected)
        expect(pages.slice(0, -1).every((page) => page.length === limit)).toBe(true)
      }
    }),
  )
  test(
    'keeps the order where one queue is far busier than the others',
    using(async (store) => {
      const [busy, ...quiet] = Array.from({ length: 6 }, () => randomUUID()) as [string, ...string[]]
      const many = await calls(store, busy, 120, 1)
      const few = (await Promise.all(quiet.map((queue) => calls(store, queue, 2, 90)))).flat()
      const expected = [...many, ...few].sort(compareListed)
      expect((await list(store, { queues: [busy, ...quiet] })).entries).toEqual(expected.slice(0, 100))
    }),
  )
  test(
    'begins and ends at the times asked for, both included, and any position may be read on from',
    using(async (store) => {
      const queue = randomUUID()
      const made = await calls(store, queue, 10, 10)
      const within = { queues: [queue], sinceMs: NOW - 50, untilMs: NOW - 20 }
      expect((await list(store, within)).entries).toEqual(made.slice(2, 6))
      expect((await list(store, { ...within, sinceMs: NOW - 49, untilMs: NOW - 21 })).entries).toEqual(
        made.slice(3, 5),
      )
      expect((await list(store, { ...within, sinceMs: NOW + 1, untilMs: NOW + 9 })).entries).toEqual([])
      const elsewhere = { id: randomUUID(), createdAt: NOW - 35 }
      expect((await list(store, { ...within, after: elsewhere })).entries).toEqual(made.slice(4, 6))
      expect((await list(store, { ...within, after: { id: 'x', createdAt: NOW + 1 } })).entries).toEqual(
        made.slice(2, 6),
      )
      expect(await list(store, { ...within, after: { id: 'x', createdAt: NOW - 51 } })).toEqual({
        entries: [],
        isComplete: true,
      })
    }),
  )
  test(
    'lists a call that a claim made, once, whatever becomes of it',
    using(async (store) => {
      const queue = randomUUID()
      const id = randomUUID()
      const call = { task: 't', queue, payloadHash: 'h', createdAt: NOW, dueAt: NOW, failures: 0 }
      const claim = {
        id,
        call,
        owner: 'me',
        leaseUntil: NOW + 1000,
        now: NOW,
        retentionSeconds: 60,
        isAttempt: true,
      }
      await store.update(id, claimChange(claim))
      await store.update(id, { when: ['id', 'present'], set: { state: 'succeeded', finishedAt: NOW } })
      expect((await list(store, { queues: [queue] })).entries).toEqual([{ id, createdAt: NOW }])
    }),
  )
  test(
    'takes ids of any text, and orders those of one millisecond by their bytes',
    using(async (store) => {
      const queue = randomUUID()
      const ids = ['z', '\uffee', '😀', 'a#b', 'a$b', 'Ä'].map((text) => `${text}${randomUUID()}`)
      await Promise.all(ids.map((id) => given(store, { id, queue, createdAt: NOW })))
      const expected = ids.map((id) => ({ id, createdAt: NOW })).sort(compareListed)
      expect((await list(store, { queues: [queue] })).entries).toEqual(expected)
      const pages = await readOn(store, { queues: [queue], limit: 1 })
      expect(pages.flat()).toEqual(idsOf(expected))
    }),
  )
}

/** The tests of notices. */
export function describeNotices(using: UsingStore): void {
  const expiresAtSeconds = Math.ceil(NOW / 1000) + 600
  test(
    'keeps notices in the order of their keys, replaces those of the same key, and they are no calls',
    using(async (store) => {
      const mine = randomUUID()
      const notice = (key: string, text: string): Notice => ({
        key: `${key}#${mine}`,
        text,
        expiresAtSeconds,
      })
      const found = async () => (await store.notices()).filter(({ key }) => key.endsWith(mine))
      await store.putNotice(notice('b', '{"größe":"日本.😀"}'))
      await store.putNotice(notice('a', ''))
      await store.putNotice(notice('c', 'x'.repeat(32 * 1024)))
      await store.putNotice(notice('a', 'other'))
      await store.putNotice({ ...notice('d', ''), expiresAtSeconds: 0 })
      expect(await found()).toEqual([
        notice('a', 'other'),
        notice('b', '{"größe":"日本.😀"}'),
        notice('c', 'x'.repeat(32 * 1024)),
        { ...notice('d', ''), expiresAtSeconds: 0 },
      ])
      expect(await stored(store, `a#${mine}`)).toBeUndefined()
    }),
  )
}
