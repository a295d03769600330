/**
 * How records lie in DynamoDB: the table, its keys, and the names of its attributes. Names are short because they
 * are billed with every write, and a write unit is 1 KB.
 * @module
 */
import type { AttributeValue, CreateTableCommandInput } from '@aws-sdk/client-dynamodb'
import type { CallRecord } from '../call/record.ts'
import type { Field } from '../ports/store.ts'

/** One item, as DynamoDB has it. */
export type Item = Record<string, AttributeValue>

/** The attribute that DynamoDB's time-to-live is switched on for, in epoch seconds. */
export const TTL_ATTRIBUTE = 'tl'

/** The index that lists calls by queue and time of creation. */
export const LISTING_INDEX = 'listing'

/**
 * Partitions of one queue's listing. Its sort key is time, so all writes of a queue go to one place, which
 * DynamoDB cannot split: a partition takes 1,000 writes/s, and where it refuses one it refuses the record's too.
 */
export const LISTING_SHARDS = 4

/** The attributes that are the listing's keys; a record without them is not listed. */
export const LISTING_ATTRIBUTES = { partition: 'lp', sort: 'ls' } as const

/** The index that lists failed calls by queue and time of their end. It holds no others: they have no `failedIn`. */
export const FAILED_INDEX = 'failed'

/** The attribute of each field; `id` is in the partition key. */
const attributeNames = {
  id: 'pk',
  task: 'fn',
  queue: 'q',
  payloadHash: 'ph',
  state: 'st',
  createdAt: 'ca',
  dueAt: 'du',
  startBy: 'sb',
  expiresAtSeconds: TTL_ATTRIBUTE,
  attempts: 'at',
  failures: 'fa',
  startedAt: 'sa',
  finishedAt: 'fi',
  owner: 'ow',
  leaseUntil: 'le',
  abortReason: 'ab',
  progress: 'pr',
  progressNumber: 'pn',
  result: 'rs',
  resultBytes: 'rb',
  resultIn: 'ri',
  reason: 're',
  failedIn: 'fq',
  sends: 'sn',
  forgiven: 'fo',
  killsBefore: 'kb',
  lastError: 'er',
  history: 'hi',
  tenant: 'tn',
  parent: 'pa',
  depth: 'dp',
} as const satisfies Record<Field, string>

const fieldNames = new Map(
  Object.entries(attributeNames).map(([field, attribute]) => [attribute as string, field as Field]),
)

/** The attribute that a field is kept in. */
export function attributeOf(field: Field): string {
  return attributeNames[field]
}

const ID_PREFIX = 'C#'

/** A field's value, as DynamoDB has it. */
export function attributeValueOf(field: Field, value: string | number): AttributeValue {
  if (field === 'id') return { S: ID_PREFIX + value }
  return typeof value === 'number' ? { N: String(value) } : { S: value }
}

/** The key of a call's record. */
export function recordKey(id: string): Item {
  return { pk: { S: ID_PREFIX + id }, sk: { S: 'S' } }
}

/** The key of a result that is too large for the record. */
export function resultKey(id: string, owner: string): Item {
  return { pk: { S: ID_PREFIX + id }, sk: { S: `R#${owner}` } }
}

/** The item of a result that is too large for the record. */
export function resultItem(id: string, owner: string, result: string, expiresAtSeconds: number): Item {
  return {
    ...resultKey(id, owner),
    [attributeNames.result]: { S: result },
    [TTL_ATTRIBUTE]: { N: String(expiresAtSeconds) },
  }
}

/** The result in such an item. */
export function resultOf(item: Item): string | undefined {
  return item[attributeNames.result]?.S
}

/** The key of the message of a call that failed. */
export function messageKey(id: string): Item {
  return { pk: { S: ID_PREFIX + id }, sk: { S: 'M' } }
}

/** The item of the message of a call that failed. */
export function messageItem(id: string, body: string, expiresAtSeconds: number): Item {
  return {
    ...messageKey(id),
    [attributeNames.result]: { S: body },
    [TTL_ATTRIBUTE]: { N: String(expiresAtSeconds) },
  }
}

/** The fields of a record that have a value, `id` not among them: it is the key. */
export function fieldsOf(part: Partial<CallRecord>): [field: Field, value: string | number][] {
  const entries = Object.entries(part) as [Field, string | number | undefined][]
  return entries.filter(
    (entry): entry is [Field, string | number] => entry[0] !== 'id' && entry[1] !== undefined,
  )
}

/** The item of a record. */
export function itemOf(record: CallRecord): Item {
  const item = recordKey(record.id)
  for (const [field, value] of fieldsOf(inShard(record.id, record))) {
    item[attributeOf(field)] = attributeValueOf(field, value)
  }
  return item
}

/** With the failed index's partition of the call for its queue's name: a queue's failures may come too fast for one. */
export function inShard<Part extends Partial<CallRecord>>(id: string, part: Part): Part {
  if (part.failedIn === undefined) return part
  return { ...part, failedIn: listingPartition(part.failedIn, shardOf(id)) }
}

/** The id in a key of the table. */
export function idOfKey(key: Item): string {
  return key.pk?.S?.slice(ID_PREFIX.length) ?? ''
}

/** The record of an item; attributes that this version does not know are left out. */
export function recordOf(item: Item): CallRecord {
  const record: Partial<Record<Field, string | number>> = {}
  for (const [attribute, value] of Object.entries(item)) {
    const field = fieldNames.get(attribute)
    if (field === undefined) continue
    if (value.N !== undefined) record[field] = Number(value.N)
    else if (value.S !== undefined) record[field] = field === 'id' ? value.S.slice(ID_PREFIX.length) : value.S
  }
  const { failedIn } = record
  if (typeof failedIn === 'string') record.failedIn = failedIn.slice(0, failedIn.lastIndexOf('#'))
  // The store writes nothing but the fields of records, and conditions, not types, guard against what others write.
  return record as unknown as CallRecord
}

/** The listing's partition of one shard of a queue, 0 to `LISTING_SHARDS` − 1. */
export function listingPartition(queue: string, shard: number): string {
  return `${queue}#${shard}`
}

/** Which shard of its queue's listing a call is in: FNV-1a of its id. */
export function shardOf(id: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < id.length; index += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193)
  }
  return (hash >>> 0) % LISTING_SHARDS
}

/** A time as the listing sorts it: milliseconds in 15 digits. */
export function listingTime(createdAt: number): string {
  return String(createdAt).padStart(15, '0')
}

/** The keys that put a call into the listing, or nothing where the call does not say enough. */
export function listingKeys(id: string, call: Partial<CallRecord>): Item {
  if (call.queue === undefined || call.createdAt === undefined) return {}
  return {
    [LISTING_ATTRIBUTES.partition]: { S: listingPartition(call.queue, shardOf(id)) },
    [LISTING_ATTRIBUTES.sort]: { S: `${listingTime(call.createdAt)}#${id}` },
  }
}

/**
 * The table, as `CreateTable` takes it: on demand, with its two indexes. Time to live is switched on by a
 * request of its own, for `TTL_ATTRIBUTE`.
 */
export function tableDefinition(tableName: string): CreateTableCommandInput {
  const { partition, sort } = LISTING_ATTRIBUTES
  const attribute = (name: string) => ({ AttributeName: name, AttributeType: 'S' as const })
  const keys = (hash: string, range: string) => [
    { AttributeName: hash, KeyType: 'HASH' as const },
    { AttributeName: range, KeyType: 'RANGE' as const },
  ]
  return {
    TableName: tableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      ...['pk', 'sk', partition, sort, attributeNames.failedIn].map(attribute),
      { AttributeName: attributeNames.finishedAt, AttributeType: 'N' },
    ],
    KeySchema: keys('pk', 'sk'),
    GlobalSecondaryIndexes: [
      {
        IndexName: LISTING_INDEX,
        KeySchema: keys(partition, sort),
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
      {
        IndexName: FAILED_INDEX,
        KeySchema: keys(attributeNames.failedIn, attributeNames.finishedAt),
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
  }
}
