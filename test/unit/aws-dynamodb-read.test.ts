import { type BatchGetItemCommandInput, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { describe, expect, test } from 'vitest'
import { lazyDynamoDb } from '../../src/runtime/aws/aws-clients.ts'
import { itemOf, recordKey } from '../../src/runtime/aws/dynamodb-item.ts'
import { dynamoDbStore } from '../../src/runtime/aws/dynamodb-store.ts'
import type { CallRecord } from '../../src/runtime/call/record.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'

const record: CallRecord = {
  id: 'b',
  task: 'add',
  queue: 'low',
  payloadHash: 'hash',
  state: 'pending',
  createdAt: 1,
  dueAt: 1,
  expiresAtSeconds: 2,
  attempts: 0,
  failures: 0,
}

/** A store on an SDK client whose reads `answer` answers, with the keys that each asked for. */
function storeAnswering(answer: (request: number) => object) {
  const asked: unknown[] = []
  const delays: number[] = []
  const client = new DynamoDBClient({ region: 'us-east-1' })
  client.middlewareStack.add(
    () => async (args) => {
      asked.push((args.input as BatchGetItemCommandInput).RequestItems?.jobs?.Keys)
      return { output: { $metadata: {}, ...answer(asked.length) }, response: {} }
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
  const store = dynamoDbStore({
    tableName: 'jobs',
    dynamodb: lazyDynamoDb({ client }, {}),
    listing: false,
    clock,
    entropy: { ...systemEntropy, fraction: () => 0.5 },
  })
  return { store, asked, delays }
}

describe('reading what DynamoDB leaves unprocessed', () => {
  test('only that is asked for again, after a jittered wait', async () => {
    const { store, asked, delays } = storeAnswering((request) =>
      request === 1
        ? { Responses: { jobs: [] }, UnprocessedKeys: { jobs: { Keys: [recordKey('b')] } } }
        : { Responses: { jobs: [itemOf(record)] } },
    )
    expect(await store.read(['a', 'b'])).toEqual([undefined, record])
    expect(asked).toEqual([[recordKey('a'), recordKey('b')], [recordKey('b')]])
    expect(delays).toEqual([25])
  })

  test('after 10 requests it is an error that says so', async () => {
    const { store, asked } = storeAnswering(() => ({ UnprocessedKeys: { jobs: { Keys: [recordKey('a')] } } }))
    await expect(store.read(['a', 'b'])).rejects.toThrow('left 1 of 2 records of table "jobs" unread')
    expect(asked).toHaveLength(10)
  })
})
