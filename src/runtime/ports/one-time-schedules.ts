/**
 * The port of one-time schedules: each sends one message at a time that lies beyond what SQS can delay or hide, and then
 * deletes itself. `test/conformance` holds every implementation to it.
 *
 * - **A name is one schedule.** It is made of the call's id and of what it waits for, so that creating it again, after a
 *   lost answer or by another sender, is creating it once.
 * - **The message comes up to a minute before its time, and never after it**: a schedule fires some time within its
 *   minute. So the minute before is asked for, SQS delays by the seconds, and the worker hides the message for what is
 *   left. A call runs to the second.
 * - **Fired at least once.** The claim absorbs a message too many.
 * @module
 */
import { hash } from 'node:crypto'
import { CALL_SCHEDULE_PREFIX, LIMITS } from '../config/config.ts'
import type { OutgoingMessage } from './queue.ts'

/** A message that waits for its time. */
export interface OneTimeSchedule {
  /** 1–64 of letters, digits, `-`, `_` and `.`; see `scheduleName`. */
  readonly name: string
  /** A queue of the config; not a FIFO queue, where no single message may come later than its turn. */
  readonly queue: string
  readonly message: Pick<OutgoingMessage, 'body' | 'groupId'>
  /** When its call is due, in epoch milliseconds: more than `LIMITS.delaySeconds` from now. */
  readonly dueAt: number
}

/** Where messages wait for longer than SQS lets them. */
export interface OneTimeSchedules {
  /**
   * Makes the schedule; where there is one of this name, that one stands.
   * @throws AccessDeniedError, ResourceNotFoundError, NotWiredError
   */
  create(schedule: OneTimeSchedule): Promise<void>
  /** Deletes it, so that nobody is billed for its firing; one that is not there (any more) is deleted. */
  delete(name: string): Promise<void>
}

/** What a call waits for, as far as it makes the name of its schedule. */
export interface Awaited {
  readonly id: string
  /** Which send it is: absent is the first. */
  readonly sends?: number
  /** Attempts so far: each retry waits for a time of its own. */
  readonly attempts: number
}

/** The name of the schedule that a call waits for: `_` and 43 characters of base64url. */
export function scheduleName({ id, sends = 1, attempts }: Awaited): string {
  return CALL_SCHEDULE_PREFIX + hash('sha256', `${id}\n${sends}\n${attempts}`, 'base64url')
}

const MINUTE_MS = 60_000

/** When a schedule is to fire, and for how long SQS then delays its message. */
export interface Firing {
  /** A whole minute, in epoch milliseconds; it fires within the 60 s from then on (EventBridge Scheduler's precision). */
  readonly minuteAt: number
  /** Whole seconds, 0–60. */
  readonly delaySeconds: number
}

/** How a message comes within the minute before `dueAt`, whenever in its minute the schedule fires. */
export function firingOf(dueAt: number): Firing {
  const latestAt = dueAt - MINUTE_MS
  const minuteAt = Math.floor(latestAt / MINUTE_MS) * MINUTE_MS
  return { minuteAt, delaySeconds: Math.floor((latestAt - minuteAt) / 1000) }
}

/** What the queue's URL, the group's id and the names of SendMessage's parameters take of the input, at the most. */
const PARAMETER_BYTES = 1024

/**
 * How large a message makes a schedule's input, in bytes: its body is quoted once more.
 * @returns at most `LIMITS.scheduleInputBytes` where it can be scheduled
 */
export function scheduleInputBytes(body: string): number {
  // A UTF-16 unit takes at most six bytes where it is escaped, and three where it is not.
  if (body.length * 6 + PARAMETER_BYTES <= LIMITS.scheduleInputBytes) return body.length * 6 + PARAMETER_BYTES
  return Buffer.byteLength(JSON.stringify(forScheduler(body))) + PARAMETER_BYTES
}

/**
 * A message body that EventBridge Scheduler leaves as it is: it replaces `<aws.scheduler.…>` in an input by what it
 * names, wherever it stands, and JSON can write the sign otherwise at no loss.
 */
export function forScheduler(body: string): string {
  return body.includes('<aws.') ? body.replaceAll('<aws.', '\\u003caws.') : body
}
