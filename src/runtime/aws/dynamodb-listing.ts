/**
 * Reads the listing index: the shards of some queues, merged into one list, the newest first.
 *
 * Each shard is read ahead by its share of what is wanted, and again only where the merge has used that up. So a page of
 * n calls reads about 2n keys of 150 bytes, whatever the number of shards.
 * @module
 */
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { compareListed } from '../call/listing-position.ts'
import type { Listed, ListingPosition, ListingStretch } from '../ports/store.ts'
import { requesting } from './aws-error.ts'
import {
  idOfKey,
  LISTING_ATTRIBUTES,
  LISTING_INDEX,
  LISTING_SHARDS,
  listingPartition,
  listingTime,
} from './dynamodb-item.ts'
import type { DynamoDbStoreOptions } from './dynamodb-store.ts'
import { runBounded } from './sqs-batch.ts'

/** One shard, being read. */
interface Shard {
  readonly partition: string
  /** Read and not taken yet. */
  readonly ahead: ListingPosition[]
  /** The end of what was read. */
  last: ListingPosition | undefined
  isEnded: boolean
}

/** The fewest keys that are read at a time: they cost what one does. */
const LEAST_AHEAD = 10

/** Shards that are read at once. */
const READS_IN_FLIGHT = 16

/** Reads a stretch of the listing. */
export async function listFrom(options: DynamoDbStoreOptions, stretch: ListingStretch): Promise<Listed> {
  const shards = stretch.queues.flatMap((queue) =>
    Array.from({ length: LISTING_SHARDS }, (_, shard) => newShard(listingPartition(queue, shard), stretch)),
  )
  const ahead = Math.max(Math.ceil((2 * stretch.limit) / Math.max(shards.length, 1)), LEAST_AHEAD)
  const entries: ListingPosition[] = []
  for (;;) {
    const empty = shards.filter((shard) => shard.ahead.length === 0 && !shard.isEnded)
    await runBounded(empty, READS_IN_FLIGHT, async (shard) => {
      await readAhead(options, stretch, shard, ahead)
      return true
    })
    // One that is empty and not ended may hold what is newer than anything at hand.
    while (
      entries.length < stretch.limit &&
      shards.every((shard) => shard.ahead.length > 0 || shard.isEnded)
    ) {
      const newest = newestOf(shards)
      if (newest === undefined) return { entries, isComplete: true }
      entries.push(newest)
    }
    if (entries.length === stretch.limit) {
      return { entries, isComplete: shards.every((shard) => shard.isEnded && shard.ahead.length === 0) }
    }
  }
}

function newShard(partition: string, { after }: ListingStretch): Shard {
  return { partition, ahead: [], last: after, isEnded: false }
}

/** Takes the newest entry of all shards. */
function newestOf(shards: readonly Shard[]): ListingPosition | undefined {
  let newest: Shard | undefined
  for (const shard of shards) {
    const [first] = shard.ahead
    if (first === undefined) continue
    if (newest === undefined || compareListed(first, newest.ahead[0] as ListingPosition) < 0) newest = shard
  }
  return newest?.ahead.shift()
}

const { partition: PARTITION, sort: SORT } = LISTING_ATTRIBUTES

async function readAhead(
  options: DynamoDbStoreOptions,
  { sinceMs, untilMs }: ListingStretch,
  shard: Shard,
  count: number,
): Promise<void> {
  const { client, sdk } = await options.dynamodb.get()
  const { last } = shard
  // `$` comes right after `#`: all keys of the millisecond `untilMs` are below. A sort key takes one condition only, and
  // BETWEEN includes its ends, so the last one read comes again, and is left out.
  const until = `${listingTime(untilMs)}$`
  const end = last === undefined ? until : `${listingTime(last.createdAt)}#${last.id}`
  const [low, high] = [listingTime(sinceMs), end < until ? end : until]
  if (high < low) {
    shard.isEnded = true
    return
  }
  const command = new sdk.QueryCommand({
    TableName: options.tableName,
    IndexName: LISTING_INDEX,
    KeyConditionExpression: '#p = :p AND #s BETWEEN :low AND :high',
    ExpressionAttributeNames: { '#p': PARTITION, '#s': SORT },
    ExpressionAttributeValues: { ':p': { S: shard.partition }, ':low': { S: low }, ':high': { S: high } },
    ScanIndexForward: false,
    Limit: count + 1,
  })
  const resource = `index "${LISTING_INDEX}" of table "${options.tableName}"`
  const page = await requesting({ action: 'dynamodb:Query', resource, access: 'inspect' }, () =>
    client.send(command),
  )
  for (const item of page.Items ?? []) {
    const entry = entryOf(item)
    if (entry.id === last?.id && entry.createdAt === last.createdAt) continue
    shard.ahead.push(entry)
  }
  shard.last = shard.ahead.at(-1) ?? last
  shard.isEnded = page.LastEvaluatedKey === undefined
}

function entryOf(item: Record<string, AttributeValue>): ListingPosition {
  return { id: idOfKey(item), createdAt: Number(item[SORT]?.S?.split('#', 1)[0]) }
}
