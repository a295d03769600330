/**
 * The AWS backend on wire servers, with workers that poll as Lambda's event source mapping does.
 * @module
 */
import { type EventSourceMapping, startEventSourceMapping } from 'errand/local-emulator'
import { type WorkerHandler, workerHandler } from '../../src/handlers/index.ts'
import type { AwsOptions } from '../../src/runtime/aws/aws-backend.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Executor, internalsOf } from '../../src/runtime/executor.ts'
import { startDynalite } from './dynalite.ts'
import { createTable } from './dynamodb-table.ts'
import { startFauxqs } from './fauxqs.ts'
import { connectionTo, loopbackRegion, type WireServer } from './loopback-connection.ts'
import { createBucket } from './s3-bucket.ts'

/** Wire servers that are up. */
export interface WireServers {
  /** What `createExecutor` takes as `aws`. */
  readonly aws: AwsOptions
  /** The same for a config that has `blobs`. */
  readonly awsWithBlobs: AwsOptions
  close(): Promise<void>
}

const tableName = 'errand-calls'

/** Starts fauxqs with these queues, and dynalite (or the given DynamoDB) with errand's table. */
export async function startWireServers(
  queues: readonly string[],
  dynamodb?: WireServer,
): Promise<WireServers> {
  const sqs = await startFauxqs(Object.fromEntries(queues.map((name) => [name, { VisibilityTimeout: '30' }])))
  const database = dynamodb ?? (await startDynalite())
  await createTable(database, tableName)
  const bucket = await createBucket(sqs, 'errand-blobs')
  bucket.close()
  const aws: AwsOptions = {
    tableName,
    queueUrls: sqs.queueUrls,
    region: loopbackRegion,
    sqs: connectionTo(sqs),
    dynamodb: connectionTo(database),
  }
  return {
    aws,
    awsWithBlobs: { ...aws, bucket: bucket.name, s3: connectionTo(sqs) },
    close: async () => {
      await sqs.close()
      if (dynamodb === undefined) await database.close()
    },
  }
}

/** Polls every queue of the executor's config, each with a handler of its own, as one Lambda environment would. */
export async function startWireWorkers(executor: Pick<Executor, 'config'>): Promise<() => Promise<void>> {
  const backend = await internalsOf(executor).connect()
  const mappings: EventSourceMapping[] = []
  for (const worker of executor.config.workers.values()) {
    const handler: WorkerHandler = workerHandler(executor, { worker: worker.name })
    for (const queueName of worker.queues) {
      mappings.push(
        startEventSourceMapping({
          queue: backend.queue,
          queueName,
          arn: `arn:aws:sqs:${loopbackRegion}:000000000000:${queueName}`,
          batchSize: worker.batchSize,
          batchWindowSeconds: 0,
          maximumConcurrency: 20,
          clock: systemClock,
          pollSeconds: 1,
          invoke: async (event) => {
            const deadline = systemClock.now() + worker.timeoutSeconds * 1000
            const payload = await handler(event, {
              getRemainingTimeInMillis: () => deadline - systemClock.now(),
            })
            return { ok: true, payload }
          },
        }),
      )
    }
  }
  return async () => {
    await Promise.all(mappings.map((mapping) => mapping.stop()))
  }
}
