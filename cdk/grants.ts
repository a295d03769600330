/**
 * What each role may do: single actions on single resources, as many as the code requests and no more.
 *
 * | role         | SQS                                  | DynamoDB                                    | S3       |
 * | ------------ | ------------------------------------ | ------------------------------------------- | -------- |
 * | submit       | send                                 | put                                         | put      |
 * | read         |                                      | get, batch get                              | get      |
 * | manage       | send                                 | the above, update, query of index `failed`  | both     |
 * | worker       | consume its queues, send             | put, get, batch get, update                 | both     |
 * | dead letters | consume dead letters, send           | put, get, update                            | both     |
 *
 * With `longDelays`, who submits, manages or works makes schedules too (`schedule-grants.ts`).
 * Puts and updates are of calls, not of notices. Who looks after the fleet is in `inspection-grants.ts`.
 *
 * A submit needs no read: DynamoDB sends the item that stood in the way of a conditional write along with its refusal,
 * free of charge. A write of an absent record is refused without one, and is then looked for: so who updates reads.
 * @module
 */
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { acknowledgeObjectKeys } from './acknowledgements.ts'
import type { FleetSchedules } from './fleet-schedules.ts'
import { CALL_PARTITIONS, type FleetTable } from './fleet-table.ts'
import { grantDelays } from './schedule-grants.ts'

/** Where a fleet's large payloads lie. */
export interface FleetBlobs {
  readonly bucket: IBucket
  /** What every key of the app begins with. */
  readonly prefix: string
}

/** What grants are given on. */
export interface FleetResources {
  /** The queues, in the order of their names. */
  readonly queues: readonly IQueue[]
  readonly table: FleetTable
  /** Absent: the config has no `blobs`. */
  readonly blobs: FleetBlobs | undefined
  /** Absent: the app has no schedules, and no `longDelays`. */
  readonly schedules: FleetSchedules | undefined
}

/** To submit calls. */
export function grantSubmit(resources: FleetResources, grantee: IGrantable): void {
  grantSend(resources.queues, grantee)
  grantTable(resources.table, grantee, ['PutItem'])
  grantBlobs(resources.blobs, grantee, ['PutObject'])
  grantDelays(resources.schedules, grantee)
}

/** To read futures. */
export function grantRead(resources: FleetResources, grantee: IGrantable): void {
  grantTable(resources.table, grantee, ['BatchGetItem', 'GetItem'])
  grantBlobs(resources.blobs, grantee, ['GetObject'])
}

/** To cancel, abort and retry by hand: a retry reads the call, sends it again, and what followed its failure. */
export function grantManage(resources: FleetResources, grantee: IGrantable): void {
  const { queues, table, blobs, schedules } = resources
  grantSend(queues, grantee)
  grantDelays(schedules, grantee)
  grantTable(table, grantee, ['BatchGetItem', 'GetItem', 'PutItem', 'UpdateItem'])
  allow(grantee, ['dynamodb:Query'], table.failedIndexArn)
  grantBlobs(blobs, grantee, ['GetObject', 'PutObject'])
}

/** To run calls: of these queues, and to submit further ones unless `submits` is false. */
export function grantWork(
  resources: FleetResources,
  consumed: readonly IQueue[],
  grantee: IGrantable,
  submits: boolean,
): void {
  for (const queue of consumed) grantConsume(queue, grantee)
  if (submits) grantSend(resources.queues, grantee)
  grantTable(resources.table, grantee, ['BatchGetItem', 'GetItem', 'PutItem', 'UpdateItem'])
  grantBlobs(resources.blobs, grantee, ['GetObject', 'PutObject'])
  grantDelays(resources.schedules, grantee)
}

/** To end dead letters, to have a schedule send what is not due for longer than they live, and to submit what follows a failure. */
export function grantDeadLetters(
  resources: FleetResources,
  deadLetterQueues: readonly IQueue[],
  grantee: IGrantable,
): void {
  for (const queue of deadLetterQueues) grantConsume(queue, grantee)
  grantSend(resources.queues, grantee)
  grantTable(resources.table, grantee, ['GetItem', 'PutItem', 'UpdateItem'])
  grantBlobs(resources.blobs, grantee, ['GetObject', 'PutObject'])
  grantDelays(resources.schedules, grantee)
}

/** `Grant` rather than the resources' own `grant…`, which give more: `sqs:GetQueueUrl`, `dynamodb:Scan`, `index/*`. */
export function allow(grantee: IGrantable, actions: readonly string[], ...resourceArns: string[]): void {
  Grant.addToPrincipal({ grantee, actions: [...actions], resourceArns })
}

function grantSend(queues: readonly IQueue[], grantee: IGrantable): void {
  for (const queue of queues) {
    allow(grantee, ['sqs:SendMessage'], queue.queueArn)
    grantKey(queue.encryptionMasterKey, grantee, ['Decrypt', 'GenerateDataKey'])
  }
}

function grantConsume(queue: IQueue, grantee: IGrantable): void {
  const actions = ['ChangeMessageVisibility', 'DeleteMessage', 'GetQueueAttributes', 'ReceiveMessage']
  allow(
    grantee,
    actions.map((action) => `sqs:${action}`),
    queue.queueArn,
  )
  grantKey(queue.encryptionMasterKey, grantee, ['Decrypt'])
}

const readKey = ['Decrypt', 'DescribeKey']
const writeKey = [...readKey, 'Encrypt', 'GenerateDataKey', 'ReEncryptFrom', 'ReEncryptTo']

const writes = (action: string) => action === 'PutItem' || action === 'UpdateItem'

/**
 * On the records, and the key that encrypts them. Writes are of calls alone: by a notice, which is in the same table,
 * somebody who only submits could pause the queues of workers in containers.
 */
export function grantTable(
  { table, encryptionKey }: FleetTable,
  grantee: IGrantable,
  actions: readonly string[],
): void {
  const [written, read] = [actions.filter(writes), actions.filter((action) => !writes(action))]
  if (read.length > 0) {
    const named = read.map((action) => `dynamodb:${action}`)
    allow(grantee, named, table.tableArn)
  }
  if (written.length > 0) {
    Grant.addToPrincipal({
      grantee,
      actions: written.map((action) => `dynamodb:${action}`),
      resourceArns: [table.tableArn],
      // Each of these requests names its partition, so the condition cannot hold for lack of one.
      conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [CALL_PARTITIONS] } },
    })
  }
  grantKey(encryptionKey, grantee, written.length > 0 ? writeKey : readKey)
}

/** On the large payloads of the app, as far as it has any. */
export function grantBlobs(
  blobs: FleetBlobs | undefined,
  grantee: IGrantable,
  actions: readonly string[],
): void {
  if (blobs === undefined) return
  const { bucket, prefix } = blobs
  const objects = bucket.arnForObjects(`${prefix}*`)
  allow(
    grantee,
    actions.map((action) => `s3:${action}`),
    objects,
  )
  const reads = actions.includes('GetObject')
  if (reads) {
    // Without it S3 says of a missing object that it was denied, and a lost blob would be retried for ever.
    const conditions = { StringLike: { 's3:prefix': [`${prefix}*`] } }
    Grant.addToPrincipal({
      grantee,
      actions: ['s3:ListBucket'],
      resourceArns: [bucket.bucketArn],
      conditions,
    })
  }
  const keyActions = [
    ...(reads ? ['Decrypt'] : []),
    ...(actions.includes('PutObject') ? ['GenerateDataKey'] : []),
  ]
  grantKey(bucket.encryptionKey, grantee, keyActions)
  acknowledgeObjectKeys(grantee, bucket, prefix)
}

/** On a key of the user's, where there is one. */
export function grantKey(key: IKey | undefined, grantee: IGrantable, actions: readonly string[]): void {
  key?.grant(grantee, ...actions.map((action) => `kms:${action}`))
}
