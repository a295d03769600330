/**
 * What every implementation of the store port does: the port's own words here, the state machine of `record.ts`
 * in `store-transitions.ts`, and random changes against a model in `store-model.ts`.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ResultTooLargeError } from '../../src/runtime/errors.ts'
import type { Store } from '../../src/runtime/ports/store.ts'
import { describeFailed } from './store-failed.ts'
import { describeListing, describeNotices } from './store-listing.ts'
import { describeModel } from './store-model.ts'
import { anything, given, NOW, newRecord, stored, type UsingStore } from './store-records.ts'
import { describeTransitions } from './store-transitions.ts'

export { NOW }

/** One implementation, ready to be used. */
export interface StoreUnderTest {
  readonly store: Store
  close(): Promise<void>
}

/** How much the suite asks. What DynamoDB does and an emulator of it does not is true of AWS. */
export interface StoreSuiteOptions {
  /** Runs of the property. @default 60, which takes about a second on the wire */
  readonly runs?: number
  /** `in` finds the empty text. @default true */
  readonly emptyTextInList?: boolean
}

/** Runs the suite over one implementation; `setup` is called for each test. */
export function describeStore(
  name: string,
  setup: () => Promise<StoreUnderTest>,
  options: StoreSuiteOptions = {},
): void {
  const using: UsingStore = (run) => async () => {
    const { store, close } = await setup()
    try {
      await run(store)
    } finally {
      await close()
    }
  }
  describe(`store: ${name}`, () => {
    describeWrites(using)
    describeUpdates(using)
    describeExtremes(using)
    describeReads(using)
    describeResults(using)
    describeTransitions(using)
    describeFailed(using)
    describeListing(using)
    describeNotices(using)
    describeModel(using, options.runs ?? 60, options.emptyTextInList ?? true)
  })
}

function describeWrites(using: UsingStore): void {
  test(
    'a put replaces the whole record, nothing of the older one remaining',
    using(async (store) => {
      const { id } = await given(store, { tenant: 'acme', progress: '1', owner: 'o', depth: 3 })
      const record = newRecord({ id, task: 'other' })
      expect(await store.put(record, anything)).toEqual({ written: true, record })
      expect(await stored(store, id)).toEqual(record)
    }),
  )
  test(
    'a refused write changes nothing and returns the record that stood in the way',
    using(async (store) => {
      const record = await given(store, { tenant: 'acme' })
      const refused = { written: false, existing: record }
      expect(await store.put(newRecord({ id: record.id, task: 'other' }), ['id', 'absent'])).toEqual(refused)
      const change = { when: ['state', '=', 'running'], set: { task: 'other' } } as const
      expect(await store.update(record.id, change)).toEqual(refused)
      expect(await stored(store, record.id)).toEqual(record)
    }),
  )
  test(
    'a write refused for want of a record returns none, and makes none',
    using(async (store) => {
      const record = newRecord()
      const refused = { written: false, existing: undefined }
      expect(await store.put(record, ['id', 'present'])).toEqual(refused)
      expect(await store.update(record.id, { when: ['id', 'present'], set: { task: 'x' } })).toEqual(refused)
      expect(await stored(store, record.id)).toBeUndefined()
    }),
  )
}

function describeUpdates(using: UsingStore): void {
  test(
    'an update sets, removes and counts, and returns the whole record as it is then',
    using(async (store) => {
      const record = await given(store, { progress: 'half', lastError: 'x', attempts: 2 })
      const written = await store.update(record.id, {
        when: ['id', 'present'],
        set: { state: 'running', owner: 'me' },
        increment: ['attempts', 'failures'],
        remove: ['progress', 'tenant'],
      })
      const { progress: _, ...rest } = record
      const expected = { ...rest, state: 'running', owner: 'me', attempts: 3, failures: 1 }
      expect(written).toEqual({ written: true, record: expected })
      expect(await stored(store, record.id)).toEqual(expected)
    }),
  )
  test(
    'initial fields are written only where there are none, and counters begin at 0',
    using(async (store) => {
      const { id, ...initial } = newRecord({ state: 'running', tenant: 'acme', failures: 0 })
      const { attempts: _, ...fields } = initial
      const change = {
        when: anything,
        set: { owner: 'a' },
        initial: fields,
        increment: ['attempts'],
      } as const
      const made = { ...newRecord({ ...fields, id, attempts: 1 }), owner: 'a' }
      expect(await store.update(id, change)).toEqual({ written: true, record: made })
      const again = { ...change, set: { owner: 'b' }, initial: { ...fields, tenant: 'other', depth: 7 } }
      const kept = { ...made, owner: 'b', attempts: 2, depth: 7 }
      expect(await store.update(id, again)).toEqual({ written: true, record: kept })
    }),
  )
}

function describeExtremes(using: UsingStore): void {
  test(
    'keeps any text and number of its fields',
    using(async (store) => {
      const record = await given(store, {
        task: 'größe/日本.😀',
        tenant: '',
        progress: '',
        lastError: 'a\u0000b\ud83d\ude00\uffff\u2028"\\\'#:v0',
        parent: ' spaces ',
        queue: 'size',
        owner: 'null',
        leaseUntil: 0,
        createdAt: Number.MAX_SAFE_INTEGER,
        startedAt: 1.5,
        depth: -1,
      })
      expect(await stored(store, record.id)).toEqual(record)
      const update = { when: ['tenant', '=', ''], set: { tenant: 'x', lastError: '' } } as const
      expect(await store.update(record.id, update)).toMatchObject({ written: true })
      expect(await stored(store, record.id)).toEqual({ ...record, tenant: 'x', lastError: '' })
    }),
  )
  test(
    'of 20 writes under the same condition exactly one takes place',
    using(async (store) => {
      const record = newRecord()
      const puts = Array.from({ length: 20 }, (_, index) =>
        store.put({ ...record, owner: `${index}` }, ['id', 'absent']),
      )
      const written = (await Promise.all(puts)).filter((each) => each.written)
      expect(written).toHaveLength(1)
      expect(await stored(store, record.id)).toEqual(written[0]?.record)
    }),
  )
}

function describeReads(using: UsingStore): void {
  test(
    'reads any number of records in the order of their ids, those of them that are there',
    using(async (store) => {
      const records = Array.from({ length: 230 }, (_, index) => newRecord({ task: `task ${index}` }))
      // Some at a time: a busy machine opens no fifty connections within the second that each is given.
      for (let from = 0; from < records.length; from += 10) {
        await Promise.all(records.slice(from, from + 10).map((record) => store.put(record, anything)))
      }
      const missing = randomUUID()
      const ids = [missing, ...records.map(({ id }) => id).reverse()]
      const expected = [undefined, ...[...records].reverse()]
      expect(await store.read(ids, { consistent: true })).toEqual(expected)
      expect(await store.read(ids)).toHaveLength(231)
    }),
  )
  test(
    'reads nothing for no ids, and an id that is named twice twice',
    using(async (store) => {
      const record = await given(store)
      expect(await store.read([])).toEqual([])
      expect(await store.read([record.id, 'none', record.id], { consistent: true })).toEqual([
        record,
        undefined,
        record,
      ])
    }),
  )
  test(
    'takes ids of any text',
    using(async (store) => {
      for (const id of ['key-_-', 'a#S', 'größe 😀', '__proto__', 'x'.repeat(128)]) {
        const record = await given(store, { id: `${randomUUID()}${id}`.slice(-128) })
        expect(await stored(store, record.id)).toEqual(record)
      }
    }),
  )
}

function describeResults(using: UsingStore): void {
  const expires = Math.ceil(NOW / 1000) + 3600
  test(
    'keeps large results apart from the record, one for each owner',
    using(async (store) => {
      const record = await given(store)
      const large = `é${'x'.repeat(300_000)}`
      await store.putResult(record.id, 'first', large, expires)
      await store.putResult(record.id, 'second', '', expires)
      expect(await store.readResult(record.id, 'first')).toBe(large)
      expect(await store.readResult(record.id, 'second')).toBe('')
      expect(await store.readResult(record.id, 'third')).toBeUndefined()
      expect(await store.readResult(randomUUID(), 'first')).toBeUndefined()
      expect(await stored(store, record.id)).toEqual(record)
    }),
  )
  test(
    'writes the result of the same owner again, and needs no record',
    using(async (store) => {
      const id = randomUUID()
      await store.putResult(id, 'me', 'one', expires)
      await store.putResult(id, 'me', 'two', expires)
      expect(await store.readResult(id, 'me')).toBe('two')
      expect(await stored(store, id)).toBeUndefined()
    }),
  )
  test(
    'takes a result of 408,576 bytes and refuses a larger one, counting bytes',
    using(async (store) => {
      const id = randomUUID()
      await store.putResult(id, 'me', 'x'.repeat(408_576), expires)
      expect(await store.readResult(id, 'me')).toHaveLength(408_576)
      const put = store.putResult(id, 'me', 'é'.repeat(204_289), expires)
      await expect(put).rejects.toSatisfy((error) => ResultTooLargeError.is(error))
      await expect(put).rejects.toThrow('408578')
    }),
  )
}
