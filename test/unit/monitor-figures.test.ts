import { describe, expect, test } from 'vitest'
import { createWindowReader } from '../../src/monitor/call-window.ts'
import { percentiles, seriesOf, taskFigures } from '../../src/monitor/figures.ts'
import { count, duration, percent, visible } from '../../src/monitor/shown-text.ts'
import type { CallRecord } from '../../src/runtime/call/record.ts'
import { monitorStage } from '../support/monitor-stage.ts'
import { seededFractions } from '../support/seeded-fractions.ts'

const now = Date.UTC(2026, 0, 1, 12)

function record(id: number, fields: Partial<CallRecord> = {}): CallRecord {
  const at = now - id * 1000
  return {
    ...{
      id: `call-${id}`,
      task: 'add',
      queue: 'low',
      payloadHash: '',
      state: 'succeeded',
      createdAt: at,
      dueAt: at,
    },
    ...{ expiresAtSeconds: 2 ** 32, attempts: 1, failures: 0, startedAt: at, finishedAt: at + 100 },
    ...fields,
  }
}

describe('a series', () => {
  test('counts each call where it ended, and has no holes', () => {
    const records = [record(10), record(70, { state: 'failed' }), record(500), record(890)]
    const { bucketMs, buckets, calls } = seriesOf({ records, since: 0, isCut: false }, '15m', now)
    expect([bucketMs, calls, buckets.length]).toEqual([30_000, 4, 31])
    const sums = buckets.reduce(
      (sum, { succeeded, failed }) => [(sum[0] ?? 0) + succeeded, (sum[1] ?? 0) + failed],
      [0, 0],
    )
    expect(sums).toEqual([3, 1])
    expect(buckets.map(({ at }, index) => at - index * bucketMs).every((at) => at === buckets[0]?.at)).toBe(
      true,
    )
  })

  test('reaches back no farther than the calls that were looked at', () => {
    const records = Array.from({ length: 40 }, (_, index) => record(index))
    const series = seriesOf({ records, since: now - 39_000, isCut: true }, '1h', now)
    expect(series).toMatchObject({ since: now - 39_000, isCut: true, bucketMs: 2000 })
    expect(series.buckets.length).toBeLessThanOrEqual(33)
    expect(seriesOf({ records, since: now - 3_700_000, isCut: true }, '1h', now).isCut).toBe(false)
  })

  test('is empty where nothing was submitted, a moment ago or ever', () => {
    expect(seriesOf({ records: [], since: now, isCut: true }, '1h', now).buckets).toHaveLength(1)
    expect(seriesOf({ records: [], since: 0, isCut: false }, '24h', now)).toMatchObject({ calls: 0 })
  })

  test('passes over clocks that are ahead', () => {
    const ahead = record(0, { startedAt: now + 5000, finishedAt: now + 9000, dueAt: now + 9999 })
    expect(seriesOf({ records: [ahead], since: 0, isCut: false }, '15m', now).calls).toBe(1)
  })
})

test('percentiles are of the nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect(percentiles(hundred)).toEqual({ p50: 50, p95: 95, p99: 99 })
  expect(percentiles([7])).toEqual({ p50: 7, p95: 7, p99: 7 })
  expect(percentiles([])).toBeUndefined()
})

test('a task’s failures are by the error’s name, which data is never taken for', () => {
  const failed = (lastError: string | undefined) =>
    record(1, { state: 'failed', reason: 'killed', ...(lastError !== undefined && { lastError }) })
  const records = [
    failed('TypeError: no'),
    failed('TypeError'),
    failed('the card 4111: no'),
    failed(undefined),
  ]
  const [figures] = taskFigures({ records, since: 0, isCut: false }, '1h', now)
  expect(figures?.errors).toEqual([
    ...[
      { name: 'TypeError', count: 2 },
      { name: 'killed', count: 2 },
    ],
  ])
})

describe('the window', () => {
  test('is the same, read step by step, as read at once', async () => {
    const { backend, clock, executor, put } = await monitorStage()
    const stepwise = createWindowReader(executor.config, 120)
    for (let index = 0; index < 200; index++) {
      await put({ id: `call-${index}`, state: index % 3 === 0 ? 'pending' : 'succeeded' })
      await clock.advance({ seconds: index % 40 === 0 ? 90 : 1 })
      if (index % 7 === 0) await stepwise.read(backend)
    }
    const kept = await stepwise.read(backend)
    const fresh = await createWindowReader(executor.config, 120).read(backend)
    expect(kept.records.map(({ id }) => id)).toEqual(fresh.records.map(({ id }) => id))
    expect(kept).toMatchObject({ since: fresh.since, isCut: true })
    await executor.future('call-198').cancel()
    expect((await stepwise.read(backend)).records.find(({ id }) => id === 'call-198')?.state).toBe(
      'cancelled',
    )
  })

  test('misses nothing that the listing shows up to a minute late', async () => {
    const { backend, clock, executor, put } = await monitorStage()
    const chance = seededFractions(5)
    const stepwise = createWindowReader(executor.config, 1000)
    for (let index = 0; index < 400; index++) {
      await put({ id: `call-${index}`, createdAt: clock.now() - Math.floor(chance() * 60_000) })
      // Now and then nothing is made for a while, in which the newest call is no longer young.
      await clock.advance({ milliseconds: Math.round(chance() < 0.05 ? chance() * 200_000 : chance() * 500) })
      if (chance() < 0.2) await stepwise.read(backend)
    }
    const kept = await stepwise.read(backend)
    const fresh = await createWindowReader(executor.config, 1000).read(backend)
    expect(kept.records).toHaveLength(400)
    expect(kept.records).toEqual(fresh.records)
  })

  test('finds within five minutes what is listed long after its time, as a cron call is by its claim', async () => {
    const { backend, clock, executor, put } = await monitorStage()
    const reader = createWindowReader(executor.config, 1000)
    const dueAt = clock.now()
    await clock.advance({ seconds: 5 })
    await put({ id: 'other', createdAt: clock.now() })
    await reader.read(backend)
    await clock.advance({ minutes: 3 })
    await reader.read(backend)
    await put({ id: 'cron', createdAt: dueAt })
    await clock.advance({ minutes: 2 })
    expect((await reader.read(backend)).records.map(({ id }) => id)).toEqual(['other', 'cron'])
  })

  test('shows what is made while a call of a sender whose clock is ahead is the newest', async () => {
    const { backend, clock, executor, put } = await monitorStage()
    const reader = createWindowReader(executor.config, 1000)
    await put({ id: 'ahead', createdAt: clock.now() + 600_000 })
    await reader.read(backend)
    await clock.advance({ minutes: 2 })
    await reader.read(backend)
    await put({ id: 'now', createdAt: clock.now() })
    expect((await reader.read(backend)).records.map(({ id }) => id)).toEqual(['ahead', 'now'])
  })

  test('forgets what is older than a day', async () => {
    const { backend, clock, executor, put } = await monitorStage()
    const reader = createWindowReader(executor.config, 1000)
    await put({ id: 'old', expiresAtSeconds: 2 ** 32 })
    expect((await reader.read(backend)).records).toHaveLength(1)
    await clock.advance({ hours: 25 })
    expect(await reader.read(backend)).toMatchObject({ records: [], isCut: false })
  })
})

describe('texts', () => {
  test.each([
    [0, '0 ms'],
    [999.4, '999 ms'],
    [1500, '1.5 s'],
    [9960, '10 s'],
    [59_999, '1 min'],
    [185_000, '3 min 5 s'],
    [7_440_000, '2 h 4 min'],
    [266_400_000, '3 d 2 h'],
  ])('%d ms is %s', (milliseconds, text) => expect(duration(milliseconds)).toBe(text))

  test('numbers, shares, and what is invisible', () => {
    expect([count(1234567), count(0.25), percent(0.004), percent(0.25), percent(0)]).toEqual([
      ...['1,234,567', '0.3', '0.4 %', '25 %', '0 %'],
    ])
    expect(visible('a\u202eb\u0000c\u001b[31m\ufeff')).toBe('a\\u202eb\\u0000c\\u001b[31m\\ufeff')
    expect(visible('x'.repeat(600))).toHaveLength(501)
    expect(visible('\ud800')).toBe('\ufffd')
  })
})
