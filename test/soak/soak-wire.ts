/**
 * The servers of the kill soak.
 * @module
 */
import type { AwsOptions } from '../../src/runtime/aws/aws-backend.ts'
import { startDynalite } from '../support/dynalite.ts'
import { startDynamoDbLocal } from '../support/dynamodb-local.ts'
import { createTable } from '../support/dynamodb-table.ts'
import { startFauxqs } from '../support/fauxqs.ts'
import { connectionTo, loopbackRegion } from '../support/loopback-connection.ts'
import { DEAD_LETTERS, QUEUE, VISIBILITY_SECONDS } from './soak-app.ts'

/** Servers that are up. */
export interface SoakWire {
  /** How to reach them; JSON can hold it. */
  readonly aws: AwsOptions
  close(): Promise<void>
}

const tableName = 'errand-soak'
/** As deployed: it counts nothing of ours. */
const MAX_RECEIVE_COUNT = 100

/** Starts fauxqs with the queue and its dead letters, and DynamoDB Local, or dynalite where Java is missing. */
export async function startSoakWire(): Promise<SoakWire> {
  const database = (await startDynamoDbLocal()) ?? (await startDynalite())
  await createTable(database, tableName)
  const fauxqs = await startFauxqs({ [DEAD_LETTERS]: {} })
  const deadLetterTargetArn = `arn:aws:sqs:${loopbackRegion}:000000000000:${DEAD_LETTERS}`
  const urls = await fauxqs.createQueues({
    [QUEUE]: {
      VisibilityTimeout: String(VISIBILITY_SECONDS),
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: MAX_RECEIVE_COUNT }),
    },
  })
  return {
    aws: {
      tableName,
      queueUrls: { ...fauxqs.queueUrls, ...urls },
      region: loopbackRegion,
      sqs: connectionTo(fauxqs),
      dynamodb: connectionTo(database),
    },
    async close() {
      await Promise.all([fauxqs.close(), database.close()])
    },
  }
}
