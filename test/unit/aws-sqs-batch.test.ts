import { type SendMessageBatchCommandInput, SQSClient } from '@aws-sdk/client-sqs'
import { describe, expect, test } from 'vitest'
import { lazySqs } from '../../src/runtime/aws/aws-clients.ts'
import { fillBatches } from '../../src/runtime/aws/sqs-batch.ts'
import { sqsQueue } from '../../src/runtime/aws/sqs-queue.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'
import { AccessDeniedError } from '../../src/runtime/errors.ts'

const MIB = 1_048_576
const placed = <T>(items: readonly T[]) => items.map((item, index) => ({ item, index }))
const sizesOf = (batches: readonly (readonly { readonly item: number }[])[]) =>
  batches.map((batch) => batch.map(({ item }) => item))

describe('filling batches', () => {
  const fill = (sizes: readonly number[]) => sizesOf(fillBatches(placed(sizes), (size) => size))

  test('10 entries to a batch', () => {
    expect(fill(new Array(25).fill(1)).map((batch) => batch.length)).toEqual([10, 10, 5])
    expect(fill([])).toEqual([])
  })

  test('1,048,576 bytes to a batch, filled in order', () => {
    expect(fill([MIB])).toEqual([[MIB]])
    expect(fill([MIB - 1, 1, 1])).toEqual([[MIB - 1, 1], [1]])
    expect(fill([600_000, 600_000, 100_000, 400_000])).toEqual([[600_000], [600_000, 100_000], [400_000]])
  })
})

type Batch = SendMessageBatchCommandInput
type Answer = { Successful?: object[]; Failed?: object[] }

/** A queue on an SDK client whose requests `answer` answers, and the batches that it was sent. */
function queueAnswering(answer: (batch: Batch, request: number) => Answer | Error) {
  const batches: Batch[] = []
  const delays: number[] = []
  const client = new SQSClient({ region: 'us-east-1', md5: false })
  client.middlewareStack.add(
    () => async (args) => {
      const batch = args.input as Batch
      batches.push(batch)
      const output = answer(batch, batches.length)
      if (output instanceof Error) throw output
      return { output: { $metadata: {}, ...output }, response: {} }
    },
    { step: 'initialize', name: 'answer', priority: 'low' },
  )
  const clock = {
    ...systemClock,
    setTimer(task: () => void, delayMs: number) {
      delays.push(delayMs)
      return systemClock.setTimer(task, 0)
    },
  }
  const queue = sqsQueue({
    queueUrls: { low: 'https://sqs.us-east-1.amazonaws.com/1/low', order: 'https://sqs/1/order.fifo' },
    sqs: lazySqs({ client }, {}),
    clock,
    entropy: { ...systemEntropy, fraction: () => 0.5 },
  })
  return { queue, batches, delays }
}

const taken = (ids: readonly (string | undefined)[]) => ids.map((Id) => ({ Id, MessageId: `message ${Id}` }))
const idsOf = (batch: Batch) => (batch.Entries ?? []).map(({ Id }) => Id)
const messages = (count: number) => Array.from({ length: count }, (_, index) => ({ body: `${index}` }))
const denied = Object.assign(new Error('no'), { name: 'AccessDenied' })

describe('sending batches', () => {
  test('bodies are counted in UTF-8 bytes', async () => {
    const { queue, batches } = queueAnswering((batch) => ({ Successful: taken(idsOf(batch)) }))
    await queue.send('low', [{ body: 'é'.repeat(MIB / 2) }, { body: 'x' }])
    expect(batches.map((batch) => batch.Entries?.length)).toEqual([1, 1])
  })

  test('sends again what a batch reports as failed, after a jittered wait, and nothing else', async () => {
    const { queue, batches, delays } = queueAnswering((batch, request) =>
      request === 1
        ? { Successful: taken(['0', '2']), Failed: [{ Id: '1', SenderFault: false, Code: 'InternalError' }] }
        : { Successful: taken(idsOf(batch)) },
    )
    const results = await queue.send('low', messages(3))
    expect(results).toEqual([
      { messageId: 'message 0' },
      { messageId: 'message 1' },
      { messageId: 'message 2' },
    ])
    expect(batches.map(idsOf)).toEqual([['0', '1', '2'], ['1']])
    expect(delays).toEqual([25])
  })

  test('gives up after 4 tries, and at once where the fault is the sender', async () => {
    const { queue, batches } = queueAnswering((batch) => ({
      Failed: idsOf(batch).map((Id) => ({ Id, SenderFault: Id === '0', Code: 'Code', Message: 'why' })),
    }))
    const results = await queue.send('low', messages(2))
    expect(batches.map(idsOf)).toEqual([['0', '1'], ['1'], ['1'], ['1']])
    expect(results.map((result) => ('error' in result ? result.error.message : ''))).toEqual([
      expect.stringContaining('Code: why'),
      expect.stringContaining('Code: why'),
    ])
  })

  test('an entry that the answer does not name is sent again, then an error', async () => {
    const { queue, batches } = queueAnswering(() => ({}))
    const [result] = await queue.send('low', messages(1))
    expect(batches).toHaveLength(4)
    expect(result).toMatchObject({ error: { message: expect.stringContaining('NoAnswer') } })
  })

  test('a request that fails as a whole is the error of its messages, and of no others', async () => {
    const broken = new Error('socket hang up')
    const { queue } = queueAnswering((batch) =>
      batch.Entries?.[0]?.MessageBody === '10' ? broken : { Successful: taken(idsOf(batch)) },
    )
    const results = await queue.send('low', messages(25))
    const failed = results.flatMap((result, index) => ('error' in result ? [[index, result.error]] : []))
    expect(failed).toEqual(Array.from({ length: 10 }, (_, index) => [10 + index, broken]))
  })

  test('what was taken stays taken when a later try of the rest fails as a whole', async () => {
    const broken = new Error('socket hang up')
    const { queue } = queueAnswering((_, request) =>
      request === 1 ? { Successful: taken(['1']), Failed: [{ Id: '0', SenderFault: false }] } : broken,
    )
    expect(await queue.send('low', messages(2))).toEqual([{ error: broken }, { messageId: 'message 1' }])
  })

  test('access denied throws where nothing was sent, and stops the batches that follow', async () => {
    const { queue, batches } = queueAnswering(() => denied)
    const sent = queue.send('low', messages(200))
    await expect(sent).rejects.toSatisfy((error) => AccessDeniedError.is(error))
    expect(batches.length).toBeLessThanOrEqual(8)
  })

  test('access denied half-way is the error of the messages that were not sent', async () => {
    const fifo = messages(25).map((message, index) => ({
      ...message,
      groupId: `group-${index % 10}`,
      deduplicationId: message.body,
    }))
    const { queue, batches } = queueAnswering((batch, request) =>
      request === 1 ? { Successful: taken(idsOf(batch)) } : denied,
    )
    const results = await queue.send('order', fifo)
    expect(batches).toHaveLength(2)
    expect(results.map((result) => 'messageId' in result).lastIndexOf(true)).toBe(9)
    expect(results.slice(10).every((result) => 'error' in result && AccessDeniedError.is(result.error))).toBe(
      true,
    )
  })

  test('a FIFO queue is sent its batches one after another, no two messages of a group in one', async () => {
    const fifo = messages(25).map((message, index) => ({
      ...message,
      groupId: `group-${index % 4}`,
      deduplicationId: message.body,
    }))
    const { queue, batches } = queueAnswering((batch) => ({ Successful: taken(idsOf(batch)) }))
    await queue.send('order', fifo)
    const bodies = batches.flatMap((batch) => (batch.Entries ?? []).map(({ MessageBody }) => MessageBody))
    expect(bodies).toEqual(fifo.map(({ body }) => body))
    expect(batches.map(({ Entries = [] }) => Entries.length)).toEqual([4, 4, 4, 4, 4, 4, 1])
  })
})

describe('receipts', () => {
  test('a receipt that is no longer good is ignored, another failure is tried again and at last thrown', async () => {
    const stale = queueAnswering(() => ({
      Failed: [{ Id: '0', SenderFault: true, Code: 'ReceiptHandleIsInvalid' }],
    }))
    await stale.queue.delete('low', ['old'])
    await stale.queue.changeVisibility('low', [{ receiptHandle: 'old', visibilitySeconds: 5 }])
    expect(stale.batches).toHaveLength(2)
    const broken = queueAnswering(() => ({
      Failed: [{ Id: '0', SenderFault: false, Code: 'InternalError' }],
    }))
    await expect(broken.queue.delete('low', ['receipt'])).rejects.toThrow('InternalError')
    expect(broken.batches).toHaveLength(4)
  })

  test('visibilities are whole seconds, rounded up, and 12 h at most', async () => {
    const { queue, batches } = queueAnswering((batch) => ({ Successful: taken(idsOf(batch)) }))
    const changes = [0, 0.2, 50_000].map((visibilitySeconds) => ({ receiptHandle: 'r', visibilitySeconds }))
    await queue.changeVisibility('low', changes)
    expect(batches[0]?.Entries).toMatchObject([
      { VisibilityTimeout: 0 },
      { VisibilityTimeout: 1 },
      { VisibilityTimeout: 43_200 },
    ])
  })
})

describe('receiving', () => {
  test('a receive may take its wait and 5 s', async () => {
    const timeouts: (number | undefined)[] = []
    const client = new SQSClient({
      region: 'us-east-1',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts: 1,
      requestHandler: {
        async handle(_request: unknown, options?: { readonly requestTimeout?: number }) {
          timeouts.push(options?.requestTimeout)
          throw new Error('enough')
        },
      },
    })
    const queue = sqsQueue({
      queueUrls: { low: 'https://sqs.us-east-1.amazonaws.com/1/low' },
      sqs: lazySqs({ client }, {}),
      clock: systemClock,
      entropy: systemEntropy,
    })
    await expect(queue.receive('low', { maxMessages: 1, waitSeconds: 20 })).rejects.toThrow('enough')
    expect(timeouts).toEqual([25_000])
  })
})
