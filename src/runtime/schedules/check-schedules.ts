/**
 * What only a calendar and a list of zones tell of schedules: asked where they are fired or deployed, and by no worker.
 * @module
 */
import type { ResolvedSchedule } from '../config/config.ts'
import { showValue } from '../config/nearest-name.ts'
import { InvalidOptionError } from '../errors.ts'
import { type DueTimes, dueTimes } from './cron-times.ts'

/**
 * The due times of a schedule.
 * @throws InvalidOptionError where there is no such zone, or no such time, ever
 */
export function timesOf({ name, expression, timezone }: ResolvedSchedule): DueTimes {
  const where = `schedule ${JSON.stringify(name)}`
  let times: DueTimes
  try {
    times = dueTimes(expression, timezone)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new InvalidOptionError(
      `${where}: \`timezone\` is ${showValue(timezone)}, a zone that nobody knows; use IANA's name of one, as 'Europe/Berlin'`,
      { cause },
    )
  }
  const known = new Intl.DateTimeFormat('en-US', { timeZone: timezone }).resolvedOptions().timeZone
  // EventBridge Scheduler is stricter: it compares names as they are written.
  if (known !== timezone && known.toLowerCase() === timezone.toLowerCase()) {
    throw new InvalidOptionError(
      `${where}: \`timezone\` is ${showValue(timezone)}, written ${showValue(known)}`,
    )
  }
  // From the first year that EventBridge knows: what is past has been due.
  if (times.next(Date.UTC(1969, 11, 31)) !== undefined) return times
  const skipped = expression.startsWith('at(')
    ? `${expression.slice(3, -1)} is a time that the clocks of ${timezone} skip (daylight saving); take one before or after`
    : `${expression} has no day that any year of it has`
  throw new InvalidOptionError(`${where} never fires: ${skipped}`)
}

/** Whether nothing of it is still to come: the one time of `at`, or the last year of a `cron`. */
export function isOver(schedule: ResolvedSchedule, nowMs: number): boolean {
  return timesOf(schedule).next(nowMs) === undefined
}
