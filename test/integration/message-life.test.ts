import { currentTask, defineConfig } from 'errand'
import { expect, test } from 'vitest'
import { outlivesMessage } from '../../src/runtime/call/message-life.ts'
import { shopUnderTest } from '../support/shop-under-test.ts'
import { workerStage } from '../support/worker-stage.ts'

// SQS drops a message when its queue's retention is over, whoever waits for it (F-26): no call may wait that long.

const HOUR = 3600
const backoff = { baseSeconds: HOUR, factor: 1, maxSeconds: HOUR }

test('retries that would outlast the message end the call with its last error, while the message lives (F-26, I1)', async () => {
  const queues = { default: { retentionSeconds: 8 * HOUR } }
  const { executor, t, charge } = shopUnderTest(
    defineConfig({ name: 'shop', queues, taskOptions: { charge: { maxAttempts: 100, backoff } } }),
  )
  t.failNext(charge, new Error('the bank is closed'), { times: 100 })
  const begunAt = t.now()
  const future = await executor.submit(charge, 'order-1')
  await t.drain()
  expect(await future.outcome()).toMatchObject({
    state: 'failed',
    reason: 'threw',
    error: { message: 'the bank is closed' },
  })
  const { attempts, finishedAt } = await future.snapshot()
  expect(attempts).toBeGreaterThan(5)
  expect(attempts).toBeLessThan(100)
  expect(Number(finishedAt) - begunAt).toBeLessThan(8 * HOUR * 1000)
  // And by hand it gets a message of its own, with a life of its own.
  const again = await executor.retry(future.id)
  await t.drain()
  expect((await again.snapshot()).attempts).toBeGreaterThan(attempts + 5)
})

test('what is left of a message: an hour, or of a short life a tenth', () => {
  const day = 24 * HOUR
  expect(outlivesMessage(23 * HOUR * 1000, 1, day)).toBe(false)
  expect(outlivesMessage(23 * HOUR * 1000 + 2, 1, day)).toBe(true)
  expect(outlivesMessage(54_001, 1, 60)).toBe(false)
  expect(outlivesMessage(54_002, 1, 60)).toBe(true)
  // Where nobody says when it was sent, nothing is known.
  expect(outlivesMessage(Number.MAX_SAFE_INTEGER, undefined, 60)).toBe(false)
  expect(outlivesMessage(Number.MAX_SAFE_INTEGER, 0, 60)).toBe(false)
})

test('a follow-up on a queue of short retention is not run again by a redelivery days later (F-01, I3)', async () => {
  const config = defineConfig({
    name: 'shop',
    queues: { default: {}, brief: { retentionSeconds: 60 } },
    workers: { main: { timeoutSeconds: 60, logLevel: 'error' } },
    routes: { note: 'brief' },
  })
  const runs: string[] = []
  const note = async () => void runs.push(currentTask.id)
  const build = async () => 'built'
  const on = workerStage(config, { build, note })
  const future = await on.executor.with({ then: note }).submit(build)
  const event = await on.receive()
  await on.invoke(event)
  await on.invoke(await on.receive('brief'), on.handler, 'brief')
  expect(runs).toEqual([`${future.id}:then`])
  for (const days of [2, 2]) {
    await on.clock.advance({ hours: days * 24 })
    // SQS had not deleted it after all.
    await on.handler(event, { getRemainingTimeInMillis: () => 60_000 })
    await on.invoke(await on.receive('brief'), on.handler, 'brief')
  }
  expect(runs).toHaveLength(1)
})
