/**
 * The call that a schedule makes. EventBridge Scheduler sends the same text each time, but for the time that was due,
 * which it puts in itself. So the message has no id: whoever reads it makes the id from the schedule's name and that
 * time, and two deliveries of one due time, however they came about, are one call.
 *
 * Nobody writes its record before the claim: the message is all there is of it until then.
 * @module
 */

import { showValue } from '../config/nearest-name.ts'
import { MalformedMessageError } from '../errors.ts'

/** What EventBridge Scheduler replaces by the time that was due, as `2026-03-22T18:59:43Z`, wherever it stands in its input. */
export const SCHEDULED_TIME = '<aws.scheduler.scheduled-time>'

/** 1–64 characters, as EventBridge Scheduler takes them, but for the dot: the name is part of ids. */
export const scheduleNameForm = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/

/** The id of the run that was due at `dueAtMs`: `schedule:nightly:20261124T010000Z`. */
export function scheduledCallId(schedule: string, dueAtMs: number): string {
  const time = new Date(dueAtMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')
  return `schedule:${schedule}:${time}Z`
}

/** What a message of a schedule has beside the fields of any envelope. */
export interface ScheduledMessage {
  readonly v: number
  readonly schedule: string
  readonly scheduledAt: string
  readonly task: string
  readonly queue: string
  readonly payloadHash: string
  readonly overlap?: 'skip'
  readonly expiresInSeconds?: number
}

/** The message of the run that was due at `dueAtMs`. */
export function messageDueAt(body: string, dueAtMs: number): string {
  return body.replaceAll(SCHEDULED_TIME, `${new Date(dueAtMs).toISOString().slice(0, 19)}Z`)
}

const timeForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/

/**
 * Gives a message of a schedule what only its due time tells: id and times. Any other stays as it is.
 * @throws MalformedMessageError
 */
export function completeScheduled(fields: Record<string, unknown>): void {
  const { schedule, scheduledAt, expiresInSeconds } = fields
  if (scheduledAt === undefined) return
  const dueAt =
    typeof scheduledAt === 'string' && timeForm.test(scheduledAt) ? Date.parse(scheduledAt) : Number.NaN
  if (typeof schedule !== 'string' || !scheduleNameForm.test(schedule) || Number.isNaN(dueAt)) {
    throw new MalformedMessageError(
      `a message of the schedule ${showValue(schedule)} says that it was due at ${showValue(scheduledAt)}, expected a time as 2026-03-22T18:59:43Z; only EventBridge Scheduler and the local emulator send such messages`,
    )
  }
  // Seconds alone: the id holds no more, and two deliveries must agree in all of it.
  const seconds = Math.floor(dueAt / 1000)
  fields.id = scheduledCallId(schedule, seconds * 1000)
  fields.createdAt = seconds * 1000
  fields.dueAt = seconds * 1000
  if (Number.isSafeInteger(expiresInSeconds)) fields.startBy = (seconds + (expiresInSeconds as number)) * 1000
  delete fields.scheduledAt
  delete fields.expiresInSeconds
}

/** The id of the row that names the run of a schedule that goes: no run's, since those end in their time. */
export function scheduleRowId(schedule: string): string {
  return `schedule:${schedule}`
}
