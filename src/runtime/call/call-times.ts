/**
 * When a call may run: not before its due time, and not for the first time after its expiry.
 * @module
 */

import { LIMITS, PROTOCOL, type ResolvedConfig, type ResolvedQueue } from '../config/config.ts'
import { showValue } from '../config/nearest-name.ts'
import { checkNumber } from '../config/option-checks.ts'
import { InvalidOptionError } from '../errors.ts'
import type { CallRecord } from './call-record.ts'

/** What a sender says of a call's times. */
export interface CallTimes {
  /**
   * Not before this from now: up to 900 s, where the config has `longDelays` up to 31,536,000 s (365 days). Refused on
   * FIFO queues. @default 0
   */
  readonly delaySeconds?: number
  /** Not before this moment, in place of `delaySeconds`; one that is past is now. @default now */
  readonly at?: Date
  /**
   * Where no attempt has begun within this from now, the call ends as `failed`, for the reason `expired`. An attempt that
   * began in time is retried whenever. @default never
   */
  readonly expiresInSeconds?: number
  /** The same as a moment, in place of `expiresInSeconds`. @default never */
  readonly expiresAt?: Date
}

/** When a call that is submitted now is due, in epoch milliseconds. */
export function dueAtOf({ delaySeconds, at }: CallTimes, now: number): number {
  if (at !== undefined) return Math.max(at.getTime(), now)
  return delaySeconds === undefined ? now : Math.round(now + delaySeconds * 1000)
}

/** By when its first attempt must have begun, in epoch milliseconds; `undefined` where that does not matter. */
export function startByOf({ expiresInSeconds, expiresAt }: CallTimes, now: number): number | undefined {
  if (expiresAt !== undefined) return expiresAt.getTime()
  return expiresInSeconds === undefined ? undefined : Math.round(now + expiresInSeconds * 1000)
}

/** Whether it is due later than SQS can delay its message. */
export function isLongDelay(dueAt: number, now: number): boolean {
  return dueAt - now > LIMITS.delaySeconds * 1000
}

/**
 * Checks the times of a call to `queue` that is submitted at `now`.
 * @throws InvalidOptionError
 */
export function checkCallTimes(
  config: ResolvedConfig,
  queue: ResolvedQueue,
  times: CallTimes,
  now: number,
): void {
  checkOne(times, 'delaySeconds', 'at')
  checkOne(times, 'expiresInSeconds', 'expiresAt')
  checkDelay(config, queue, times, now)
  checkExpiry(times, now)
}

function checkOne(times: CallTimes, seconds: keyof CallTimes, moment: keyof CallTimes): void {
  if (times[seconds] === undefined || times[moment] === undefined) return
  throw new InvalidOptionError(
    `a call has a \`${seconds}\` (${showValue(times[seconds])}) or an \`${moment}\` (${showValue(times[moment])}), not both`,
  )
}

/** The one line to add. */
const LONGER =
  'add `longDelays: true` to the config for up to 365 days, by one-time schedules of EventBridge Scheduler'

function checkDelay(config: ResolvedConfig, queue: ResolvedQueue, times: CallTimes, now: number): void {
  const { delaySeconds, at } = times
  const given = at === undefined ? 'delaySeconds' : 'at'
  const shown = at === undefined ? String(delaySeconds) : showDate(at)
  const rule = config.longDelays
    ? { min: 0, max: LIMITS.longDelaySeconds, why: 'at most 365 days' }
    : { min: 0, max: LIMITS.delaySeconds, why: `SQS's limit; ${LONGER}` }
  checkNumber('`delaySeconds`', delaySeconds, rule, undefined)
  if (at !== undefined) checkDate('at', at)
  const dueAt = dueAtOf(times, now)
  if (dueAt - now > LIMITS.longDelaySeconds * 1000) {
    throw new InvalidOptionError(
      `\`at\` is ${shown}, which is more than 365 days from now (${showDate(new Date(now))}); submit the call later, from a task that is due before it`,
    )
  }
  if (queue.fifo && dueAt > now) {
    throw new InvalidOptionError(
      `\`${given}\` is ${shown}, but the queue ${JSON.stringify(queue.name)} is FIFO, and SQS delays no single message there; use a standard queue`,
    )
  }
  if (isLongDelay(dueAt, now) && !config.longDelays) {
    throw new InvalidOptionError(
      `\`${given}\` is ${shown}, and SQS delays a message by ${LIMITS.delaySeconds} s at most; ${LONGER}`,
    )
  }
}

function checkExpiry(times: CallTimes, now: number): void {
  const { expiresInSeconds, expiresAt } = times
  const rule = { min: 0.001, max: LIMITS.expirySeconds, why: 'no message lives longer' }
  checkNumber('`expiresInSeconds`', expiresInSeconds, rule, undefined)
  if (expiresAt !== undefined) checkDate('expiresAt', expiresAt)
  const startBy = startByOf(times, now)
  if (startBy === undefined) return
  const shown =
    expiresAt === undefined
      ? `\`expiresInSeconds\` is ${expiresInSeconds}`
      : `\`expiresAt\` is ${showDate(expiresAt)}`
  if (startBy <= now) {
    throw new InvalidOptionError(
      `${shown}, which is past (it is ${showDate(new Date(now))}): the call would never run; give it a later moment`,
    )
  }
  if (startBy > now + LIMITS.expirySeconds * 1000) {
    throw new InvalidOptionError(
      `${shown}, which is more than ${LIMITS.expirySeconds} s from now, and no message lives longer; leave it out`,
    )
  }
  const dueAt = dueAtOf(times, now)
  if (startBy > dueAt) return
  throw new InvalidOptionError(
    `${shown}, and the call is not due before ${showDate(new Date(dueAt))}: it would never run; let it expire later than it is due`,
  )
}

function checkDate(option: string, value: unknown): void {
  if (value instanceof Date && Number.isFinite(value.getTime())) return
  throw new InvalidOptionError(`\`${option}\` is ${showDate(value)}, expected a Date that is valid`)
}

function showDate(value: unknown): string {
  if (!(value instanceof Date)) return showValue(value)
  return Number.isFinite(value.getTime()) ? value.toISOString() : 'an invalid Date'
}

/**
 * Whether a delayed call's message came before its time: a schedule sends up to a minute early. What was to run at once is
 * never early, whatever the sender's clock said.
 */
export function isEarly({ createdAt, dueAt }: Pick<CallRecord, 'createdAt' | 'dueAt'>, now: number): boolean {
  return dueAt > createdAt && dueAt > now + PROTOCOL.dueToleranceSeconds * 1000
}
