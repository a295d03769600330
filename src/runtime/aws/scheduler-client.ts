/**
 * The EventBridge Scheduler client. `@aws-sdk/client-scheduler` is an optional peer: it is loaded at the first long delay,
 * and a bundle holds it only where the app has installed it.
 * @module
 */
import type * as SchedulerSdk from '@aws-sdk/client-scheduler'
import { PROTOCOL } from '../config/config.ts'
import { NotWiredError } from '../errors.ts'
import { clientConfig, type Environment, type Lazy, lazily, type PeerOptions } from './aws-clients.ts'
import { inSlots } from './request-slots.ts'

/** How to reach EventBridge Scheduler. */
export type SchedulerOptions = PeerOptions

/** What a one-time schedule is made of, beside what all of them have in common. */
export interface ScheduleToMake {
  readonly name: string
  readonly group: string
  /** The role that it sends by, and the queue for what it could not send: ARNs. */
  readonly role: string
  readonly deadLetters: string
  /** `at(yyyy-mm-ddThh:mm:ss)`, in UTC. */
  readonly expression: string
  /** The parameters of SQS's `SendMessage`, as JSON. */
  readonly input: string
}

/** EventBridge Scheduler, connected: the requests that are made of it. */
export interface SchedulerConnection {
  /** Rejects with the SDK's `ConflictException` where there is one of this name. */
  create(schedule: ScheduleToMake): Promise<void>
  /** Rejects with the SDK's `ResourceNotFoundException` where there is none. */
  delete(name: string, group: string): Promise<void>
  /** Whether it fires. Rejects with the SDK's `ResourceNotFoundException` where there is none. */
  isEnabled(name: string, group: string): Promise<boolean>
  /** Has it fire, or fire no more; nothing else of it changes. */
  setEnabled(name: string, group: string, isEnabled: boolean): Promise<void>
}

/** A batch of long delays may meet the limit of `CreateSchedule` requests a second, 250 in small regions. */
const MAX_ATTEMPTS = 8

/** Any action of any service, called by EventBridge Scheduler itself: only so can SQS be told to delay. */
const SEND_MESSAGE = 'arn:aws:scheduler:::aws-sdk:sqs:sendMessage'

/** The EventBridge Scheduler client, not yet made. */
export function lazyScheduler(
  options: SchedulerOptions,
  env: Environment,
  region?: string,
): Lazy<SchedulerConnection> {
  const given = options.client as SchedulerSdk.SchedulerClient | undefined
  const connection = lazily(loadSdk, given, (sdk) => {
    const config = clientConfig('SCHEDULER', options, env, region)
    return inSlots(new sdk.SchedulerClient({ ...config, maxAttempts: MAX_ATTEMPTS }))
  })
  return {
    async get() {
      const { client, sdk } = await connection.get()
      return {
        async create(schedule) {
          await client.send(new sdk.CreateScheduleCommand(requestOf(schedule)))
        },
        async delete(name, group) {
          await client.send(new sdk.DeleteScheduleCommand({ Name: name, GroupName: group }))
        },
        async isEnabled(name, group) {
          const { State } = await client.send(new sdk.GetScheduleCommand({ Name: name, GroupName: group }))
          return State !== 'DISABLED'
        },
        async setEnabled(name, group, isEnabled) {
          const found = await client.send(new sdk.GetScheduleCommand({ Name: name, GroupName: group }))
          const State = isEnabled ? 'ENABLED' : 'DISABLED'
          if (found.State === State) return
          await client.send(new sdk.UpdateScheduleCommand({ ...wholeOf(found), State }))
        },
      }
    },
    close: connection.close,
  }
}

/** All that a schedule is made of: an update replaces it, and what is left out falls back to its default. */
function wholeOf(found: SchedulerSdk.GetScheduleCommandOutput): SchedulerSdk.UpdateScheduleCommandInput {
  const { Arn: _, CreationDate: __, LastModificationDate: ___, $metadata: ____, ...whole } = found
  // What every schedule has, though the SDK's types do not say so.
  return whole as SchedulerSdk.UpdateScheduleCommandInput
}

function requestOf(schedule: ScheduleToMake): SchedulerSdk.CreateScheduleCommandInput {
  return {
    Name: schedule.name,
    GroupName: schedule.group,
    // The same for all that ask for this schedule: whoever asks again has made it.
    ClientToken: schedule.name,
    ScheduleExpression: schedule.expression,
    ScheduleExpressionTimezone: 'UTC',
    FlexibleTimeWindow: { Mode: 'OFF' },
    ActionAfterCompletion: 'DELETE',
    Target: {
      Arn: SEND_MESSAGE,
      RoleArn: schedule.role,
      Input: schedule.input,
      DeadLetterConfig: { Arn: schedule.deadLetters },
      RetryPolicy: {
        MaximumEventAgeInSeconds: PROTOCOL.firingAgeSeconds,
        MaximumRetryAttempts: PROTOCOL.firingAttempts,
      },
    },
  }
}

/** Literal, so that bundlers see it; with a `catch`, so that they do not insist on it. */
function loadSdk(): Promise<typeof SchedulerSdk> {
  return import('@aws-sdk/client-scheduler').catch((cause: unknown) => {
    throw new NotWiredError(
      'schedules and `longDelays` need the package @aws-sdk/client-scheduler, which cannot be loaded (see cause): `npm i @aws-sdk/client-scheduler`',
      { cause },
    )
  })
}
