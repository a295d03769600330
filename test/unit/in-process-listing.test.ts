import { expect, test } from 'vitest'
import { inProcessListing } from '../../src/local-emulator/in-process-listing.ts'
import { compareListed } from '../../src/runtime/call/listing-position.ts'
import type { CallRecord } from '../../src/runtime/call/record.ts'
import type { ListingStretch } from '../../src/runtime/ports/store.ts'
import { seededFractions } from '../support/seeded-fractions.ts'

// The conformance suite says what a listing gives; here is what it costs, and that it follows every write.

const whole = { queues: ['low', 'high'], sinceMs: 0, untilMs: 2 ** 40, limit: 10 } as const

/** Records as a store changes them, and how many of them were looked at. */
function stage() {
  const looked = { at: 0 }
  class Counted extends Map<string, CallRecord> {
    override get(id: string) {
      looked.at += 1
      return super.get(id)
    }
    override *values() {
      looked.at += this.size
      return yield* super.values()
    }
  }
  const records = new Counted()
  const listing = inProcessListing(records)
  const write = (id: string, fields: Partial<CallRecord>) => {
    const record = { id, queue: 'low', ...fields } as CallRecord
    const existing = records.get(id)
    records.set(id, record)
    listing.add(record, existing)
  }
  const list = (stretch: Partial<ListingStretch>) => {
    looked.at = 0
    return { ...listing.list({ ...whole, ...stretch }), lookedAt: looked.at }
  }
  return { records, write, list }
}

test('a stretch looks at what is in it, however many calls there are', () => {
  const { write, list } = stage()
  for (let index = 0; index < 10_000; index++) write(`call-${index}`, { createdAt: index })
  // The first makes the order; those who list nothing never pay for it.
  expect(list({}).lookedAt).toBeGreaterThanOrEqual(10_000)
  write('newest', { createdAt: 10_000 })
  const first = list({})
  expect(first.entries.map(({ id }) => id).slice(0, 2)).toEqual(['newest', 'call-9999'])
  const after = first.entries.at(-1)
  const looks = [first, list({ ...(after && { after }) }), list({ untilMs: 5000 }), list({ sinceMs: 9995 })]
  expect(looks.map(({ lookedAt }) => lookedAt)).toEqual([11, 11, 11, 6])
})

test('it is as if it were made anew, whatever was written, changed and dropped', () => {
  const { records, write, list } = stage()
  const chance = seededFractions(11)
  const pick = (count: number) => Math.floor(chance() * count)
  for (let step = 0; step < 6000; step++) {
    const dice = chance()
    const id = `call-${pick(1500)}`
    if (dice < 0.3) records.delete(id)
    else if (dice < 0.35) write(id, { createdAt: pick(400), queue: undefined as never })
    else write(id, { createdAt: pick(400), queue: ['low', 'high', 'other'][pick(3)] as string })
    if (step % 10 > 0) continue
    const [sinceMs, untilMs] = [pick(200), 200 + pick(200)]
    const expected = [...records.values()]
      .filter(({ queue }) => queue === 'low' || queue === 'high')
      .filter(({ createdAt }) => createdAt >= sinceMs && createdAt <= untilMs)
      .map((record) => ({ id: record.id, createdAt: record.createdAt }))
      .sort(compareListed)
    const { entries, isComplete } = list({ sinceMs, untilMs, limit: 200 })
    expect(entries).toEqual(expected.slice(0, 200))
    expect(isComplete).toBe(expected.length <= 200)
  }
})
