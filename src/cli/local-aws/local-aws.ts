/**
 * AWS on this machine for several processes: servers, what the config declares in them, and the variables by which
 * other processes find them.
 * @module
 */

import type { SchedulerResources } from '../../runtime/aws/eventbridge-one-time-schedules.ts'
import { LOOPBACK, makeBucket, makeQueues, makeTable, queuesOf } from '../../runtime/aws/made-resources.ts'
import { systemClock } from '../../runtime/clock.ts'
import { ENV, type ResolvedConfig } from '../../runtime/config/config.ts'
import { messageSender } from './message-sender.ts'
import { startSchedulerServer } from './scheduler-server.ts'
import { startDynamoDbServer, startSqsServer, type WireServer } from './wire-servers.ts'

/** Names and values of environment variables. */
export type Variables = Readonly<Record<string, string>>

/** AWS that runs here. */
export interface LocalAws {
  /** What a process needs to reach it, as on AWS, and nothing else of errand's. */
  variables(): Variables
  /** Makes the queues that a changed config has more; those that it has no more stay. */
  addQueues(config: ResolvedConfig): Promise<void>
  close(): Promise<void>
}

/** Where it listens. */
export interface LocalAwsOptions {
  /** @default 0: a free one */
  readonly sqsPort?: number
  /** @default 0: a free one */
  readonly dynamodbPort?: number
}

/**
 * Starts it.
 * @throws UsageError where a port is in use; NotWiredError where an optional peer is not installed
 */
export async function startLocalAws(
  config: ResolvedConfig,
  { sqsPort, dynamodbPort }: LocalAwsOptions = {},
): Promise<LocalAws> {
  const sqs = await startSqsServer(sqsPort)
  const dynamodb = await startDynamoDbServer(dynamodbPort).catch(async (error: unknown) => {
    await sqs.close()
    throw error
  })
  let scheduler: WireServer | undefined
  const close = async () => {
    await Promise.all([sqs.close(), dynamodb.close(), scheduler?.close()])
  }
  const [tableName, bucket] = [`${config.name}-calls`, `${config.name.toLowerCase()}-blobs`]
  try {
    let queueUrls = await makeQueues(sqs, queuesOf(config))
    await makeTable(dynamodb, tableName)
    if (config.blobs !== undefined) await makeBucket(sqs, bucket)
    let hasBucket = config.blobs !== undefined
    if (config.longDelays) scheduler = await startScheduler(sqs)
    return {
      close,
      variables: () => ({
        AWS_ENDPOINT_URL_SQS: sqs.endpoint,
        AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint,
        ...(scheduler && schedulerVariables(config.name, scheduler)),
        ...(hasBucket && { AWS_ENDPOINT_URL_S3: sqs.endpoint, [ENV.bucket]: bucket }),
        AWS_REGION: LOOPBACK.region,
        AWS_ACCESS_KEY_ID: LOOPBACK.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: LOOPBACK.credentials.secretAccessKey,
        [ENV.backend]: 'aws',
        [ENV.table]: tableName,
        [ENV.queueUrls]: JSON.stringify(queueUrls),
        // No worker is a function: all of them are processes.
        [ENV.functions]: '{}',
        [ENV.schedules]: 'notices',
      }),
      async addQueues(changed) {
        const added = queuesOf(changed).filter(({ name }) => !Object.hasOwn(queueUrls, name))
        queueUrls = { ...queueUrls, ...(await makeQueues(sqs, added)) }
        if (changed.longDelays) scheduler ??= await startScheduler(sqs)
        if (changed.blobs === undefined || hasBucket) return
        await makeBucket(sqs, bucket)
        hasBucket = true
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Schedules that send to the queues of this machine. */
async function startScheduler(sqs: WireServer): Promise<WireServer> {
  const sender = messageSender(sqs)
  const server = await startSchedulerServer({
    clock: systemClock,
    send: sender.send,
    onUnsent: (name, error) =>
      process.stderr.write(`errand: the schedule ${name} sent nothing: ${String(error)}\n`),
  })
  const close = async () => {
    await Promise.all([server.close(), sender.close()])
  }
  return { ...server, close }
}

/** What schedules are made with, of which nothing need be there: the server sends by itself. */
function schedulerVariables(app: string, { endpoint }: WireServer): Variables {
  const resources: SchedulerResources = {
    group: app,
    role: 'arn:aws:iam::000000000000:role/local-schedules',
    deadLetters: `arn:aws:sqs:${LOOPBACK.region}:000000000000:${app}-schedules-dead-letters`,
  }
  return { AWS_ENDPOINT_URL_SCHEDULER: endpoint, [ENV.scheduler]: JSON.stringify(resources) }
}

/** What would lead the SDK past the variables of local AWS: a profile, a session, an endpoint of all services. */
const misleading = ['AWS_PROFILE', 'AWS_SESSION_TOKEN', 'AWS_ENDPOINT_URL', 'AWS_DEFAULT_REGION', ENV.version]

/** Kinds of AWS's own endpoints: asked for by a shell or a profile, the SDK refuses every other endpoint. */
export const PLAIN_ENDPOINTS: Variables = {
  AWS_USE_FIPS_ENDPOINT: 'false',
  AWS_USE_DUALSTACK_ENDPOINT: 'false',
}

/** An environment in which local AWS is the only one. */
export function environmentWith(env: NodeJS.ProcessEnv, variables: Variables): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !misleading.includes(name))
  return { ...Object.fromEntries(kept), ...PLAIN_ENDPOINTS, ...variables }
}
