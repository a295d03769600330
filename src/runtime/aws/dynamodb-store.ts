/**
 * The store port over Amazon DynamoDB: one conditional write for each change.
 * @module
 */
import type { PutItemCommandInput, UpdateItemCommandInput } from '@aws-sdk/client-dynamodb'
import type { CallRecord } from '../call/record.ts'
import type { Clock } from '../clock.ts'
import { LIMITS } from '../config/config.ts'
import type { Entropy } from '../entropy.ts'
import { ErrandError, ResultTooLargeError } from '../errors.ts'
import type { Change, Condition, Store, Written } from '../ports/store.ts'
import type { DynamoDbConnection, Lazy } from './aws-clients.ts'
import { awsErrorName, requesting } from './aws-error.ts'
import { conditionExpression, updateExpression } from './dynamodb-expression.ts'
import {
  attributeOf,
  FAILED_INDEX,
  type Item,
  idOfKey,
  inShard,
  itemOf,
  LISTING_SHARDS,
  listingKeys,
  listingPartition,
  messageItem,
  messageKey,
  recordKey,
  recordOf,
  resultItem,
  resultKey,
  resultOf,
} from './dynamodb-item.ts'
import { listFrom } from './dynamodb-listing.ts'
import { putNotice, readNotices } from './dynamodb-notices.ts'
import { jitteredDelay } from './jittered-delay.ts'

/** What a DynamoDB store is made of. */
export interface DynamoDbStoreOptions {
  /** The table's name or ARN. */
  readonly tableName: string
  readonly dynamodb: Lazy<DynamoDbConnection>
  /** Whether calls are put into the listing index when they are made: one more write unit a call. */
  readonly listing: boolean
  readonly clock: Clock
  readonly entropy: Entropy
}

/** Records in one DynamoDB table, `tableDefinition`'s. */
export function dynamoDbStore(options: DynamoDbStoreOptions): Store {
  return {
    read: (ids, how) => readAll(options, ids, how?.consistent ?? false),
    put: (record, when) => put(options, record, when),
    update: (id, change) => update(options, id, change),
    putResult: (id, owner, result, expiresAtSeconds) =>
      putResult(options, resultItem(id, owner, result, expiresAtSeconds), result),
    readResult: (id, owner) => readBeside(options, resultKey(id, owner)),
    putMessage: (id, body, expiresAtSeconds) =>
      putResult(options, messageItem(id, body, expiresAtSeconds), body),
    readMessage: (id) => readBeside(options, messageKey(id)),
    failed: (queue, sinceMs, untilMs) => failed(options, queue, sinceMs, untilMs),
    list: (stretch) => listFrom(options, stretch),
    putNotice: (notice) => putNotice(options, notice),
    notices: () => readNotices(options),
  }
}

async function readBeside(options: DynamoDbStoreOptions, key: Item): Promise<string | undefined> {
  // Half the price where the copy that is asked has it already, as it almost always does.
  const item = (await getItem(options, key, false)) ?? (await getItem(options, key, true))
  return item === undefined ? undefined : resultOf(item)
}

async function* failed(
  options: DynamoDbStoreOptions,
  queue: string,
  sinceMs: number,
  untilMs: number,
): AsyncGenerator<string, void, undefined> {
  const { client, sdk } = await options.dynamodb.get()
  for (let shard = 0; shard < LISTING_SHARDS; shard += 1) {
    let from: Item | undefined
    do {
      const command = new sdk.QueryCommand({
        TableName: options.tableName,
        IndexName: FAILED_INDEX,
        KeyConditionExpression: '#q = :q AND #t BETWEEN :since AND :until',
        ExpressionAttributeNames: { '#q': attributeOf('failedIn'), '#t': attributeOf('finishedAt') },
        ExpressionAttributeValues: {
          ':q': { S: listingPartition(queue, shard) },
          ':since': { N: String(sinceMs) },
          ':until': { N: String(untilMs) },
        },
        ...(from !== undefined && { ExclusiveStartKey: from }),
      })
      const page = await requesting(request(options, 'Query'), () => client.send(command))
      for (const item of page.Items ?? []) yield idOfKey(item)
      from = page.LastEvaluatedKey
    } while (from !== undefined)
  }
}

/** What an attempt to write came to. */
type Attempted<Output> =
  | { readonly output: Output }
  | { readonly refused: true; readonly existing: CallRecord | undefined }

function request(options: DynamoDbStoreOptions, action: string) {
  return { action: `dynamodb:${action}`, resource: `table "${options.tableName}"` }
}

/** Runs a conditional write; where the condition fails, tells which record stood in the way. */
async function attempt<Output>(
  options: DynamoDbStoreOptions,
  action: string,
  id: string,
  write: () => Promise<Output>,
): Promise<Attempted<Output>> {
  try {
    return { output: await requesting(request(options, action), write) }
  } catch (error) {
    if (awsErrorName(error) !== 'ConditionalCheckFailedException') throw error
    const { Item: sent } = error as { Item?: Item }
    // Not sent: there was no record, or the server (dynalite) knows no ReturnValuesOnConditionCheckFailure.
    const item = sent ?? (await getItem(options, recordKey(id), true))
    return { refused: true, existing: item === undefined ? undefined : recordOf(item) }
  }
}

async function put(options: DynamoDbStoreOptions, record: CallRecord, when: Condition): Promise<Written> {
  const { client, sdk } = await options.dynamodb.get()
  const input: PutItemCommandInput = {
    TableName: options.tableName,
    Item: { ...itemOf(record), ...(options.listing && listingKeys(record.id, record)) },
    ...conditionExpression(when),
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  }
  const attempted = await attempt(options, 'PutItem', record.id, () =>
    client.send(new sdk.PutItemCommand(input)),
  )
  if ('refused' in attempted) return { written: false, existing: attempted.existing }
  return { written: true, record }
}

async function update(options: DynamoDbStoreOptions, id: string, change: Change): Promise<Written> {
  const { client, sdk } = await options.dynamodb.get()
  const keys = options.listing && change.initial !== undefined ? listingKeys(id, change.initial) : {}
  const input: UpdateItemCommandInput = {
    TableName: options.tableName,
    Key: recordKey(id),
    ...updateExpression({ ...change, set: inShard(id, change.set) }, keys),
    ReturnValues: 'ALL_NEW',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  }
  const attempted = await attempt(options, 'UpdateItem', id, () =>
    client.send(new sdk.UpdateItemCommand(input)),
  )
  if ('refused' in attempted) return { written: false, existing: attempted.existing }
  return { written: true, record: recordOf({ ...recordKey(id), ...attempted.output.Attributes }) }
}

async function putResult(options: DynamoDbStoreOptions, item: Item, result: string): Promise<void> {
  const bytes = Buffer.byteLength(result)
  if (bytes > LIMITS.resultBytes) {
    throw new ResultTooLargeError(
      `a result of ${bytes} bytes: a DynamoDB item takes up to ${LIMITS.resultBytes}; ` +
        'keep the data in S3 and return its key',
    )
  }
  const { client, sdk } = await options.dynamodb.get()
  const command = new sdk.PutItemCommand({ TableName: options.tableName, Item: item })
  await requesting(request(options, 'PutItem'), () => client.send(command))
}

async function getItem(
  options: DynamoDbStoreOptions,
  key: Item,
  consistent: boolean,
): Promise<Item | undefined> {
  const { client, sdk } = await options.dynamodb.get()
  const command = new sdk.GetItemCommand({
    TableName: options.tableName,
    Key: key,
    ConsistentRead: consistent,
  })
  const answer = await requesting(request(options, 'GetItem'), () => client.send(command))
  return answer.Item
}

async function readAll(
  options: DynamoDbStoreOptions,
  ids: readonly string[],
  consistent: boolean,
): Promise<readonly (CallRecord | undefined)[]> {
  // BatchGetItem refuses a request that names a key twice.
  const distinct = [...new Set(ids)]
  const requests: Promise<CallRecord[]>[] = []
  for (let from = 0; from < distinct.length; from += LIMITS.readBatch) {
    requests.push(readBatch(options, distinct.slice(from, from + LIMITS.readBatch), consistent))
  }
  const found = new Map((await Promise.all(requests)).flat().map((record) => [record.id, record]))
  return ids.map((id) => found.get(id))
}

/** Requests of one batch before what DynamoDB leaves unprocessed becomes an error; with the waits, about 5 s. */
const MAX_READS = 10

async function readBatch(
  options: DynamoDbStoreOptions,
  ids: readonly string[],
  consistent: boolean,
): Promise<CallRecord[]> {
  const { client, sdk } = await options.dynamodb.get()
  const records: CallRecord[] = []
  let keys = ids.map(recordKey)
  for (let tries = 1; ; tries += 1) {
    const command = new sdk.BatchGetItemCommand({
      RequestItems: { [options.tableName]: { Keys: keys, ConsistentRead: consistent } },
    })
    const answer = await requesting(request(options, 'BatchGetItem'), () => client.send(command))
    for (const item of Object.values(answer.Responses ?? {}).flat()) records.push(recordOf(item))
    keys = Object.values(answer.UnprocessedKeys ?? {}).flatMap((part) => part.Keys ?? [])
    if (keys.length === 0) return records
    if (tries === MAX_READS) {
      throw new ErrandError(
        `DynamoDB left ${keys.length} of ${ids.length} records of table "${options.tableName}" unread ` +
          `in ${MAX_READS} requests: it is throttled; raise the table's limits or read less often`,
      )
    }
    await jitteredDelay(options.clock, options.entropy, tries)
  }
}
