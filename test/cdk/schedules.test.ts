/**
 * The schedules of a fleet: their group, their role, what they send, and who may do what to them.
 * @module
 */
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions'
import { AwsSolutionsChecks } from 'cdk-nag'
import { describe, expect, test } from 'vitest'
import { decodeEnvelope } from '../../src/runtime/call/envelope.ts'
import { messageDueAt } from '../../src/runtime/call/scheduled-call.ts'
import { cyclesOf } from '../support/import-cycles.ts'
import { allowedCells, statementsOf } from './granted-cells.ts'
import {
  apps,
  fleetTemplate,
  type Resource,
  resourceOf,
  resourcesOf,
  stackFleet,
  userFunction,
} from './synthesized-fleet.ts'

function clientsOfFleet() {
  const made = stackFleet({ app: apps.scheduled })
  const { stack, fleet } = made
  fleet.addClient(userFunction(stack, 'Submits'), { submit: true })
  fleet.addClient(userFunction(stack, 'Reads'), { read: true })
  fleet.addClient(userFunction(stack, 'Manages'), { manage: true })
  fleet.addClient(userFunction(stack, 'Inspects'), { inspect: true })
  fleet.addClient(userFunction(stack, 'Operates'), { operate: true })
  return made
}

const { stack } = clientsOfFleet()
const template = Template.fromStack(stack)
const schedules = new Map(
  [...resourcesOf(template, 'AWS::Scheduler::Schedule').values()].map((made) => [
    made.Properties.Name as string,
    made,
  ]),
)
const propertiesOf = (name: string) => (schedules.get(name) as Resource).Properties

/** The parameters of `SendMessage`, as the deployment would fill them in. */
function inputOf(name: string): Record<string, string> {
  const join = (value: unknown): string => {
    if (typeof value === 'string') return value
    const [kind, content] = Object.entries(value as object)[0] as [string, [string, unknown[]]]
    return kind === 'Fn::Join' ? content[1].map(join).join('') : `${kind}:${content}`
  }
  return JSON.parse(join(propertiesOf(name).Target.Input))
}

test('are those of the config and of the code, in one group', () => {
  expect([...schedules.keys()].sort()).toEqual(['christmas', 'nightly', 'off', 'ordered', 'over', 'sweep'])
  const group = [...resourcesOf(template, 'AWS::Scheduler::ScheduleGroup').keys()]
  expect(group).toHaveLength(1)
  for (const { Properties } of schedules.values()) expect(Properties.GroupName).toEqual({ Ref: group[0] })
})

test('are due as they are declared', () => {
  expect(propertiesOf('nightly')).toMatchObject({
    ScheduleExpression: 'cron(0 2 ? * 2-6 *)',
    ScheduleExpressionTimezone: 'Europe/Berlin',
    State: 'ENABLED',
    FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 30 },
  })
  expect(propertiesOf('ordered')).toMatchObject({
    ScheduleExpression: 'cron(0/5 * * * ? *)',
    ScheduleExpressionTimezone: 'UTC',
    FlexibleTimeWindow: { Mode: 'OFF' },
  })
  expect(propertiesOf('off')).toMatchObject({ ScheduleExpression: 'cron(0 0 L * ? *)', State: 'DISABLED' })
  expect(propertiesOf('sweep').ScheduleExpression).toBe('cron(0 4 ? * 1 *)')
  expect(propertiesOf('christmas')).toMatchObject({
    ScheduleExpression: 'at(2099-12-24T18:00:00)',
    ScheduleExpressionTimezone: 'Asia/Tokyo',
  })
})

test('of which one that is over is warned of, and the others are not', () => {
  const warnings = Annotations.fromStack(stack)
    .findWarning('*', Match.stringLikeRegexp('is over'))
    .map(({ entry }) => entry.data as string)
  expect(warnings).toEqual([
    expect.stringContaining('schedule "over", at(2020-12-24T18:00:00) in Asia/Tokyo, is over'),
  ])
})

test('send a message that is complete once EventBridge has put its time in', () => {
  const { MessageBody, QueueUrl } = inputOf('nightly')
  expect(QueueUrl).toMatch(/^Ref:JobsQueuesdefaultQueue/)
  expect(decodeEnvelope(messageDueAt(MessageBody as string, Date.UTC(2026, 10, 24, 1)))).toMatchObject({
    id: 'schedule:nightly:20261124T010000Z',
    task: 'reports.build',
    queue: 'default',
    schedule: 'nightly',
    overlap: 'skip',
    createdAt: Date.UTC(2026, 10, 24, 1),
    dueAt: Date.UTC(2026, 10, 24, 1),
  })
  // Nothing of the code's version: a deployment that changes no schedule must not touch one that is paused.
  expect(MessageBody).not.toContain('version')
})

test('send to a FIFO queue in its group, de-duplicated by their time', () => {
  expect(inputOf('ordered')).toMatchObject({
    MessageGroupId: 'default',
    MessageDeduplicationId: 'schedule:ordered:<aws.scheduler.scheduled-time>',
  })
})

test('are sent again for six hours, and are then dead letters, which are ended', () => {
  const letters = resourceOf(template, 'AWS::SQS::Queue', 'JobsSchedulesDeadLetters')
  for (const { Properties } of schedules.values()) {
    expect(Properties.Target.DeadLetterConfig).toEqual({ Arn: { 'Fn::GetAtt': [letters.id, 'Arn'] } })
    expect(Properties.Target.RetryPolicy).toEqual({
      MaximumEventAgeInSeconds: 21_600,
      MaximumRetryAttempts: 185,
    })
  }
  const consumed = [...resourcesOf(template, 'AWS::Lambda::EventSourceMapping').values()]
  expect(JSON.stringify(consumed.map(({ Properties }) => Properties.EventSourceArn))).toContain(letters.id)
  const ending = resourceOf(template, 'AWS::Lambda::Function', 'JobsDeadLettersFunction')
  expect(JSON.stringify(ending.Properties.Environment)).toContain('(schedules)-dead-letters')
})

test('come after the workers that know their tasks, and wait for nothing in a circle', () => {
  const worker = resourceOf(template, 'AWS::Lambda::Function', 'JobsWorkersmainFunction')
  for (const { DependsOn } of schedules.values()) expect(DependsOn).toContain(worker.id)
  const resources = Object.entries(template.toJSON().Resources as object)
  const ids = new Set(resources.map(([id]) => id))
  const idsIn = (value: unknown): string[] =>
    typeof value === 'string'
      ? [value].filter((text) => ids.has(text))
      : Object.values(Object(value) as object).flatMap(idsIn)
  const edges = resources.map(([id, value]) => [id, idsIn(value).filter((to) => to !== id)] as const)
  expect(cyclesOf(new Map(edges))).toEqual([])
})

const group = 'JobsSchedulesGroup'
const arn = (name: string) =>
  `arn:AWS::Partition:scheduler:AWS::Region:AWS::AccountId:schedule/${group}/${name}`
const pass =
  'iam:PassRole on JobsSchedulesRole if {"StringEquals":{"iam:PassedToService":"scheduler.amazonaws.com"}}'
const delays = [`scheduler:CreateSchedule on ${arn('_*')}`, `scheduler:DeleteSchedule on ${arn('_*')}`, pass]
const names = ['christmas', 'nightly', 'off', 'ordered', 'over', 'sweep']
const seen = names.map((name) => `scheduler:GetSchedule on ${arn(name)}`)

/** What a role may do to schedules, and by the role of schedules. */
const cellsOf = (role: string) =>
  allowedCells(template, role).filter((cell) => /^(scheduler|iam):/.test(cell))

describe('who may do what to them', () => {
  test.each([
    ['SubmitsServiceRole', delays],
    ['ManagesServiceRole', delays],
    ['JobsWorkersmainRole', delays],
    ['JobsDeadLettersRole', delays],
    ['ReadsServiceRole', []],
    ['InspectsServiceRole', seen],
    [
      'OperatesServiceRole',
      [...seen, ...names.map((name) => `scheduler:UpdateSchedule on ${arn(name)}`), pass],
    ],
  ])('%s', (role, allowed) => {
    expect(cellsOf(role)).toEqual([...allowed].sort())
  })

  test('their own role may send, to the queues that they use or that delays use, and nothing else', () => {
    expect(allowedCells(template, 'JobsSchedulesRole')).toEqual(
      ['JobsQueuesdefaultQueue', 'JobsQueuesordersQueue', 'JobsQueuesunusedQueue', 'JobsSchedulesDeadLetters']
        .map((queue) => `sqs:SendMessage on ${queue}`)
        .sort(),
    )
    expect(statementsOf(template, 'JobsSchedulesRole')).not.toEqual([])
  })

  test('their role is assumed for this group of this account alone', () => {
    const { AssumeRolePolicyDocument: document } = resourceOf(
      template,
      'AWS::IAM::Role',
      'JobsSchedulesRole',
    ).Properties
    expect(document.Statement).toEqual([
      {
        Action: 'sts:AssumeRole',
        Effect: 'Allow',
        Principal: { Service: 'scheduler.amazonaws.com' },
        Condition: {
          StringEquals: {
            'aws:SourceAccount': { Ref: 'AWS::AccountId' },
            'aws:SourceArn': { 'Fn::GetAtt': [expect.stringContaining(group), 'Arn'] },
          },
        },
      },
    ])
  })
})

test('who makes or looks after them is told where they are', () => {
  const variables = (id: string) =>
    resourceOf(template, 'AWS::Lambda::Function', id).Properties.Environment?.Variables
  for (const id of ['JobsWorkersmainFunction', 'Submits', 'Inspects']) {
    expect(JSON.stringify(variables(id).ERRAND_SCHEDULER), id).toContain(group)
  }
  expect(JSON.stringify(template.findOutputs('*'))).toContain('scheduler')
})

test("cdk-nag's AwsSolutions finds nothing that is not acknowledged", () => {
  const found = new AwsSolutionsChecks(stack)
    .validateScope(stack)
    .violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath = '' }) => `${ruleName} ${constructPath}`),
    )
    .filter(
      (finding) =>
        !/^AwsSolutions-(IAM4\[|L1).* Shop\/(Submits|Reads|Manages|Inspects|Operates)\//.test(finding),
    )
  expect(found).toEqual([])
})

test('a fleet without them has nothing of theirs', () => {
  expect(JSON.stringify(fleetTemplate({ app: apps.small }).toJSON())).not.toMatch(/scheduler/i)
})
