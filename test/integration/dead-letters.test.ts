import { defineConfig, UndeliverableError } from 'errand'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import { messageDueAt, scheduledCallId } from '../../src/runtime/call/scheduled-call.ts'
import { deadLettersOf } from '../../src/runtime/config/dead-letter-names.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { TaskTree } from '../../src/runtime/registry.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { resolveSchedule } from '../../src/runtime/schedules/resolve-schedules.ts'
import { workerStage } from '../support/worker-stage.ts'

// What SQS gave up on: its calls end, once, and by nobody who may not.

const config = defineConfig({
  name: 'dead-letters',
  queues: { default: {}, ordered: { fifo: true } },
  workers: { main: { timeoutSeconds: 60, logLevel: 'error' } },
  taskOptions: { '*': { maxAttempts: 3, backoff: { baseSeconds: 0 } } },
})

const DEAD = deadLettersOf('default')

let said: string[] = []

beforeEach(() => {
  said = []
  vi.spyOn(process.stderr, 'write').mockImplementation((line) => {
    said.push(String(line))
    return true
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

function stage(tasks: TaskTree) {
  const on = workerStage(config, tasks)
  const handler = createDeadLetterHandler(internalsOf(on.executor).app, on.ports)
  return {
    ...on,
    /** Takes what waits in the queue for dead letters, as SQS does after 100 receives. */
    bury: async () => {
      const { Records } = await on.receive()
      await on.queue.send(
        DEAD,
        Records.map(({ body }) => ({ body })),
      )
      await on.queue.delete(
        'default',
        Records.map(({ receiptHandle }) => receiptHandle),
      )
    },
    /** Runs the dead-letter handler over what waits. Returns how many messages went back. */
    end: async () => (await on.invoke(await on.receive(DEAD), handler, DEAD)).length,
    handler,
  }
}

const add = (a: number, b: number) => a + b

describe('a dead letter of a schedule', () => {
  test('is the request that was made of SQS, and ends its call as failed', async () => {
    const on = stage({ add })
    const future = await on.executor.submit(add, 1, 2)
    const { Records } = await on.receive()
    const [{ body } = { body: '' }] = Records
    const QueueUrl = 'https://sqs.eu-west-1.amazonaws.com/123456789012/shop-default'
    const letter = JSON.stringify({ QueueUrl, MessageBody: body, DelaySeconds: 17 })
    await on.queue.send(DEAD, [{ body: letter }])
    expect(await on.end()).toBe(0)
    expect(await on.clock.runUntil(future.outcome())).toMatchObject({ reason: 'undeliverable' })
    // Its arguments were kept as any other's.
    await on.executor.retry(future.id)
    expect(await future.state()).toBe('failed')
    expect(await on.executor.future(future.id).state()).toBe('pending')
  })

  test('of the config ends the run of its due time, under the id that a worker would have made', async () => {
    const on = stage({ add })
    const options = { cron: '0 2 * * *', args: [1, 2] }
    const config = resolveConfig({ name: 'shop' })
    const { body } = resolveSchedule('test', 'nightly', 'add', options, config)
    const dueAt = Math.floor(on.clock.now() / 60_000) * 60_000
    const QueueUrl = 'https://sqs.eu-west-1.amazonaws.com/123456789012/shop-default'
    await on.queue.send(DEAD, [
      { body: JSON.stringify({ QueueUrl, MessageBody: messageDueAt(body, dueAt) }) },
    ])
    expect(await on.end()).toBe(0)
    const future = on.executor.future(scheduledCallId('nightly', dueAt))
    expect(await future.snapshot()).toMatchObject({ state: 'failed', reason: 'undeliverable', task: 'add' })
  })

  test.each([
    '{"QueueUrl":"https://x/y"}',
    '{"QueueUrl":"https://x/y","MessageBody":5}',
    '{"QueueUrl":"https://x/y","MessageBody":"[]"}',
    '{"MessageBody":"{}"}',
  ])('that holds no envelope ends under its own id: %s', async (letter) => {
    const on = stage({ add })
    await on.queue.send(DEAD, [{ body: letter }])
    expect(await on.end()).toBe(0)
    expect(said.join('')).toContain('a dead letter cannot be read')
  })
})

describe('a dead letter (F-22)', () => {
  test('ends its call as failed, without running it, and says why', async () => {
    let runs = 0
    const count = () => ++runs
    const on = stage({ count })
    const future = await on.executor.submit(count)
    await on.bury()
    expect(await on.end()).toBe(0)
    expect(runs).toBe(0)
    expect(await on.clock.runUntil(future.outcome())).toMatchObject({
      state: 'failed',
      reason: 'undeliverable',
      attempts: 0,
      error: expect.any(UndeliverableError),
    })
    expect(on.queue.inspect(DEAD)).toEqual([])
  })

  test('of a call without a record makes one', async () => {
    const on = stage({ add })
    const future = await on.executor.submit(add, 1, 2)
    await on.bury()
    await on.clock.advance({ hours: 1 })
    const [message] = on.queue.inspect(DEAD)
    const id = 'a-call-that-nobody-wrote'
    await on.queue.send(DEAD, [{ body: message!.body.replace(future.id, id) }])
    expect(await on.end()).toBe(0)
    expect(await on.executor.future(id).snapshot()).toMatchObject({
      state: 'failed',
      reason: 'undeliverable',
      attempts: 0,
    })
  })

  test('of a call that ended is dropped, and changes nothing', async () => {
    const on = stage({ add })
    const future = await on.executor.submit(add, 1, 2)
    const [message] = on.queue.inspect('default')
    await on.drain()
    await on.queue.send(DEAD, [{ body: message!.body }])
    expect(await on.end()).toBe(0)
    expect(await future.result()).toBe(3)
  })

  test('waits while an attempt holds the lease, and then ends what that attempt did not (F-23)', async () => {
    const on = stage({ hang: () => new Promise(() => {}) })
    const future = await on.executor.future(
      (await on.executor.submit(on.executor.task('other', add), 1, 2)).id,
    )
    const event = await on.receive()
    // An environment that dies in the middle: nobody writes its end.
    const [record] = await on.store.read([future.id])
    const now = on.clock.now()
    await on.store.update(future.id, {
      when: ['state', '=', 'pending'],
      set: { state: 'running', owner: 'dead', leaseUntil: now + 63_000, startedAt: now, attempts: 1 },
    })
    await on.queue.send(DEAD, [{ body: event.Records[0]!.body }])
    expect(await on.end()).toBe(1)
    expect(await future.state()).toBe('running')
    expect(record?.attempts).toBe(0)
    await on.clock.advance({ seconds: 65 })
    expect(await on.end()).toBe(0)
    expect(await future.snapshot()).toMatchObject({ state: 'failed', reason: 'undeliverable', attempts: 1 })
  })

  test('of a marked call ends it as cancelled', async () => {
    const on = stage({ add })
    const future = await on.executor.submit(add, 1, 2)
    await on.bury()
    await on.store.update(future.id, {
      when: ['state', '=', 'pending'],
      set: { state: 'running', owner: 'dead', leaseUntil: on.clock.now() - 1, abortReason: 'enough' },
    })
    expect(await on.end()).toBe(0)
    expect(await future.cancelled()).toBe(true)
  })

  test('that cannot be read ends under its message id, and is said aloud; its batch-mates end too', async () => {
    const on = stage({ add })
    const future = await on.executor.submit(add, 1, 2)
    await on.bury()
    const [sent] = await on.queue.send(DEAD, [{ body: 'not an envelope' }])
    expect(await on.end()).toBe(0)
    const id = sent !== undefined && 'messageId' in sent ? sent.messageId : ''
    expect(await on.executor.future(id).snapshot()).toMatchObject({
      state: 'failed',
      reason: 'undeliverable',
      queue: 'default',
    })
    expect(await future.done()).toBe(true)
    expect(said.join('')).toContain('cannot be read')
  })

  test('that cannot be written goes back, and is not lost', async () => {
    const on = stage({ add })
    const future = await on.executor.submit(add, 1, 2)
    await on.bury()
    const store = {
      ...on.store,
      update: () => Promise.reject(new Error('down')),
      put: () => Promise.reject(new Error('down')),
    }
    const broken = createDeadLetterHandler(internalsOf(on.executor).app, { ...on.ports, store })
    await on.queue.send(DEAD, [{ body: 'nor is this' }])
    expect(await on.invoke(await on.receive(DEAD), broken, DEAD)).toHaveLength(2)
    expect(await future.state()).toBe('pending')
    await on.clock.advance({ seconds: 120 })
    expect(await on.end()).toBe(0)
    expect(await future.state()).toBe('failed')
  })

  test('of the future, which no worker would take, ends under its message id', async () => {
    const on = stage({ add })
    await on.executor.submit(add, 1, 2)
    const { Records } = await on.receive()
    const body = Records[0]!.body.replace(/"dueAt":\d+/, '"dueAt":8640000000000000')
    const [sent] = await on.queue.send(DEAD, [{ body }])
    expect(await on.end()).toBe(0)
    const id = sent !== undefined && 'messageId' in sent ? sent.messageId : ''
    expect(await on.executor.future(id).state()).toBe('failed')
    await expect(on.executor.retry(id)).rejects.toThrow(/nobody could read/)
  })

  test('of an earlier send, delivered again, does not end a call that was retried by hand', async () => {
    const on = stage({ add })
    const future = await on.executor.submit(add, 1, 2)
    const [message] = on.queue.inspect('default')
    await on.bury()
    await on.end()
    await on.executor.retry(future.id)
    // Its acknowledgement was lost: it comes again before a worker has come.
    await on.queue.send(DEAD, [{ body: message!.body }])
    expect(await on.end()).toBe(0)
    expect(await on.executor.future(future.id).state()).toBe('pending')
    await on.drain()
    expect(await on.executor.future(future.id).result()).toBe(3)
  })

  test('of a call that was submitted again after its retry was interrupted ends it', async () => {
    const on = stage({ add })
    const key = on.executor.with({ idempotencyKey: 'k' })
    const future = await key.submit(add, 1, 2)
    await on.bury()
    await on.end()
    const send = vi.spyOn(on.ports.queue, 'send').mockRejectedValueOnce(new Error('no network'))
    await expect(on.executor.retry(future.id)).rejects.toThrow('retry it again')
    send.mockRestore()
    await key.submit(add, 1, 2)
    await on.bury()
    expect(await on.end()).toBe(0)
    expect(await on.executor.future(future.id).state()).toBe('failed')
  })

  test('keeps its arguments, and can be retried by hand', async () => {
    const on = stage({ add })
    const future = await on.executor.submit(add, 1, 2)
    await on.bury()
    await on.end()
    const again = await on.executor.retry(future.id)
    await on.drain()
    expect(await again.result()).toBe(3)
  })
})
