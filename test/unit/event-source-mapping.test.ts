import type { SQSEvent } from 'aws-lambda'
import { afterEach, describe, expect, test } from 'vitest'
import {
  type EventSourceMapping,
  type EventSourceMappingOptions,
  startEventSourceMapping,
} from '../../src/local-emulator/event-source-mapping.ts'
import { arnOf, inProcessQueue } from '../../src/local-emulator/in-process-queue.ts'
import type { InvokeResult } from '../../src/local-emulator/lambda-function.ts'
import { virtualClock } from '../../src/local-emulator/virtual-clock.ts'
import { delay } from '../../src/runtime/clock.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'

const running: EventSourceMapping[] = []

afterEach(async () => {
  for (const mapping of running.splice(0)) await mapping.stop()
})

const ok = (payload: unknown): InvokeResult => ({ ok: true, payload })
const bodiesOf = ({ Records }: SQSEvent) => Records.map(({ body }) => body)
const messages = (...texts: string[]) => texts.map((body) => ({ body }))

function setup() {
  const clock = virtualClock(0)
  const definition = { draining: false, retentionSeconds: 345_600, visibilitySeconds: 30 }
  const queues = new Map([
    ['jobs', { name: 'jobs', fifo: false, ...definition }],
    ['ordered', { name: 'ordered', fifo: true, ...definition }],
  ])
  const queue = inProcessQueue({ queues, clock, entropy: systemEntropy })
  const errors: string[] = []
  function map(invoke: (event: SQSEvent) => unknown, options: Partial<EventSourceMappingOptions> = {}) {
    const mapping = startEventSourceMapping({
      queue,
      queueName: 'jobs',
      arn: arnOf('jobs'),
      batchSize: 10,
      batchWindowSeconds: 0,
      maximumConcurrency: 2,
      clock,
      onError: ({ message }) => errors.push(message),
      invoke: async (event) => ok(await invoke(event)),
      ...options,
    })
    running.push(mapping)
    return mapping
  }
  return { clock, queue, errors, map, settle: () => clock.advance({ milliseconds: 0 }) }
}

describe('an event', () => {
  test('is as AWS makes it', async () => {
    const { clock, queue, map, settle } = setup()
    await clock.advance({ seconds: 5 })
    const [sent] = await queue.send('jobs', [{ body: 'a', groupId: 'tenant' }])
    await clock.advance({ seconds: 2 })
    const events: SQSEvent[] = []
    map((event) => events.push(event) && undefined)
    await settle()
    expect(events).toEqual([
      {
        Records: [
          {
            ...sent,
            receiptHandle: expect.any(String),
            body: 'a',
            attributes: {
              ApproximateReceiveCount: '1',
              SentTimestamp: '5000',
              ApproximateFirstReceiveTimestamp: '7000',
              SenderId: expect.any(String),
              MessageGroupId: 'tenant',
            },
            messageAttributes: {},
            md5OfBody: '',
            eventSource: 'aws:sqs',
            eventSourceARN: 'arn:aws:sqs:local:000000000000:jobs',
            awsRegion: 'local',
          },
        ],
      },
    ])
  })

  test('holds at most a batch, in the order of a FIFO group', async () => {
    const { queue, map, settle } = setup()
    const numbers = Array.from({ length: 25 }, (_, index) => `${index}`)
    await queue.send(
      'ordered',
      numbers.map((body) => ({ body, groupId: 'g', deduplicationId: body })),
    )
    const batches: string[][] = []
    map((event) => batches.push(bodiesOf(event)) && undefined, { queueName: 'ordered', batchSize: 10 })
    await settle()
    expect(batches.map(({ length }) => length)).toEqual([10, 10, 5])
    expect(batches.flat()).toEqual(numbers)
  })
})

describe('ReportBatchItemFailures', () => {
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['an empty object', {}],
    ['an empty list', { batchItemFailures: [] }],
    ['a null list', { batchItemFailures: null }],
  ])('%s deletes all', async (_, payload) => {
    const { queue, errors, map, settle } = setup()
    await queue.send('jobs', messages('a', 'b'))
    map(() => payload)
    await settle()
    expect(queue.inspect('jobs')).toEqual([])
    expect(errors).toEqual([])
  })

  test.each<[string, (id: string) => unknown]>([
    ['an unknown id', (id) => [{ itemIdentifier: id }, { itemIdentifier: 'unknown' }]],
    ['an empty id', () => [{ itemIdentifier: '' }]],
    ['a null id', () => [{ itemIdentifier: null }]],
    ['a wrong key', (id) => [{ id }]],
    ['a list of ids', (id) => [id]],
    ['no list', (id) => ({ itemIdentifier: id })],
  ])('%s fails the whole batch', async (_, listOf) => {
    const { queue, errors, map, settle } = setup()
    await queue.send('jobs', messages('a', 'b'))
    map(({ Records }) => ({ batchItemFailures: listOf(Records[0]?.messageId ?? '') }))
    await settle()
    expect(queue.inspect('jobs').map(({ state }) => state)).toEqual(['in-flight', 'in-flight'])
    expect(errors).toEqual([expect.stringContaining('whole batch of 2 failed')])
  })

  test('a response that is no object fails the whole batch', async () => {
    const { queue, map, settle } = setup()
    await queue.send('jobs', messages('a'))
    map(() => 'fine')
    await settle()
    expect(queue.inspect('jobs')).toHaveLength(1)
  })

  test('a partial failure deletes the others; the failed stay hidden until their visibility ends', async () => {
    const { clock, queue, map } = setup()
    await queue.send('jobs', messages('a', 'b', 'c'))
    const batches: string[][] = []
    map((event) => {
      const failed = event.Records.filter(({ body }) => batches.length === 0 && body === 'b')
      batches.push(bodiesOf(event))
      return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
    })
    await clock.advance({ seconds: 29 })
    expect(queue.inspect('jobs')).toMatchObject([{ body: 'b', state: 'in-flight' }])
    await clock.advance({ seconds: 1 })
    expect(batches).toEqual([['a', 'b', 'c'], ['b']])
    expect(queue.inspect('jobs')).toEqual([])
  })

  test('an invocation that failed, or threw, deletes nothing', async () => {
    const { queue, errors, map, settle } = setup()
    await queue.send('jobs', messages('a'))
    map(() => undefined, { invoke: async () => ({ ok: false, error: new Error('Task timed out') }) })
    await settle()
    map(() => Promise.reject(new Error('no')))
    await queue.send('jobs', messages('b'))
    await settle()
    expect(queue.inspect('jobs')).toHaveLength(2)
    expect(errors[0]).toBe('Task timed out')
  })
})

describe('polling', () => {
  test('runs no more invocations at once than it may, and each as soon as there is room', async () => {
    const { clock, queue, map } = setup()
    await queue.send('jobs', messages('1', '2', '3', '4', '5'))
    let most = 0
    let current = 0
    map(
      async () => {
        most = Math.max(most, ++current)
        await delay(clock, 1000)
        current--
      },
      { batchSize: 1 },
    )
    await clock.advance({ milliseconds: 2999 })
    expect(queue.inspect('jobs')).toHaveLength(1)
    await clock.advance({ milliseconds: 1 })
    expect(most).toBe(2)
    expect(queue.inspect('jobs')).toEqual([])
  })

  test('waits for a batch to fill, for the window at most, from the first message on', async () => {
    const { clock, queue, map } = setup()
    const batches: [number, string[]][] = []
    map((event) => batches.push([clock.now(), bodiesOf(event)]) && undefined, {
      batchSize: 3,
      batchWindowSeconds: 20,
    })
    await clock.advance({ seconds: 10 })
    await queue.send('jobs', messages('a'))
    await clock.advance({ seconds: 15 })
    await queue.send('jobs', messages('b'))
    await clock.advance({ seconds: 40 })
    await queue.send('jobs', messages('c', 'd', 'e'))
    await clock.advance({ seconds: 1 })
    expect(batches).toEqual([
      [30_000, ['a', 'b']],
      [65_000, ['c', 'd', 'e']],
    ])
  })

  test('lets other work have its turn while the queue is full', async () => {
    const { queue, map, settle } = setup()
    await queue.send('jobs', messages(...Array.from({ length: 1000 }, (_, index) => `${index}`)))
    let turns = 0
    let done = false
    const count = () => {
      turns++
      if (!done) setImmediate(count)
    }
    count()
    map(() => undefined)
    setImmediate(function check() {
      done = queue.inspect('jobs').length === 0
      if (!done) setImmediate(check)
    })
    await settle()
    expect(done).toBe(true)
    expect(turns).toBeGreaterThan(90)
  })

  test('goes on after a poll that failed, later each time', async () => {
    const { clock, queue, errors, map } = setup()
    const polls: number[] = []
    const flaky = {
      ...queue,
      receive: async (...[name, options]: Parameters<typeof queue.receive>) => {
        polls.push(clock.now())
        if (polls.length <= 3) throw new Error('unreachable')
        return queue.receive(name, options)
      },
    }
    await queue.send('jobs', messages('a'))
    map(() => undefined, { queue: flaky })
    await clock.advance({ seconds: 10 })
    expect(polls.slice(0, 4)).toEqual([0, 1000, 3000, 7000])
    expect(errors).toEqual(['unreachable', 'unreachable', 'unreachable'])
    expect(queue.inspect('jobs')).toEqual([])
  })

  test('stops at once while it waits, also for its next try', async () => {
    const { clock, queue, map, settle } = setup()
    const idle = map(() => undefined)
    const broken = map(() => undefined, { queue: { ...queue, receive: () => Promise.reject('gone') } })
    await settle()
    await Promise.all([idle.stop(), broken.stop()])
    expect(clock.pendingTimers).toBe(0)
  })

  test('stops after the invocations that run, and takes no more', async () => {
    const { clock, queue, map, settle } = setup()
    await queue.send('jobs', messages('a'))
    let ended = false
    const mapping = map(async () => {
      await delay(clock, 5000)
      ended = true
    })
    await settle()
    const stopped = mapping.stop()
    await queue.send('jobs', messages('b'))
    await clock.runUntil(stopped)
    expect(ended).toBe(true)
    expect(queue.inspect('jobs').map(({ body }) => body)).toEqual(['b'])
  })
})
