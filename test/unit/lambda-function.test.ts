import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { describe, expect, test } from 'vitest'
import { inProcessQueue } from '../../src/local-emulator/in-process-queue.ts'
import { inProcessStore } from '../../src/local-emulator/in-process-store.ts'
import { lambdaFunction, type WorkerHandler } from '../../src/local-emulator/lambda-function.ts'
import { virtualClock } from '../../src/local-emulator/virtual-clock.ts'
import { delay } from '../../src/runtime/clock.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'
import type { Ports } from '../../src/runtime/ports/backend.ts'

const success: SQSBatchResponse = { batchItemFailures: [] }
const event: SQSEvent = { Records: [] }

function setup(makeHandler: (ports: Ports, environment: number) => WorkerHandler, timeoutSeconds = 10) {
  const clock = virtualClock(0)
  const queues = new Map([
    ['jobs', { name: 'jobs', fifo: false, draining: false, retentionSeconds: 3600, visibilitySeconds: 30 }],
  ])
  const store = inProcessStore({ clock })
  const queue = inProcessQueue({ queues, clock, entropy: systemEntropy })
  const ports = { clock, entropy: systemEntropy, queue, store }
  let environments = 0
  const lambda = lambdaFunction({
    name: 'shop-foo',
    ports,
    timeoutSeconds,
    clock,
    makeHandler: (own) => makeHandler(own, ++environments),
  })
  return { clock, lambda, queue, store, made: () => environments }
}

describe('lambdaFunction', () => {
  test('reuses an idle environment, and makes one for each invocation at once', async () => {
    const { clock, lambda, made } = setup(({ clock }) => async () => {
      await delay(clock, 1000)
      return success
    })
    await clock.runUntil(lambda.invoke(event))
    await clock.runUntil(lambda.invoke(event))
    expect(made()).toBe(1)
    await clock.runUntil(Promise.all([lambda.invoke(event), lambda.invoke(event), lambda.invoke(event)]))
    expect(made()).toBe(3)
    expect(lambda.environments()).toBe(3)
    expect(clock.pendingTimers).toBe(0)
  })

  test('hands over the event and the context, whose time runs out', async () => {
    const { clock, lambda } = setup(({ clock }) => async (given, context) => {
      expect(given).toBe(event)
      expect(context.functionName).toBe('shop-foo')
      expect(context.awsRequestId).toMatch(/^[0-9a-f-]{36}$/)
      expect(context.getRemainingTimeInMillis()).toBe(10_000)
      await delay(clock, 4000)
      expect(context.getRemainingTimeInMillis()).toBe(6000)
      return success
    })
    expect(await clock.runUntil(lambda.invoke(event))).toEqual({ ok: true, payload: success })
  })

  test.each<[string, WorkerHandler]>([
    ['a rejection', async () => Promise.reject(new Error('no'))],
    [
      'a throw before the first await',
      () => {
        throw new Error('no')
      },
    ],
  ])('%s fails the invocation, and keeps the environment', async (_, handler) => {
    const { lambda, made } = setup(() => handler)
    expect(await lambda.invoke(event)).toMatchObject({ ok: false, error: { message: 'no' } })
    expect(await lambda.invoke(event)).toMatchObject({ ok: false, error: { message: 'no' } })
    expect(made()).toBe(1)
  })

  test('a handler that cannot be made fails each invocation', async () => {
    const { lambda } = setup(() => {
      throw new Error('no database')
    })
    expect(await lambda.invoke(event)).toMatchObject({ ok: false, error: { message: 'no database' } })
    expect(lambda.environments()).toBe(0)
  })

  test('kills the environment at the time-out: nothing it does has an effect any more', async () => {
    const trace: string[] = []
    let wakeUp = () => {}
    const { clock, lambda, queue, store, made } = setup((ports, environment) => async () => {
      if (environment > 1) return success
      ports.clock.setTimer(() => trace.push('timer fired'), 11_000)
      ports.store.watch?.(() => trace.push('saw a write'))
      const polling = ports.queue.receive('jobs', { maxMessages: 1, waitSeconds: 20 })
      polling.then(() => trace.push('pending call settled'))
      await new Promise<void>((resolve) => {
        wakeUp = resolve
      })
      trace.push('woke up')
      ports.clock.setTimer(() => trace.push('second timer fired'), 1)
      ports.store.watch?.(() => trace.push('saw a write'))
      await ports.queue.send('jobs', [{ body: 'zombie' }])
      trace.push('call settled')
      return success
    })
    const result = await clock.runUntil(lambda.invoke(event))
    expect(result).toMatchObject({ ok: false, error: { message: 'Task timed out after 10.00 seconds' } })
    expect(clock.now()).toBe(10_000)
    expect(lambda.environments()).toBe(0)
    wakeUp()
    await clock.advance({ minutes: 1 })
    await store.putResult('a', 'owner', '1', 1000)
    expect(trace).toEqual(['woke up'])
    expect(queue.inspect('jobs')).toEqual([])
    expect(await lambda.invoke(event)).toEqual({ ok: true, payload: success })
    expect(made()).toBe(2)
  })

  test('the ports of an environment are the ports', async () => {
    const { lambda, queue } = setup((ports) => async () => {
      const timer = ports.clock.setTimer(() => {}, 1)
      timer.cancel()
      const stop = ports.store.watch?.(() => {})
      stop?.()
      await ports.queue.send('jobs', [{ body: 'a' }])
      const [message] = await ports.queue.receive('jobs', { maxMessages: 1, waitSeconds: 0 })
      const receiptHandle = message?.receiptHandle ?? ''
      await ports.queue.changeVisibility('jobs', [{ receiptHandle, visibilitySeconds: 5 }])
      expect(await ports.queue.counts('jobs')).toMatchObject({ inFlight: 1 })
      await ports.queue.delete('jobs', [receiptHandle])
      await ports.store.putResult('a', 'owner', '1', 1000)
      expect(await ports.store.readResult('a', 'owner')).toBe('1')
      expect(await ports.store.read(['a'])).toEqual([undefined])
      expect(await ports.store.update('a', { when: ['id', 'present'], set: {} })).toMatchObject({
        written: false,
      })
      await expect(ports.queue.counts('none')).rejects.toThrow('does not exist')
      return success
    })
    expect(await lambda.invoke(event)).toEqual({ ok: true, payload: success })
    expect(queue.inspect('jobs')).toEqual([])
  })

  test('killing all ends what runs as a crash does', async () => {
    const { lambda } = setup(() => () => new Promise(() => {}))
    const running = lambda.invoke(event)
    lambda.killAll()
    expect(await running).toMatchObject({ ok: false, error: { name: 'Runtime.ExitError' } })
    expect(lambda.environments()).toBe(0)
  })

  test('after a redeployment, invocations get new environments, and running ones end in their own', async () => {
    const { clock, lambda, made } = setup(({ clock }) => async () => {
      await delay(clock, 1000)
      return success
    })
    await clock.runUntil(lambda.invoke(event))
    const running = lambda.invoke(event)
    lambda.redeploy()
    expect(await clock.runUntil(running)).toEqual({ ok: true, payload: success })
    expect(lambda.environments()).toBe(0)
    await clock.runUntil(lambda.invoke(event))
    expect(made()).toBe(2)
  })
})
