/**
 * Fleets on what is there already: a table, queues, a bucket, a VPC; and what is refused of it.
 * @module
 */
import { Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { AttributeType, Table, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { type IVpc, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2'
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { describe, expect, test } from 'vitest'
import { allowedCells, ofCalls, statementsOf } from './granted-cells.ts'
import {
  apps,
  fleetTemplate,
  resourceOf,
  resourcesOf,
  stackFleet,
  userFunction,
  warningsOf,
} from './synthesized-fleet.ts'

const string = (name: string) => ({ name, type: AttributeType.STRING })
const keys = { partitionKey: string('pk'), sortKey: string('sk') }
const failed = {
  indexName: 'failed',
  partitionKey: string('fq'),
  sortKey: { name: 'fi', type: AttributeType.NUMBER },
}

describe('a table', () => {
  test('that is given is used, and none is made', () => {
    const template = fleetTemplate((stack) => ({
      app: apps.small,
      table: Table.fromTableArn(stack, 'Mine', 'arn:aws:dynamodb:eu-west-1:123456789012:table/mine'),
    }))
    expect(resourcesOf(template, 'AWS::DynamoDB::GlobalTable').size).toBe(0)
    const cells = allowedCells(template, 'JobsWorkersworker1Role')
    expect(cells).toContain(
      `dynamodb:UpdateItem on arn:aws:dynamodb:eu-west-1:123456789012:table/mine${ofCalls}`,
    )
    const worker = resourceOf(template, 'AWS::Lambda::Function', 'JobsWorkersworker1Function')
    expect(worker.Properties.Environment.Variables.ERRAND_TABLE).toBe('mine')
  })

  test('of this CDK app that has what errand needs is taken, of either class', () => {
    for (const Kind of [Table, TableV2]) {
      const made = stackFleet((stack) => {
        const table = new Kind(stack, 'Mine', { ...keys, timeToLiveAttribute: 'tl' })
        table.addGlobalSecondaryIndex(failed)
        return { app: apps.small, table }
      })
      expect(() => Template.fromStack(made.stack)).not.toThrow()
    }
  })

  test.each([
    [
      'keys',
      { partitionKey: string('id') },
      'has the keys id; make it with the keys pk and sk, both strings, or leave `table` out and one is made',
    ],
    [
      'no time to live',
      keys,
      "has no time to live, and records would stay for ever; set `timeToLiveAttribute: 'tl'`",
    ],
    [
      'another time to live',
      { ...keys, timeToLiveAttribute: 'ttl' },
      'has time to live by "ttl", and records',
    ],
    [
      'no index',
      { ...keys, timeToLiveAttribute: 'tl' },
      'has no index "failed"; add it, keyed by fq and fi, KEYS_ONLY',
    ],
  ])('is refused that has other %s', (_, props, message) => {
    for (const Kind of [Table, TableV2]) {
      const make = () => stackFleet((stack) => ({ app: apps.small, table: new Kind(stack, 'Mine', props) }))
      expect(make).toThrow(`Shop/Jobs: \`table\` Shop/Mine ${message}`)
    }
  })

  test('is refused without the listing index, unless the config has no listing', () => {
    const make = () =>
      stackFleet((stack) => {
        const table = new TableV2(stack, 'Mine', { ...keys, timeToLiveAttribute: 'tl' })
        table.addGlobalSecondaryIndex(failed)
        return { table }
      })
    expect(make).toThrow(
      'has no index "listing"; add it, keyed by lp and ls, KEYS_ONLY, or set `listing: false` in the config',
    )
  })
})

describe('a queue', () => {
  const make = (given: (stack: Stack) => Queue, name = 'default') =>
    stackFleet((stack) => ({
      app: name === 'default' ? apps.small : apps.shop,
      queues: { [name]: given(stack) },
    }))
  const deadLetterQueue = (stack: Stack) => ({
    queue: new Queue(stack, 'Lost', { visibilityTimeout: Duration.seconds(60) }),
    maxReceiveCount: 100,
  })

  test('that is given is consumed, its dead letters too, and none is made', () => {
    const made = make(
      (stack) =>
        new Queue(stack, 'Mine', {
          visibilityTimeout: Duration.seconds(90),
          deadLetterQueue: deadLetterQueue(stack),
        }),
    )
    const template = Template.fromStack(made.stack)
    expect([...resourcesOf(template, 'AWS::SQS::Queue').keys()].every((id) => /^(Mine|Lost)/.test(id))).toBe(
      true,
    )
    const sources = [...resourcesOf(template, 'AWS::Lambda::EventSourceMapping').values()].map(
      ({ Properties }) => Properties.EventSourceArn['Fn::GetAtt'][0].slice(0, 4),
    )
    expect(sources.sort()).toEqual(['Lost', 'Mine'])
    expect(warningsOf(made)).toEqual([])
  })

  test('that is imported can bring its dead letters', () => {
    const arn = 'arn:aws:sqs:eu-west-1:123456789012:'
    const made = stackFleet((stack) => {
      const queue = Queue.fromQueueArn(stack, 'Mine', `${arn}mine`)
      return {
        app: apps.small,
        queues: { default: { queue, deadLetterQueue: Queue.fromQueueArn(stack, 'Lost', `${arn}lost`) } },
      }
    })
    expect(allowedCells(Template.fromStack(made.stack), 'JobsDeadLettersRole')).toContain(
      `sqs:ReceiveMessage on ${arn}lost`,
    )
    expect(warningsOf(made)).toEqual([])
  })

  test('without dead letters is warned of, and makes no function for them', () => {
    const made = make((stack) => new Queue(stack, 'Mine', { visibilityTimeout: Duration.seconds(90) }))
    expect(made.fleet.deadLetterFunction).toBeUndefined()
    expect(warningsOf(made)).toEqual([
      expect.stringContaining('Shop/Jobs: `queues` "default" is given Shop/Mine without a dead-letter queue'),
    ])
  })

  test('that gives up early is warned of', () => {
    const made = make(
      (stack) =>
        new Queue(stack, 'Mine', {
          visibilityTimeout: Duration.seconds(90),
          deadLetterQueue: { ...deadLetterQueue(stack), maxReceiveCount: 3 },
        }),
    )
    expect(warningsOf(made)).toEqual([
      expect.stringContaining('whose `maxReceiveCount` is 3: throttling and postponements count too'),
    ])
  })

  test('is refused that is not FIFO as the config says', () => {
    expect(() => make((stack) => new Queue(stack, 'Mine', { fifo: true }))).toThrow(
      'Shop/Jobs: `queues` "default" is given Shop/Mine, which is a FIFO queue, and the config says otherwise; give the queue `fifo: true` in the config, or give another',
    )
    expect(() => make((stack) => new Queue(stack, 'Mine'), 'orders')).toThrow(
      'which is a standard queue, and the config says otherwise',
    )
  })

  test('is refused that hides messages for less than the config says', () => {
    expect(() => make((stack) => new Queue(stack, 'Mine'))).toThrow(
      'Shop/Jobs: `queues` "default" is given Shop/Mine, whose `visibilityTimeout` is 30 s, and the config says 90',
    )
  })
})

describe('a bucket', () => {
  test('that is given is used, below the prefix of the app alone', () => {
    const template = fleetTemplate((stack) => ({ bucket: Bucket.fromBucketName(stack, 'Mine', 'mine') }))
    expect(resourcesOf(template, 'AWS::S3::Bucket').size).toBe(0)
    const cells = allowedCells(template, 'JobsWorkersfooRole').filter((cell) => cell.startsWith('s3:'))
    expect(cells).toEqual([
      's3:GetObject on arn:AWS::Partition:s3:::mine/errand/shop/*',
      's3:ListBucket on arn:AWS::Partition:s3:::mine if {"StringLike":{"s3:prefix":["errand/shop/*"]}}',
      's3:PutObject on arn:AWS::Partition:s3:::mine/errand/shop/*',
    ])
  })
})

describe('in a VPC', () => {
  const made = stackFleet((stack) => {
    const vpc = new Vpc(stack, 'Vpc')
    const group = new SecurityGroup(stack, 'Group', { vpc: vpc as IVpc })
    return { vpc, workers: { foo: { securityGroups: [group] } } }
  })
  const template = Template.fromStack(made.stack)

  test('workers run, with their security groups; the dead-letter function stays outside', () => {
    const config = (name: string) => resourceOf(template, 'AWS::Lambda::Function', name).Properties.VpcConfig
    expect(config('JobsWorkersfooFunction').SecurityGroupIds).toEqual([
      { 'Fn::GetAtt': [expect.stringMatching(/^Group/), 'GroupId'] },
    ])
    expect(config('JobsWorkersbarFunction').SecurityGroupIds).toHaveLength(1)
    expect(config('JobsDeadLettersFunction')).toBeUndefined()
    expect(made.fleet.worker('foo').connections.securityGroups).toHaveLength(1)
  })

  test('their roles make network interfaces for Lambda, and not for the code', () => {
    const actions = [
      'AssignPrivateIpAddresses',
      'CreateNetworkInterface',
      'DeleteNetworkInterface',
      'DescribeNetworkInterfaces',
      'DescribeSubnets',
      'UnassignPrivateIpAddresses',
    ].map((action) => `ec2:${action}`)
    const statements = statementsOf(template, 'JobsWorkersfooRole').filter(({ Action }) =>
      JSON.stringify(Action).includes('ec2:'),
    )
    expect(statements).toEqual([
      { Effect: 'Allow', Action: actions, Resource: '*' },
      {
        Effect: 'Deny',
        Action: actions,
        Resource: '*',
        Condition: {
          ArnEquals: {
            'lambda:SourceFunctionArn': {
              'Fn::GetAtt': [expect.stringMatching(/^JobsWorkersfooFunction/), 'Arn'],
            },
          },
        },
      },
    ])
    const policies = [...resourcesOf(template, 'AWS::IAM::Policy')].filter(([, { Properties }]) =>
      JSON.stringify(Properties.PolicyDocument).includes('"Allow","Resource":"*"'),
    )
    const worker = resourceOf(template, 'AWS::Lambda::Function', 'JobsWorkersfooFunction')
    expect(worker.DependsOn).toEqual(
      expect.arrayContaining(policies.map(([id]) => id).filter((id) => id.includes('foo'))),
    )
  })
})

describe('removalPolicy', () => {
  test('DESTROY leaves nothing behind', () => {
    const template = fleetTemplate({ removalPolicy: RemovalPolicy.DESTROY })
    for (const type of [
      'AWS::SQS::Queue',
      'AWS::DynamoDB::GlobalTable',
      'AWS::S3::Bucket',
      'AWS::Logs::LogGroup',
    ]) {
      for (const [id, { DeletionPolicy }] of resourcesOf(template, type))
        expect(DeletionPolicy, id).toBe('Delete')
    }
    template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
      Replicas: [Match.objectLike({ DeletionProtectionEnabled: false })],
    })
  })
})

describe('a worker', () => {
  test('is granted things, and told of them, as any function', () => {
    const { stack, fleet } = stackFleet({
      environment: { STAGE: 'test' },
      workers: { foo: { environment: { STAGE: 'foo' } } },
    })
    const bucket = new Bucket(stack, 'Photos')
    bucket.grantRead(fleet.worker('foo'))
    const template = Template.fromStack(stack)
    expect(allowedCells(template, 'JobsWorkersfooRole').some((cell) => cell.includes('Photos'))).toBe(true)
    expect(allowedCells(template, 'JobsWorkersbarRole').some((cell) => cell.includes('Photos'))).toBe(false)
    const stage = (name: string) =>
      resourceOf(template, 'AWS::Lambda::Function', name).Properties.Environment.Variables.STAGE
    expect([
      stage('JobsWorkersfooFunction'),
      stage('JobsWorkersbarFunction'),
      stage('JobsDeadLettersFunction'),
    ]).toEqual(['foo', 'test', 'test'])
  })
})

describe('a client', () => {
  test('knows where the fleet is, and no worker it is', () => {
    const { stack, fleet } = stackFleet()
    fleet.addClient(userFunction(stack), { read: true })
    const template = Template.fromStack(stack)
    const { Variables } = resourceOf(template, 'AWS::Lambda::Function', 'Web').Properties.Environment
    expect(Object.keys(Variables).sort()).toEqual([
      'ERRAND_BUCKET',
      'ERRAND_FLEET',
      'ERRAND_QUEUE_URLS',
      'ERRAND_TABLE',
      'ERRAND_VERSION',
    ])
    expect(Object.keys(fleet.clientEnvironment).sort()).toEqual(Object.keys(Variables).sort())
    expect((fleet.bucket as IBucket).bucketName).toBe(fleet.clientEnvironment.ERRAND_BUCKET)
  })

  test('that is granted by hand gets grants only', () => {
    const { stack, fleet } = stackFleet({ app: apps.small })
    fleet.grantRead(userFunction(stack))
    const template = Template.fromStack(stack)
    const web = resourceOf(template, 'AWS::Lambda::Function', 'Web')
    expect(web.Properties.Environment).toBeUndefined()
    expect(JSON.stringify(web.DependsOn)).not.toContain('Jobs')
    expect(allowedCells(template, 'WebServiceRole')).toEqual([
      'dynamodb:BatchGetItem on JobsTable',
      'dynamodb:GetItem on JobsTable',
    ])
  })
})
