import { describe, expect, test } from 'vitest'
import {
  arnOf,
  type InProcessQueueOptions,
  inProcessQueue,
} from '../../src/local-emulator/in-process-queue.ts'
import { virtualClock } from '../../src/local-emulator/virtual-clock.ts'
import { LIMITS, type ResolvedQueue } from '../../src/runtime/config/config.ts'
import { deadLettersOf } from '../../src/runtime/config/dead-letter-names.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'
import type { OutgoingMessage, Queue, ReceivedMessage } from '../../src/runtime/ports/queue.ts'

const DAY = 86_400

function definition(name: string, options: Partial<ResolvedQueue> = {}): ResolvedQueue {
  return { name, fifo: false, draining: false, retentionSeconds: 4 * DAY, visibilitySeconds: 30, ...options }
}

function setup(options: Partial<InProcessQueueOptions> = {}) {
  const clock = virtualClock(0)
  const queues = new Map([
    ['jobs', definition('jobs')],
    ['ordered', definition('ordered', { fifo: true })],
  ])
  const queue = inProcessQueue({ queues, clock, entropy: systemEntropy, ...options })
  return { clock, queue }
}

const now = { maxMessages: 10, waitSeconds: 0 }
const bodies = (messages: readonly { body: string }[]) => messages.map(({ body }) => body)
const handles = (messages: readonly ReceivedMessage[]) => messages.map(({ receiptHandle }) => receiptHandle)

async function refusal(queue: Queue, name: string, message: OutgoingMessage): Promise<string | undefined> {
  const [result] = await queue.send(name, [message])
  return result !== undefined && 'error' in result ? result.error.name : undefined
}

function inGroup(groupId: string, ...texts: string[]): OutgoingMessage[] {
  return texts.map((body) => ({ body, groupId, deduplicationId: `${groupId}-${body}` }))
}

describe('a standard queue', () => {
  test('hides what it gave out for its visibility, then gives it out again under a new receipt', async () => {
    const { clock, queue } = setup()
    await queue.send('jobs', [{ body: 'a' }, { body: 'b' }])
    const [first] = await queue.receive('jobs', { ...now, maxMessages: 1 })
    expect(first).toMatchObject({ body: 'a', receiveCount: 1, sentAt: 0, firstReceivedAt: 0 })
    expect(bodies(await queue.receive('jobs', now))).toEqual(['b'])
    await clock.advance({ seconds: 29 })
    expect(await queue.receive('jobs', now)).toEqual([])
    await clock.advance({ seconds: 1 })
    const again = await queue.receive('jobs', now)
    expect(bodies(again)).toEqual(['a', 'b'])
    expect(again[0]).toMatchObject({ receiveCount: 2, sentAt: 0, firstReceivedAt: 0 })
    expect(again[0]?.messageId).toBe(first?.messageId)
    expect(again[0]?.receiptHandle).not.toBe(first?.receiptHandle)
  })

  test('ignores a stale receipt, and refuses what is no receipt of its own', async () => {
    const { clock, queue } = setup()
    await queue.send('jobs', [{ body: 'a' }])
    const stale = handles(await queue.receive('jobs', now))
    await clock.advance({ seconds: 30 })
    await queue.delete('jobs', stale)
    const fresh = handles(await queue.receive('jobs', now))
    await queue.delete('jobs', stale)
    await queue.changeVisibility('jobs', [{ receiptHandle: stale[0] ?? '', visibilitySeconds: 0 }])
    expect(await queue.counts('jobs')).toEqual({ visible: 0, inFlight: 1, delayed: 0 })
    await expect(queue.delete('jobs', ['nonsense', ...fresh])).rejects.toMatchObject({
      name: 'ReceiptHandleIsInvalid',
    })
    expect(await queue.counts('jobs')).toEqual({ visible: 0, inFlight: 0, delayed: 0 })
    await expect(
      queue.changeVisibility('ordered', [{ receiptHandle: fresh[0] ?? '', visibilitySeconds: 1 }]),
    ).rejects.toMatchObject({ name: 'ReceiptHandleIsInvalid' })
  })

  test('delays a message by itself', async () => {
    const { clock, queue } = setup()
    await queue.send('jobs', [{ body: 'late', delaySeconds: 900 }, { body: 'now' }])
    expect(await queue.counts('jobs')).toEqual({ visible: 1, inFlight: 0, delayed: 1 })
    expect(bodies(await queue.receive('jobs', now))).toEqual(['now'])
    await clock.advance({ minutes: 15 })
    expect(bodies(await queue.receive('jobs', now))).toEqual(['now', 'late'])
  })

  test('changes a visibility, counted from now, up to 12 hours from the receipt', async () => {
    const { clock, queue } = setup()
    await queue.send('jobs', [{ body: 'a' }])
    const [message] = await queue.receive('jobs', now)
    const receiptHandle = message?.receiptHandle ?? ''
    const change = (visibilitySeconds: number) =>
      queue.changeVisibility('jobs', [{ receiptHandle, visibilitySeconds }])
    await change(LIMITS.visibilitySeconds)
    await clock.advance({ hours: 11 })
    await expect(change(3601)).rejects.toMatchObject({ name: 'InvalidParameterValue' })
    await expect(change(-1)).rejects.toMatchObject({ name: 'InvalidParameterValue' })
    await expect(change(LIMITS.visibilitySeconds + 1)).rejects.toMatchObject({
      name: 'InvalidParameterValue',
    })
    await change(3600)
    await clock.advance({ minutes: 59 })
    expect(await queue.receive('jobs', now)).toEqual([])
    await change(0)
    expect(bodies(await queue.receive('jobs', now))).toEqual(['a'])
  })

  test('drops messages by their original age, however often they were hidden', async () => {
    const { clock, queue } = setup({ queues: new Map([['q', definition('q', { retentionSeconds: 60 })]]) })
    await queue.send('q', [{ body: 'a' }])
    await queue.receive('q', now)
    await clock.advance({ seconds: 31 })
    await queue.send('q', [{ body: 'b' }])
    await clock.advance({ seconds: 29 })
    expect(bodies(queue.inspect('q'))).toEqual(['b'])
    expect(await queue.counts('q')).toEqual({ visible: 1, inFlight: 0, delayed: 0 })
    expect(bodies(await queue.receive('q', now))).toEqual(['b'])
  })

  test('moves a message to the dead letters after so many receives, its id and age kept', async () => {
    const { clock, queue } = setup({ deadLetters: { maxReceiveCount: 2 } })
    const [sent] = await queue.send('jobs', [{ body: 'poison' }])
    for (let receives = 0; receives < 2; receives++) {
      expect(await queue.receive('jobs', now)).toHaveLength(1)
      await clock.advance({ seconds: 30 })
    }
    const waiting = queue.receive(deadLettersOf('jobs'), { ...now, waitSeconds: 20 })
    expect(await queue.receive('jobs', now)).toEqual([])
    expect(queue.inspect(deadLettersOf('jobs'))).toMatchObject([{ ...sent, state: 'visible' }])
    expect(queue.unfinished()).toBe(0)
    expect(await waiting).toMatchObject([{ ...sent, body: 'poison', sentAt: 0 }])
    await clock.advance({ hours: 14 * 24 })
    expect(queue.inspect(deadLettersOf('jobs'))).toEqual([])
  })

  test('gives out no more than 120,000 at a time', async () => {
    const { queue } = setup()
    const some = Array.from({ length: 10_000 }, () => ({ body: 'x' }))
    for (let sent = 0; sent < 130_000; sent += some.length) await queue.send('jobs', some)
    let received = 0
    while (received < 120_000) received += (await queue.receive('jobs', now)).length
    expect(received).toBe(120_000)
    await expect(queue.receive('jobs', now)).rejects.toMatchObject({ name: 'OverLimit' })
    const ended = new AbortController()
    const polling = queue.receive('jobs', { ...now, waitSeconds: 20, signal: ended.signal })
    ended.abort()
    expect(await polling).toEqual([])
  })
})

describe('a receive that waits', () => {
  test('gets what is sent in one turn as one batch', async () => {
    const { queue } = setup()
    const waiting = queue.receive('jobs', { ...now, waitSeconds: 20 })
    await queue.send('jobs', [{ body: 'a' }])
    await queue.send('jobs', [{ body: 'b' }])
    expect(bodies(await waiting)).toEqual(['a', 'b'])
  })

  test('ends with nothing after its time, or by its signal', async () => {
    const { clock, queue } = setup()
    const waiting = queue.receive('jobs', { ...now, waitSeconds: 20 })
    await clock.runUntil(waiting)
    expect(clock.now()).toBe(20_000)
    const ending = new AbortController()
    const endless = queue.receive('jobs', {
      ...now,
      waitSeconds: Number.POSITIVE_INFINITY,
      signal: ending.signal,
    })
    expect(clock.pendingTimers).toBe(0)
    ending.abort()
    expect(await endless).toEqual([])
    await queue.send('jobs', [{ body: 'a' }])
    expect(await queue.receive('jobs', { ...now, waitSeconds: 20, signal: ending.signal })).toEqual([])
  })

  test('gets a delayed message the moment it is due, by one timer for the queue', async () => {
    const { clock, queue } = setup()
    const delayed = [5, 3, 4, 900].map((delaySeconds) => ({ body: `${delaySeconds}`, delaySeconds }))
    await queue.send('jobs', delayed)
    expect(clock.pendingTimers).toBe(0)
    const waiting = queue.receive('jobs', { ...now, waitSeconds: 20 })
    expect(clock.pendingTimers).toBe(2)
    expect(bodies(await clock.runUntil(waiting))).toEqual(['3'])
    expect(clock.now()).toBe(3000)
    expect(clock.pendingTimers).toBe(0)
  })

  test('leaves no timer behind for a message that was deleted', async () => {
    const { clock, queue } = setup()
    await queue.send('jobs', [{ body: 'a' }])
    const received = await queue.receive('jobs', now)
    void queue.receive('jobs', { ...now, waitSeconds: Number.POSITIVE_INFINITY })
    expect(clock.pendingTimers).toBe(1)
    await queue.delete('jobs', handles(received))
    expect(clock.pendingTimers).toBe(0)
  })

  test('shares with others that wait', async () => {
    const { queue } = setup()
    const one = queue.receive('jobs', { maxMessages: 1, waitSeconds: 20 })
    const two = queue.receive('jobs', { maxMessages: 10, waitSeconds: 20 })
    await queue.send('jobs', [{ body: 'a' }, { body: 'b' }, { body: 'c' }])
    expect(bodies(await one)).toEqual(['a'])
    expect(bodies(await two)).toEqual(['b', 'c'])
  })
})

describe('a FIFO queue', () => {
  test('fills a batch from one group in order, and locks the group until the batch has ended', async () => {
    const { queue } = setup()
    await queue.send('ordered', [...inGroup('a', '1', '2', '3'), ...inGroup('b', '1', '2')])
    const first = await queue.receive('ordered', { ...now, maxMessages: 2 })
    expect(first).toMatchObject([
      { groupId: 'a', body: '1' },
      { groupId: 'a', body: '2' },
    ])
    expect(await queue.receive('ordered', { ...now, maxMessages: 1 })).toMatchObject([
      { groupId: 'b', body: '1' },
    ])
    expect(await queue.receive('ordered', now)).toEqual([])
    await queue.delete('ordered', handles(first).slice(0, 1))
    expect(await queue.receive('ordered', now)).toEqual([])
    await queue.delete('ordered', handles(first).slice(1))
    expect(await queue.receive('ordered', now)).toMatchObject([{ groupId: 'a', body: '3' }])
  })

  test.each([
    [0, 2],
    [2, 0],
  ])('gives a failed batch again in its order, also when %i comes back before %i', async (...returned) => {
    const { queue } = setup()
    await queue.send('ordered', inGroup('a', '1', '2', '3', '4'))
    const receipts = handles(await queue.receive('ordered', { ...now, maxMessages: 3 }))
    await queue.delete('ordered', receipts.slice(1, 2))
    for (const index of returned) {
      expect(await queue.receive('ordered', now)).toEqual([])
      const receiptHandle = receipts[index] ?? ''
      await queue.changeVisibility('ordered', [{ receiptHandle, visibilitySeconds: 0 }])
    }
    expect(bodies(await queue.receive('ordered', now))).toEqual(['1', '3', '4'])
  })

  test('wakes a waiting receive when its group is unlocked', async () => {
    const { queue } = setup()
    await queue.send('ordered', inGroup('a', '1', '2'))
    const first = await queue.receive('ordered', { ...now, maxMessages: 1 })
    const waiting = queue.receive('ordered', { ...now, waitSeconds: 20 })
    await queue.delete('ordered', handles(first))
    expect(bodies(await waiting)).toEqual(['2'])
  })

  test('delivers a de-duplication id once in five minutes', async () => {
    const { clock, queue } = setup()
    const message = { body: 'a', groupId: 'g', deduplicationId: 'd' }
    const [first] = await queue.send('ordered', [message])
    expect(await queue.send('ordered', [message])).toEqual([first])
    await queue.delete('ordered', handles(await queue.receive('ordered', now)))
    await clock.advance({ minutes: 4, seconds: 59 })
    await queue.send('ordered', [message])
    expect(await queue.receive('ordered', now)).toEqual([])
    await clock.advance({ seconds: 1 })
    await queue.send('ordered', [message])
    expect(await queue.receive('ordered', now)).toHaveLength(1)
  })

  test('redrives and expires without locking a group for ever', async () => {
    const { clock, queue } = setup({
      deadLetters: { maxReceiveCount: 1 },
      queues: new Map([['f', definition('f', { fifo: true, retentionSeconds: 100 })]]),
    })
    await queue.send('f', inGroup('a', '1', '2'))
    await queue.receive('f', { ...now, maxMessages: 1 })
    await clock.advance({ seconds: 30 })
    expect(bodies(await queue.receive('f', now))).toEqual(['2'])
    expect(await queue.receive(deadLettersOf('f'), now)).toMatchObject([
      { body: '1', groupId: 'a', sentAt: 30_000 },
    ])
    await clock.advance({ seconds: 70 })
    expect(await queue.receive('f', now)).toEqual([])
    await queue.send('f', inGroup('a', '3'))
    expect(bodies(await queue.receive('f', now))).toEqual(['3'])
  })

  test('serves many groups in turn', async () => {
    const { queue } = setup()
    const groups = ['a', 'b', 'c']
    for (const body of ['1', '2']) {
      await queue.send(
        'ordered',
        groups.flatMap((group) => inGroup(group, body)),
      )
    }
    const seen: string[] = []
    for (let rounds = 0; rounds < 6; rounds++) {
      const received = await queue.receive('ordered', { ...now, maxMessages: 1 })
      seen.push(...received.map(({ groupId, body }) => `${groupId}${body}`))
      await queue.delete('ordered', handles(received))
    }
    expect(seen).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'c2'])
  })
})

describe('what SQS refuses', () => {
  test.each([
    ['a delay over 900 s', 'jobs', { body: 'a', delaySeconds: 901 }, 'InvalidParameterValue'],
    ['half a second of delay', 'jobs', { body: 'a', delaySeconds: 0.5 }, 'InvalidParameterValue'],
    ['a control character', 'jobs', { body: 'a\u0000' }, 'InvalidMessageContents'],
    ['a lone surrogate', 'jobs', { body: '\ud800' }, 'InvalidMessageContents'],
    ['an empty body', 'jobs', { body: '' }, 'MissingParameter'],
    ['more than 1 MiB', 'jobs', { body: 'é'.repeat(524_289) }, 'InvalidParameterValue'],
    ['a group id with a space', 'jobs', { body: 'a', groupId: 'a b' }, 'InvalidParameterValue'],
    ['a de-duplication id', 'jobs', { body: 'a', deduplicationId: 'd' }, 'InvalidParameterValue'],
    ['FIFO without a group', 'ordered', { body: 'a', deduplicationId: 'd' }, 'MissingParameter'],
    ['FIFO without an id', 'ordered', { body: 'a', groupId: 'g' }, 'InvalidParameterValue'],
    [
      'FIFO with a delay',
      'ordered',
      { body: 'a', groupId: 'g', deduplicationId: 'd', delaySeconds: 1 },
      'InvalidParameterValue',
    ],
  ])('%s', async (_, name, message: OutgoingMessage, error) => {
    const { queue } = setup()
    expect(await refusal(queue, name, message)).toBe(error)
    expect(queue.inspect(name)).toEqual([])
  })

  test('takes what SQS takes: 1 MiB, tabs and lines, characters beyond the first plane', async () => {
    const { queue } = setup()
    expect(await refusal(queue, 'jobs', { body: 'x'.repeat(LIMITS.messageBytes) })).toBeUndefined()
    expect(await refusal(queue, 'jobs', { body: '\t\r\n 😀 \ufffd' })).toBeUndefined()
  })

  test('one message that is refused stops no other', async () => {
    const { queue } = setup()
    const results = await queue.send('jobs', [{ body: 'a' }, { body: '' }, { body: 'b' }])
    expect(results.map((result) => 'error' in result)).toEqual([false, true, false])
    expect(bodies(await queue.receive('jobs', now))).toEqual(['a', 'b'])
  })

  test.each([
    { maxMessages: 0, waitSeconds: 0 },
    { maxMessages: 11, waitSeconds: 0 },
    { maxMessages: 1, waitSeconds: 21 },
    { maxMessages: 1, waitSeconds: -1 },
  ])('a receive of $maxMessages in $waitSeconds s', async (options) => {
    const { queue } = setup()
    await expect(queue.receive('jobs', options)).rejects.toMatchObject({ name: 'InvalidParameterValue' })
  })

  test('a queue that is not there', async () => {
    const { queue } = setup()
    const error = { name: 'QueueDoesNotExist', message: expect.stringContaining('"jobs", "ordered"') }
    await expect(queue.send('job', [])).rejects.toMatchObject(error)
    await expect(queue.receive('job', now)).rejects.toMatchObject(error)
    await expect(queue.counts('job')).rejects.toMatchObject(error)
    expect(() => queue.inspect('job')).toThrow('does not exist')
  })
})

test('names its queues by ARN', () => {
  const { queue } = setup()
  expect(arnOf('jobs')).toBe('arn:aws:sqs:local:000000000000:jobs')
  expect(queue.nameOfArn(arnOf('jobs'))).toBe('jobs')
  expect(queue.nameOfArn(arnOf('jobs-dead-letters'))).toBe('jobs-dead-letters')
  expect(queue.nameOfArn(arnOf('other'))).toBeUndefined()
  expect(queue.nameOfArn('jobs')).toBeUndefined()
})

test('can be looked into without a trace', async () => {
  const { clock, queue } = setup()
  await queue.send('jobs', [{ body: 'a', groupId: 'tenant' }, { body: 'b', delaySeconds: 10 }, { body: 'c' }])
  await queue.receive('jobs', { ...now, maxMessages: 1 })
  const seen = queue.inspect('jobs')
  expect(seen).toMatchObject([
    { body: 'a', state: 'in-flight', receiveCount: 1, visibleAt: 30_000, groupId: 'tenant' },
    { body: 'b', state: 'delayed', receiveCount: 0, visibleAt: 10_000 },
    { body: 'c', state: 'visible', receiveCount: 0, visibleAt: 0 },
  ])
  expect(queue.inspect('jobs')).toEqual(seen)
  expect(queue.unfinished()).toBe(3)
  await clock.advance({ seconds: 30 })
  expect(queue.inspect('jobs').map(({ state }) => state)).toEqual(['visible', 'visible', 'visible'])
})
