/**
 * The backend of production: SQS and DynamoDB, wired by the variables that the construct sets.
 * @module
 */
import type { Backend } from '../backend.ts'
import { type Clock, systemClock } from '../clock.ts'
import { ENV, type ResolvedConfig } from '../config.ts'
import { type Entropy, systemEntropy } from '../entropy.ts'
import { InvalidOptionError, NotWiredError } from '../errors.ts'
import {
  type DynamoDbOptions,
  type Environment,
  lazyDynamoDb,
  lazySqs,
  type SqsOptions,
} from './aws-clients.ts'
import { dynamoDbStore } from './dynamodb-store.ts'
import { sqsQueue } from './sqs-queue.ts'

/** How to reach AWS; in a stack made by the construct all of it has a default. */
export interface AwsOptions {
  /** The table's name or ARN. @default `ERRAND_TABLE` */
  readonly tableName?: string
  /** The queues' URLs by the names of the config. @default `ERRAND_QUEUE_URLS` */
  readonly queueUrls?: Readonly<Record<string, string>>
  /** @default `AWS_REGION`, else `AWS_DEFAULT_REGION`, else the SDK's own sources */
  readonly region?: string
  readonly sqs?: SqsOptions
  readonly dynamodb?: DynamoDbOptions
  /** @default the system's */
  readonly clock?: Clock
  /** @default the system's */
  readonly entropy?: Entropy
}

/**
 * A backend on AWS. It makes no request and loads no client until one is needed.
 * @throws NotWiredError where the table or the queues' URLs are not known; a single queue without a URL is
 *   found when it is used, so that a config may be deployed ahead of a process that does not use its new queue.
 */
export function awsBackend(config: ResolvedConfig, options: AwsOptions = {}): Backend {
  const env: Environment = process.env
  const { clock = systemClock, entropy = systemEntropy, region } = options
  const tableName = options.tableName ?? env[ENV.table]
  const queueUrls = options.queueUrls ?? queueUrlsOf(env[ENV.queueUrls])
  if (!tableName || queueUrls === undefined) {
    const missing = [
      ...(tableName ? [] : [`${ENV.table} (or the option \`tableName\`)`]),
      ...(queueUrls === undefined ? [`${ENV.queueUrls} (or the option \`queueUrls\`)`] : []),
    ]
    throw new NotWiredError(
      `app "${config.name}" has no ${missing.join(' and no ')}: the construct sets them on its workers; ` +
        'for any other function add `fleet.addClient(fn, { submit: true, read: true })` to the stack',
    )
  }
  const sqs = lazySqs(options.sqs ?? {}, env, region)
  const dynamodb = lazyDynamoDb(options.dynamodb ?? {}, env, region)
  return {
    kind: 'aws',
    clock,
    entropy,
    queue: sqsQueue({ queueUrls, sqs, clock, entropy }),
    store: dynamoDbStore({ tableName, dynamodb, listing: config.listing, clock, entropy }),
    async start() {},
    async close() {
      await Promise.all([sqs.close(), dynamodb.close()])
    },
  }
}

function queueUrlsOf(json: string | undefined): Readonly<Record<string, string>> | undefined {
  if (!json) return undefined
  const urls = parsed(json)
  const valid =
    typeof urls === 'object' &&
    urls !== null &&
    !Array.isArray(urls) &&
    Object.values(urls).every((url) => typeof url === 'string')
  if (valid) return urls as Record<string, string>
  throw new InvalidOptionError(
    `${ENV.queueUrls} is ${json.slice(0, 80)}, expected a JSON object of URLs by queue name, ` +
      'such as {"default":"https://sqs.eu-west-1.amazonaws.com/123456789012/shop-default"}',
  )
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
