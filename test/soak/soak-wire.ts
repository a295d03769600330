/**
 * The servers of the kill soak.
 * @module
 */
import type { AwsOptions } from '../../src/runtime/aws/aws-backend.ts'
import { MAX_RECEIVE_COUNT } from '../../src/runtime/config/config.ts'
import { deadLettersOf } from '../../src/runtime/config/dead-letter-names.ts'
import { startDynalite } from '../support/dynalite.ts'
import { startDynamoDbLocal } from '../support/dynamodb-local.ts'
import { createTable } from '../support/dynamodb-table.ts'
import { startFauxqs } from '../support/fauxqs.ts'
import { connectionTo, loopbackRegion } from '../support/loopback-connection.ts'
import { DOOMED, QUEUE, VISIBILITY_SECONDS } from './soak-app.ts'

/** Servers that are up. */
export interface SoakWire {
  /** How to reach them; JSON can hold it. */
  readonly aws: AwsOptions
  close(): Promise<void>
}

const tableName = 'errand-soak'

const visibility = { VisibilityTimeout: String(VISIBILITY_SECONDS) }

/** Starts fauxqs with the queues and their dead letters, and DynamoDB Local, or dynalite where it is asked for or Java is missing. */
export async function startSoakWire({ dynalite = false } = {}): Promise<SoakWire> {
  const database = (dynalite ? undefined : await startDynamoDbLocal()) ?? (await startDynalite())
  await createTable(database, tableName)
  const queues = [QUEUE, DOOMED]
  const fauxqs = await startFauxqs(
    Object.fromEntries(queues.map((name) => [deadLettersOf(name), visibility])),
  )
  const urls = await fauxqs.createQueues({
    [QUEUE]: { ...visibility, RedrivePolicy: redriveTo(QUEUE, MAX_RECEIVE_COUNT) },
    // Visible again at once, and given up on at the second receive.
    [DOOMED]: { VisibilityTimeout: '0', RedrivePolicy: redriveTo(DOOMED, 1) },
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

function redriveTo(queue: string, maxReceiveCount: number): string {
  const deadLetterTargetArn = `arn:aws:sqs:${loopbackRegion}:000000000000:${deadLettersOf(queue)}`
  return JSON.stringify({ deadLetterTargetArn, maxReceiveCount })
}
