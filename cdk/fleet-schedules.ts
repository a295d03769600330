/**
 * The schedules of a fleet: one group, one role that may send to the queues they use and to no other, a queue for what
 * could not be sent, and a schedule for each that the app declares.
 *
 * What `longDelays` makes at run time goes into the same group, by the same role.
 * @module
 */
import { Annotations, type RemovalPolicy, Stack } from 'aws-cdk-lib'
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct, type IDependable } from 'constructs'
import type { DiscoveredApp } from '../src/app-discovery/index.ts'
import { ENV, PROTOCOL, type ResolvedSchedule } from '../src/runtime/config/config.ts'
import { acknowledgeDeadLetters } from './acknowledgements.ts'
import { type FleetQueue, makeDeadLetters } from './fleet-queues.ts'
import { declared } from './refusal.ts'

/** What a fleet's schedules share. */
export interface FleetSchedules {
  readonly group: CfnScheduleGroup
  /** By which they send. */
  readonly role: Role
  /** Holds what they could not send. */
  readonly deadLetterQueue: IQueue
  /** The names of those that the app declares. */
  readonly names: readonly string[]
  /** Whether workers and submitters make some of their own. */
  readonly longDelays: boolean
}

/** What they are made of. */
export interface ScheduleParts {
  readonly app: DiscoveredApp
  readonly queues: ReadonlyMap<string, FleetQueue>
  readonly encryptionKey: IKey | undefined
  readonly removalPolicy: RemovalPolicy
}

/** Makes what the schedules share; `undefined` where the app has none, and no `longDelays`. */
export function makeScheduleGroup(
  fleet: Construct,
  { app, queues, encryptionKey, removalPolicy }: ScheduleParts,
): FleetSchedules | undefined {
  const { schedules, config } = app
  if (schedules.length === 0 && !config.longDelays) return undefined
  const scope = new Construct(fleet, 'Schedules')
  // Named by CloudFormation, as all that a fleet makes.
  const group = new CfnScheduleGroup(scope, 'Group', {})
  group.applyRemovalPolicy(removalPolicy)
  const { account } = Stack.of(scope)
  const role = new Role(scope, 'Role', {
    description: `errand schedules of ${config.name}`,
    assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
      // EventBridge Scheduler names the group; so nobody else's schedules can be made to send by this role.
      conditions: { StringEquals: { 'aws:SourceAccount': account, 'aws:SourceArn': group.attrArn } },
    }),
  })
  const deadLetterQueue = makeDeadLetters(scope, { removalPolicy, encryptionKey })
  acknowledgeDeadLetters(deadLetterQueue)
  const delayed = config.longDelays ? [...queues.values()].filter(({ queue }) => !queue.fifo) : []
  const used = new Set([...schedules.map(({ queue }) => queue), ...delayed.map(({ name }) => name)])
  const targets = [...used].sort().map((name) => declared(fleet, 'queue', name, queues).queue)
  for (const queue of [...targets, deadLetterQueue]) allowSend(role, queue)
  const names = schedules.map(({ name }) => name)
  return { group, role, deadLetterQueue, names, longDelays: config.longDelays }
}

function allowSend(role: Role, queue: IQueue): void {
  const allow = (actions: string[], resource: string) =>
    role.addToPolicy(new PolicyStatement({ effect: Effect.ALLOW, actions, resources: [resource] }))
  allow(['sqs:SendMessage'], queue.queueArn)
  if (queue.encryptionMasterKey) queue.encryptionMasterKey.grant(role, 'kms:Decrypt', 'kms:GenerateDataKey')
}

/** Any action of any service, called by EventBridge Scheduler itself: its own target for SQS cannot name a de-duplication id. */
const SEND_MESSAGE = 'scheduler:::aws-sdk:sqs:sendMessage'

/** Makes the schedules, once the workers are there that know their tasks. */
export function makeSchedules(
  { node }: Construct,
  { app, queues }: ScheduleParts,
  shared: FleetSchedules | undefined,
  workers: readonly IDependable[],
): void {
  if (shared === undefined) return
  const scope = node.findChild('Schedules') as Construct
  const { group, role, deadLetterQueue } = shared
  const stack = Stack.of(scope)
  const made = new Construct(scope, 'Declared')
  for (const schedule of app.schedules) {
    const { name, expression, timezone, enabled, jitterMinutes } = schedule
    if (app.schedulesOver.includes(name)) warnOfPast(made, schedule)
    const { queue } = declared(scope, 'queue', schedule.queue, queues)
    const resource = new CfnSchedule(made, name, {
      name,
      groupName: group.ref,
      description: `errand schedule of ${app.config.name}: ${schedule.task}`,
      scheduleExpression: expression,
      scheduleExpressionTimezone: timezone,
      state: enabled ? 'ENABLED' : 'DISABLED',
      flexibleTimeWindow:
        jitterMinutes === 0 ? { mode: 'OFF' } : { mode: 'FLEXIBLE', maximumWindowInMinutes: jitterMinutes },
      target: {
        arn: `arn:${stack.partition}:${SEND_MESSAGE}`,
        roleArn: role.roleArn,
        input: stack.toJsonString(inputOf(schedule, queue)),
        retryPolicy: {
          maximumEventAgeInSeconds: PROTOCOL.firingAgeSeconds,
          maximumRetryAttempts: PROTOCOL.firingAttempts,
        },
        deadLetterConfig: { arn: deadLetterQueue.queueArn },
      },
    })
    // The role's policy, without which the first firing would be refused, and the code that knows the task.
    resource.node.addDependency(role, ...workers)
  }
}

/** The parameters of SQS's `SendMessage`. On a FIFO queue a run is of the group of calls without a tenant. */
function inputOf({ name, body }: ResolvedSchedule, queue: IQueue): Record<string, string> {
  const message = { QueueUrl: queue.queueUrl, MessageBody: body }
  if (!queue.fifo) return message
  return {
    ...message,
    MessageGroupId: 'default',
    MessageDeduplicationId: `schedule:${name}:<aws.scheduler.scheduled-time>`,
  }
}

/** A warning, and no more: the template is the same whenever it is synthesised, and what is over stays in a config. */
function warnOfPast(scope: Construct, { name, expression, timezone }: ResolvedSchedule): void {
  Annotations.of(scope).addWarningV2(
    `errand:past-schedule:${name}`,
    `schedule ${JSON.stringify(name)}, ${expression} in ${timezone}, is over: nothing of it is still to come; take it out`,
  )
}

/** What makes one-time schedules, and what looks after the others, as `ERRAND_SCHEDULER` tells it. */
export function schedulerVariable(
  scope: Construct,
  schedules: FleetSchedules | undefined,
): Record<string, string> {
  if (schedules === undefined) return {}
  return { [ENV.scheduler]: Stack.of(scope).toJsonString(schedulerResources(schedules)) }
}

/** The group's name, and two ARNs. */
export function schedulerResources({ group, role, deadLetterQueue }: FleetSchedules) {
  return { group: group.ref, role: role.roleArn, deadLetters: deadLetterQueue.queueArn }
}
