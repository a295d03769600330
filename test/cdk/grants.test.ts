/**
 * The matrix of roles and actions: what each may do, exactly, and by name what it must never be able to do.
 * @module
 */

import { Template } from 'aws-cdk-lib/assertions'
import { Role as IamRole, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { describe, expect, test, vi } from 'vitest'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { NOTICES_PARTITION } from '../../src/runtime/aws/dynamodb-notices.ts'
import { ENV } from '../../src/runtime/config/config.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { allowedCells, ofCalls, statementsOf } from './granted-cells.ts'
import { apps, resourceOf, resourcesOf, stackFleet, userFunction } from './synthesized-fleet.ts'

function clientsOfFleet() {
  const { stack, fleet } = stackFleet({ workers: { bar: { submits: false } } })
  fleet.addClient(userFunction(stack, 'Submits'), { submit: true })
  fleet.addClient(userFunction(stack, 'Reads'), { read: true })
  fleet.addClient(userFunction(stack, 'Manages'), { manage: true })
  fleet.addClient(userFunction(stack, 'Inspects'), { inspect: true })
  fleet.addClient(userFunction(stack, 'Operates'), { operate: true })
  const ecs = new ServicePrincipal('ecs-tasks.amazonaws.com')
  fleet.grantWork(new IamRole(stack, 'Contains', { assumedBy: ecs }), 'bar')
  return Template.fromStack(stack)
}

const template = clientsOfFleet()

/** The roles, by the logical ids of their resources. */
const roles = {
  submitter: 'SubmitsServiceRole',
  reader: 'ReadsServiceRole',
  manager: 'ManagesServiceRole',
  inspector: 'InspectsServiceRole',
  operator: 'OperatesServiceRole',
  'worker that submits': 'JobsWorkersfooRole',
  'worker that does not': 'JobsWorkersbarRole',
  'worker in containers': 'Contains',
  'dead letters': 'JobsDeadLettersRole',
} as const

type Role = keyof typeof roles

const cells = Object.fromEntries(
  Object.entries(roles).map(([role, id]) => [role, allowedCells(template, id)]),
) as Record<Role, string[]>

const queue = (name: string) => `JobsQueues${name}Queue`
const deadLetters = (name: string) => `JobsQueues${name}DeadLetters`
const queues = ['highpriority', 'lowpriority', 'orders']
const table = 'JobsTable'
const objects = 'JobsBucket/errand/shop/*'

const on = (resource: string, service: string, ...actions: string[]) =>
  actions.map((action) => `${service}:${action} on ${resource}`)
const send = queues.flatMap((name) => on(queue(name), 'sqs', 'SendMessage'))
const consume = (source: string) =>
  on(source, 'sqs', 'ChangeMessageVisibility', 'DeleteMessage', 'GetQueueAttributes', 'ReceiveMessage')
const logs = (of: string) => on(`Jobs${of}Logs`, 'logs', 'CreateLogStream', 'PutLogEvents')
const ofApp = 'JobsBucket if {"StringLike":{"s3:prefix":["errand/shop/*"]}}'
const readBlobs = [...on(objects, 's3', 'GetObject'), ...on(ofApp, 's3', 'ListBucket')]
const writeBlobs = on(objects, 's3', 'PutObject')

const notices = `${table} if ${JSON.stringify({ 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [NOTICES_PARTITION] } })}`
const calls = `${table}${ofCalls}`
const prefixOfMappings = 'arn:AWS::Partition:lambda:AWS::Region:AWS::AccountId:event-source-mapping:'
const mappings = ['foohighpriority', 'foolowpriority', 'barhighpriority', 'barorders'].map((name) => {
  const [worker, source] = [name.slice(0, 3), name.slice(3)]
  return `${prefixOfMappings}JobsWorkers${worker}Mappings${source}`
})
const inspect = [
  ...['foo', 'bar'].flatMap((name) => on(`JobsWorkers${name}Function`, 'lambda', 'InvokeFunction')),
  ...mappings.flatMap((mapping) => on(mapping, 'lambda', 'GetEventSourceMapping')),
  ...queues.flatMap((name) => on(queue(name), 'sqs', 'GetQueueAttributes')),
  ...queues.flatMap((name) => on(deadLetters(name), 'sqs', 'GetQueueAttributes')),
  ...on(table, 'dynamodb', 'BatchGetItem', 'GetItem'),
  ...on(`${table}/index/listing`, 'dynamodb', 'Query'),
  ...on(notices, 'dynamodb', 'Query'),
]
const works = [
  ...consume(queue('highpriority')),
  ...consume(queue('orders')),
  ...on(table, 'dynamodb', 'BatchGetItem', 'GetItem'),
  ...on(calls, 'dynamodb', 'PutItem', 'UpdateItem'),
  ...readBlobs,
  ...writeBlobs,
]

const allowed: Readonly<Record<Role, readonly string[]>> = {
  submitter: [...send, ...on(calls, 'dynamodb', 'PutItem'), ...writeBlobs],
  reader: [...on(table, 'dynamodb', 'BatchGetItem', 'GetItem'), ...readBlobs],
  manager: [
    ...send,
    ...on(table, 'dynamodb', 'BatchGetItem', 'GetItem'),
    ...on(calls, 'dynamodb', 'PutItem', 'UpdateItem'),
    ...on(`${table}/index/failed`, 'dynamodb', 'Query'),
    ...readBlobs,
    ...writeBlobs,
  ],
  inspector: inspect,
  operator: [
    ...inspect,
    ...mappings.flatMap((mapping) => on(mapping, 'lambda', 'UpdateEventSourceMapping')),
    ...queues.flatMap((name) => on(queue(name), 'sqs', 'PurgeQueue')),
    ...on(calls, 'dynamodb', 'UpdateItem'),
    ...on(notices, 'dynamodb', 'PutItem'),
  ],
  'worker that submits': [
    ...consume(queue('highpriority')),
    ...consume(queue('lowpriority')),
    ...send,
    ...on(table, 'dynamodb', 'BatchGetItem', 'GetItem'),
    ...on(calls, 'dynamodb', 'PutItem', 'UpdateItem'),
    ...readBlobs,
    ...writeBlobs,
    ...logs('Workersfoo'),
  ],
  'worker that does not': [...works, ...logs('Workersbar')],
  'worker in containers': [...works, ...send, ...on(notices, 'dynamodb', 'PutItem', 'Query')],
  'dead letters': [
    ...queues.flatMap((name) => consume(deadLetters(name))),
    ...send,
    ...on(table, 'dynamodb', 'GetItem'),
    ...on(calls, 'dynamodb', 'PutItem', 'UpdateItem'),
    ...readBlobs,
    ...writeBlobs,
    ...logs('DeadLetters'),
  ],
}

describe.each(Object.keys(roles) as Role[])('%s', (role) => {
  test('may do this, and nothing else', () => {
    expect(cells[role]).toEqual([...allowed[role]].sort())
  })
})

/** What no role of a fleet or of its clients does, on any resource. */
const never = [
  'sqs:DeleteQueue',
  'sqs:SetQueueAttributes',
  'sqs:AddPermission',
  'sqs:StartMessageMoveTask',
  'dynamodb:Scan',
  'dynamodb:DeleteItem',
  'dynamodb:DeleteTable',
  'dynamodb:UpdateTable',
  'dynamodb:BatchWriteItem',
  's3:DeleteObject',
  's3:PutBucketPolicy',
  'lambda:ListEventSourceMappings',
  'lambda:DeleteEventSourceMapping',
  'lambda:UpdateFunctionCode',
  'iam:PassRole',
  'sts:AssumeRole',
  'secretsmanager:GetSecretValue',
  'logs:CreateLogGroup',
]

/** What looking after a fleet takes: nobody else does it. */
const inspectorsOnly = ['lambda:InvokeFunction', 'lambda:GetEventSourceMapping'] as const
const operatorsOnly = ['sqs:PurgeQueue', 'lambda:UpdateEventSourceMapping'] as const
const reserved = (Object.keys(roles) as Role[]).flatMap((role) =>
  [
    ...(role === 'inspector' || role === 'operator' ? [] : inspectorsOnly),
    ...(role === 'operator' ? [] : operatorsOnly),
  ].map((action) => [role, action] as const),
)

/** What these roles, though others do it, must not: an action, and where it is of one resource only, which. */
const notThese: readonly (readonly [Role, action: string, resource?: string])[] = [
  ['submitter', 'sqs:ReceiveMessage'],
  ['submitter', 'sqs:DeleteMessage'],
  ['submitter', 'sqs:ChangeMessageVisibility'],
  ['submitter', 'dynamodb:GetItem'],
  ['submitter', 'dynamodb:BatchGetItem'],
  ['submitter', 'dynamodb:Query'],
  ['submitter', 'dynamodb:UpdateItem'],
  ['submitter', 's3:GetObject'],
  ['submitter', 's3:ListBucket'],
  ['submitter', 'sqs:SendMessage', deadLetters('orders')],
  ['reader', 'sqs:SendMessage'],
  ['reader', 'sqs:ReceiveMessage'],
  ['reader', 'sqs:GetQueueAttributes'],
  ['reader', 'dynamodb:PutItem'],
  ['reader', 'dynamodb:UpdateItem'],
  ['reader', 'dynamodb:Query'],
  ['reader', 's3:PutObject'],
  ['manager', 'sqs:ReceiveMessage'],
  ['manager', 'sqs:DeleteMessage'],
  ['manager', 'dynamodb:Query', table],
  ['manager', 'dynamodb:Query', `${table}/index/listing`],
  ['manager', 'sqs:SendMessage', deadLetters('lowpriority')],
  ...(['inspector', 'operator'] as const).flatMap((role) => [
    [role, 'sqs:SendMessage'] as const,
    [role, 'sqs:ReceiveMessage'] as const,
    [role, 'sqs:DeleteMessage'] as const,
    // Every record: without its condition, the grant is on more than the notices.
    [role, 'dynamodb:Query', table] as const,
    [role, 'dynamodb:Query', `${table}/index/failed`] as const,
    [role, 'dynamodb:PutItem', table] as const,
    [role, 's3:GetObject'] as const,
    [role, 's3:PutObject'] as const,
    [role, 'lambda:InvokeFunction', 'JobsDeadLettersFunction'] as const,
    [role, 'sqs:PurgeQueue', deadLetters('orders')] as const,
  ]),
  ['inspector', 'dynamodb:PutItem'],
  ['inspector', 'dynamodb:UpdateItem'],
  ['worker in containers', 'dynamodb:Query', table],
  ['worker in containers', 'sqs:ReceiveMessage', queue('lowpriority')],
  ['worker that submits', 'sqs:ReceiveMessage', queue('orders')],
  ['worker that submits', 'sqs:ReceiveMessage', deadLetters('lowpriority')],
  ['worker that submits', 'sqs:DeleteMessage', queue('orders')],
  ['worker that submits', 'dynamodb:Query'],
  ['worker that submits', 'logs:PutLogEvents', 'JobsWorkersbarLogs'],
  ['worker that does not', 'sqs:SendMessage'],
  ['worker that does not', 'sqs:ReceiveMessage', queue('lowpriority')],
  ['worker that does not', 'sqs:ReceiveMessage', deadLetters('orders')],
  ['worker that does not', 'dynamodb:Query'],
  ['dead letters', 'sqs:ReceiveMessage', queue('lowpriority')],
  ['dead letters', 'sqs:DeleteMessage', queue('orders')],
  ['dead letters', 'sqs:ChangeMessageVisibility', queue('highpriority')],
  ['dead letters', 'sqs:SendMessage', deadLetters('orders')],
  ['dead letters', 'dynamodb:BatchGetItem'],
  ['dead letters', 'dynamodb:Query'],
]

/** No write reaches more than its partitions: not a whole table, and notices only where somebody leaves them. */
const writesNowhereElse = (Object.keys(roles) as Role[]).flatMap((role) => [
  [role, 'dynamodb:PutItem', table] as const,
  [role, 'dynamodb:UpdateItem', table] as const,
  [role, 'dynamodb:UpdateItem', notices] as const,
  ...(role === 'operator' || role === 'worker in containers'
    ? []
    : [[role, 'dynamodb:PutItem', notices] as const]),
])

const forbidden = [
  ...(Object.keys(roles) as Role[]).flatMap((role) =>
    never.map((action) => [role, action, undefined] as const),
  ),
  ...reserved.map(([role, action]) => [role, action, undefined] as const),
  ...writesNowhereElse,
  ...notThese.map(([role, action, resource]) => [role, action, resource] as const),
]

describe('the forbidden cells', () => {
  test('are at least 60', () => expect(forbidden.length).toBeGreaterThanOrEqual(60))

  test.each(forbidden)('%s never: %s %s', (role, action, resource) => {
    const found = cells[role].filter((cell) => {
      const [cellAction, cellResource] = cell.split(' on ')
      return cellAction === action && (resource === undefined || cellResource === resource)
    })
    expect(found).toEqual([])
  })
})

describe('no role', () => {
  test.each(Object.keys(roles) as Role[])('has wildcards: %s', (role) => {
    for (const cell of cells[role]) {
      const [action = '', resource = ''] = cell.split(' on ')
      expect(action).toMatch(/^[a-z0-9]+:[A-Za-z]+$/)
      // Keys of payloads hold ids of calls: their prefix is all that can be named.
      const unconditional = resource.replace(/ if .*$/, '')
      expect(unconditional.replace(objects, '')).not.toContain('*')
    }
  })

  test('has managed policies, but the one that the CDK gives to functions of users', () => {
    const managed = [...resourcesOf(template, 'AWS::IAM::Role')].filter(
      ([id, { Properties }]) => id.startsWith('Jobs') && Properties.ManagedPolicyArns !== undefined,
    )
    expect(managed).toEqual([])
  })

  test('can be assumed by anything but Lambda', () => {
    for (const [id, { Properties }] of resourcesOf(template, 'AWS::IAM::Role')) {
      if (id.startsWith('Contains')) continue
      expect(Properties.AssumeRolePolicyDocument.Statement, id).toEqual([
        { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } },
      ])
    }
  })

  test('may list objects outside of its app', () => {
    const [lists] = statementsOf(template, 'ReadsServiceRole').filter(
      ({ Action }) => Action === 's3:ListBucket',
    )
    expect(lists).toMatchObject({ Condition: { StringLike: { 's3:prefix': ['errand/shop/*'] } } })
  })
})

describe('who looks', () => {
  const variable = (id: string): { 'Fn::Join': [string, unknown[]] } | undefined =>
    resourceOf(template, 'AWS::Lambda::Function', id).Properties.Environment.Variables[ENV.functions]

  test('knows the functions and their mappings, in a form that the backend takes, and nobody else does', () => {
    const [separator, parts] = variable('Inspects')?.['Fn::Join'] ?? ['', []]
    const json = parts
      .map((part) => (typeof part === 'string' ? part : (part as { Ref: string }).Ref))
      .join(separator)
    const functions = JSON.parse(json) as Record<string, { name: string; mappings: Record<string, string> }>
    const { foo, bar } = functions
    expect(Object.keys(functions)).toEqual(['bar', 'foo'])
    expect(foo?.name).toBe(resourceOf(template, 'AWS::Lambda::Function', 'JobsWorkersfooFunction').id)
    const idOf = (id: string) => resourceOf(template, 'AWS::Lambda::EventSourceMapping', id).id
    expect(bar?.mappings).toEqual({
      'high-priority': idOf('JobsWorkersbarMappingshighpriority'),
      orders: idOf('JobsWorkersbarMappingsorders'),
    })
    vi.stubEnv(ENV.functions, json)
    const config = resolveConfig({ name: 'shop' })
    expect(() => awsBackend(config, { tableName: 't', queueUrls: {} })).not.toThrow()
    vi.unstubAllEnvs()
    expect(variable('Operates')).toEqual(variable('Inspects'))
    for (const id of ['Submits', 'Manages', 'JobsWorkersfooFunction', 'JobsDeadLettersFunction'])
      expect(variable(id), id).toBeUndefined()
  })

  test('may query no listing where the config has none', () => {
    const { stack, fleet } = stackFleet({ app: apps.small })
    fleet.addClient(userFunction(stack), { inspect: true })
    expect(JSON.stringify(Template.fromStack(stack).findResources('AWS::IAM::Policy'))).not.toContain(
      'listing',
    )
  })
})

describe('without blobs', () => {
  test('nobody may do anything in S3', () => {
    const { stack, fleet } = stackFleet({ app: apps.small })
    fleet.addClient(userFunction(stack), { submit: true, read: true, manage: true, operate: true })
    expect(JSON.stringify(Template.fromStack(stack).findResources('AWS::IAM::Policy'))).not.toContain('s3:')
  })
})

describe('a key', () => {
  test('is used by each role as far as it sends, receives, reads and writes', () => {
    const { stack, fleet } = stackFleet((scope) => ({
      app: apps.small,
      encryptionKey: new Key(scope, 'Key'),
    }))
    fleet.addClient(userFunction(stack, 'Submits'), { submit: true })
    fleet.addClient(userFunction(stack, 'Reads'), { read: true })
    const keyed = Template.fromStack(stack)
    const uses = (role: string) => allowedCells(keyed, role).filter((cell) => cell.startsWith('kms:'))
    const key = (...actions: string[]) => on('Key', 'kms', ...actions)
    const write = ['Decrypt', 'DescribeKey', 'Encrypt', 'GenerateDataKey', 'ReEncryptFrom', 'ReEncryptTo']
    expect(uses('ReadsServiceRole')).toEqual(key('Decrypt', 'DescribeKey'))
    expect(uses('SubmitsServiceRole')).toEqual(key(...write))
    expect(uses('JobsWorkersworker1Role')).toEqual(key(...write))
    for (const { Properties } of resourcesOf(keyed, 'AWS::SQS::Queue').values()) {
      expect(Properties.KmsMasterKeyId).toEqual({ 'Fn::GetAtt': [expect.stringMatching(/^Key/), 'Arn'] })
    }
  })
})
