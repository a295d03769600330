import { createExecutor, defineConfig, NonRetryableError } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { describe, expect, onTestFinished, test } from 'vitest'
import { attemptsOf, historyWith, killedAttempts } from '../../src/runtime/call/attempt-history.ts'
import type { CallRecord } from '../../src/runtime/call/record.ts'
import { internalsOf } from '../../src/runtime/executor.ts'

const CREATED = Date.UTC(2026, 0, 1)
const base: CallRecord = {
  ...{ id: 'a', task: 'add', queue: 'low', payloadHash: 'h', state: 'running', createdAt: CREATED },
  ...{ dueAt: CREATED, expiresAtSeconds: 2 ** 32, attempts: 1, failures: 0, startedAt: CREATED + 100 },
}

/** A call whose function fails as often as asked, on virtual time. */
async function lived({ fails = 0, maxAttempts = 10 }) {
  const clock = virtualClock()
  let attempts = 0
  const run = async () => {
    attempts += 1
    await new Promise<void>((resolve) => clock.setTimer(() => resolve(), 100 * attempts))
    if (attempts <= fails) throw new TypeError(`no ${attempts}`)
    return 'at last'
  }
  const config = defineConfig({ name: 'shop', taskOptions: { run: { maxAttempts } } })
  const executor = createExecutor(config, {
    ...{ tasks: { run }, backend: 'local', local: { clock } },
  })
  onTestFinished(() => clock.runUntil(executor.close()))
  const { id } = await executor.submit(run)
  await clock.advance({ hours: 12 })
  const { store } = await internalsOf(executor).connect()
  const [record] = await store.read([id])
  return { executor, clock, id, record: record as CallRecord, store }
}

describe('a call that was retried', () => {
  test('tells when each attempt began, how long it took, and what it failed with', async () => {
    const { record } = await lived({ fails: 2 })
    const attempts = attemptsOf(record)
    expect(attempts.map(({ attempt, ended, error }) => [attempt, ended, error])).toEqual([
      ...[[1, 'failed', 'TypeError'] as const, [2, 'failed', 'TypeError'] as const],
      [3, 'succeeded', undefined],
    ])
    expect(attempts.map(({ startedAt = 0, finishedAt = 0 }) => finishedAt - startedAt)).toEqual([
      100, 200, 300,
    ])
    expect(attempts[0]?.startedAt).toBe(record.createdAt)
    expect(killedAttempts(record)).toBe(0)
  })

  test('remembers the last five, and six with the last, in some 150 bytes', async () => {
    const { record } = await lived({ fails: 9 })
    expect(attemptsOf(record).map(({ attempt }) => attempt)).toEqual([5, 6, 7, 8, 9, 10])
    expect(record.history?.length).toBeLessThan(150)
  })

  test('and by hand as well remembers the attempts before', async () => {
    const { executor, id, clock, store } = await lived({ fails: 3, maxAttempts: 3 })
    await executor.retry(id)
    const [waiting] = await store.read([id])
    expect(attemptsOf(waiting as CallRecord).map(({ attempt, ended }) => [attempt, ended])).toEqual([
      [1, 'failed'],
      [2, 'failed'],
      [3, 'failed'],
    ])
    await clock.advance({ hours: 1 })
    const [record] = await store.read([id])
    expect(attemptsOf(record as CallRecord).map(({ ended }) => ended)).toEqual([
      ...['failed', 'failed', 'failed', 'succeeded'],
    ])
  })
})

test('a call that is not retried keeps nothing', async () => {
  const { record } = await lived({})
  expect(record.history).toBeUndefined()
  expect(attemptsOf(record)).toMatchObject([{ attempt: 1, ended: 'succeeded' }])
})

describe('attempts that said nothing', () => {
  test('are the numbers that are missing', () => {
    const history = historyWith(base, CREATED + 600, 'RangeError: x')
    const record = { ...base, attempts: 4, failures: 1, history, state: 'succeeded' as const }
    expect(attemptsOf({ ...record, finishedAt: CREATED + 900 }).map(({ ended }) => ended)).toEqual([
      ...['failed', 'killed', 'killed', 'succeeded'],
    ])
    expect(killedAttempts(record)).toBe(2)
  })

  test('are not made up where an older version remembered none', () => {
    const record = { ...base, attempts: 3, failures: 2 }
    expect(attemptsOf(record).map(({ attempt, ended }) => [attempt, ended])).toEqual([[3, 'running']])
  })

  test.each([
    ['a claim that gave up', { state: 'failed', reason: 'killed', attempts: 4 }, 3, 'not run'],
    ['a dead letter', { state: 'failed', reason: 'undeliverable', attempts: 2 }, 2, 'killed'],
    ['an unknown task', { state: 'failed', reason: 'unknown-task', attempts: 1 }, 0, 'not run'],
    ['an abort', { state: 'cancelled', abortReason: 'x', attempts: 1 }, 0, 'cancelled'],
    ['a cancel before it ran', { state: 'cancelled', attempts: 0, startedAt: undefined }, 0, undefined],
  ] as const)('are counted right after %s', (_, fields, kills, last) => {
    const record = { ...base, ...fields, finishedAt: CREATED + 900 } as CallRecord
    expect(killedAttempts(record)).toBe(kills)
    expect(attemptsOf(record).at(-1)?.ended).toBe(last)
  })
})

test('what is no class name is not remembered of an error, and what is no history is passed over', () => {
  expect(historyWith(base, CREATED + 200, 'the card 4111: no')).toMatch(/:Error$/)
  expect(historyWith(base, CREATED + 200, `${'X'.repeat(200)}: no`)).toHaveLength('1:2s:2s:'.length + 28)
  expect(historyWith({ ...base, startedAt: CREATED - 5 }, CREATED - 9, 'E: clocks')).toBe('1:0:0:E')
  for (const history of ['', ' ', '1:2', '1:x:<b>:E', '-1:1:1:E', '9'.repeat(5000)]) {
    expect(attemptsOf({ ...base, history })).toEqual([
      { attempt: 1, ended: 'running', startedAt: CREATED + 100 },
    ])
  }
})

test('an error that is not to be retried ends it in its first attempt', async () => {
  const clock = virtualClock()
  const run = () => {
    throw new NonRetryableError('no')
  }
  const executor = createExecutor(defineConfig({ name: 'shop' }), {
    ...{ tasks: { run }, backend: 'local', local: { clock } },
  })
  onTestFinished(() => clock.runUntil(executor.close()))
  const { id } = await executor.submit(run)
  await clock.advance({ seconds: 1 })
  const [record] = await (await internalsOf(executor).connect()).store.read([id])
  expect(attemptsOf(record as CallRecord)).toMatchObject([{ ended: 'failed', error: 'NonRetryableError' }])
  expect(await executor.inspect.call(id)).toMatchObject({ kills: 0, attempts: 1 })
})
