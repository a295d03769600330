/**
 * What schedules take of those who make, see and change them: single actions on the schedules of the fleet's own group.
 *
 * | role                                  | EventBridge Scheduler                       | IAM                                       |
 * | ------------------------------------- | ------------------------------------------- | ----------------------------------------- |
 * | submit, worker, dead letters, manage  | create, delete, only with `longDelays`      | pass the schedules' role to the scheduler |
 * | inspect                               | get each declared schedule                  |                                           |
 * | operate                               | the same, update each declared schedule     | pass the schedules' role to the scheduler |
 * @module
 */
import { Stack } from 'aws-cdk-lib'
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam'
import { CALL_SCHEDULE_PREFIX } from '../src/runtime/config/config.ts'
import { acknowledgeSchedules } from './acknowledgements.ts'
import type { FleetSchedules } from './fleet-schedules.ts'

/** To make and to delete the one-time schedules of `longDelays`, and none that is declared. */
export function grantDelays(schedules: FleetSchedules | undefined, grantee: IGrantable): void {
  if (schedules === undefined || !schedules.longDelays) return
  const all = scheduleArn(schedules, `${CALL_SCHEDULE_PREFIX}*`)
  allow(grantee, ['scheduler:CreateSchedule', 'scheduler:DeleteSchedule'], [all])
  passRole(schedules, grantee)
  acknowledgeSchedules(grantee, schedules.group, all)
}

/** To see whether the declared schedules fire. */
export function grantScheduleReads(schedules: FleetSchedules | undefined, grantee: IGrantable): void {
  change(schedules, grantee, ['scheduler:GetSchedule'])
}

/** To pause and to resume them: EventBridge takes the whole schedule anew, and whoever gives it passes its role. */
export function grantScheduleWrites(schedules: FleetSchedules | undefined, grantee: IGrantable): void {
  change(schedules, grantee, ['scheduler:UpdateSchedule'])
  if (schedules !== undefined && schedules.names.length > 0) passRole(schedules, grantee)
}

function change(
  schedules: FleetSchedules | undefined,
  grantee: IGrantable,
  actions: readonly string[],
): void {
  for (const name of schedules?.names ?? []) {
    allow(grantee, actions, [scheduleArn(schedules as FleetSchedules, name)])
  }
}

function allow(grantee: IGrantable, actions: readonly string[], resourceArns: string[]): void {
  Grant.addToPrincipal({ grantee, actions: [...actions], resourceArns })
}

function passRole({ role }: FleetSchedules, grantee: IGrantable): void {
  Grant.addToPrincipal({
    grantee,
    actions: ['iam:PassRole'],
    resourceArns: [role.roleArn],
    conditions: { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } },
  })
}

function scheduleArn({ group }: FleetSchedules, name: string): string {
  return Stack.of(group).formatArn({
    service: 'scheduler',
    resource: 'schedule',
    resourceName: `${group.ref}/${name}`,
  })
}
