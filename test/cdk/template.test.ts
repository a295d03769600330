/**
 * What a fleet's template has, resource by resource.
 * @module
 */
import { describe, expect, test } from 'vitest'
import { tableDefinition } from '../../src/runtime/aws/dynamodb-item.ts'
import { apps, fleetTemplate, resourceOf, resourcesOf, stackFleet } from './synthesized-fleet.ts'

const template = fleetTemplate()
const small = fleetTemplate({ app: apps.small })

describe('queues', () => {
  const queue = (name: string, of = template) => resourceOf(of, 'AWS::SQS::Queue', `JobsQueues${name}Queue`)
  const deadLetters = (name: string) =>
    resourceOf(template, 'AWS::SQS::Queue', `JobsQueues${name}DeadLetters`)

  test('are as the config says: retention, visibility, order', () => {
    expect(queue('lowpriority').Properties).toMatchObject({
      MessageRetentionPeriod: 345_600,
      // foo's 300 s, its window of 2 s, and 30 s.
      VisibilityTimeout: 332,
    })
    expect(queue('highpriority').Properties).toMatchObject({ MessageRetentionPeriod: 86_400 })
    expect(queue('orders').Properties).toMatchObject({
      FifoQueue: true,
      ContentBasedDeduplication: false,
      DeduplicationScope: 'messageGroup',
      FifoThroughputLimit: 'perMessageGroupId',
      VisibilityTimeout: 700,
    })
    expect(queue('default', small).Properties).toMatchObject({ VisibilityTimeout: 90 })
  })

  test.each(['lowpriority', 'highpriority', 'orders'])(
    '%s has a dead-letter queue of 14 days, after 100 receives (F-22, F-25)',
    (name) => {
      const letters = deadLetters(name)
      expect(queue(name).Properties.RedrivePolicy).toEqual({
        deadLetterTargetArn: { 'Fn::GetAtt': [letters.id, 'Arn'] },
        maxReceiveCount: 100,
      })
      expect(letters.Properties).toMatchObject({ MessageRetentionPeriod: 1_209_600, VisibilityTimeout: 90 })
      expect(letters.Properties.RedrivePolicy).toBeUndefined()
      expect(letters.Properties.FifoQueue).toBe(queue(name).Properties.FifoQueue)
    },
  )

  test('all are encrypted, take TLS only, have no name of their own, and stay when the config drops them', () => {
    const queues = resourcesOf(template, 'AWS::SQS::Queue')
    expect(queues.size).toBe(6)
    const guarded = [...resourcesOf(template, 'AWS::SQS::QueuePolicy').values()].flatMap(({ Properties }) => {
      const denied = Properties.PolicyDocument.Statement[0]
      expect(denied).toMatchObject({
        Effect: 'Deny',
        Action: 'sqs:*',
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      })
      return Properties.Queues.map(({ Ref }: { Ref: string }) => Ref)
    })
    expect(guarded.sort()).toEqual([...queues.keys()].sort())
    for (const { Properties, DeletionPolicy, UpdateReplacePolicy } of queues.values()) {
      expect(Properties.SqsManagedSseEnabled).toBe(true)
      expect(Properties.QueueName).toBeUndefined()
      expect([DeletionPolicy, UpdateReplacePolicy]).toEqual(['Retain', 'Retain'])
    }
  })
})

describe('the table', () => {
  const shape = (of = template) => {
    const { AttributeDefinitions, KeySchema, GlobalSecondaryIndexes } = resourceOf(
      of,
      'AWS::DynamoDB::GlobalTable',
      'JobsTable',
    ).Properties
    const byName = <T extends object>(list: readonly T[]) =>
      list.toSorted((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)))
    return {
      AttributeDefinitions: byName(AttributeDefinitions),
      KeySchema,
      GlobalSecondaryIndexes: byName(GlobalSecondaryIndexes),
    }
  }
  const expected = (indexes: readonly string[]) => {
    const { AttributeDefinitions = [], KeySchema, GlobalSecondaryIndexes = [] } = tableDefinition('shop')
    const kept = GlobalSecondaryIndexes.filter(({ IndexName = '' }) => indexes.includes(IndexName))
    const names = [...(KeySchema ?? []), ...kept.flatMap((index) => index.KeySchema ?? [])].map(
      ({ AttributeName }) => AttributeName,
    )
    const attributes = AttributeDefinitions.filter(({ AttributeName }) => names.includes(AttributeName))
    const byName = <T extends object>(list: readonly T[]) =>
      list.toSorted((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)))
    return { AttributeDefinitions: byName(attributes), KeySchema, GlobalSecondaryIndexes: byName(kept) }
  }

  test("has the runtime's keys and indexes, the listing among them unless the config has none", () => {
    expect(shape()).toEqual(expected(['failed', 'listing']))
    expect(shape(small)).toEqual(expected(['failed']))
  })

  test('is on demand, expires, can be recovered, and is protected', () => {
    const table = resourceOf(template, 'AWS::DynamoDB::GlobalTable', 'JobsTable')
    expect(table.Properties).toMatchObject({
      BillingMode: 'PAY_PER_REQUEST',
      TimeToLiveSpecification: { AttributeName: 'tl', Enabled: true },
      Replicas: [
        {
          Region: { Ref: 'AWS::Region' },
          DeletionProtectionEnabled: true,
          PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        },
      ],
    })
    expect(table.Properties.TableName).toBeUndefined()
    expect([table.DeletionPolicy, table.UpdateReplacePolicy]).toEqual(['Retain', 'Retain'])
  })
})

describe('workers', () => {
  const worker = (name: string) => resourceOf(template, 'AWS::Lambda::Function', `JobsWorkers${name}Function`)
  const mapping = (name: string) => resourceOf(template, 'AWS::Lambda::EventSourceMapping', name)

  test('are as the config says: memory, time-out, log level', () => {
    expect(worker('foo').Properties).toMatchObject({
      MemorySize: 1024,
      Timeout: 300,
      LoggingConfig: { LogFormat: 'JSON', ApplicationLogLevel: 'ERROR', SystemLogLevel: 'WARN' },
    })
    expect(worker('bar').Properties).toMatchObject({
      MemorySize: 512,
      Timeout: 60,
      LoggingConfig: { LogFormat: 'JSON', ApplicationLogLevel: 'INFO', SystemLogLevel: 'WARN' },
    })
  })

  test('all functions run one bundle on Node 24 and arm64, submit in chains, and log for a month', () => {
    const functions = resourcesOf(template, 'AWS::Lambda::Function')
    expect(functions.size).toBe(3)
    const code = worker('foo').Properties.Code
    for (const { Properties } of functions.values()) {
      expect(Properties).toMatchObject({
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        RecursiveLoop: 'Allow',
      })
      expect(Properties.Code).toEqual(code)
      expect(Properties.FunctionName).toBeUndefined()
      expect(Properties.ReservedConcurrentExecutions).toBeUndefined()
      const logs = resourcesOf(template, 'AWS::Logs::LogGroup').get(Properties.LoggingConfig.LogGroup.Ref)
      expect(logs?.Properties).toEqual({ RetentionInDays: 30 })
    }
    expect(worker('foo').Properties.Handler).toBe('index.handler')
    const deadLetters = resourceOf(template, 'AWS::Lambda::Function', 'JobsDeadLettersFunction')
    expect(deadLetters.Properties.Handler).toBe('index.deadLetters')
  })

  test('have one mapping for each of their queues: concurrency ÷ (queues × batch size) invocations at once', () => {
    expect(resourcesOf(template, 'AWS::Lambda::EventSourceMapping').size).toBe(4 + 3)
    // 40 calls over 2 queues × batches of 10; 20 over 2 × 5.
    for (const [name, batchSize] of [
      ['JobsWorkersfooMappingslowpriority', 10],
      ['JobsWorkersfooMappingshighpriority', 10],
      ['JobsWorkersbarMappingshighpriority', 5],
      ['JobsWorkersbarMappingsorders', 5],
    ] as const) {
      expect(mapping(name).Properties).toMatchObject({
        BatchSize: batchSize,
        ScalingConfig: { MaximumConcurrency: 2 },
        FunctionResponseTypes: ['ReportBatchItemFailures'],
      })
    }
    expect(mapping('JobsWorkersfooMappingslowpriority').Properties.MaximumBatchingWindowInSeconds).toBe(2)
    expect(mapping('JobsWorkersbarMappingsorders').Properties.MaximumBatchingWindowInSeconds).toBeUndefined()
  })

  test('know the table, the queues, the bucket, who they are, and the version of their code', () => {
    const { Variables } = worker('foo').Properties.Environment
    expect(Object.keys(Variables).sort()).toEqual([
      'ERRAND_BUCKET',
      'ERRAND_FLEET',
      'ERRAND_QUEUE_URLS',
      'ERRAND_TABLE',
      'ERRAND_VERSION',
      'ERRAND_WORKER',
    ])
    expect(Variables.ERRAND_WORKER).toBe('foo')
    expect(Variables.ERRAND_TABLE).toEqual({
      Ref: resourceOf(template, 'AWS::DynamoDB::GlobalTable', 'JobsTable').id,
    })
    expect(worker('foo').Properties.Code.S3Key).toMatch(new RegExp(`^${Variables.ERRAND_VERSION}`))
    expect(Variables.ERRAND_VERSION).toMatch(/^[0-9a-f]{12}$/)
    expect(urlsOf(Variables.ERRAND_QUEUE_URLS)).toEqual({
      'high-priority': resourceOf(template, 'AWS::SQS::Queue', 'JobsQueueshighpriorityQueue').id,
      'low-priority': resourceOf(template, 'AWS::SQS::Queue', 'JobsQueueslowpriorityQueue').id,
      orders: resourceOf(template, 'AWS::SQS::Queue', 'JobsQueuesordersQueue').id,
    })
  })

  test('the dead-letter function knows the dead-letter queues by the names that the handler looks for', () => {
    const { Variables } = resourceOf(template, 'AWS::Lambda::Function', 'JobsDeadLettersFunction').Properties
      .Environment
    const urls = urlsOf(Variables.ERRAND_QUEUE_URLS)
    expect(Object.keys(urls)).toHaveLength(6)
    expect(urls['orders-dead-letters']).toBe(
      resourceOf(template, 'AWS::SQS::Queue', 'JobsQueuesordersDeadLetters').id,
    )
  })
})

/** The logical ids in a JSON object of `Ref`s. */
function urlsOf(value: { 'Fn::Join': [string, (string | { Ref: string })[]] }): Record<string, string> {
  const [separator, parts] = value['Fn::Join']
  return JSON.parse(parts.map((part) => (typeof part === 'string' ? part : part.Ref)).join(separator))
}

describe('the bucket', () => {
  test('is private, takes TLS only, and lets payloads expire', () => {
    const bucket = resourceOf(template, 'AWS::S3::Bucket', 'JobsBucket')
    expect(bucket.Properties.LifecycleConfiguration.Rules).toEqual([
      { Id: 'errand', Status: 'Enabled', Prefix: 'errand/shop/', ExpirationInDays: 30 },
    ])
    expect(bucket.Properties.PublicAccessBlockConfiguration).toEqual({
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    })
    const policy = resourceOf(template, 'AWS::S3::BucketPolicy', 'JobsBucketPolicy')
    expect(policy.Properties.PolicyDocument.Statement).toHaveLength(1)
    expect(policy.Properties.PolicyDocument.Statement[0].Effect).toBe('Deny')
    expect(bucket.DeletionPolicy).toBe('Retain')
  })

  test('is not made where the config has no blobs', () => {
    expect(resourcesOf(small, 'AWS::S3::Bucket').size).toBe(0)
    expect(stackFleet({ app: apps.small }).fleet.bucket).toBeUndefined()
  })
})

describe('the output', () => {
  test('tells the command line where everything is', () => {
    const [[id, { Value, Description }]] = Object.entries(template.findOutputs('*')) as [
      [string, { Value: { 'Fn::Join': [string, (string | { Ref: string })[]] }; Description: string }],
    ]
    expect(id).toMatch(/^JobsFleet/)
    expect(Description).toBe('errand fleet shop: its table, queues and functions as JSON')
    const output = urlsOf(Value) as unknown as Record<string, unknown>
    expect(Object.keys(output)).toEqual([
      'errand',
      'app',
      'version',
      'fleet',
      'table',
      'bucket',
      'queues',
      'deadLetters',
      'workers',
      'mappings',
      'deadLetterFunction',
    ])
    expect(output).toMatchObject({
      errand: 1,
      app: 'shop',
      workers: { foo: resourceOf(template, 'AWS::Lambda::Function', 'JobsWorkersfooFunction').id },
      mappings: {
        bar: {
          orders: resourceOf(template, 'AWS::Lambda::EventSourceMapping', 'JobsWorkersbarMappingsorders').id,
        },
      },
    })
  })
})
