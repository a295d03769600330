/**
 * One-time schedules whose requests can be lost, before or after they take effect, or throttled.
 * @module
 */
import type { OneTimeSchedules } from '../runtime/ports/one-time-schedules.ts'
import type { FaultPlan } from './fault-plan.ts'
import { faultyRequest } from './faulty-request.ts'

/** Wraps the port. */
export function faultyOneTimeSchedules(schedules: OneTimeSchedules, plan: FaultPlan): OneTimeSchedules {
  return {
    create: (schedule) => faultyRequest(plan, 'createSchedule', () => schedules.create(schedule)),
    delete: (name) => faultyRequest(plan, 'deleteSchedule', () => schedules.delete(name)),
  }
}
