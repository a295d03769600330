/**
 * The table of a fleet, made as `tableDefinition` of the runtime says (a test compares), or the one that is given.
 * @module
 */
import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import {
  AttributeType,
  Billing,
  CfnGlobalTable,
  CfnTable,
  type GlobalSecondaryIndexPropsV2,
  type ITable,
  type ITableV2,
  ProjectionType,
  TableV2,
} from 'aws-cdk-lib/aws-dynamodb'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { refusal } from './refusal.ts'

/** The table of a fleet. */
export interface FleetTable {
  readonly table: ITable | ITableV2
  /** The key of the user's that encrypts it. */
  readonly encryptionKey: IKey | undefined
  /** The index of failed calls, for who retries them. */
  readonly failedIndexArn: string
  /** The index of all calls, for who inspects them. Absent: the config has `listing: false`. */
  readonly listingIndexArn: string | undefined
}

/** The partition of the notices, as the runtime's `dynamodb-notices.ts` has it (a test compares). */
export const NOTICES_PARTITION = 'N'

/** The partitions of the calls: their records, results and messages, as the runtime's `dynamodb-item.ts` has them (a test compares). */
export const CALL_PARTITIONS = 'C#*'

const string = (name: string) => ({ name, type: AttributeType.STRING })
const projectionType = ProjectionType.KEYS_ONLY

const failed: GlobalSecondaryIndexPropsV2 = {
  indexName: 'failed',
  partitionKey: string('fq'),
  sortKey: { name: 'fi', type: AttributeType.NUMBER },
  projectionType,
}

const listing: GlobalSecondaryIndexPropsV2 = {
  indexName: 'listing',
  partitionKey: string('lp'),
  sortKey: string('ls'),
  projectionType,
}

/** Makes the table. */
export function makeTable(
  scope: Construct,
  options: {
    readonly listing: boolean
    readonly removalPolicy: RemovalPolicy
    readonly encryptionKey: IKey | undefined
  },
): FleetTable {
  const { removalPolicy, encryptionKey } = options
  const table = new TableV2(scope, 'Table', {
    partitionKey: string('pk'),
    sortKey: string('sk'),
    timeToLiveAttribute: 'tl',
    globalSecondaryIndexes: options.listing ? [failed, listing] : [failed],
    billing: Billing.onDemand(),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    deletionProtection: removalPolicy === RemovalPolicy.RETAIN,
    removalPolicy,
  })
  if (encryptionKey !== undefined) encrypt(table, encryptionKey)
  // The CDK's classes do not fit its own interfaces under exactOptionalPropertyTypes.
  return fleetTable(table as ITableV2, options.listing, encryptionKey)
}

/** By hand, since `TableV2` takes a key only where the stack names its region. */
function encrypt(table: TableV2, key: IKey): void {
  const resource = table.node.defaultChild as CfnGlobalTable
  resource.addPropertyOverride('SSESpecification', { SSEEnabled: true, SSEType: 'KMS' })
  resource.addPropertyOverride('Replicas.0.SSESpecification', { KMSMasterKeyId: key.keyArn })
}

/**
 * The table that is given. What is known of it, where it is made in this CDK app, is checked.
 * @throws InvalidOptionError
 */
export function useTable(
  scope: Construct,
  table: ITable | ITableV2,
  needs: { readonly listing: boolean },
): FleetTable {
  const resource = table.node.defaultChild
  if (resource instanceof CfnTable || resource instanceof CfnGlobalTable) {
    const refuse = (what: string, fix: string) =>
      refusal(scope, `\`table\` ${table.node.path} ${what}; ${fix}, or leave \`table\` out and one is made`)
    const { keySchema, globalSecondaryIndexes, timeToLiveSpecification } = shapeOf(resource)
    const keys = keySchema.map(({ attributeName }) => attributeName).join(', ')
    if (keys !== 'pk, sk')
      throw refuse(`has the keys ${keys}`, 'make it with the keys pk and sk, both strings')
    const ttl = timeToLiveSpecification?.attributeName
    if (ttl !== 'tl') {
      const found = ttl === undefined ? 'no time to live' : `time to live by "${ttl}"`
      throw refuse(`has ${found}, and records would stay for ever`, "set `timeToLiveAttribute: 'tl'`")
    }
    const names = globalSecondaryIndexes.map(({ indexName }) => indexName)
    for (const index of needs.listing ? [failed, listing] : [failed]) {
      if (names.includes(index.indexName)) continue
      const { name: partition } = index.partitionKey as { name: string }
      const keyed = `${partition} and ${index.sortKey?.name}, KEYS_ONLY`
      const off = index === listing ? ', or set `listing: false` in the config' : ''
      throw refuse(`has no index "${index.indexName}"`, `add it, keyed by ${keyed}${off}`)
    }
  }
  return fleetTable(table, needs.listing)
}

/** The parts of a table's template that are looked at. */
interface TableShape {
  readonly keySchema: readonly { readonly attributeName: string }[]
  readonly globalSecondaryIndexes: readonly { readonly indexName: string }[]
  readonly timeToLiveSpecification?: { readonly attributeName?: string }
}

function shapeOf(resource: CfnTable | CfnGlobalTable): TableShape {
  const { keySchema, globalSecondaryIndexes, timeToLiveSpecification } = resource
  const shape = Stack.of(resource).resolve({ keySchema, globalSecondaryIndexes, timeToLiveSpecification })
  return { globalSecondaryIndexes: [], ...shape }
}

function fleetTable(
  table: ITable | ITableV2,
  isListing: boolean,
  encryptionKey = table.encryptionKey,
): FleetTable {
  const arnOf = ({ indexName }: GlobalSecondaryIndexPropsV2) => `${table.tableArn}/index/${indexName}`
  return {
    table,
    encryptionKey,
    failedIndexArn: arnOf(failed),
    listingIndexArn: isListing ? arnOf(listing) : undefined,
  }
}
