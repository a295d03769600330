/**
 * What every implementation of the queue port does, in SQS's words. It runs over SQS on the wire and over the
 * in-process queue, so that what passes on a laptop means something in production.
 * @module
 */
import { describe, expect, test } from 'vitest'
import type { OutgoingMessage, Queue, ReceivedMessage, SendResult } from '../../src/runtime/ports/queue.ts'

/** The visibility of both queues, in seconds; short, because time on the wire really passes. */
export const SUITE_VISIBILITY_SECONDS = 1

/** One implementation, ready to be used, with two empty queues. */
export interface QueueUnderTest {
  readonly queue: Queue
  /** The names of a standard and of a FIFO queue, both with `SUITE_VISIBILITY_SECONDS`. */
  readonly standard: string
  readonly fifo: string
  /** Lets time pass: a virtual clock jumps, the wire waits. */
  advance(seconds: number): Promise<void>
  close(): Promise<void>
}

/** What SQS does and an emulator of it does not; everything is true of AWS. */
export interface QueueCapabilities {
  /** A receive fills its batch from one FIFO group. @default true */
  readonly fifoFillsBatch?: boolean
  /** The group id of a message on a standard queue is kept and returned. @default true */
  readonly standardGroupId?: boolean
  /** Bodies may hold characters above U+FFFF, such as most emoji. @default true */
  readonly astralCharacters?: boolean
}

/** The messages of a send, which all must have been taken: their ids. */
function idsOf(results: readonly SendResult[]): string[] {
  return results.map((result) => {
    if ('error' in result) throw result.error
    return result.messageId
  })
}

const bodiesOf = (messages: readonly ReceivedMessage[]) => messages.map(({ body }) => body)
const numbered = (count: number): OutgoingMessage[] =>
  Array.from({ length: count }, (_, index) => ({ body: `message ${index}` }))

/** Receives until `count` messages came or three receives in a row brought none: SQS may answer with fewer. */
async function receiveMany(queue: Queue, name: string, count: number): Promise<ReceivedMessage[]> {
  const received: ReceivedMessage[] = []
  for (let empty = 0; received.length < count && empty < 3; ) {
    const messages = await queue.receive(name, { maxMessages: 10, waitSeconds: 0 })
    received.push(...messages)
    empty = messages.length === 0 ? empty + 1 : 0
  }
  return received
}

const receive = (queue: Queue, name: string, maxMessages = 10) =>
  queue.receive(name, { maxMessages, waitSeconds: 0 })

/** Runs the suite over one implementation; `setup` is called for each test. */
export function describeQueue(
  name: string,
  setup: () => Promise<QueueUnderTest>,
  capabilities: QueueCapabilities = {},
): void {
  const { fifoFillsBatch = true, standardGroupId = true, astralCharacters = true } = capabilities
  const using = (run: (under: QueueUnderTest) => Promise<void>) => async () => {
    const under = await setup()
    try {
      await run(under)
    } finally {
      await under.close()
    }
  }
  describe.concurrent(`queue: ${name}`, () => {
    describeSending(using, astralCharacters)
    describeReceiving(using)
    describeWaiting(using, standardGroupId)
    describeVisibility(using)
    describeFifo(using, fifoFillsBatch)
    describeFifoRules(using)
    test(
      'counts what is visible, in flight and delayed',
      using(async ({ queue, standard }) => {
        idsOf(await queue.send(standard, numbered(3)))
        idsOf(await queue.send(standard, [{ body: 'later', delaySeconds: 60 }]))
        expect(await queue.counts(standard)).toEqual({ visible: 3, inFlight: 0, delayed: 1 })
        expect(await receive(queue, standard, 1)).toHaveLength(1)
        expect(await queue.counts(standard)).toEqual({ visible: 2, inFlight: 1, delayed: 1 })
      }),
    )
  })
}

type Using = (run: (under: QueueUnderTest) => Promise<void>) => () => Promise<void>

function describeSending(using: Using, astralCharacters: boolean): void {
  test(
    'sends any number of messages, each with an id of its own, in the order of the messages',
    using(async ({ queue, standard }) => {
      const ids = idsOf(await queue.send(standard, numbered(25)))
      expect(new Set(ids).size).toBe(25)
      const received = await receiveMany(queue, standard, 25)
      const bodies = new Map(received.map(({ messageId, body }) => [messageId, body]))
      expect(ids.map((id) => bodies.get(id))).toEqual(numbered(25).map(({ body }) => body))
    }),
  )
  test(
    'sends nothing when there is nothing to send',
    using(async ({ queue, standard }) => {
      expect(await queue.send(standard, [])).toEqual([])
    }),
  )
  test(
    'takes bodies of any text that SQS allows, up to 1 MiB each',
    using(async ({ queue, standard }) => {
      const text = `{"schön":"日本 \\u0000${astralCharacters ? ' 😀' : ''}"}`
      const bodies = ['x'.repeat(1_048_576), text, 'é'.repeat(524_288), '<&">\t\r\n']
      idsOf(
        await queue.send(
          standard,
          bodies.map((body) => ({ body })),
        ),
      )
      const received = bodiesOf(await receiveMany(queue, standard, bodies.length))
      expect(new Set(received)).toEqual(new Set(bodies))
    }),
  )
  test(
    'reports a message over 1 MiB as an error and sends the others',
    using(async ({ queue, standard }) => {
      const results = await queue.send(standard, [
        { body: 'before' },
        { body: 'é'.repeat(524_289) },
        { body: 'after' },
      ])
      expect(results.map((result) => 'messageId' in result)).toEqual([true, false, true])
      expect(results[1]).toEqual({ error: expect.any(Error) })
      expect(bodiesOf(await receiveMany(queue, standard, 2)).sort()).toEqual(['after', 'before'])
    }),
  )
  test(
    'holds a delayed message back until its time',
    using(async ({ queue, standard, advance }) => {
      idsOf(await queue.send(standard, [{ body: 'later', delaySeconds: 1 }, { body: 'now' }]))
      expect(bodiesOf(await receive(queue, standard))).toEqual(['now'])
      await advance(1.2)
      expect(bodiesOf(await receiveMany(queue, standard, 2))).toContain('later')
    }),
  )
}

function describeReceiving(using: Using): void {
  test(
    'receives nothing from an empty queue',
    using(async ({ queue, standard }) => {
      expect(await receive(queue, standard)).toEqual([])
    }),
  )
  test(
    'receives no more than asked for, and no message twice while it is hidden',
    using(async ({ queue, standard }) => {
      idsOf(await queue.send(standard, numbered(5)))
      const first = await receive(queue, standard, 2)
      expect(first.length).toBeLessThanOrEqual(2)
      const all = [...first, ...(await receiveMany(queue, standard, 5 - first.length))]
      expect(new Set(all.map(({ messageId }) => messageId)).size).toBe(5)
      expect(await receive(queue, standard)).toEqual([])
    }),
  )
  test(
    'tells when a message was sent, when it was first received, and how often',
    using(async ({ queue, standard, advance }) => {
      idsOf(await queue.send(standard, [{ body: 'again' }]))
      const [first] = await receive(queue, standard)
      expect(first).toMatchObject({ body: 'again', receiveCount: 1 })
      expect(first?.firstReceivedAt).toBeGreaterThanOrEqual(first?.sentAt ?? Number.NaN)
      expect(first).not.toHaveProperty('groupId')
      await advance(SUITE_VISIBILITY_SECONDS + 0.2)
      const [second] = await receive(queue, standard)
      expect(second).toMatchObject({
        messageId: first?.messageId,
        receiveCount: 2,
        sentAt: first?.sentAt,
        firstReceivedAt: first?.firstReceivedAt,
      })
      expect(second?.receiptHandle).not.toBe(first?.receiptHandle)
    }),
  )
}

function describeWaiting(using: Using, standardGroupId: boolean): void {
  test(
    'waits for the first message, and returns as soon as it is there',
    using(async ({ queue, standard }) => {
      const waiting = queue.receive(standard, { maxMessages: 10, waitSeconds: 20 })
      idsOf(await queue.send(standard, [{ body: 'at last' }]))
      expect(bodiesOf(await waiting)).toEqual(['at last'])
    }),
  )
  test(
    'ends a wait with no messages when its signal says so, also one that was over before',
    using(async ({ queue, standard }) => {
      const abort = new AbortController()
      const waiting = queue.receive(standard, { maxMessages: 1, waitSeconds: 20, signal: abort.signal })
      abort.abort()
      expect(await waiting).toEqual([])
      const over = { maxMessages: 1, waitSeconds: 20, signal: AbortSignal.abort() }
      expect(await queue.receive(standard, over)).toEqual([])
    }),
  )
  test.skipIf(!standardGroupId)(
    'keeps the group id of a message on a standard queue',
    using(async ({ queue, standard }) => {
      idsOf(await queue.send(standard, [{ body: 'fair', groupId: 'acme' }]))
      expect(await receive(queue, standard)).toMatchObject([{ body: 'fair', groupId: 'acme' }])
    }),
  )
}

function describeVisibility(using: Using): void {
  test(
    'deletes by receipt, any number, and ignores receipts that are no longer good',
    using(async ({ queue, standard, advance }) => {
      idsOf(await queue.send(standard, numbered(12)))
      const receipts = (await receiveMany(queue, standard, 12)).map(({ receiptHandle }) => receiptHandle)
      await queue.delete(standard, [...receipts, ...receipts.slice(0, 3)])
      await queue.delete(standard, receipts)
      await queue.delete(standard, [])
      await advance(SUITE_VISIBILITY_SECONDS + 0.2)
      expect(await receive(queue, standard)).toEqual([])
    }),
  )
  test(
    'changes visibilities: 0 makes a message visible at once, more hides it for longer',
    using(async ({ queue, standard, advance }) => {
      idsOf(await queue.send(standard, numbered(12)))
      const received = await receiveMany(queue, standard, 12)
      const [back, ...hidden] = received
      await queue.changeVisibility(
        standard,
        received.map((message) => ({
          receiptHandle: message.receiptHandle,
          visibilitySeconds: message === back ? 0 : 60,
        })),
      )
      expect(bodiesOf(await receive(queue, standard))).toEqual([back?.body])
      await advance(SUITE_VISIBILITY_SECONDS + 0.2)
      expect(bodiesOf(await receiveMany(queue, standard, 2))).toEqual([back?.body])
      expect(hidden).toHaveLength(11)
    }),
  )
  test(
    'hides what it receives for as long as the receive asks',
    using(async ({ queue, standard, advance }) => {
      idsOf(await queue.send(standard, [{ body: 'asked' }]))
      const options = { maxMessages: 10, waitSeconds: 1, visibilitySeconds: 60 }
      expect(bodiesOf(await queue.receive(standard, options))).toEqual(['asked'])
      await advance(SUITE_VISIBILITY_SECONDS + 0.2)
      expect(await receive(queue, standard)).toEqual([])
    }),
  )
  test(
    'ignores a new visibility for a receipt that is no longer good, and changes the others',
    using(async ({ queue, standard }) => {
      idsOf(await queue.send(standard, numbered(2)))
      const [gone, back] = await receiveMany(queue, standard, 2)
      await queue.delete(standard, [gone?.receiptHandle ?? ''])
      await queue.changeVisibility(standard, [
        { receiptHandle: gone?.receiptHandle ?? '', visibilitySeconds: 0 },
        { receiptHandle: back?.receiptHandle ?? '', visibilitySeconds: 0 },
      ])
      expect(bodiesOf(await receive(queue, standard))).toEqual([back?.body])
    }),
  )
}

function describeFifo(using: Using, fillsBatch: boolean): void {
  test(
    'a FIFO group comes in order, and is held while one of its messages is in flight',
    using(async ({ queue, fifo }) => {
      const bodies = Array.from({ length: 12 }, (_, index) => `message-${index}`)
      idsOf(
        await queue.send(
          fifo,
          bodies.map((body) => ({ body, groupId: 'a', deduplicationId: body })),
        ),
      )
      idsOf(await queue.send(fifo, [{ body: 'other', groupId: 'b', deduplicationId: 'other' }]))
      const received: string[] = []
      for (let turns = 0; received.length < 13 && turns < 30; turns += 1) {
        const batch = await receive(queue, fifo)
        const blocked = await receive(queue, fifo)
        expect(blocked.filter(({ groupId }) => batch.some((each) => each.groupId === groupId))).toEqual([])
        received.push(...bodiesOf(batch), ...bodiesOf(blocked))
        await queue.delete(
          fifo,
          [...batch, ...blocked].map(({ receiptHandle }) => receiptHandle),
        )
      }
      expect(received.filter((body) => body !== 'other')).toEqual(bodies)
      expect(received).toContain('other')
    }),
  )
  test.skipIf(!fillsBatch)(
    'a receive takes several messages of one FIFO group',
    using(async ({ queue, fifo }) => {
      const messages = ['1', '2', '3'].map((body) => ({ body, groupId: 'a', deduplicationId: body }))
      idsOf(await queue.send(fifo, messages))
      expect(bodiesOf(await receive(queue, fifo))).toEqual(['1', '2', '3'])
    }),
  )
  test(
    'a FIFO message that comes back comes back in front of its group',
    using(async ({ queue, fifo }) => {
      const messages = ['1', '2'].map((body) => ({ body, groupId: 'a', deduplicationId: body }))
      idsOf(await queue.send(fifo, messages))
      const [first] = await receive(queue, fifo, 1)
      expect(first).toMatchObject({ body: '1', groupId: 'a', receiveCount: 1 })
      const back = { receiptHandle: first?.receiptHandle ?? '', visibilitySeconds: 0 }
      await queue.changeVisibility(fifo, [back])
      expect(await receive(queue, fifo, 1)).toMatchObject([{ body: '1', receiveCount: 2 }])
    }),
  )
}

function describeFifoRules(using: Using): void {
  test(
    'the same de-duplication id is delivered once, and answered with the id of the first message',
    using(async ({ queue, fifo }) => {
      const message = { body: 'once', groupId: 'a', deduplicationId: 'same' }
      const [first] = idsOf(await queue.send(fifo, [message]))
      const [second] = idsOf(await queue.send(fifo, [message]))
      expect(second).toBe(first)
      const [received] = await receive(queue, fifo)
      await queue.delete(fifo, [received?.receiptHandle ?? ''])
      expect(await receive(queue, fifo)).toEqual([])
    }),
  )
  test(
    'a FIFO queue refuses a message without group, and one with a delay, and takes the others',
    using(async ({ queue, fifo }) => {
      const results = await queue.send(fifo, [
        { body: 'no group', deduplicationId: '1' },
        { body: 'delayed', groupId: 'a', deduplicationId: '2', delaySeconds: 5 },
        { body: 'fine', groupId: 'a', deduplicationId: '3' },
      ])
      expect(results.map((result) => 'error' in result)).toEqual([true, true, false])
      expect(bodiesOf(await receiveMany(queue, fifo, 1))).toEqual(['fine'])
    }),
  )
}
