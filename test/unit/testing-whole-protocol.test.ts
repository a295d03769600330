import {
  BlobLostError,
  ClosedError,
  createClient,
  createExecutor,
  currentTask,
  defineConfig,
  SubmitUncertainError,
} from 'errand'
import { type TestExecutorOptions, testExecutor } from 'errand/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { shopUnderTest } from '../support/shop-under-test.ts'

// What stands under testExecutor is the whole protocol: dead letters, follow-ups, retries by hand, FIFO, on-claim.

const config = defineConfig({ name: 'shop' })

test('a call that always dies before its end is written ends as undeliverable, by the dead letters', async () => {
  const { executor, t, charge } = shopUnderTest(config, { faults: { kill: { beforeFinish: 1 } } })
  const future = await executor.submit(charge, 'order-1')
  await t.drain()
  expect(await future.outcome()).toMatchObject({ state: 'failed', reason: 'undeliverable' })
})

test('follow-ups are among what is submitted, and drain runs them', async () => {
  const { executor, t, charge } = shopUnderTest(config)
  const seen: unknown[] = []
  const note = executor.task('note', (...args: unknown[]) => void seen.push(args[0]))
  await executor.with({ then: note }).submit(charge, 'order-1')
  t.duplicateNext(charge)
  expect(t.submitted(charge)).toMatchObject([{ onSucceeded: 'note', onFailed: undefined }])
  expect(t.submitted(note)).toEqual([])
  await t.drain()
  expect(t.submitted(note)).toMatchObject([{ state: 'succeeded', attempts: 1 }])
  expect(seen).toHaveLength(1)
})

test('a failed call is retried by hand', async () => {
  const { executor, t, charge, charges } = shopUnderTest(config)
  t.failNext(charge, new Error('busy'), { times: 3 })
  const future = await executor.submit(charge, 'order-1')
  await t.drain()
  expect(await future.outcome()).toMatchObject({ state: 'failed', reason: 'threw' })
  const again = await executor.retry<number>(future.id)
  expect(charges).toEqual([])
  await t.drain()
  expect(await again.result()).toBe(1)
  expect(t.submitted(charge)).toMatchObject([{ id: future.id, state: 'succeeded', attempts: 4 }])
})

test('a FIFO queue runs its calls in order, also where one fails at first', async () => {
  const fifo = defineConfig({ name: 'fifo', queues: { default: { fifo: true } } })
  const { executor, t, charge, charges } = shopUnderTest(fifo)
  t.failNext(charge, new Error('busy'))
  for (const order of ['a', 'b', 'c']) await executor.submit(charge, order)
  await t.drain()
  expect(charges).toEqual(['a', 'b', 'c'])
})

test('a batch window is waited out in virtual time, also where a move ends in the middle of it', async () => {
  const main = { batchSize: 5, concurrency: 10, batchWindowSeconds: 20 }
  const { executor, t, charge, charges } = shopUnderTest(defineConfig({ name: 'window', workers: { main } }))
  await executor.submit(charge, 'a')
  await t.advance({ seconds: 5 })
  await executor.submit(charge, 'b')
  expect(charges).toEqual([])
  await t.drain()
  expect(charges.toSorted()).toEqual(['a', 'b'])
})

test('without a record before the claim, what waits is pending all the same', async () => {
  const onClaim = defineConfig({ name: 'on-claim', record: 'on-claim', listing: false })
  const { executor, t, charge } = shopUnderTest(onClaim)
  const future = await executor.submit(charge, 'order-1')
  expect(t.submitted(charge)).toMatchObject([{ state: 'pending', attempts: 0 }])
  await t.drain()
  expect(t.submitted(charge)).toMatchObject([{ id: future.id, state: 'succeeded', attempts: 1 }])
})

test('cancelled before it is run, a call does not run', async () => {
  const { executor, t, charge, charges } = shopUnderTest(config)
  const future = await executor.submit(charge, 'order-1')
  expect(await future.cancel()).toBe(true)
  await t.drain()
  expect(charges).toEqual([])
  expect(t.submitted(charge)).toMatchObject([{ state: 'cancelled' }])
})

test('what a queue has taken was submitted, though its sender never learned of it', async () => {
  const onClaim = defineConfig({ name: 'unsure', record: 'on-claim', listing: false })
  const { executor, t, charge } = shopUnderTest(onClaim, { faults: { loseResponse: 0.999 } })
  const error: unknown = await executor.submit(charge, 'order-1').catch((thrown: unknown) => thrown)
  expect(SubmitUncertainError.is(error) && error.ids).toEqual(t.submitted(charge).map(({ id }) => id))
  expect(t.submitted(charge)).toHaveLength(1)
})

test('a batch that dies is not waited for in real time, whatever its functions still do', async () => {
  const batches = defineConfig({ name: 'batches', workers: { main: { batchSize: 5, concurrency: 10 } } })
  const { executor, t, parent, charge } = shopUnderTest(batches, { realWaitSeconds: 600 })
  t.killNext(parent, { times: 3 })
  const group = await executor.map(
    parent,
    Array.from({ length: 20 }, (_, n) => [`order-${n}`] as const),
  )
  await t.drain()
  expect((await group.outcomes()).every(({ state }) => state === 'succeeded')).toBe(true)
  expect(t.submitted(charge).length).toBeGreaterThanOrEqual(20)
})

describe('large payloads', () => {
  const large = defineConfig({ name: 'large', blobs: true })
  const big = 'é'.repeat(600_000)

  function underTest(options?: TestExecutorOptions) {
    const size = (text: string) => text.length
    const executor = createExecutor(large, { tasks: { size } })
    const t = testExecutor(executor, options)
    onTestFinished(() => t.close())
    return { executor, t, size }
  }

  test('are shown as they were submitted, by whomever, also when the blob is gone', async () => {
    const { executor, t, size } = underTest()
    const twice = executor.task('twice', async () => (await currentTask.submit(size, `${big}2`)).id)
    const client = createClient<typeof executor>(large, { backend: t.backend })
    await executor.submit(size, big)
    await client.submit('size', `${big}1`)
    expect(t.submitted(size).map(({ args: [text] }) => text.length)).toEqual([600_000, 600_001])
    await twice.submit()
    await t.drain()
    await t.runTask(twice, [])
    await t.advance({ hours: 24 * 40 })
    const lengths = t.submitted(size).map(({ args: [text] }) => text.length)
    expect(lengths).toEqual([600_000, 600_001, 600_001, 600_001])
  })

  test('that follow a call are shown, under faults as well', async () => {
    const { executor, t, size } = underTest({ faults: { seed: 3, loseRequest: 0.1, loseResponse: 0.1 } })
    const make = executor.task('make', () => big)
    const future = await executor.with({ then: size }).submit(make)
    await t.drain()
    expect(t.submitted(size)).toMatchObject([{ id: `${future.id}:then`, parent: future.id, args: [big] }])
  })

  test('that were never put are named', async () => {
    const [one, other] = [underTest(), underTest()]
    await one.executor.submit(one.size, big)
    const once = { maxMessages: 1, waitSeconds: 0 }
    const [message] = await one.t.backend.queue.receive('default', once)
    await other.t.backend.queue.send('default', [{ body: message?.body ?? '' }])
    expect(() => other.t.submitted(other.size)).toThrow(BlobLostError)
    expect(() => other.t.submitted(other.size)).toThrow('lie in a blob that was never put')
  })
})

describe('by chance', () => {
  const faults = { duplicate: 0.2, delay: 0.2, reorder: 0.2, loseResponse: 0.05, kill: { inTask: 0.05 } }

  test('100 calls end under faults, and the same seed repeats the run', async () => {
    const runOf = async (seed: number) => {
      const { executor, t, add } = shopUnderTest(config, { faults: { ...faults, seed } })
      const group = await executor.map(
        add,
        Array.from({ length: 100 }, (_, n) => [n, n] as const),
      )
      await t.drain()
      expect((await group.outcomes()).filter(({ state }) => state === 'succeeded')).toHaveLength(100)
      return { calls: t.submitted(add), now: t.now() }
    }
    const first = await runOf(3)
    expect(first.calls.some(({ attempts }) => attempts > 1)).toBe(true)
    expect(await runOf(3)).toEqual(first)
    expect(await runOf(4)).not.toEqual(first)
  })
})

describe('at the same time', () => {
  test('several moves of time share it', async () => {
    const { executor, t, flaky, charge, charges } = shopUnderTest(config)
    const future = await executor.submit(flaky)
    await executor.with({ delaySeconds: 30 }).submit(charge, 'order-1')
    const [, result] = await Promise.all([t.drain(), t.run(future.result()), t.advance({ hours: 1 })])
    expect(result).toBe('at last')
    expect(charges).toEqual(['order-1'])
  })

  test('a move that is under way when the test is closed ends, and says so', async () => {
    const executor = createExecutor(config)
    const stuck = executor.task('stuck', () => new Promise<void>(() => {}))
    const t = testExecutor(executor, { realWaitSeconds: 0.05 })
    onTestFinished(() => t.close())
    await stuck.submit()
    const drained = t.drain()
    const refused = expect(drained).rejects.toThrow('this testExecutor was closed')
    await new Promise(setImmediate)
    await t.close()
    await refused
    await expect(t.advance({ hours: 1 })).rejects.toThrow('this testExecutor was closed')
    await expect(t.runTask(stuck, [])).rejects.toThrow('this testExecutor was closed')
    const meanwhile: readonly (() => unknown)[] = [
      () => t.submitted(stuck),
      () => t.failNext(stuck, new Error('busy')),
      () => t.killNext(stuck),
      () => t.duplicateNext(stuck),
    ]
    for (const work of meanwhile) expect(work).toThrow(ClosedError)
  })
})
