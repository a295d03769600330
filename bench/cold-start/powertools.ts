/**
 * What somebody without errand deploys: Powertools' batch handling, and its idempotency in DynamoDB, each record once.
 * @module
 */
import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency'
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb'
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda'

const processor = new BatchProcessor(EventType.SQS)
const persistenceStore = new DynamoDBPersistenceLayer({ tableName: 'bench' })
const config = new IdempotencyConfig({ eventKeyJmesPath: 'messageId' })

const addOnce = makeIdempotent(
  async (record: SQSRecord) => {
    const { args } = JSON.parse(record.body) as { args: { json: [number, number] } }
    const [a, b] = args.json
    return { sum: a + b }
  },
  { persistenceStore, config },
)

/** The Lambda handler. */
export const handler = async (event: SQSEvent, context: Context) => {
  config.registerLambdaContext(context)
  return processPartialResponse(event, addOnce, processor, { context })
}
