/**
 * The port of schedules on Amazon EventBridge Scheduler: those that the construct made, in their group.
 * @module
 */
import type { ResolvedSchedule } from '../config/config.ts'
import { ResourceNotFoundError } from '../errors.ts'
import type { Schedules } from '../ports/schedules.ts'
import type { Lazy } from './aws-clients.ts'
import { requesting } from './aws-error.ts'
import type { SchedulerConnection } from './scheduler-client.ts'

/** What the port needs. */
export interface EventBridgeSchedulesOptions {
  /** The name of the schedules' group. */
  readonly group: string
  readonly scheduler: Lazy<SchedulerConnection>
}

/** The declared schedules of one group. */
export function eventBridgeSchedules({ group, scheduler }: EventBridgeSchedulesOptions): Schedules {
  const doing = (verb: string, { name }: ResolvedSchedule) => ({
    action: `scheduler:${verb}Schedule`,
    resource: `the schedule "${name}" of the group "${group}"`,
  })
  return {
    async isEnabled(schedule) {
      const connection = await scheduler.get()
      try {
        return await requesting(doing('Get', schedule), () => connection.isEnabled(schedule.name, group))
      } catch (error) {
        // The config is ahead of the deployment.
        if (ResourceNotFoundError.is(error)) return undefined
        throw error
      }
    },
    async setEnabled(schedule, isEnabled) {
      const connection = await scheduler.get()
      await requesting(doing('Update', schedule), () =>
        connection.setEnabled(schedule.name, group, isEnabled),
      )
    },
  }
}
