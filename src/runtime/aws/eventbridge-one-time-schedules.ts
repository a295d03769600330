/**
 * The port of one-time schedules on Amazon EventBridge Scheduler.
 * @module
 */
import { firingOf, forScheduler, type OneTimeSchedules } from '../ports/one-time-schedules.ts'
import type { Lazy } from './aws-clients.ts'
import { awsErrorName, requesting } from './aws-error.ts'
import type { SchedulerConnection } from './scheduler-client.ts'
import { addressOf } from './sqs-queue.ts'

/** What the construct made for schedules, as `ERRAND_SCHEDULER` tells it. */
export interface SchedulerResources {
  /** The name of the schedules' group. */
  readonly group: string
  /** The ARN of the role by which they send. */
  readonly role: string
  /** The ARN of the standard queue for what they could not send. */
  readonly deadLetters: string
}

/** What the port needs. */
export interface EventBridgeOneTimeOptions {
  readonly resources: SchedulerResources
  readonly scheduler: Lazy<SchedulerConnection>
  readonly queueUrls: Readonly<Record<string, string>>
}

/** One-time schedules of one group. */
export function eventBridgeOneTimeSchedules(options: EventBridgeOneTimeOptions): OneTimeSchedules {
  const { resources, scheduler, queueUrls } = options
  const resource = `schedules of the group "${resources.group}"`
  return {
    async create({ name, queue, message, dueAt }) {
      const { url } = addressOf(queueUrls, queue)
      const { minuteAt, delaySeconds } = firingOf(dueAt)
      const input = JSON.stringify({
        QueueUrl: url,
        MessageBody: forScheduler(message.body),
        DelaySeconds: delaySeconds,
        ...(message.groupId !== undefined && { MessageGroupId: message.groupId }),
      })
      const connection = await scheduler.get()
      const schedule = { ...resources, name, expression: expressionOf(minuteAt), input }
      await ignoring('ConflictException', () =>
        requesting({ action: 'scheduler:CreateSchedule', resource }, () => connection.create(schedule)),
      )
    },
    async delete(name) {
      const connection = await scheduler.get()
      await requesting({ action: 'scheduler:DeleteSchedule', resource }, () =>
        ignoring('ResourceNotFoundException', () => connection.delete(name, resources.group)),
      )
    },
  }
}

/** `at(2026-01-31T08:15:00)`: EventBridge Scheduler takes no fractions and no zone. */
function expressionOf(atMs: number): string {
  return `at(${new Date(atMs).toISOString().slice(0, 19)})`
}

async function ignoring(name: string, request: () => Promise<void>): Promise<void> {
  try {
    await request()
  } catch (error) {
    if (awsErrorName(error) !== name) throw error
  }
}
