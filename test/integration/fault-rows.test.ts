import { createClient, createExecutor, currentTask, defineConfig, WaitTimeoutError } from 'errand'
import { testExecutor } from 'errand/testing'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Environment, runMessage } from '../../src/runtime/attempt/attempt.ts'
import type { AttemptReport } from '../../src/runtime/attempt/attempt-report.ts'
import { createMarks } from '../../src/runtime/attempt/marks.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { shopUnderTest } from '../support/shop-under-test.ts'
import { workerStage } from '../support/worker-stage.ts'

// Faults that no other test names: each alone, from the outside.

beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})

afterEach(() => {
  vi.restoreAllMocks()
})

const config = defineConfig({
  name: 'rows',
  workers: { main: { timeoutSeconds: 60, logLevel: 'error', concurrency: 2 } },
  taskOptions: { '*': { maxAttempts: 2, backoff: { baseSeconds: 0 } } },
})

describe('a cancel against everything else (F-42, I2, I7)', () => {
  // Each of them is one atomic write: before the claim, between claim and finish, or after both.
  const moments = [0, 1, 2] as const
  const orders = moments.flatMap((cancelled) => moments.map((aborted) => [cancelled, aborted] as const))

  test.each(orders)('cancelled at moment %i, aborted at %i, each twice', async (cancelAt, abortAt) => {
    const runs: string[] = []
    const told: (readonly [what: string, answer: boolean])[] = []
    const job = async () => void runs.push('ran')
    let moment = 0
    let interfere = async () => {}
    const on = workerStage(config, { job }, (store) => ({
      update: async (id, change) => {
        await interfere()
        moment += 1
        return store.update(id, change)
      },
    }))
    const future = await on.executor.submit(job)
    interfere = async () => {
      const { id } = future
      for (let time = 0; time < 2; time++) {
        if (moment === cancelAt) told.push(['cancel', await on.executor.future(id).cancel()])
        if (moment === abortAt) told.push(['abort', await on.executor.future(id).abort('enough')])
      }
    }
    let calls = 0
    future.addDoneCallback(() => {
      calls += 1
    })
    expect(await on.invoke(await on.receive())).toEqual([])
    moment = 2
    await interfere()
    await on.clock.runUntil(future.outcome())
    await new Promise((resolve) => setImmediate(resolve))
    const isBefore = cancelAt === 0 || abortAt === 0
    expect(await on.executor.future(future.id).state()).toBe(isBefore ? 'cancelled' : 'succeeded')
    expect(runs).toEqual(isBefore ? [] : ['ran'])
    const saidTrue = told.some(([what, answer]) => what === 'cancel' && answer)
    if (saidTrue) expect(isBefore).toBe(true)
    if (cancelAt === 0) expect(told).toContainEqual(['cancel', true])
    if (!isBefore && abortAt === 1) expect(told).toContainEqual(['abort', true])
    expect(calls).toBe(1)
  })
})

describe('a task that waits for a call (F-41)', () => {
  test('of its own queue, which waits for a free worker, ends by its time limit, and the other runs then', async () => {
    const one = defineConfig({
      name: 'nested',
      workers: { main: { concurrency: 2, batchSize: 1, timeoutSeconds: 20 } },
      taskOptions: { outer: { maxAttempts: 1 } },
    })
    const executor = createExecutor(one)
    const inner = executor.task('inner', async () => 'inner')
    const outer = executor.task('outer', async () => (await currentTask.submit(inner)).result())
    const t = testExecutor(executor, { realWaitSeconds: 0.05 })
    const futures = await outer.map([[], []])
    await t.drain()
    for (const future of futures) {
      const outcome = await future.outcome()
      if (outcome.state === 'failed') expect(outcome.reason).toBe('timed-out')
    }
    expect(t.submitted(inner).map(({ state }) => state)).toEqual(['succeeded', 'succeeded'])
    await t.close()
  })

  test('for itself ends by its time limit, or by its own', async () => {
    const { executor, t } = shopUnderTest(config, { realWaitSeconds: 0.05 })
    const forEver = executor.task('forEver', async () => executor.future(currentTask.id).result())
    const aWhile = executor.task('aWhile', async () => {
      await executor.future(currentTask.id).result({ timeoutSeconds: 1 })
    })
    const [waits, gives] = [await forEver.submit(), await aWhile.submit()]
    await t.drain()
    expect(await waits.outcome()).toMatchObject({ state: 'failed', reason: 'timed-out' })
    expect(await gives.exception()).toSatisfy((error) => WaitTimeoutError.is(error))
  })
})

test('who waits may die: others take the call up by its id, and are told the same (F-46)', async () => {
  const { executor, t, charge } = shopUnderTest(defineConfig({ name: 'shop' }))
  const future = await executor.submit(charge, 'order-17')
  const waiting = new AbortController()
  const abandoned = future.result({ signal: waiting.signal }).catch((error: unknown) => error)
  waiting.abort(new Error('the process ends'))
  expect(await abandoned).toMatchObject({ message: 'the process ends' })
  const clients = [1, 2].map(() => createClient(defineConfig({ name: 'shop' }), { backend: t.backend }))
  const results = clients.map((client) => client.future(future.id).result())
  await t.drain()
  expect(await Promise.all([...results, executor.future(future.id).result()])).toEqual([1, 1, 1])
  await Promise.all(clients.map((client) => client.close()))
})

test('clocks that disagree make no duration negative (F-49)', async () => {
  const job = async () => 'done'
  const on = workerStage(config, { job })
  const future = await on.executor.submit(job)
  const [message] = (await on.receive()).Records
  // The worker's clock is behind the sender's, and is set back whenever it is looked at.
  let behindMs = 2000
  const clock = {
    now() {
      behindMs += 100
      return on.clock.now() - behindMs
    },
    setTimer: on.clock.setTimer.bind(on.clock),
  }
  const ports = { ...on.ports, clock }
  const { app } = internalsOf(on.executor)
  const reports: AttemptReport[] = []
  const environment: Environment = {
    app,
    ports,
    worker: app.config.workers.get('main') as Environment['worker'],
    marks: createMarks(ports),
    log: () => {},
    context: {},
    observe: (report) => void reports.push(report),
  }
  const deadline = on.clock.now() + 60_000
  const body = message?.body ?? ''
  expect(await runMessage(environment, { body, deadline, budgetMs: 60_000 })).toEqual({ acknowledge: true })
  expect(await future.state()).toBe('succeeded')
  expect(reports).toMatchObject([{ outcome: 'succeeded', durationMilliseconds: 0, queueWaitMilliseconds: 0 }])
})
