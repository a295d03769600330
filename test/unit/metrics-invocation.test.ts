import type { SQSEvent } from 'aws-lambda'
import { createExecutor, defineConfig, task } from 'errand'
import { deadLetterHandler, workerHandler } from 'errand/lambda'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import type { Store } from '../../src/runtime/ports/store.ts'
import { flawsOfMetricLine, sumsOf } from '../support/metric-lines.ts'
import { keepLog, observedStage } from '../support/observed-stage.ts'
import { workerStage } from '../support/worker-stage.ts'

// When an invocation's lines are written: before its answer, however it ends. And only on Lambda.

const config = defineConfig({
  name: 'shop',
  workers: { main: { timeoutSeconds: 60 } },
  taskOptions: { '*': { backoff: { baseSeconds: 0 } } },
})

let log: ReturnType<typeof keepLog>

beforeEach(() => {
  log = keepLog()
})

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

const ok = () => 'ok'
const boom = task({
  maxAttempts: 1,
  run: () => {
    throw new Error('boom')
  },
})
const never = () => new Promise<never>(() => {})

describe('an invocation', () => {
  test('that runs out of time writes what ended, and what ends later with the next', async () => {
    const on = observedStage(config, { ok })
    let isSlow = true
    const update: Store['update'] = async (id, change) => {
      // The store takes the claim, and then says nothing until the invocation is over.
      if (isSlow && change.set.state === 'succeeded')
        await new Promise<void>((resolve) => on.clock.setTimer(resolve, 70_000))
      return on.store.update(id, change)
    }
    const slow = on.environment({ store: { ...on.store, update } })
    await on.executor.submit(ok)
    expect(await on.invoke('default', slow)).toHaveLength(1)
    expect(on.lines).toEqual([])
    isSlow = false
    await on.clock.advance({ seconds: 15 })
    expect(log.attempts()).toMatchObject([{ outcome: 'succeeded' }])
    await on.executor.submit(ok)
    await on.invoke('default', slow)
    expect(sumsOf(on.lines, 'App=shop')).toEqual({ Calls: 2 })
  })

  test('whose follow-up cannot be sent has told of the attempt before', async () => {
    const on = observedStage(config, { ok })
    const future = await on.executor.with({ then: ok }).submit(ok)
    const hanging = on.environment({ queue: { ...on.queue, send: never } })
    expect(await on.invoke('default', hanging)).toHaveLength(1)
    expect(await future.state()).toBe('succeeded')
    expect(log.attempts()).toMatchObject([{ id: future.id, outcome: 'succeeded' }])
    expect(sumsOf(on.lines, 'App=shop')).toEqual({ Calls: 1 })
  })

  test('that cannot write an end says so, and it is no call', async () => {
    const on = observedStage(config, { ok })
    const update: Store['update'] = async (id, change) => {
      if (change.set.state === 'succeeded') throw new Error('down')
      return on.store.update(id, change)
    }
    await on.executor.submit(ok)
    await on.invoke('default', on.environment({ store: { ...on.store, update } }))
    expect(log.attempts()).toMatchObject([{ level: 'warn', outcome: 'unwritten', durationMilliseconds: 0 }])
    expect(sumsOf(on.lines, 'App=shop')).toEqual({})
    await on.clock.advance({ seconds: 95 })
    await on.invoke()
    expect(sumsOf(on.lines, 'App=shop')).toEqual({ Kills: 1, Calls: 1 })
  })

  test('whose attempt lost its lease says so, and it is no call', async () => {
    const on = observedStage(config, { ok })
    const update: Store['update'] = async (id, change) => {
      const isEnd = change.set.state === 'succeeded'
      return isEnd ? { written: false, existing: undefined } : on.store.update(id, change)
    }
    await on.executor.submit(ok)
    await on.invoke('default', on.environment({ store: { ...on.store, update } }))
    expect(log.attempts()).toMatchObject([{ level: 'warn', outcome: 'lost' }])
    expect(sumsOf(on.lines, 'App=shop')).toEqual({})
  })

  test('whose log and metrics cannot be written answers as ever', async () => {
    const on = observedStage(config, { ok, boom })
    vi.mocked(process.stderr.write).mockImplementation(() => {
      throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
    })
    vi.spyOn(on.lines, 'push').mockImplementation(() => {
      throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
    })
    const future = await on.executor.submit(ok)
    const failed = await on.executor.submit(boom)
    expect(await on.invoke()).toEqual([])
    expect(await future.result()).toBe('ok')
    expect(await failed.state()).toBe('failed')
  })

  test.each([
    ['none', undefined],
    ['no id', {}],
    ['a number', { awsRequestId: 7 }],
    [
      'one that throws',
      {
        get awsRequestId() {
          throw new Error('no context')
        },
      },
    ],
  ])('with a context of %s runs, and its lines name no request', async (_, context) => {
    const on = observedStage(config, { ok })
    await on.executor.submit(ok)
    await on.clock.runUntil(on.handler(await on.receive(), context as object))
    expect(log.attempts()).toMatchObject([{ outcome: 'succeeded' }])
    expect(log.attempts()[0]).not.toHaveProperty('requestId')
  })
})

describe('a dead letter', () => {
  test('whose call is ended is undeliverable, in its queue and under its task', async () => {
    const on = observedStage(config, { ok })
    const future = await on.executor.submit(ok)
    await on.bury()
    expect(await future.state()).toBe('failed')
    const entry = { id: future.id, task: 'ok', queue: 'default', attempt: 0, outcome: 'failed' }
    const why = { reason: 'undeliverable', error: 'UndeliverableError' }
    expect(log.attempts()).toEqual([{ level: 'error', message: 'attempt failed', ...entry, ...why }])
    expect(sumsOf(on.lines, 'App=shop Queue=default Task=ok')).toEqual({ Failures: 1, Undeliverable: 1 })
    expect(on.lines.flatMap(flawsOfMetricLine)).toEqual([])
  })

  test('that cannot be read is undeliverable, under no task that it names', async () => {
    const on = observedStage(config, { ok })
    await on.queue.send('default', [{ body: '{"task":"made-up"}' }])
    await on.bury()
    expect(log.attempts()).toMatchObject([
      { task: '(unreadable)', queue: 'default', reason: 'undeliverable' },
    ])
    const unknown = 'App=shop Queue=default Task=(unknown)'
    expect(sumsOf(on.lines, unknown)).toEqual({ Failures: 1, Undeliverable: 1 })
  })

  test('of a call that ended already is nothing to tell of', async () => {
    const on = observedStage(config, { ok })
    const future = await on.executor.submit(ok)
    await future.cancel()
    await on.bury()
    expect([log.attempts(), on.lines]).toEqual([[], []])
  })
})

describe('the level of a worker', () => {
  test.each([
    ['info', 2],
    ['warn', 1],
    ['error', 1],
  ] as const)('%s leaves %i lines of a success and a failure, and all metrics', async (logLevel, lines) => {
    const on = observedStage({ ...config, workers: { main: { logLevel } } }, { ok, boom })
    await on.executor.submit(ok)
    await on.executor.submit(boom)
    await on.invoke()
    expect(log.attempts()).toHaveLength(lines)
    expect(sumsOf(on.lines, 'App=shop')).toEqual({ Calls: 2, Failures: 1 })
  })
})

describe('the entry', () => {
  /** The lines on standard output of a worker's and a dead-letter function's invocation. */
  async function linesOfEntries(): Promise<string[]> {
    const lines: string[] = []
    const { write } = process.stdout
    const written = vi
      .spyOn(process.stdout, 'write')
      .mockImplementation((line) => lines.push(String(line)) > 0)
    const on = workerStage(config, { ok })
    const backend: Backend = { ...on.ports, kind: 'aws', start: async () => {}, close: async () => {} }
    const executor = createExecutor(config, { tasks: { ok }, backend })
    await executor.submit(ok)
    await on.clock.runUntil(workerHandler(executor)(await on.receive()))
    await executor.submit(ok)
    const { Records } = await on.receive()
    await on.clock.runUntil(deadLetterHandler(executor)({ Records } as SQSEvent))
    written.mockRestore()
    // On Lambda the entry watches what is written, by a `write` of its own around the spied one.
    process.stdout.write = write
    return lines
  }

  test('writes metrics to standard output in a Lambda function', async () => {
    vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', 'shop-main')
    const lines = await linesOfEntries()
    expect(lines.flatMap(flawsOfMetricLine)).toEqual([])
    expect(sumsOf(lines, 'App=shop')).toEqual({ Calls: 1, Failures: 1, Undeliverable: 1 })
    expect(log.attempts()).toMatchObject([{ outcome: 'succeeded' }, { outcome: 'failed' }])
  })

  test('writes neither metrics nor lines of attempts anywhere else', async () => {
    vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', undefined)
    expect(await linesOfEntries()).toEqual([])
    expect(log.attempts()).toEqual([])
  })
})
