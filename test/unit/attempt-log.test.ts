import type { SQSEvent } from 'aws-lambda'
import { type Config, currentTask, defineConfig, task } from 'errand'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TaskTree } from '../../src/runtime/registry.ts'
import { flawsOfMetricLine, metricsOf, sumsOf } from '../support/metric-lines.ts'
import { keepLog, observedStage } from '../support/observed-stage.ts'

// What a worker on Lambda tells of its attempts: a line of the log for each, and metrics that agree with what ran.

const config = defineConfig({
  name: 'shop',
  queues: { default: {}, ordered: { fifo: true } },
  workers: { main: { timeoutSeconds: 60, batchSize: 10 } },
  taskOptions: { '*': { maxAttempts: 2, backoff: { baseSeconds: 0 } } },
})

let log: ReturnType<typeof keepLog>

beforeEach(() => {
  log = keepLog()
})

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

const stage = (tasks: TaskTree, declared: Config = config) => observedStage(declared, tasks)

const ok = () => 'ok'
const boom = task({
  maxAttempts: 1,
  run: (secret: string) => {
    throw new TypeError(`cannot read ${secret}`)
  },
})
const flaky = () => {
  if (currentTask.attempt === 1) throw new RangeError('once')
  return 'ok'
}

/** The invocation as Lambda's own context tells it. */
const context = { awsRequestId: 'request-1', getRemainingTimeInMillis: () => 60_000 }

describe('a batch', () => {
  test('of a success, a failure, a retry, a duplicate, and what is no call: lines and sums agree', async () => {
    const on = stage({ ok, boom, flaky })
    const good = await on.executor.submit(ok)
    const bad = await on.executor.submit(boom, 'hunter2')
    const again = await on.executor.submit(flaky)
    await on.clock.advance({ milliseconds: 1500 })
    const { Records } = await on.receive()
    const duplicate = Records.filter(({ body }) => body.includes(good.id))
    const other = { ...Records[0]!, messageId: 'other', body: '{"not": "ours"}' }
    const event = { Records: [...Records, ...duplicate, other] } as SQSEvent
    await on.clock.runUntil(on.handler(event, context))

    const shared = { queue: 'default', attempt: 1, queueWaitMilliseconds: 1500, durationMilliseconds: 0 }
    const requestId = 'request-1'
    expect(log.attempts()).toHaveLength(3)
    expect(log.attempts()).toEqual(
      expect.arrayContaining([
        {
          ...{ ...shared, requestId, level: 'info', message: 'attempt succeeded', id: good.id, task: 'ok' },
          outcome: 'succeeded',
        },
        {
          ...{ ...shared, requestId, level: 'error', message: 'attempt failed', id: bad.id, task: 'boom' },
          ...{ outcome: 'failed', reason: 'threw', error: 'TypeError' },
        },
        {
          ...{ ...shared, requestId, level: 'warn', message: 'attempt retrying', id: again.id },
          ...{ task: 'flaky', outcome: 'retrying', reason: 'threw', error: 'RangeError' },
        },
      ]),
    )
    expect(sumsOf(on.lines, 'App=shop')).toEqual({ Calls: 3, Failures: 1, Retries: 1 })
    await on.drain()
    // `drain` runs by an environment that nobody observes.
    expect(sumsOf(on.lines, 'App=shop')).toEqual({ Calls: 3, Failures: 1, Retries: 1 })
    expect(on.lines.flatMap(flawsOfMetricLine)).toEqual([])
  })

  test('and its retry: each attempt waited since it was due', async () => {
    const late = task({ run: flaky, backoff: { baseSeconds: 20 } })
    const on = stage({ late })
    const future = await on.executor.submit(late)
    await on.clock.advance({ seconds: 3 })
    await on.invoke()
    const { dueAt } = await future.snapshot()
    await on.clock.advance({ seconds: 100 })
    const waited = on.clock.now() - dueAt.getTime()
    expect(waited).toBeGreaterThan(60_000)
    await on.invoke()
    expect(log.attempts()).toMatchObject([
      { attempt: 1, outcome: 'retrying', queueWaitMilliseconds: 3000 },
      { attempt: 2, outcome: 'succeeded', queueWaitMilliseconds: waited },
    ])
    expect(metricsOf(on.lines).get('App=shop Queue=default Task=late')).toEqual({
      Calls: [1, 1],
      Retries: [1],
      DurationMilliseconds: [0, 0],
      QueueWaitMilliseconds: [3000, waited],
    })
  })

  test('of a FIFO queue, whose calls wait for each other', async () => {
    const slow = () => new Promise<void>((resolve) => on.clock.setTimer(resolve, 400))
    const on = stage({ slow }, { ...config, routes: { slow: 'ordered' } })
    await on.executor.map(slow, [[], [], []])
    await on.invoke('ordered')
    expect(sumsOf(on.lines, 'App=shop Queue=ordered Task=slow')).toEqual({ Calls: 3 })
    const values = metricsOf(on.lines).get('App=shop Queue=ordered')
    expect(values?.DurationMilliseconds).toEqual([400, 400, 400])
    expect(values?.QueueWaitMilliseconds?.toSorted((a, b) => a - b)).toEqual([0, 400, 800])
    expect(on.lines).toHaveLength(1)
  })

  test('with more than is well in one list of values', async () => {
    const on = stage({ ok })
    const event = { Records: [] as unknown[] }
    await on.executor.map(
      ok,
      Array.from({ length: 230 }, () => []),
    )
    for (let from = 0; from < 230; from += 10) event.Records.push(...(await on.receive()).Records)
    await on.clock.runUntil(on.handler(event as SQSEvent, context))
    expect(sumsOf(on.lines, 'App=shop')).toEqual({ Calls: 230 })
    expect(metricsOf(on.lines).get('App=shop')?.DurationMilliseconds).toHaveLength(230)
    expect(on.lines).toHaveLength(3)
    expect(on.lines.flatMap(flawsOfMetricLine)).toEqual([])
  })

  test('no argument, result, or message of an error is in any line', async () => {
    const secret = 'hunter2'
    const leaky = task({
      maxAttempts: 1,
      run: (what: string) => {
        throw Object.assign(new Error(`no ${what}`), { name: `Not ${what}`, code: what })
      },
    })
    const thrown = task({
      maxAttempts: 1,
      run: (what: string) => {
        throw what
      },
    })
    const echo = (what: string) => what
    const on = stage({ boom, leaky, thrown, echo })
    await on.executor.submit(boom, secret)
    await on.executor.submit(leaky, secret)
    await on.executor.submit(thrown, secret)
    await on.executor.submit(echo, secret)
    await on.invoke()
    expect(log.attempts().map(({ error }) => error)).toEqual(
      expect.arrayContaining(['TypeError', 'Error', 'string', undefined]),
    )
    expect(log.attempts()).toHaveLength(4)
    expect([...log.said, ...on.lines].join('')).not.toContain(secret)
  })
})

describe('a killed attempt', () => {
  const hang = () => new Promise<never>(() => {})

  test('is told of by the claim after it, at once: that one may be killed as well', async () => {
    const on = stage({ hang }, { ...config, taskOptions: { '*': { maxKills: 3 } } })
    const future = await on.executor.submit(hang)
    for (let kill = 0; kill < 3; kill++) await on.kill()
    expect(sumsOf(on.lines, 'App=shop')).toEqual({ Kills: 2 })
    await on.invoke()
    expect(await future.snapshot()).toMatchObject({ state: 'failed', reason: 'killed' })
    expect(sumsOf(on.lines, 'App=shop')).toEqual({ Kills: 3, Calls: 1, Failures: 1 })
    expect(log.attempts()).toMatchObject([
      { level: 'warn', message: 'attempt killed', attempt: 1, outcome: 'killed' },
      { attempt: 2, outcome: 'killed' },
      { attempt: 3, outcome: 'killed' },
      { attempt: 4, outcome: 'failed', reason: 'killed', error: 'TaskKilledError' },
    ])
    // Nothing ran, and what was waited for was a lease.
    expect(metricsOf(on.lines).get('App=shop')).not.toHaveProperty('DurationMilliseconds')
    expect(metricsOf(on.lines).get('App=shop')).not.toHaveProperty('QueueWaitMilliseconds')
    expect(on.lines.flatMap(flawsOfMetricLine)).toEqual([])
  })

  test('is told of once, whatever its call does later', async () => {
    const ends = ['hang', 'throw', 'hang', 'throw', 'ok']
    const moody = task({
      maxAttempts: 5,
      run: () => {
        const end = ends[currentTask.attempt - 1]
        if (end === 'throw') throw new Error('again')
        return end === 'hang' ? hang() : 'ok'
      },
    })
    const on = stage({ moody })
    await on.executor.submit(moody)
    await on.kill()
    await on.invoke()
    await on.kill()
    await on.invoke()
    await on.invoke()
    const outcomes = log.attempts().map(({ attempt, outcome }) => `${attempt} ${outcome}`)
    expect(outcomes).toEqual(['1 killed', '2 retrying', '3 killed', '4 retrying', '5 succeeded'])
    expect(sumsOf(on.lines, 'App=shop')).toEqual({ Kills: 2, Calls: 3, Retries: 2 })
    // After a kill it was a lease that was waited for, not the queue.
    const waited = log.attempts().filter((entry) => entry.queueWaitMilliseconds !== undefined)
    expect(waited.map(({ attempt }) => attempt)).toEqual([5])
  })

  test('and those that a retry by hand has forgiven, are no news', async () => {
    const ends = ['hang', 'throw', 'throw', 'hang', 'ok']
    const moody = task({
      maxAttempts: 2,
      run: () => {
        const end = ends[currentTask.attempt - 1]
        if (end === 'throw') throw new Error('again')
        return end === 'hang' ? hang() : 'ok'
      },
    })
    const on = stage({ moody })
    const future = await on.executor.submit(moody)
    await on.kill()
    await on.invoke()
    await on.invoke()
    await on.executor.retry(future.id)
    await on.kill()
    await on.invoke()
    const outcomes = log.attempts().map(({ attempt, outcome }) => `${attempt} ${outcome}`)
    expect(outcomes).toEqual(['1 killed', '2 retrying', '3 failed', '4 killed', '5 succeeded'])
  })

  test('whose message SQS gave up on, is told of by who ends the call', async () => {
    const on = stage({ hang })
    await on.executor.submit(hang)
    await on.kill()
    await on.bury()
    expect(log.attempts()).toMatchObject([
      { attempt: 1, outcome: 'killed' },
      { attempt: 1, outcome: 'failed', reason: 'undeliverable' },
    ])
    expect(sumsOf(on.lines, 'App=shop')).toEqual({ Kills: 1, Failures: 1, Undeliverable: 1 })
  })
})
