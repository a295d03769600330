import { DescribeTableCommand, DescribeTimeToLiveCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { describe, expect, test } from 'vitest'
import { tableDefinition } from '../../../src/runtime/aws/dynamodb-item.ts'
import { connectionTo, loopbackRegion } from '../../support/loopback-connection.ts'
import { resolveValue, type Scope } from './intrinsics.ts'
import { kitchenUnderTest } from './kitchen-under-test.ts'

const kitchen = kitchenUnderTest()

async function attributesOf(queue: string) {
  const command = new GetQueueAttributesCommand({
    QueueUrl: kitchen.queueUrl(queue),
    AttributeNames: ['All'],
  })
  return (await kitchen.stack.sqs.send(command)).Attributes ?? {}
}

test('queues are made as the template says', async () => {
  const deadLetters = await attributesOf('orders-dead-letters')
  expect(deadLetters).toMatchObject({ FifoQueue: 'true', MessageRetentionPeriod: String(14 * 24 * 3600) })
  const { RedrivePolicy = '', ...orders } = await attributesOf('orders')
  expect(orders).toMatchObject({
    FifoQueue: 'true',
    VisibilityTimeout: '12',
    MessageRetentionPeriod: '345600',
  })
  expect(JSON.parse(RedrivePolicy)).toEqual({
    deadLetterTargetArn: deadLetters.QueueArn,
    maxReceiveCount: 100,
  })
})

test('the table is made as the template says, and that is as the store wants it', async () => {
  const client = new DynamoDBClient({ region: loopbackRegion, ...connectionTo(kitchen.stack.wire.dynamodb) })
  const TableName = kitchen.web.settings().variables.ERRAND_TABLE ?? ''
  const { Table } = await client.send(new DescribeTableCommand({ TableName }))
  const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName }))
  client.destroy()
  const { KeySchema, GlobalSecondaryIndexes = [] } = tableDefinition(TableName)
  expect(Table?.KeySchema).toEqual(KeySchema)
  expect(TimeToLiveDescription).toMatchObject({ TimeToLiveStatus: 'ENABLED' })
  const made = Table?.GlobalSecondaryIndexes?.map(({ IndexName, KeySchema, Projection }) => {
    return { IndexName, KeySchema, Projection }
  })
  expect(made).toHaveLength(2)
  expect(made).toEqual(expect.arrayContaining(GlobalSecondaryIndexes))
})

test('functions are set up as the template says', () => {
  expect(kitchen.worker('main').settings()).toMatchObject({
    handler: 'index.handler',
    memoryMiB: 256,
    timeoutSeconds: 10,
    logFormat: 'JSON',
    variables: { ERRAND_WORKER: 'main', ERRAND_TABLE: expect.stringContaining('Table') },
  })
})

describe('a function of CloudFormation', () => {
  const scope: Scope = {
    references: new Map([
      ['Queue', 'https://queue'],
      ['AWS::Region', 'us-east-1'],
    ]),
    attributes: new Map([['Queue.Arn', 'arn:queue']]),
    conditions: { IsEast: { 'Fn::Equals': [{ Ref: 'AWS::Region' }, 'us-east-1'] } },
  }

  test.each([
    [{ Ref: 'Queue' }, 'https://queue'],
    [{ 'Fn::GetAtt': ['Queue', 'Arn'] }, 'arn:queue'],
    [{ 'Fn::Join': ['-', ['a', { Ref: 'AWS::Region' }]] }, 'a-us-east-1'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is CloudFormation's template, not JavaScript's.
    [{ 'Fn::Sub': ['${A}/${Queue}/${Queue.Arn}', { A: 'own' }] }, 'own/https://queue/arn:queue'],
    [{ 'Fn::Select': [1, { 'Fn::Split': [':', 'a:b'] }] }, 'b'],
    [{ 'Fn::If': ['IsEast', { yes: [1] }, 'no'] }, { yes: [1] }],
    [{ kept: 1, left: { Ref: 'AWS::NoValue' } }, { kept: 1 }],
  ])('%j is resolved', (value, expected) => {
    expect(resolveValue(value, scope)).toEqual(expected)
  })

  test.each([
    [{ Ref: 'Role' }, 'Ref "Role": nothing of this name is made here; known: Queue, AWS::Region'],
    [{ deep: [{ 'Fn::GetAtt': ['Role', 'Arn'] }] }, 'Fn::GetAtt "Role.Arn": nothing of this name'],
    [{ 'Fn::ImportValue': 'x' }, 'Fn::ImportValue is not known here'],
  ])('%j is refused by name', (value, message) => {
    expect(() => resolveValue(value, scope)).toThrow(message)
  })
})
