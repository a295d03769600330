/**
 * What cdk-nag's AwsSolutions pack finds in a fleet, and why it stays: each finding by its own id, where it is, so that
 * nothing of a user's own is silenced with it.
 * @module
 */
import { Stack, Validations } from 'aws-cdk-lib'
import type { IGrantable } from 'aws-cdk-lib/aws-iam'
import type { Bucket, IBucket } from 'aws-cdk-lib/aws-s3'
import { Construct, type IConstruct } from 'constructs'

/** Keys of large payloads hold ids of calls that are yet to come: they can only be named by their prefix. */
export function acknowledgeObjectKeys(grantee: IGrantable, bucket: IBucket, prefix: string): void {
  const principal: unknown = grantee.grantPrincipal
  if (!Construct.isConstruct(principal)) return
  const objects = flatten(Stack.of(bucket).resolve(bucket.arnForObjects(`${prefix}*`)))
  acknowledge(
    principal,
    `AwsSolutions-IAM5[Resource::${objects}]`,
    'objects of this app, named after ids of calls',
  )
}

/** Schedules of long delays are named after ids of calls that are yet to come: they can only be named by their group. */
export function acknowledgeSchedules(grantee: IGrantable, group: IConstruct, arn: string): void {
  const principal: unknown = grantee.grantPrincipal
  if (!Construct.isConstruct(principal)) return
  const schedules = flatten(Stack.of(group).resolve(arn))
  acknowledge(
    principal,
    `AwsSolutions-IAM5[Resource::${schedules}]`,
    "schedules of this fleet's own group, named after ids of calls",
  )
}

/** The pack knows a dead-letter queue by the queues that it is one of, and schedules are none. */
export function acknowledgeDeadLetters(queue: IConstruct): void {
  acknowledge(queue, 'AwsSolutions-SQS3', 'is itself the dead-letter queue, of schedules')
}

/** `ec2:Describe…` knows no resources, and Lambda makes the interfaces under ids of its own. */
export function acknowledgeNetworkInterfaces(policy: IConstruct): void {
  const reason =
    'Lambda makes network interfaces under ids of its own; the code itself is denied these actions'
  acknowledge(policy, 'AwsSolutions-IAM5[Resource::*]', reason)
}

/** `cloudwatch:GetMetricData` knows neither resources nor conditions on a namespace. */
export function acknowledgeMetrics(policy: IConstruct): void {
  const reason = 'cloudwatch:GetMetricData, which cannot be granted on less: numbers of metrics, read-only'
  acknowledge(policy, 'AwsSolutions-IAM5[Resource::*]', reason)
}

/** Access logs would need a second bucket; who asks for them gives a bucket that has them. */
export function acknowledgeAccessLogs(bucket: Bucket): void {
  const reason =
    'private payloads that expire, written and read by the roles of this stack; CloudTrail has data events'
  acknowledge(bucket, 'AwsSolutions-S1', reason)
}

function acknowledge(scope: IConstruct, id: string, reason: string): void {
  Validations.of(scope).acknowledge({ id, reason })
}

/** A resolved ARN in cdk-nag's words: `<JobsBucket1234.Arn>/errand/shop/*`. */
function flatten(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  const [[kind, content]] = Object.entries(value) as [[string, unknown]]
  if (kind === 'Fn::Join') {
    const [separator, parts] = content as [string, unknown[]]
    return parts.map(flatten).join(separator)
  }
  if (kind === 'Fn::GetAtt') return `<${(content as string[]).join('.')}>`
  return kind === 'Ref' ? `<${content}>` : JSON.stringify(value)
}
