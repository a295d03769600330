/**
 * Makes the queues, tables and buckets of a template on wire servers, with the template's own properties.
 *
 * Left out, since no server here has them: encryption, tags, point-in-time recovery, and what a bucket is beside its
 * name.
 * @module
 */
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DynamoDBClient,
  UpdateTimeToLiveCommand,
  type UpdateTimeToLiveCommandInput,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import type { FauxqsServer, QueueAttributes } from '../../support/fauxqs.ts'
import { connectionTo, loopbackRegion, type WireServer } from '../../support/loopback-connection.ts'
import { createBucket } from '../../support/s3-bucket.ts'
import { resolveValue, type Scope } from './intrinsics.ts'
import { type Resource, resourcesOf, type Template } from './read-template.ts'

/** Servers that stand in for AWS. */
export interface Wire {
  /** SQS, and S3 beside it. */
  readonly sqs: FauxqsServer
  readonly dynamodb: WireServer
}

const ACCOUNT = '000000000000'
const TABLES = ['AWS::DynamoDB::GlobalTable', 'AWS::DynamoDB::Table']
const FUNCTION = 'AWS::Lambda::Function'
const NOT_MADE = ['AWS::Logs::LogGroup', 'AWS::Lambda::EventSourceMapping', 'AWS::Scheduler::ScheduleGroup']

/** Makes them, and returns what the template's names stand for. */
export async function makeResources(template: Template, wire: Wire): Promise<Scope> {
  const scope = scopeOf(template)
  await makeQueues(template, wire.sqs, scope)
  await makeTables(template, wire.dynamodb, scope)
  for (const [id] of resourcesOf(template, 'AWS::S3::Bucket')) {
    const bucket = await createBucket(wire.sqs, scope.references.get(id) ?? '')
    bucket.close()
  }
  return scope
}

/** Names and ARNs, which are known before anything is made. A queue's URL is not. */
export function scopeOf(template: Template): Scope {
  const { stackName, parameters, conditions } = template
  const references = new Map<string, string>([
    ['AWS::Region', loopbackRegion],
    ['AWS::AccountId', ACCOUNT],
    ['AWS::Partition', 'aws'],
    ['AWS::URLSuffix', 'amazonaws.com'],
    ['AWS::StackName', stackName],
  ])
  for (const [name, { Default }] of Object.entries(parameters)) {
    if (Default !== undefined) references.set(name, Default)
  }
  const attributes = new Map<string, string>()
  const name = (id: string, arn: (name: string) => string, own = physicalName(template, id)) => {
    references.set(id, own)
    attributes.set(`${id}.Arn`, arn(own))
  }
  const regional = (service: string) => (own: string) =>
    `arn:aws:${service}:${loopbackRegion}:${ACCOUNT}:${own}`
  for (const [id, { Properties }] of resourcesOf(template, 'AWS::SQS::Queue')) {
    const own = queueName(template, id, Properties)
    attributes.set(`${id}.QueueName`, own)
    attributes.set(`${id}.Arn`, regional('sqs')(own))
  }
  for (const [id] of resourcesOf(template, ...TABLES)) name(id, (own) => regional('dynamodb')(`table/${own}`))
  for (const [id] of resourcesOf(template, FUNCTION)) name(id, (own) => regional('lambda')(`function:${own}`))
  for (const [id] of resourcesOf(template, 'AWS::S3::Bucket')) {
    name(id, (own) => `arn:aws:s3:::${own}`, physicalName(template, id).toLowerCase())
  }
  // None is made: who asks for them by these finds none.
  for (const [id] of resourcesOf(template, ...NOT_MADE)) references.set(id, physicalName(template, id))
  for (const [id] of resourcesOf(template, 'AWS::IAM::Role')) {
    name(id, (own) => `arn:aws:iam::${ACCOUNT}:role/${own}`)
  }
  return { references, attributes, conditions }
}

/** As CloudFormation makes one, less its random end. */
function physicalName({ stackName }: Template, logicalId: string): string {
  return `${stackName}-${logicalId}`.slice(0, 63)
}

function queueName(template: Template, id: string, properties: Resource['Properties']): string {
  if (typeof properties?.QueueName === 'string') return properties.QueueName
  return physicalName(template, id) + (properties?.FifoQueue === true ? '.fifo' : '')
}

/** Dead-letter queues first: a redrive policy names one that exists. */
async function makeQueues(template: Template, sqs: FauxqsServer, scope: Scope): Promise<void> {
  const queues = resourcesOf(template, 'AWS::SQS::Queue').map(([id, { Properties }]) => ({
    id,
    name: scope.attributes.get(`${id}.QueueName`) ?? '',
    attributes: queueAttributes(resolveValue(Properties ?? {}, scope) as Record<string, unknown>),
  }))
  const isSource = (queue: (typeof queues)[number]) => queue.attributes.RedrivePolicy !== undefined
  for (const made of [queues.filter((queue) => !isSource(queue)), queues.filter(isSource)]) {
    const urls = await sqs.createQueues(
      Object.fromEntries(made.map((queue) => [queue.name, queue.attributes])),
    )
    for (const { id, name } of made) scope.references.set(id, urls[name] ?? '')
  }
}

/** A template spells attributes as SQS does, with values of any type; SQS takes text. */
function queueAttributes(properties: Readonly<Record<string, unknown>>): QueueAttributes {
  const attributes = Object.entries(properties).filter(([name]) => !['QueueName', 'Tags'].includes(name))
  return Object.fromEntries(
    attributes.map(([name, value]) => [
      name,
      typeof value === 'object' ? JSON.stringify(value) : String(value),
    ]),
  )
}

async function makeTables(template: Template, server: WireServer, scope: Scope): Promise<void> {
  const client = new DynamoDBClient({ region: loopbackRegion, ...connectionTo(server) })
  try {
    for (const [id, { Properties }] of resourcesOf(template, ...TABLES)) {
      const TableName = scope.references.get(id) ?? ''
      const properties = resolveValue(Properties ?? {}, scope) as unknown as CreateTableCommandInput & {
        TimeToLiveSpecification?: UpdateTimeToLiveCommandInput['TimeToLiveSpecification']
      }
      const { AttributeDefinitions, KeySchema, BillingMode, GlobalSecondaryIndexes } = properties
      const table = { TableName, AttributeDefinitions, KeySchema, BillingMode, GlobalSecondaryIndexes }
      await client.send(new CreateTableCommand(table))
      await waitUntilTableExists({ client, maxWaitTime: 10, minDelay: 1 }, { TableName })
      const { TimeToLiveSpecification } = properties
      if (TimeToLiveSpecification !== undefined) {
        await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }))
      }
    }
  } finally {
    client.destroy()
  }
}
