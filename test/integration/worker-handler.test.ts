import type { SQSEvent } from 'aws-lambda'
import { type Config, createExecutor, currentTask, defineConfig, InvalidOptionError, task } from 'errand'
import { type InvocationContext, type WorkerHandler, workerHandler } from 'errand/lambda'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { TaskTree } from '../../src/runtime/registry.ts'
import { workerStage } from '../support/worker-stage.ts'

// What the worker's handler makes of any event, at any time left: an answer that SQS can act on, and no throw.

const config = defineConfig({
  name: 'worker-handler',
  workers: { main: { timeoutSeconds: 60, batchSize: 10, logLevel: 'error' } },
  taskOptions: { '*': { backoff: { baseSeconds: 0 } } },
})

const stage = (tasks: TaskTree, declared: Config = config) => workerStage(declared, tasks)

type Stage = ReturnType<typeof stage>

/** Invokes, and does with the answer what the event source mapping does. Returns the ids that went back. */
const invoke = (on: Stage, event: SQSEvent, remainingMs?: number) =>
  on.invoke(event, on.handler, 'default', remainingMs)

beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})

afterEach(() => {
  vi.restoreAllMocks()
})

const nothing = { batchItemFailures: [] }
const nonsense: readonly (readonly [string, unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['an object', {}],
  ['no Records', { Records: undefined }],
  ['Records of null', { Records: null }],
  ['an empty batch', { Records: [] }],
]
const malformed: readonly (readonly [string, unknown])[] = [
  ['Records as a text', { Records: 'x' }],
  ['Records as an object', { Records: {} }],
  ['a record of null', { Records: [null] }],
]

describe('an event that is none', () => {
  test.each(nonsense)('%s: nothing to do', async (_, event) => {
    const { clock, handler } = stage({})
    expect(await clock.runUntil(handler(event as SQSEvent))).toEqual(nothing)
    expect(clock.pendingTimers).toBe(0)
  })

  test.each([...nonsense, ...malformed])('%s: the handler answers, and does not throw', async (_, event) => {
    const { clock, handler } = stage({})
    const answer = await clock.runUntil(handler(event as SQSEvent).catch((error: unknown) => error))
    expect(answer).toHaveProperty('batchItemFailures')
  })

  test.each([...nonsense, ...malformed])(
    '%s: nor does the entry where its backend cannot be opened',
    async (_, event) => {
      const backend = 'nowhere' as 'local'
      const handle = workerHandler(createExecutor(config, { tasks: {}, backend }))
      const answer = await handle(event as SQSEvent).catch((error: unknown) => error)
      expect(answer).toHaveProperty('batchItemFailures')
    },
  )
})

describe('records that lack something', () => {
  test.each(['attributes', 'messageAttributes', 'eventSourceARN', 'receiptHandle', 'md5OfBody'])(
    'without %s the calls run',
    async (field) => {
      const on = stage({ add: (a: number, b: number) => a + b })
      const group = await on.executor.map(addOf(on), [
        [1, 2],
        [3, 4],
      ])
      const event = await on.receive()
      const Records = event.Records.map((record) => ({ ...record, [field]: undefined }))
      const answer = await on.clock.runUntil(on.handler({ Records } as unknown as SQSEvent))
      expect(answer).toEqual(nothing)
      expect(await group.results({ timeoutSeconds: 0 })).toEqual([3, 7])
    },
  )

  test('without a body it goes back, and its mates run', async () => {
    const on = stage({ add: (a: number, b: number) => a + b })
    const group = await on.executor.map(addOf(on), [
      [1, 2],
      [3, 4],
    ])
    const event = await on.receive()
    const [first, second] = event.Records
    const Records = [{ ...first, body: undefined }, second]
    const failures = await invoke(on, { Records } as unknown as SQSEvent)
    expect(failures).toEqual([first?.messageId])
    expect((await group.counts()).succeeded).toBe(1)
  })
})

/** The registered function `add` of a stage. */
function addOf({ executor }: Stage): (a: number, b: number) => number {
  return internalsOf(executor).app.registry.find('add')?.run as (a: number, b: number) => number
}

describe('the time left (F-16)', () => {
  const contexts: readonly (readonly [string, unknown, boolean])[] = [
    ['no context', undefined, true],
    ['a context of null', null, true],
    ['a context without the method', {}, true],
    ['NaN', { getRemainingTimeInMillis: () => Number.NaN }, true],
    ['Infinity', { getRemainingTimeInMillis: () => Number.POSITIVE_INFINITY }, true],
    ['undefined', { getRemainingTimeInMillis: () => undefined }, true],
    ['a text', { getRemainingTimeInMillis: () => '60000' }, true],
    ['0', { getRemainingTimeInMillis: () => 0 }, false],
    ['negative', { getRemainingTimeInMillis: () => -5000 }, false],
    ['minus Infinity', { getRemainingTimeInMillis: () => Number.NEGATIVE_INFINITY }, true],
  ]
  test.each(contexts)('%s: the lease is finite, or nothing begins', async (_, context, runs) => {
    let release: () => void = () => {}
    const hold = () =>
      new Promise<void>((resolve) => {
        release = resolve
      })
    const on = stage({ hold })
    const future = await on.executor.submit(hold)
    const answer = on.handler(await on.receive(), context as InvocationContext)
    await on.clock.advance({ milliseconds: 1 })
    const [record] = await on.store.read([future.id])
    expect(record).toMatchObject({ state: runs ? 'running' : 'pending', attempts: runs ? 1 : 0 })
    if (runs) expect(record?.leaseUntil).toBe(record!.startedAt! + 63_000)
    release()
    expect((await on.clock.runUntil(answer)).batchItemFailures).toHaveLength(runs ? 0 : 1)
  })

  test('a context whose method throws fails nothing', async () => {
    const on = stage({ add: (a: number, b: number) => a + b })
    const future = await on.executor.submit(addOf(on), 1, 2)
    const getRemainingTimeInMillis = () => {
      throw new Error('no time')
    }
    const answer = on
      .handler(await on.receive(), { getRemainingTimeInMillis })
      .catch((error: unknown) => error)
    expect(await on.clock.runUntil(answer)).toEqual(nothing)
    expect(await future.result({ timeoutSeconds: 0 })).toBe(3)
  })

  test('a call whose own limit can never fit does not begin, and waits while the log says why', async () => {
    let runs = 0
    const long = task({ run: () => ++runs, timeoutSeconds: 50 })
    const on = stage({ long })
    const future = await on.executor.submit(long)
    expect(await invoke(on, await on.receive(), 51_000)).toHaveLength(1)
    expect(await future.snapshot()).toMatchObject({ state: 'pending', attempts: 0 })
    expect(vi.mocked(process.stderr.write).mock.calls.flat().join('')).toContain('raise its time-out')
    expect(await on.receive()).toMatchObject({ Records: [] })
    await on.clock.advance({ seconds: 61 })
    expect(await invoke(on, await on.receive(), 53_000)).toEqual([])
    expect([runs, await future.result({ timeoutSeconds: 0 })]).toEqual([1, 1])
  })

  test('without a limit of its own a call wants half of what the invocation had', async () => {
    const on = stage({ add: (a: number, b: number) => a + b })
    let slow = true
    on.executor.onWorkerStart(async () => {
      if (slow) await new Promise<void>((resolve) => on.clock.setTimer(resolve, 35_000))
    })
    const future = await on.executor.submit(addOf(on), 1, 2)
    expect(await invoke(on, await on.receive(), 60_000)).toHaveLength(1)
    expect((await future.snapshot()).attempts).toBe(0)
    slow = false
    // Deployed with less than the config says: what there is must do.
    expect(await invoke(on, await on.receive(), 30_000)).toEqual([])
  })

  test('a task that never settles, on an empty loop, ends `timed-out` before the deadline (F-14)', async () => {
    const forever = task({ run: () => new Promise(() => {}), maxAttempts: 1 })
    const on = stage({ forever })
    const future = await on.executor.submit(forever)
    const started = on.clock.now()
    expect(await invoke(on, await on.receive())).toEqual([])
    expect(on.clock.now() - started).toBe(55_000)
    const outcome = await future.outcome({ timeoutSeconds: 0 })
    expect(outcome).toMatchObject({ state: 'failed', reason: 'timed-out', attempts: 1 })
    const error = await future.exception({ timeoutSeconds: 0 })
    expect(error).toMatchObject({ name: 'TaskTimeoutError', code: 'task-timeout' })
    for (const part of ['"forever"', 'limit of 55 s', 'smaller', '`timeoutSeconds`']) {
      expect(error?.message).toContain(part)
    }
  })

  test('a late start cuts the limit to the time left', async () => {
    const forever = task({ run: () => new Promise(() => {}), maxAttempts: 1 })
    const on = stage({ forever })
    const future = await on.executor.submit(forever)
    await invoke(on, await on.receive(), 40_000)
    expect((await future.exception({ timeoutSeconds: 0 }))?.message).toContain('limit of 37 s')
  })
})

describe('one batch', () => {
  test('the same message twice runs once', async () => {
    let runs = 0
    const count = () => ++runs
    const on = stage({ count })
    const future = await on.executor.submit(count)
    const { Records } = await on.receive()
    await invoke(on, { Records: [...Records, ...Records] })
    expect([runs, await future.result({ timeoutSeconds: 0 })]).toEqual([1, 1])
  })

  test('the same message twice, whose call fails, names no id but its own', async () => {
    const boom = () => {
      throw new Error('boom')
    }
    const on = stage({ boom })
    const future = await on.executor.submit(boom)
    const { Records } = await on.receive()
    const failures = await invoke(on, { Records: [...Records, ...Records] })
    expect(new Set(failures)).toEqual(new Set([Records[0]?.messageId]))
    expect(await future.snapshot()).toMatchObject({ state: 'retrying', attempts: 1, failures: 1 })
  })

  test('of two messages of one call exactly one runs; the other is not acknowledged (F-01, F-24)', async () => {
    let runs = 0
    const slow = async () => {
      await new Promise<void>((resolve) => on.clock.setTimer(resolve, 5000))
      return ++runs
    }
    const on = stage({ slow })
    const future = await on.executor.submit(slow)
    const [message] = on.queue.inspect('default')
    await on.queue.send('default', [{ body: message?.body ?? '' }])
    const event = await on.receive()
    expect(event.Records).toHaveLength(2)
    const failures = await invoke(on, event)
    expect(failures).toHaveLength(1)
    expect([runs, await future.result({ timeoutSeconds: 0 })]).toEqual([1, 1])
    // Hidden until the lease of the other would have ended, then dropped, for the call is final.
    await on.clock.advance({ seconds: 70 })
    expect(await invoke(on, await on.receive())).toEqual([])
    expect(runs).toBe(1)
    expect(on.queue.inspect('default')).toEqual([])
  })

  test('of every kind of message: the answer names those that go back, and only those', async () => {
    const ok = () => 'ok'
    const boom = () => {
      throw new Error('boom')
    }
    const on = stage({ ok, boom })
    await on.executor.submit(ok)
    await on.executor.submit(boom)
    await on.executor.with({ idempotencyKey: 'k' }).submit(ok)
    await on.queue.send('default', [{ body: '{"not": "ours"}' }, { body: 'x' }])
    const event = await on.receive()
    const ids = event.Records.map(({ messageId }) => messageId)
    expect(await invoke(on, event)).toEqual([ids[1], ids[3], ids[4]])
  })

  test('a call that is to be tried soon does not wait for a slow mate', async () => {
    const starts: number[] = []
    const flaky = task({
      run: () => {
        starts.push(on.clock.now())
        if (currentTask.attempt === 1) throw new Error('once')
      },
      backoff: { baseSeconds: 0 },
    })
    const slow = () => new Promise<void>((resolve) => on.clock.setTimer(resolve, 50_000))
    const on = stage({ flaky, slow })
    await on.executor.submit(flaky)
    await on.executor.submit(slow)
    const first = on.handler(await on.receive())
    await on.clock.advance({ seconds: 10 })
    const again = await on.receive()
    expect(again.Records, 'visible after its back-off, not after its mate').toHaveLength(1)
    await on.clock.runUntil(Promise.all([first, on.handler(again)]))
    expect(starts[1]! - starts[0]!).toBeLessThan(11_000)
  })
})

describe('the name of the worker', () => {
  test('must be one of the config', () => {
    const { executor, ports } = stage({})
    const make = () => createWorkerHandler(internalsOf(executor).app, ports, 'mian')
    expect(make).toThrow(InvalidOptionError)
    expect(make).toThrow('worker "mian" is not declared; did you mean "main"? known: "main"')
  })

  test('is checked when the entry is made, not at each batch', () => {
    const { executor } = stage({})
    const make = (): WorkerHandler => workerHandler(executor, { worker: 'mian' })
    expect(make).toThrow('did you mean "main"?')
  })

  test('the entry wants an executor', () => {
    const notOne = {} as ReturnType<typeof stage>['executor']
    expect(() => workerHandler(notOne)).toThrow('expected an executor of createExecutor, got an object')
  })
})

describe('a start hook that is given up, and settles later', () => {
  test.each(['resolves', 'rejects'])('%s: what was made meanwhile stays', async (how) => {
    const pending: PromiseWithResolvers<object>[] = []
    const context = () => ({ ...currentTask.context })
    const on = stage({ context })
    const stopped: unknown[] = []
    on.executor.onWorkerStart(() => {
      const next = Promise.withResolvers<object>()
      pending.push(next)
      if (pending.length > 1) next.resolve({ db: pending.length })
      return next.promise
    })
    on.executor.onWorkerStop((made) => stopped.push({ ...made }))
    const results: unknown[] = []
    await on.executor.submit(context)
    await invoke(on, await on.receive())
    for (let round = 0; round < 2; round++) {
      const future = await on.executor.submit(context)
      await on.clock.advance({ minutes: 2 })
      await invoke(on, await on.receive())
      results.push(await future.result({ timeoutSeconds: 0 }))
      if (how === 'resolves') pending[0]?.resolve({ db: 1 })
      else pending[0]?.reject(new Error('too late'))
      await on.clock.advance({ milliseconds: 1 })
    }
    await on.handler.stop()
    expect(results).toEqual([{ db: 2 }, { db: 2 }])
    expect(stopped).toEqual([{ db: 2 }])
  })
})
