/**
 * Makes what a config declares on servers that speak AWS's protocols: queues with their dead-letter queues, the table with
 * its indexes, the bucket. For a laptop and for tests: on AWS the construct makes them.
 * @module
 */
import type * as DynamoDbSdk from '@aws-sdk/client-dynamodb'
import type * as SqsSdk from '@aws-sdk/client-sqs'
import { LIMITS, MAX_RECEIVE_COUNT, type ResolvedConfig, type ResolvedQueue } from '../config/config.ts'
import { deadLettersOf } from '../config/dead-letter-names.ts'
import { NotWiredError } from '../errors.ts'
import { tableDefinition } from './dynamodb-item.ts'

/** Region and credentials that such servers accept: any. */
export const LOOPBACK = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
} as const

/** Attributes of a queue in SQS's words: `{ VisibilityTimeout: '90' }`. */
export type QueueAttributes = Readonly<Record<string, string>>

/** A queue to make. */
export interface QueueToMake {
  /** As the config names it, or `<queue>-dead-letters`. */
  readonly name: string
  /** As the server knows it; a FIFO queue's ends in `.fifo`. */
  readonly physicalName: string
  readonly attributes: QueueAttributes
}

/** The account that loopback servers take every request to be of. */
const LOOPBACK_ACCOUNT = '000000000000'

/** Its batches write a few items each; the construct's dead-letter function takes as long. */
const DEAD_LETTER_VISIBILITY_SECONDS = 90

/** The queues of a config, each behind its dead-letter queue, which must be there first. */
export function queuesOf(config: Pick<ResolvedConfig, 'name' | 'queues'>): readonly QueueToMake[] {
  return [...config.queues.values()].flatMap((queue): QueueToMake[] => {
    const { name, fifo, retentionSeconds, visibilitySeconds } = queue
    const order = fifo ? { FifoQueue: 'true' } : {}
    const [letters, own] = [deadLettersOf(name), physicalName(config.name, name, queue)]
    const physicalLetters = physicalName(config.name, letters, queue)
    const deadLetterTargetArn = `arn:aws:sqs:${LOOPBACK.region}:${LOOPBACK_ACCOUNT}:${physicalLetters}`
    return [
      {
        name: letters,
        physicalName: physicalLetters,
        attributes: attributesOf(LIMITS.maxRetentionSeconds, DEAD_LETTER_VISIBILITY_SECONDS, order),
      },
      {
        name,
        physicalName: own,
        attributes: {
          ...attributesOf(retentionSeconds, visibilitySeconds, order),
          RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: MAX_RECEIVE_COUNT }),
        },
      },
    ]
  })
}

function physicalName(app: string, name: string, { fifo }: ResolvedQueue): string {
  return `${app}-${name}${fifo ? '.fifo' : ''}`
}

function attributesOf(
  retentionSeconds: number,
  visibilitySeconds: number,
  order: QueueAttributes,
): QueueAttributes {
  return {
    VisibilityTimeout: String(visibilitySeconds),
    MessageRetentionPeriod: String(retentionSeconds),
    ...order,
  }
}

/** Where a server listens. */
export interface LoopbackEndpoint {
  readonly endpoint: string
}

/** Makes queues, one after the other; returns their URLs by their names in the config. */
export async function makeQueues(
  { endpoint }: LoopbackEndpoint,
  queues: readonly QueueToMake[],
): Promise<Record<string, string>> {
  const sdk: typeof SqsSdk = await import('@aws-sdk/client-sqs')
  const client = new sdk.SQSClient({ endpoint, ...LOOPBACK })
  try {
    const urls: Record<string, string> = {}
    for (const { name, physicalName: QueueName, attributes: Attributes } of queues) {
      const { QueueUrl = '' } = await client.send(new sdk.CreateQueueCommand({ QueueName, Attributes }))
      // A server may give its URLs a host that nobody resolves.
      urls[name] = new URL(new URL(QueueUrl).pathname, endpoint).href
    }
    return urls
  } finally {
    client.destroy()
  }
}

/** Makes the table that `tableDefinition` says, and waits until it can be used. */
export async function makeTable({ endpoint }: LoopbackEndpoint, tableName: string): Promise<void> {
  const sdk: typeof DynamoDbSdk = await import('@aws-sdk/client-dynamodb')
  const client = new sdk.DynamoDBClient({ endpoint, ...LOOPBACK })
  try {
    await client.send(new sdk.CreateTableCommand(tableDefinition(tableName)))
    await sdk.waitUntilTableExists({ client, maxWaitTime: 10, minDelay: 1 }, { TableName: tableName })
  } finally {
    client.destroy()
  }
}

/**
 * Makes a bucket.
 * @throws NotWiredError where `@aws-sdk/client-s3` is not installed
 */
export async function makeBucket({ endpoint }: LoopbackEndpoint, bucket: string): Promise<void> {
  const sdk = await import('@aws-sdk/client-s3').catch((cause: unknown) => {
    throw new NotWiredError(
      'the config has `blobs`, and the package @aws-sdk/client-s3 cannot be loaded (see cause): `npm i @aws-sdk/client-s3`',
      { cause },
    )
  })
  const client = new sdk.S3Client({ endpoint, forcePathStyle: true, ...LOOPBACK })
  try {
    await client.send(new sdk.CreateBucketCommand({ Bucket: bucket }))
  } finally {
    client.destroy()
  }
}
