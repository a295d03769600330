import {
  createExecutor,
  currentTask,
  defineConfig,
  type Executor,
  InvalidOptionError,
  NotWiredError,
  RetryAfterError,
} from 'errand'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { internalsOf } from '../../src/runtime/executor.ts'
import { putPaused } from '../../src/runtime/operations/heartbeat.ts'
import { reportOf } from '../../src/runtime/ports/worker-report.ts'
import { startDynalite } from '../support/dynalite.ts'
import { createTable } from '../support/dynamodb-table.ts'
import { type FauxqsServer, startFauxqs } from '../support/fauxqs.ts'
import { deployFleet } from '../support/lambda-fleet.ts'
import type { WireServer } from '../support/loopback-connection.ts'
import { startWireWorkers } from '../support/wire-fleet.ts'

// The same program, looked at in the same words, on both backends.

const config = defineConfig({
  name: 'inspected',
  queues: ['low', 'high'],
  workers: {
    foo: { queues: ['low', 'high'], concurrency: 40, logLevel: 'error' },
    bar: { queues: ['high'], concurrency: 20, logLevel: 'error' },
  },
})

/** Tasks, one of which runs until it is told to end. */
function tasksOf() {
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const hold = async () => {
    await currentTask.progress({ done: 1 })
    begin()
    await released
    return 'held'
  }
  const fail = () => {
    throw new RetryAfterError(600, 'no such month')
  }
  return { tasks: { add: (a: number, b: number) => a + b, hold, fail }, release, begun }
}

type Tasks = ReturnType<typeof tasksOf>['tasks']

/** A fleet that runs, whichever backend it is on. */
interface Stage {
  readonly executor: Executor
  /** Begins to take calls. */
  start(): Promise<void>
  close(): Promise<void>
}

let sqs: FauxqsServer
let dynamodb: WireServer
let tables = 0
beforeAll(async () => {
  sqs = await startFauxqs()
  dynamodb = await startDynalite()
})
afterAll(async () => {
  await sqs.close()
  await dynamodb.close()
})

async function onLocal(tasks: Tasks): Promise<Stage> {
  const executor = createExecutor(config, { tasks, backend: 'local', local: { startWorkers: false } })
  return {
    executor: executor as unknown as Executor,
    start: () => executor.start(),
    close: () => executor.close(),
  }
}

async function onAws(tasks: Tasks): Promise<Stage> {
  // A table of its own: queues of one name list in one place.
  const tableName = `inspected-${++tables}`
  await createTable(dynamodb, tableName)
  const { executor, close } = await deployFleet({ sqs, dynamodb, tableName }, config, tasks)
  let stop = async () => {}
  return {
    executor,
    start: async () => {
      stop = await startWireWorkers(executor)
    },
    close: async () => {
      await stop()
      await close()
    },
  }
}

/** Both workers are there, one call of each queue is in flight, and two of `low` are delayed. */
async function expectFleet({ inspect, status }: Executor): Promise<void> {
  expect(await status()).toEqual({ ping: true, workers: { foo: 'OK', bar: 'OK' } })
  const names = ['add', 'hold', 'fail']
  expect(await inspect.registered()).toEqual({ foo: names, bar: names })
  const stats = await inspect.stats()
  expect(stats.queues).toMatchObject({
    low: { visible: 0, inFlight: 1, delayed: 2, dead: 0, paused: false },
    high: { visible: 0, inFlight: 1, delayed: 0, dead: 0, paused: false },
  })
  expect(stats.workers.foo).toMatchObject({
    state: 'OK',
    concurrency: 40,
    queues: ['low', 'high'],
    paused: [],
  })
  expect(stats.workers.bar?.processes).toMatchObject([{ app: 'inspected', worker: 'bar' }])
}

describe.each([
  ['local', onLocal],
  ['AWS on the wire', onAws],
] as const)('inspection, %s', (_, open) => {
  test('what runs, waits, was cancelled, and who runs it', async () => {
    const { tasks, release, begun } = tasksOf()
    const { executor, start, close } = await open(tasks)
    const { inspect } = executor
    // Calls of one millisecond stand in no order that the test knows.
    const idsOf = async (page: ReturnType<typeof inspect.calls>) =>
      new Set((await page).calls.map(({ id }) => id))
    try {
      await start()
      const held = await executor.with({ queue: 'high', tenant: 'acme' }).submit(tasks.hold)
      const later = await executor.with({ delaySeconds: 600 }).submit(tasks.add, 1, 2)
      const never = await executor.with({ delaySeconds: 600 }).submit(tasks.add, 3, 4)
      const failing = await executor.submit(tasks.fail)
      const done = await executor.submit(tasks.add, 5, 6)
      await begun
      expect(await never.cancel()).toBe(true)
      expect(await done.result()).toBe(11)
      await expect.poll(() => failing.state()).toBe('retrying')

      expect(await idsOf(inspect.active())).toEqual(new Set([held.id]))
      expect(await idsOf(inspect.scheduled())).toEqual(new Set([failing.id, later.id]))
      expect(await idsOf(inspect.scheduled({ task: tasks.add }))).toEqual(new Set([later.id]))
      expect(await idsOf(inspect.revoked())).toEqual(new Set([never.id]))
      expect(await idsOf(inspect.calls({ state: 'succeeded' }))).toEqual(new Set([done.id]))
      const [active] = (await inspect.active()).calls
      expect(active).toMatchObject({
        task: 'hold',
        queue: 'high',
        tenant: 'acme',
        progress: { done: 1 },
        attempts: 1,
      })
      expect(active?.leaseUntil?.getTime()).toBeGreaterThan(Date.now())
      expect(await inspect.call(failing.id)).toMatchObject({
        lastError: 'RetryAfterError: no such month',
        failures: 1,
      })
      // A result is there before its message is deleted.
      await expect
        .poll(() => inspect.reserved())
        .toEqual({ queues: { low: 0, high: 0 }, lookedAt: 5, complete: true })

      await expectFleet(executor)

      expect(await held.abort('enough')).toBe(true)
      expect(await idsOf(inspect.revoked())).toEqual(new Set([never.id, held.id]))
      expect(await inspect.call(held.id)).toMatchObject({ state: 'running', abortReason: 'enough' })
    } finally {
      release()
      await executor.queues.purge('low')
      await close()
    }
  })

  test('a paused queue is shown as one, until it is resumed', async () => {
    const { tasks } = tasksOf()
    const { executor, start, close } = await open(tasks)
    try {
      await executor.queues.pause('high')
      await start()
      expect(await executor.status()).toEqual({ ping: true, workers: { foo: 'OK', bar: 'paused' } })
      expect(await executor.inspect.queues()).toMatchObject({
        low: { paused: false },
        high: { paused: true },
      })
      expect((await executor.inspect.stats()).workers).toMatchObject({
        foo: { paused: ['high'] },
        bar: { paused: ['high'] },
      })
      await executor.queues.resume('high')
      expect(await executor.status()).toEqual({ ping: true, workers: { foo: 'OK', bar: 'OK' } })
      const future = await executor.with({ queue: 'high' }).submit(tasks.add, 1, 2)
      expect(await future.result()).toBe(3)
    } finally {
      await close()
    }
  })

  test('a purge cancels what waited, so that no future hangs', async () => {
    const { tasks } = tasksOf()
    const { executor, close } = await open(tasks)
    try {
      const lists = Array.from({ length: 23 }, (_, index) => [index, 1] as const)
      const low = await executor.map(tasks.add, lists)
      const high = await executor.with({ queue: 'high' }).submit(tasks.add, 1, 2)
      const purged = await executor.queues.purge('low')
      expect(purged).toMatchObject({ cancelled: 23, complete: true })
      expect(await low.outcomes()).toEqual(lists.map(() => ({ state: 'cancelled' })))
      expect(await executor.inspect.queues()).toMatchObject({ low: { visible: 0 }, high: { visible: 1 } })
      expect(await high.state()).toBe('pending')
      await executor.queues.purge('high')
    } finally {
      await close()
    }
  })

  test('worker processes are seen by their notices', async () => {
    const { tasks } = tasksOf()
    const { executor, close } = await open(tasks)
    const { store, clock, fleet } = await internalsOf(executor).connect()
    const { app } = internalsOf(executor)
    await executor.start()
    const beat = (worker: string, id: string, agoSeconds: number) => {
      const report = reportOf({ app, worker, codeVersion: 'v2', uptimeSeconds: 5, received: 3, running: 1 })
      const text = JSON.stringify({ beatAt: clock.now() - agoSeconds * 1000, report })
      return store.putNotice({
        key: `process#${worker}#${id}`,
        text,
        expiresAtSeconds: clock.now() / 1000 + 60,
      })
    }
    try {
      await Promise.all([
        beat('foo', 'a', 1),
        beat('foo', 'b', 5),
        beat('foo', 'c', 100),
        beat('baz', 'd', 100),
      ])
      const { workers } = await executor.inspect.stats()
      const ids = workers.foo?.processes.map(({ processId }) => processId)
      expect(ids?.filter((id) => id !== undefined)).toEqual(['a', 'b'])
      expect(workers.foo).toMatchObject({ state: 'OK' })
      expect(workers.baz).toMatchObject({
        state: 'no answer',
        error: expect.stringContaining('stopped reporting'),
      })
      expect((await executor.status()).ping).toBe(false)
      expect(await executor.inspect.registered()).not.toHaveProperty('baz')
      await putPaused(store, 'low', true)
      // Processes are told, and functions were not: somebody enabled a mapping by hand.
      expect((await executor.inspect.stats()).workers.foo).toMatchObject({ paused: [], state: 'OK' })
      // And the other way round: functions are off, a process of foo goes on. Of bar there is none.
      await fleet?.pause('high')
      const mixed = await executor.inspect.stats()
      expect(mixed.workers).toMatchObject({ foo: { paused: [] }, bar: { paused: ['high'], state: 'paused' } })
      expect(mixed.queues).toMatchObject({ high: { paused: false } })
    } finally {
      await Promise.all(
        ['foo#a', 'foo#b', 'foo#c', 'baz#d'].map((id) => {
          return store.putNotice({ key: `process#${id}`, text: '', expiresAtSeconds: 0 })
        }),
      )
      await putPaused(store, 'low', false)
      await close()
    }
  })

  test('a queue that is not declared is refused, with the nearest that is', async () => {
    const { executor, close } = await open(tasksOf().tasks)
    for (const refused of [
      executor.queues.pause('hihg'),
      executor.queues.resume('hihg'),
      executor.queues.purge('hihg'),
      executor.queues.pause(undefined as never),
    ]) {
      const error = await refused.catch((thrown: unknown) => thrown)
      expect(InvalidOptionError.is(error)).toBe(true)
      expect(String(error)).toMatch(/queue .* is not declared; .*known: "low", "high"/)
    }
    await close()
  })
})

describe('inspection, elsewhere', () => {
  test('local: what runs at a pause runs to its end, what is submitted then waits for the resume', async () => {
    const { tasks, release, begun } = tasksOf()
    const { executor, start, close } = await onLocal(tasks)
    await executor.queues.pause('low')
    await start()
    const early = await executor.submit(tasks.add, 1, 1)
    await executor.queues.resume('low')
    expect(await early.result()).toBe(2)
    const running = await executor.submit(tasks.hold)
    await begun
    await executor.queues.pause('low')
    const waiting = await executor.submit(tasks.add, 1, 2)
    const other = await executor.with({ queue: 'high' }).submit(tasks.add, 2, 2)
    expect(await other.result()).toBe(4)
    release()
    expect(await running.result()).toBe('held')
    expect(await waiting.state()).toBe('pending')
    expect((await executor.inspect.queues()).low).toMatchObject({ visible: 1, paused: true })
    await executor.queues.resume('low')
    expect(await waiting.result()).toBe(3)
    await close()
  })

  test('a local fleet that was not started does not answer, and says so', async () => {
    const { executor, close } = await onLocal(tasksOf().tasks)
    expect(await executor.status()).toEqual({ ping: false, workers: { foo: 'no answer', bar: 'no answer' } })
    expect((await executor.inspect.stats()).workers.foo?.error).toContain('executor.start()')
    await close()
  })

  test('eager: one inline worker, nothing queued, nothing to pause', async () => {
    const { tasks } = tasksOf()
    const executor = createExecutor(config, { tasks, backend: 'eager' })
    const future = await executor.submit(tasks.add, 1, 2)
    expect(await executor.status()).toEqual({ ping: true, workers: { inline: 'OK' } })
    expect(await executor.inspect.registered()).toEqual({ inline: ['add', 'hold', 'fail'] })
    expect((await executor.inspect.calls()).calls).toMatchObject([{ id: future.id, state: 'succeeded' }])
    expect(await executor.inspect.queues()).toMatchObject({ low: { visible: 0, inFlight: 0, delayed: 0 } })
    expect((await executor.inspect.stats()).workers.inline?.processes).toMatchObject([
      { received: 1, running: 0 },
    ])
    await expect(executor.queues.pause('low')).rejects.toThrow('cannot be paused on the eager backend')
    expect(await executor.queues.purge('low')).toEqual({ cancelled: 0, lookedAt: 1, complete: true })
    await executor.close()
  })

  test('a backend of your own without a fleet is named', async () => {
    const local = createExecutor(config, { backend: 'local' })
    const { fleet: _, ...backend } = await internalsOf(local).connect()
    const executor = createExecutor(config, { backend })
    const error = await executor.status().catch((thrown: unknown) => thrown)
    expect(NotWiredError.is(error)).toBe(true)
    expect(String(error)).toContain('no `fleet`')
    await local.close()
  })
})
