/**
 * The backend of production: SQS, DynamoDB, S3 where the config has `blobs`, and EventBridge Scheduler where it has `longDelays`,
 * wired by the variables that the construct sets.
 * @module
 */
import { atNeed } from '../at-need.ts'
import { codeVersionOf } from '../call/envelope.ts'
import { type Clock, systemClock } from '../clock.ts'
import { ENV, type ResolvedConfig } from '../config/config.ts'
import { type Entropy, systemEntropy } from '../entropy.ts'
import { InvalidOptionError, NotWiredError } from '../errors.ts'
import type { Backend } from '../ports/backend.ts'
import type { Blobs } from '../ports/blobs.ts'
import type { CallMetrics } from '../ports/call-metrics.ts'
import type { Fleet } from '../ports/fleet.ts'
import type { OneTimeSchedules } from '../ports/one-time-schedules.ts'
import type { Schedules } from '../ports/schedules.ts'
import { noticedSchedules } from '../schedules/noticed-schedules.ts'
import {
  type DynamoDbOptions,
  type Environment,
  type Lazy,
  lazyDynamoDb,
  lazySqs,
  type SqsOptions,
} from './aws-clients.ts'
import { type CloudWatchConnection, type CloudWatchOptions, lazyCloudWatch } from './cloudwatch-client.ts'
import { dynamoDbStore } from './dynamodb-store.ts'
import { eventBridgeOneTimeSchedules, type SchedulerResources } from './eventbridge-one-time-schedules.ts'
import { eventBridgeSchedules } from './eventbridge-schedules.ts'
import { type LambdaOptions, lazyLambda } from './lambda-client.ts'
import type { WorkerFunction } from './lambda-fleet.ts'
import { s3Blobs } from './s3-blobs.ts'
import { lazyS3, type S3Options } from './s3-client.ts'
import { lazyScheduler, type SchedulerOptions } from './scheduler-client.ts'
import { sqsQueue } from './sqs-queue.ts'

/** How to reach AWS; in a stack made by the construct all of it has a default. */
export interface AwsOptions {
  /** The table's name or ARN. @default `ERRAND_TABLE` */
  readonly tableName?: string
  /** The queues' URLs by the names of the config. @default `ERRAND_QUEUE_URLS` */
  readonly queueUrls?: Readonly<Record<string, string>>
  /** AWS's region. @default `AWS_REGION`, else `AWS_DEFAULT_REGION`, else the SDK's own sources */
  readonly region?: string
  /** A `client`, or an `endpoint` and `credentials`, for SQS. @default the SDK's own */
  readonly sqs?: SqsOptions
  /** A `client`, or an `endpoint` and `credentials`, for DynamoDB. @default the SDK's own */
  readonly dynamodb?: DynamoDbOptions
  /** The bucket's name, where the config has `blobs`; without `blobs` it is refused. @default `ERRAND_BUCKET` */
  readonly bucket?: string
  /** A `client`, or an `endpoint` and `credentials`, for S3. @default the SDK's own */
  readonly s3?: S3Options
  /**
   * What makes the schedules of `longDelays`, and where the declared ones are: `{ group, role, deadLetters }`, the name of their group,
   * the ARN of the role by which they send, and that of the queue for what they could not send. @default `ERRAND_SCHEDULER`
   */
  readonly schedulerResources?: SchedulerResources
  /** A `client`, or an `endpoint` and `credentials`, for EventBridge Scheduler. @default the SDK's own */
  readonly scheduler?: SchedulerOptions
  /**
   * The workers' functions, by the names of the config: for `status`, `inspect` and `queues`. A worker that is left out
   * is a process of its own. @default `ERRAND_FUNCTIONS`
   */
  readonly functions?: Readonly<Record<string, WorkerFunction>>
  /** A `client`, or an `endpoint` and `credentials`, for Lambda: `status`, `pause` and `resume` ask it. @default the SDK's own */
  readonly lambda?: LambdaOptions
  /**
   * The fleet's name, `<stack>/<construct>`, by which its metrics are found in CloudWatch: the monitor's charts are made of
   * them. Without it none is looked for. @default `ERRAND_FLEET`
   */
  readonly fleet?: string
  /** A `client`, or an `endpoint` and `credentials`, for CloudWatch: the monitor asks it. @default the SDK's own */
  readonly cloudwatch?: CloudWatchOptions
  /** Where time comes from. @default the system's */
  readonly clock?: Clock
  /** Where ids, owners and jitter come from. @default the system's */
  readonly entropy?: Entropy
}

/**
 * A backend on AWS. It makes no request and loads no client until one is needed.
 * @throws NotWiredError where the table, the queues' URLs, or the bucket of `blobs` are not known; a single queue without a URL is
 *   found when it is used, so that a config may be deployed ahead of a process that does not use its new queue.
 */
export function awsBackend(config: ResolvedConfig, options: AwsOptions = {}): Backend {
  const env: Environment = process.env
  const { clock = systemClock, entropy = systemEntropy, region } = options
  const tableName = options.tableName ?? env[ENV.table]
  const queueUrls = options.queueUrls ?? byName(ENV.queueUrls, env[ENV.queueUrls], isText, URLS)
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
  const large = blobsOf(config, options, env)
  const scheduling = schedulingOf(config, options, env, queueUrls)
  const version = codeVersionOf(env[ENV.version])
  const lambda = lazyLambda(options.lambda ?? {}, env, region)
  const cloudwatch = lazyCloudWatch(options.cloudwatch ?? {}, env, region)
  const metrics = metricsOf(config, options.fleet ?? env[ENV.fleet], cloudwatch)
  const functions = options.functions ?? byName(ENV.functions, env[ENV.functions], isFunction, FUNCTIONS)
  const store = dynamoDbStore({ tableName, dynamodb, listing: config.listing, clock, entropy })
  const schedules = env[ENV.schedules] === 'notices' ? noticedSchedules(store) : scheduling?.declared
  return {
    kind: 'aws',
    clock,
    entropy,
    queue: sqsQueue({ queueUrls, sqs, clock, entropy }),
    store,
    fleet: atNeed<Fleet>(FLEET, async () => {
      const { lambdaFleet } = await import('./lambda-fleet.ts')
      return lambdaFleet({ config, functions, lambda, queueUrls, sqs })
    }),
    ...(metrics !== undefined && { metrics }),
    ...(large !== undefined && { blobs: large.blobs }),
    ...(scheduling?.oneTime !== undefined && { oneTimeSchedules: scheduling.oneTime }),
    ...(schedules !== undefined && { schedules }),
    ...(version !== undefined && { version }),
    async start() {},
    async close() {
      await Promise.all([
        ...[sqs.close(), dynamodb.close(), large?.close(), scheduling?.close()],
        ...[lambda.close(), cloudwatch.close()],
      ])
    },
  }
}

const FLEET = { ping: true, paused: true, holdings: true, pause: true, resume: true, purge: true } as const

/** Where some workers are processes, which write none, the metrics do not hold all calls, and none are read. */
function metricsOf(
  { name, workers }: ResolvedConfig,
  fleet: string | undefined,
  cloudwatch: Lazy<CloudWatchConnection>,
): CallMetrics | undefined {
  if (!fleet || [...workers.values()].some(({ runsOn }) => runsOn === 'container')) return undefined
  return atNeed<CallMetrics>({ read: true }, async () => {
    const { cloudWatchMetrics } = await import('./cloudwatch-metrics.ts')
    return cloudWatchMetrics({ app: name, fleet, cloudwatch })
  })
}

function blobsOf(
  config: ResolvedConfig,
  options: AwsOptions,
  env: Environment,
): { readonly blobs: Blobs; close(): Promise<void> } | undefined {
  if (config.blobs === undefined) {
    if (options.bucket === undefined) return undefined
    throw new InvalidOptionError(
      `\`bucket\` is ${JSON.stringify(options.bucket)}, but the config of "${config.name}" has no \`blobs\`, so nothing would go there; add \`blobs: true\` to it`,
    )
  }
  const bucket = options.bucket ?? env[ENV.bucket]
  if (!bucket) {
    throw new NotWiredError(
      `app "${config.name}" has \`blobs\` and no ${ENV.bucket} (or the option \`bucket\`); name the bucket, or take \`blobs\` out of the config`,
    )
  }
  const s3 = lazyS3(options.s3 ?? {}, env, options.region)
  const prefix = `${config.blobs.prefix}${config.name}/`
  return { blobs: s3Blobs({ bucket, prefix, s3 }), close: s3.close }
}

/** The schedules of long delays, where the config has them, and those that the construct made. */
interface Scheduling {
  readonly oneTime: OneTimeSchedules | undefined
  readonly declared: Schedules
  close(): Promise<void>
}

function schedulingOf(
  config: ResolvedConfig,
  options: AwsOptions,
  env: Environment,
  queueUrls: Readonly<Record<string, string>>,
): Scheduling | undefined {
  const resources = options.schedulerResources ?? resourcesOf(env[ENV.scheduler])
  if (resources === undefined && !config.longDelays) return undefined
  if (resources === undefined) {
    throw new NotWiredError(
      `app "${config.name}" has \`longDelays\` and no ${ENV.scheduler} (or the option \`schedulerResources\`): the construct sets it; deploy the stack again, or take \`longDelays\` out of the config`,
    )
  }
  const scheduler = lazyScheduler(options.scheduler ?? {}, env, options.region)
  return {
    oneTime: config.longDelays ? eventBridgeOneTimeSchedules({ resources, scheduler, queueUrls }) : undefined,
    declared: eventBridgeSchedules({ group: resources.group, scheduler }),
    close: scheduler.close,
  }
}

function resourcesOf(json: string | undefined): SchedulerResources | undefined {
  if (!json) return undefined
  const { group, role, deadLetters } = Object(parsed(json)) as Partial<
    Record<keyof SchedulerResources, unknown>
  >
  if (isText(group) && isText(role) && isText(deadLetters)) return { group, role, deadLetters }
  throw new InvalidOptionError(
    `${ENV.scheduler} is ${json.slice(0, 80)}, expected a JSON object of a group's name and two ARNs: {"group":"shop","role":"arn:aws:iam::…","deadLetters":"arn:aws:sqs:…"}`,
  )
}

/** What the variables hold, as errors show it. */
const URLS =
  'URLs by queue name, such as {"default":"https://sqs.eu-west-1.amazonaws.com/123456789012/shop-default"}'
const FUNCTIONS =
  'functions by worker, each with the ids of its event source mappings by queue, such as {"default":{"name":"shop-default-4F2A","mappings":{"default":"14e0db71-…"}}}'

function byName<T>(
  variable: string,
  json: string | undefined,
  isValid: (value: unknown) => value is T,
  what: string,
): Readonly<Record<string, T>> | undefined {
  if (!json) return undefined
  const values = parsed(json)
  if (isMapOf(values, isValid)) return values
  throw new InvalidOptionError(`${variable} is ${json.slice(0, 80)}, expected a JSON object of ${what}`)
}

function isMapOf<T>(
  value: unknown,
  isValid: (value: unknown) => value is T,
): value is Readonly<Record<string, T>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every(isValid)
  )
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isFunction(value: unknown): value is WorkerFunction {
  const { name, mappings } = Object(value) as Partial<Record<keyof WorkerFunction, unknown>>
  return isText(name) && isMapOf(mappings, isText)
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
