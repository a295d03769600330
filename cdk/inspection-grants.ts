/**
 * What looking after a fleet takes, beside what its calls do: single actions on single resources again.
 *
 * | role    | Lambda                        | SQS                                        | DynamoDB                                                      |
 * | ------- | ----------------------------- | ------------------------------------------ | ------------------------------------------------------------- |
 * | inspect | invoke workers, read mappings | count queues and dead letters              | get, batch get, query of notices and index `listing`          |
 * | operate | the same, update mappings     | the same, purge queues, not dead letters   | the same, put of notices, update (a purge cancels what waits) |
 * | monitor | as inspect                    | as inspect                                 | as inspect, query of index `failed`                           |
 *
 * The monitor besides reads large payloads, and metrics of CloudWatch, which know no resources.
 *
 * Of schedules see `schedule-grants.ts`. Mappings are known by their ids: `lambda:ListEventSourceMappings` could be granted on `*` alone.
 * @module
 */
import { Grant, type IGrantable, Policy, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { acknowledgeMetrics } from './acknowledgements.ts'
import { NOTICES_PARTITION } from './fleet-table.ts'
import type { FleetWorker } from './fleet-workers.ts'
import { allow, type FleetResources, grantBlobs, grantTable } from './grants.ts'
import { grantScheduleReads, grantScheduleWrites } from './schedule-grants.ts'

/** What somebody who looks after a fleet reaches. */
export interface FleetControls extends FleetResources {
  /** In the order of the queues' names. */
  readonly deadLetterQueues: readonly IQueue[]
  /** Those that have functions. */
  readonly workers: readonly FleetWorker[]
}

/** To look: `status` and `inspect`. */
export function grantInspect(controls: FleetControls, grantee: IGrantable): void {
  const { workers, queues, deadLetterQueues, table } = controls
  for (const worker of workers) allow(grantee, ['lambda:InvokeFunction'], worker.function.functionArn)
  for (const arn of mappingArns(workers)) allow(grantee, ['lambda:GetEventSourceMapping'], arn)
  for (const queue of [...queues, ...deadLetterQueues]) {
    allow(grantee, ['sqs:GetQueueAttributes'], queue.queueArn)
  }
  grantTable(table, grantee, ['BatchGetItem', 'GetItem'])
  grantNotices(controls, grantee, ['Query'])
  grantScheduleReads(controls.schedules, grantee)
  if (table.listingIndexArn !== undefined) allow(grantee, ['dynamodb:Query'], table.listingIndexArn)
}

/** To pause, resume and purge queues, and to see what became of it. */
export function grantOperate(controls: FleetControls, grantee: IGrantable): void {
  grantInspect(controls, grantee)
  for (const arn of mappingArns(controls.workers)) allow(grantee, ['lambda:UpdateEventSourceMapping'], arn)
  for (const queue of controls.queues) allow(grantee, ['sqs:PurgeQueue'], queue.queueArn)
  grantScheduleWrites(controls.schedules, grantee)
  grantTable(controls.table, grantee, ['UpdateItem'])
  grantNotices(controls, grantee, ['PutItem'])
}

/**
 * To serve the monitor, read-only.
 * @param options.payloads whether it shows large payloads
 */
export function grantMonitor(
  controls: FleetControls,
  grantee: IGrantable,
  { payloads }: { readonly payloads: boolean },
): void {
  grantInspect(controls, grantee)
  allow(grantee, ['dynamodb:Query'], controls.table.failedIndexArn)
  if (payloads) grantBlobs(controls.blobs, grantee, ['GetObject'])
  grantMetrics(grantee)
}

/** In a policy of its own, where it can be: what is acknowledged of it is of nothing else that a role may do. */
function grantMetrics({ grantPrincipal }: IGrantable): void {
  const actions = ['cloudwatch:GetMetricData']
  if (!(grantPrincipal instanceof Role)) {
    allow({ grantPrincipal }, actions, '*')
    return
  }
  const id = 'ErrandMetrics'
  if (grantPrincipal.node.tryFindChild(id) !== undefined) return
  const statements = [new PolicyStatement({ actions, resources: ['*'] })]
  acknowledgeMetrics(new Policy(grantPrincipal, id, { statements, roles: [grantPrincipal] }))
}

/** On the partition of the notices alone, which worker processes leave, and who pauses a queue. */
export function grantNotices(
  { table: { table } }: FleetResources,
  grantee: IGrantable,
  actions: readonly ('PutItem' | 'Query')[],
): void {
  Grant.addToPrincipal({
    grantee,
    actions: actions.map((action) => `dynamodb:${action}`),
    resourceArns: [table.tableArn],
    // Each of these requests names its partition, so the condition cannot hold for lack of one.
    conditions: { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [NOTICES_PARTITION] } },
  })
}

function mappingArns(workers: readonly FleetWorker[]): readonly string[] {
  return workers.flatMap(({ mappings }) =>
    [...mappings.values()].map(({ eventSourceMappingArn }) => eventSourceMappingArn),
  )
}
