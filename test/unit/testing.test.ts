import { setTimeout as sleep } from 'node:timers/promises'
import {
  ClosedError,
  createClient,
  createExecutor,
  defineConfig,
  NonRetryableError,
  TaskTimeoutError,
  task,
} from 'errand'
import { type TestExecutorOptions, testExecutor } from 'errand/testing'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { shopUnderTest } from '../support/shop-under-test.ts'

const hour = 3_600_000

/** Gives whatever would run by itself, without the clock, its time. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
}

const config = defineConfig({ name: 'shop', queues: ['low', 'high'] })

const setup = (options?: TestExecutorOptions) => shopUnderTest(config, options)

const open: { close(): Promise<void> }[] = []

afterEach(async () => {
  vi.useRealTimers()
  for (const each of open.splice(0)) await each.close()
})

describe('nothing runs until it is told to', () => {
  test('a submit waits for drain, and drain for all of it', async () => {
    const { executor, t, add } = setup()
    const future = await executor.submit(add, 1, 2)
    await turns()
    expect(await future.state()).toBe('pending')
    await t.drain()
    expect(await future.result()).toBe(3)
    const next = await executor.submit(add, 3, 4)
    await turns()
    expect(await next.state()).toBe('pending')
  })

  test('drain goes on over delays, retries, and what tasks submit', async () => {
    const { executor, t, flaky, parent, charges } = setup()
    const started = t.now()
    const delayed = await executor.with({ delaySeconds: 900 }).submit(parent, 'order-1')
    const retried = await executor.submit(flaky)
    await t.drain()
    expect(await delayed.state()).toBe('succeeded')
    expect(await retried.snapshot()).toMatchObject({ state: 'succeeded', attempts: 3 })
    expect(charges).toEqual(['order-1'])
    expect(t.now() - started).toBeGreaterThanOrEqual(900_000)
    await t.drain()
  })

  test('advance runs what falls due in the span, and no more', async () => {
    const { executor, t, charge, charges } = setup()
    await executor.submit(charge, 'now')
    await executor.with({ delaySeconds: 600 }).submit(charge, 'later')
    await t.advance({ minutes: 9, seconds: 59 })
    expect(charges).toEqual(['now'])
    await t.advance({ seconds: 1 })
    expect(charges).toEqual(['now', 'later'])
    const before = t.now()
    await t.advance({ hours: 3 })
    expect(t.now() - before).toBe(3 * hour)
  })

  test('run moves time until a promise settles, and gives what it gives', async () => {
    const { executor, t, flaky, add } = setup()
    const future = await executor.submit(flaky)
    expect(await t.run(future.result())).toBe('at last')
    expect(
      await t.run(
        (
          await executor.map(add, [
            [1, 2],
            [3, 4],
          ])
        ).results(),
      ),
    ).toEqual([3, 7])
    await expect(t.run(Promise.reject(new RangeError('no')))).rejects.toThrow(RangeError)
  })

  test('run waits for code that comes to its submit on real time', async () => {
    const { executor, t, add } = setup()
    const handle = async () => {
      await sleep(5)
      return (await executor.submit(add, 1, 2)).result()
    }
    expect(await t.run(handle())).toBe(3)
  })

  test('run says where nothing is left that could settle it', async () => {
    const { t } = setup({ realWaitSeconds: 0.02 })
    await expect(t.run(new Promise(() => {}))).rejects.toThrow('nothing is left that would run')
  })

  test('time begins where it is told to', () => {
    const { t } = setup({ startTime: new Date('2026-10-01T06:00:00Z') })
    expect(new Date(t.now()).toISOString()).toBe('2026-10-01T06:00:00.000Z')
    expect(setup({ startTime: 5 }).t.now()).toBe(5)
    expect(setup().t.now()).toBe(Date.UTC(2026, 0, 1))
  })

  test("fake timers and a fake Date of the user's change nothing", async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'setImmediate', 'Date', 'performance'] })
    const { executor, t, flaky } = setup()
    const future = await executor.submit(flaky)
    await t.drain()
    expect(await future.result()).toBe('at last')
    const started = t.now()
    await t.advance({ hours: 72 })
    expect(t.now() - started).toBe(72 * hour)
  })
})

describe('code that waits on real time', () => {
  const tasksOf = (settings: TestExecutorOptions = { realWaitSeconds: 20 }) => {
    const slow = async () => {
      await sleep(5)
      return 'slow'
    }
    const stuck = () => new Promise<void>(() => {})
    const executor = createExecutor(config, { tasks: { slow, stuck } })
    const t = testExecutor(executor, settings)
    open.push(t)
    return { executor, t, slow, stuck }
  }

  test('is waited for, and virtual time stands still meanwhile', async () => {
    const { executor, t, slow } = tasksOf()
    executor.onWorkerStart(() => sleep(5))
    const started = t.now()
    const future = await executor.submit(slow)
    await t.drain()
    expect(await future.result()).toBe('slow')
    expect(t.now()).toBe(started)
    const again = await executor.submit(slow)
    await t.advance({ hours: 1 })
    expect(await again.snapshot()).toMatchObject({ state: 'succeeded', attempts: 1 })
  })

  test('is left behind where it hangs: the time limit ends it', async () => {
    const { executor, t, stuck } = tasksOf({ realWaitSeconds: 0.05 })
    const future = await executor.submit(stuck)
    await t.drain()
    expect(await future.outcome()).toMatchObject({ state: 'failed', reason: 'timed-out', attempts: 3 })
    expect(TaskTimeoutError.is(await future.exception())).toBe(true)
  })

  test('a task that waits for a call of a later time gets it', async () => {
    const { executor, t, slow } = tasksOf()
    const outer = executor.task('outer', async () => {
      const future = await executor.with({ delaySeconds: 20 }).submit(slow)
      return future.result()
    })
    const future = await outer.submit()
    await t.drain()
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts: 1 })
    expect(await future.result()).toBe('slow')
  })
})

describe('submitted', () => {
  test('shows the calls of a task, in their order, as they are now', async () => {
    const { executor, t, add, charge } = setup()
    const options = { queue: 'high', delaySeconds: 30, tenant: 'acme' } as const
    const future = await executor.with(options).submit(add, 1, 2)
    await executor.map(add, [[3, 4]])
    await executor.submit(charge, 'order-1')
    const [first, second, ...others] = t.submitted(add)
    expect(first).toEqual({
      id: future.id,
      task: 'math.add',
      args: [1, 2],
      queue: 'high',
      delaySeconds: 30,
      tenant: 'acme',
      parent: undefined,
      createdAt: t.now(),
      state: 'scheduled',
      attempts: 0,
    })
    expect(second).toMatchObject({ args: [3, 4], queue: 'low', delaySeconds: 0, state: 'pending' })
    expect(others).toEqual([])
    await t.drain()
    expect(t.submitted('math.add').map(({ state, attempts }) => [state, attempts])).toEqual([
      ['succeeded', 1],
      ['succeeded', 1],
    ])
  })

  test('gives arguments as the function gets them, typed', async () => {
    const executor = createExecutor(config)
    const report = executor.task('report', (day: Date, counts: Map<string, bigint>) => [day, counts])
    const t = testExecutor(executor)
    open.push(t)
    const day = new Date(0)
    await report.submit(day, new Map([['a', 1n]]))
    const args: [Date, Map<string, bigint>] | undefined = t.submitted(report)[0]?.args
    expect(args).toEqual([day, new Map([['a', 1n]])])
    expect(args?.[0]).not.toBe(day)
  })

  test('shows what tasks submit, with their parent, and a call of a key once', async () => {
    const { executor, t, parent, charge } = setup()
    const outer = await executor.submit(parent, 'order-1')
    const keyed = executor.with({ idempotencyKey: 'order-2' })
    expect((await keyed.submit(charge, 'order-2')).id).toBe((await keyed.submit(charge, 'order-2')).id)
    await t.drain()
    expect(t.submitted(charge).map(({ args, parent: from }) => [args[0], from])).toEqual([
      ['order-2', undefined],
      ['order-1', outer.id],
    ])
  })

  test("a client's calls are among them where it is given the test's backend", async () => {
    const { executor, t, charge } = setup()
    const client = createClient<typeof executor>(config, { backend: t.backend })
    const future = await client.submit('charge', 'order-1')
    await t.drain()
    expect(await future.result()).toBe(1)
    expect(t.submitted(charge)).toMatchObject([{ args: ['order-1'], state: 'succeeded' }])
  })
})

describe('single faults', () => {
  test('failNext fails attempts in place of the function, and then no more', async () => {
    const { executor, t, charge, charges } = setup()
    t.failNext(charge, new TypeError('busy'), { times: 2 })
    const future = await executor.submit(charge, 'order-1')
    await t.drain()
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts: 3, failures: 2 })
    expect(charges).toEqual(['order-1'])
  })

  test('failNext with an error that is not retried fails the call, and its error comes back', async () => {
    const { executor, t, charge, charges } = setup()
    t.failNext('charge', new NonRetryableError('card refused'))
    const future = await executor.submit(charge, 'order-1')
    await t.drain()
    await expect(future.result()).rejects.toThrow('card refused')
    expect(charges).toEqual([])
  })

  test('killNext kills in the task: what it did is done, and done again', async () => {
    const { executor, t, charge, charges } = setup()
    t.killNext(charge)
    const started = t.now()
    const future = await executor.submit(charge, 'order-1')
    await t.drain()
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts: 2, failures: 0 })
    expect(charges).toEqual(['order-1', 'order-1'])
    // No sooner than the message's visibility: nobody could say that the worker had died.
    expect(t.now() - started).toBeGreaterThanOrEqual(90_000)
  })

  test('killNext once the end is written: the function ran once, and its result stays', async () => {
    const { executor, t, charge, charges } = setup()
    t.killNext(charge, { at: 'afterFinish' })
    const future = await executor.submit(charge, 'order-1')
    await t.drain()
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts: 1 })
    expect(await future.result()).toBe(1)
    expect(charges).toEqual(['order-1'])
  })

  test('a task that is killed too often ends so', async () => {
    const { executor, t, charge } = setup()
    t.killNext(charge, { times: 3 })
    const future = await executor.submit(charge, 'order-1')
    await t.drain()
    expect(await future.outcome()).toMatchObject({ state: 'failed', reason: 'killed' })
  })

  test('duplicateNext runs a call twice to its end, and one result stays', async () => {
    const { executor, t, charge, charges } = setup()
    t.duplicateNext(charge)
    const [one, other] = [await executor.submit(charge, 'order-1'), await executor.submit(charge, 'order-2')]
    await t.drain()
    expect(charges.filter((order) => order === 'order-1')).toHaveLength(2)
    expect(await one.state()).toBe('succeeded')
    expect(await other.state()).toBe('succeeded')
  })
})

describe('the executor', () => {
  test('is given back by close, and whoever waits is told', async () => {
    const { executor, t, add } = setup()
    const lost = await executor.submit(add, 1, 2)
    const waiting = lost.result().catch((error: unknown) => error)
    await turns()
    await t.close()
    await t.close()
    expect(ClosedError.is(await waiting)).toBe(true)
    const again = testExecutor(executor)
    open.push(again)
    const future = await executor.submit(add, 3, 4)
    await again.drain()
    expect(await future.result()).toBe(7)
    expect(again.submitted(add)).toHaveLength(1)
  })

  test('runs on its own backend after close', async () => {
    const { executor, t, add } = setup()
    await t.close()
    expect(await (await executor.submit(add, 3, 4)).result()).toBe(7)
    await executor.close()
  })

  test('is closed at the end of its block, its stop hooks run, an attempt that hangs left behind', async () => {
    const stopped: unknown[] = []
    const executor = createExecutor(config)
    executor.onWorkerStart(() => ({ pool: 'open' }))
    executor.onWorkerStop((context) => stopped.push(context))
    const stuck = executor.task('stuck', () => new Promise<void>(() => {}))
    const quick = executor.task('quick', () => 1)
    {
      await using t = testExecutor(executor, { realWaitSeconds: 0.02 })
      await quick.submit()
      await t.drain()
      await stuck.submit()
      await t.advance({ seconds: 1 })
      await t.runTask(quick, [])
    }
    // The environment that ran the stuck one was killed: what a killed worker made is not undone.
    expect(stopped).toEqual([{ pool: 'open' }])
  })

  test('that has connected elsewhere is refused, as is one under test, and one that is closed', async () => {
    const connected = createExecutor(config, { backend: 'eager' })
    await connected.task('one', () => 1).submit()
    expect(() => testExecutor(connected)).toThrow('has connected to its own backend already')
    await connected.close()
    const { executor } = setup()
    expect(() => testExecutor(executor)).toThrow('under test already; close the first testExecutor')
    const closed = createExecutor(config)
    await closed.close()
    expect(() => testExecutor(closed)).toThrow(ClosedError)
  })

  test('two under test at once keep out of each other, though of one name', async () => {
    const [one, other] = [setup(), setup()]
    await one.executor.submit(one.charge, 'order-1')
    await other.t.drain()
    expect(one.charges).toEqual([])
    await one.t.drain()
    expect([one.charges, other.charges]).toEqual([['order-1'], []])
  })

  test('a declared task submits to it as well', async () => {
    const double = task((n: number) => n * 2)
    const executor = createExecutor(config, { tasks: { double } })
    const t = testExecutor(executor)
    open.push(t)
    const future = await double.submit(4)
    await t.drain()
    expect(await future.result()).toBe(8)
  })
})
