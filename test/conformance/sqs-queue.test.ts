import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lazySqs } from '../../src/runtime/aws/aws-clients.ts'
import { sqsQueue } from '../../src/runtime/aws/sqs-queue.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'
import { NotWiredError, ResourceNotFoundError } from '../../src/runtime/errors.ts'
import { type FauxqsServer, startFauxqs } from '../support/fauxqs.ts'
import { connectionTo, loopbackRegion } from '../support/loopback-connection.ts'
import { describeQueue, SUITE_VISIBILITY_SECONDS } from './queue-suite.ts'

let server: FauxqsServer
beforeAll(async () => {
  server = await startFauxqs()
})
afterAll(() => server.close())

function queueAt(queueUrls: Record<string, string>) {
  const sqs = lazySqs(connectionTo(server), {}, loopbackRegion)
  const queue = sqsQueue({ queueUrls, sqs, clock: systemClock, entropy: systemEntropy })
  return { queue, close: () => sqs.close() }
}

describeQueue(
  'SQS on the wire (fauxqs)',
  async () => {
    const name = randomUUID()
    const attributes = { VisibilityTimeout: String(SUITE_VISIBILITY_SECONDS) }
    const urls = await server.createQueues({ [name]: attributes, [`${name}.fifo`]: attributes })
    const queueUrls = { standard: urls[name] ?? '', fifo: urls[`${name}.fifo`] ?? '' }
    return {
      ...queueAt(queueUrls),
      standard: 'standard',
      fifo: 'fifo',
      advance: (seconds) => setTimeout(seconds * 1000),
    }
  },
  // fauxqs 2.4.1 gives one message per group and receive, drops the group id on standard queues, and refuses the
  // characters above U+FFFF that SQS takes.
  { fifoFillsBatch: false, standardGroupId: false, astralCharacters: false },
)

describe('SQS on the wire, deployed wrongly', () => {
  test('a queue that is not there is named, whatever is asked of it', async () => {
    const url = 'https://sqs.us-east-1.amazonaws.com/000000000000/shop-gone'
    const { queue, close } = queueAt({ gone: url })
    const asked = [
      queue.send('gone', [{ body: 'x' }]),
      queue.receive('gone', { maxMessages: 1, waitSeconds: 0 }),
      queue.delete('gone', ['receipt']),
      queue.changeVisibility('gone', [{ receiptHandle: 'receipt', visibilitySeconds: 0 }]),
      queue.counts('gone'),
    ]
    for (const answer of await Promise.allSettled(asked)) {
      const error: unknown = answer.status === 'rejected' ? answer.reason : undefined
      expect(ResourceNotFoundError.is(error)).toBe(true)
      expect(String(error)).toContain('shop-gone')
    }
    await close()
  })

  test('a queue without a URL is named, and the queues that have one', async () => {
    const { queue } = queueAt({ low: 'https://sqs.eu-west-1.amazonaws.com/1/low' })
    const sent = queue.send('high', [{ body: 'x' }])
    await expect(sent).rejects.toSatisfy((error) => NotWiredError.is(error))
    await expect(sent).rejects.toThrow('known: low. Add it to ERRAND_QUEUE_URLS')
  })

  test('names a queue by the ARN of an event', () => {
    const { queue } = queueAt({
      low: 'https://sqs.eu-west-1.amazonaws.com/1/Stack-low-4F',
      high: 'http://x/1/h',
    })
    expect(queue.nameOfArn('arn:aws:sqs:eu-west-1:1:Stack-low-4F')).toBe('low')
    expect(queue.nameOfArn('arn:aws:sqs:eu-west-1:1:elsewhere')).toBeUndefined()
  })
})
