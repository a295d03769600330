/**
 * What a fleet refuses of queues that are given to it, since AWS would refuse it in the middle of a deployment.
 * @module
 */
import { Duration, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { type IQueue, Queue, type QueueProps } from 'aws-cdk-lib/aws-sqs'
import { describe, expect, test } from 'vitest'
import { apps, stackFleet } from './synthesized-fleet.ts'

const long = { visibilityTimeout: Duration.seconds(400) }
const lost = (seconds?: number): QueueProps =>
  seconds === undefined ? {} : { visibilityTimeout: Duration.seconds(seconds) }
const arn = 'arn:aws:sqs:eu-west-1:123456789012:'

describe('a dead-letter queue', () => {
  const make = (props: QueueProps) =>
    stackFleet((stack) => {
      const deadLetterQueue = { queue: new Queue(stack, 'Lost', props), maxReceiveCount: 100 }
      return { app: apps.small, queues: { default: new Queue(stack, 'Mine', { ...long, deadLetterQueue }) } }
    })

  test.each([undefined, 0, 59])(
    'that hides letters for %s s, less than their function may take, is refused',
    (seconds) => {
      expect(() => make(lost(seconds))).toThrow(
        `Shop/Jobs: \`queues\` "default" is given Shop/Mine, whose dead-letter queue Shop/Lost has a \`visibilityTimeout\` of ${seconds ?? 30} s: the function that ends dead letters may take 60, `,
      )
    },
  )

  test('that hides them as long as the function may take is consumed', () => {
    const { stack } = make(lost(60))
    expect(() => Template.fromStack(stack)).not.toThrow()
  })

  test('that is given beside the queue is checked too', () => {
    const given = (stack: Stack) => ({
      app: apps.small,
      queues: {
        default: {
          queue: Queue.fromQueueArn(stack, 'Mine', `${arn}mine`),
          deadLetterQueue: new Queue(stack, 'Lost'),
        },
      },
    })
    expect(() => stackFleet(given)).toThrow(
      'whose dead-letter queue Shop/Lost has a `visibilityTimeout` of 30 s',
    )
  })
})

describe('a queue is refused that has two places', () => {
  type Given = Record<string, IQueue | { queue: IQueue; deadLetterQueue?: IQueue }>
  const refusalOf = (given: (stack: Stack) => Given) => {
    try {
      stackFleet((stack) => ({ queues: given(stack) }))
    } catch (error) {
      return (error as Error).message
    }
    throw new Error('nothing was refused')
  }

  test('under two names', () => {
    const message = refusalOf((stack) => {
      const mine = new Queue(stack, 'Mine', long)
      return { 'low-priority': mine, 'high-priority': mine }
    })
    expect(message).toBe(
      'Shop/Jobs: `queues` has Shop/Mine both as "high-priority" and as "low-priority"; a queue has one place in a fleet: give each its own',
    )
  })

  test('imported twice', () => {
    const message = refusalOf((stack) => ({
      'low-priority': Queue.fromQueueArn(stack, 'One', `${arn}mine`),
      'high-priority': Queue.fromQueueArn(stack, 'Two', `${arn}mine`),
    }))
    expect(message).toContain('`queues` has Shop/One both as "high-priority" and as "low-priority"')
  })

  test("as another's dead-letter queue", () => {
    const message = refusalOf((stack) => {
      const [mine, other] = [new Queue(stack, 'Mine', long), new Queue(stack, 'Other', long)]
      return { 'high-priority': { queue: mine, deadLetterQueue: other }, 'low-priority': other }
    })
    expect(message).toContain(
      '`queues` has Shop/Other both as the dead-letter queue of "high-priority" and as "low-priority"',
    )
  })

  test('as the dead-letter queue of two', () => {
    const message = refusalOf((stack) => {
      const deadLetterQueue = new Queue(stack, 'Lost', lost(60))
      const given = (id: string) => ({ queue: new Queue(stack, id, long), deadLetterQueue })
      return { 'high-priority': given('High'), 'low-priority': given('Low') }
    })
    expect(message).toContain(
      'both as the dead-letter queue of "high-priority" and as the dead-letter queue of "low-priority"',
    )
  })
})

test('queues of the same id in two stacks are two', () => {
  const given = (stack: Stack) => {
    const [one, two] = ['One', 'Two'].map((id) => new Queue(new Stack(stack.node.root, id), 'Mine', long))
    return { queues: { 'low-priority': one as Queue, 'high-priority': two as Queue } }
  }
  expect(() => stackFleet(given)).not.toThrow()
})
