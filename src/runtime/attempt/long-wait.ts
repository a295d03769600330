/**
 * Long waits: SQS hides a message for 12 h at most, so a call that is due later than that is sent by a schedule.
 *
 * Record first, then the schedule, then the acknowledgement. Whoever dies in between leaves a message that comes back,
 * finds its call not due for long, and has the schedule made: its name is this wait's, so it is one schedule.
 * @module
 */

import type { CallRecord } from '../call/call-record.ts'
import { encodeEnvelope, type ReceivedEnvelope } from '../call/envelope.ts'
import { retentionSecondsOf } from '../call/message-life.ts'
import { expiryOf } from '../call/record.ts'
import { LIMITS } from '../config/config.ts'
import { scheduleInputBytes, scheduleName } from '../ports/one-time-schedules.ts'
import { renewArguments, withoutArguments } from '../submit/large-arguments.ts'
import { envelopeOf, longestBlobDelayDays } from '../submit/outgoing-call.ts'
import type { Environment } from './attempt.ts'
import { persist } from './persist.ts'
import { acknowledge, hideUntil, type Settlement } from './settlement.ts'

/**
 * For how many seconds this call can wait: where nothing can send it later, as long as SQS hides a message.
 * @param body its message
 */
export function longestWaitSeconds(
  { app, ports }: Pick<Environment, 'app' | 'ports'>,
  envelope: ReceivedEnvelope,
  body: string,
): number {
  const queue = app.config.queues.get(envelope.queue)
  // On a FIFO queue those behind it would overtake it.
  if (ports.oneTimeSchedules === undefined || queue === undefined || queue.fifo) return LIMITS.backoffSeconds
  const fits = envelope.blob === undefined && scheduleInputBytes(body) <= LIMITS.scheduleInputBytes
  if (fits) return LIMITS.longDelaySeconds
  return ports.blobs === undefined ? LIMITS.backoffSeconds : longestBlobDelayDays(queue) * DAY_SECONDS
}

const DAY_SECONDS = 86_400

/** A message whose schedule could not be made comes back for it after this. */
const RETURN_MS = 900_000

/**
 * Has a schedule send the message of a call that waits, and lets go of this one. Never rejects.
 * @param waiting its record, `scheduled` or `retrying`
 * @param deadline when the environment is killed, in epoch milliseconds
 */
export async function waitInSchedule(
  environment: Environment,
  envelope: ReceivedEnvelope,
  waiting: CallRecord,
  deadline: number,
): Promise<Settlement> {
  const { ports } = environment
  const { id, queue, tenant } = envelope
  const { dueAt } = waiting
  const made = await persist(
    environment,
    id,
    deadline,
    async () => {
      const body = await bodyOf(environment, envelope, waiting)
      const message = tenant === undefined ? { body } : { body, groupId: tenant }
      await ports.oneTimeSchedules?.create({ name: scheduleName(waiting), queue, message, dueAt })
      return true
    },
    'the schedule of a call that waits',
  )
  if (made !== undefined) return acknowledge
  return hideUntil(ports, Math.min(dueAt, ports.clock.now() + RETURN_MS))
}

async function bodyOf(
  { app, ports }: Environment,
  received: ReceivedEnvelope,
  waiting: CallRecord,
): Promise<string> {
  const { args, ...sent } = received
  const envelope = envelopeOf(sent, waiting)
  const retentionSeconds = retentionSecondsOf(app.config, received.queue)
  // As at submit: they outlive the record.
  const expiresAtSeconds = expiryOf(expiryOf(waiting.dueAt, retentionSeconds) * 1000, retentionSeconds)
  if (envelope.blob !== undefined) {
    await renewArguments(ports, received, expiresAtSeconds)
    return encodeEnvelope(envelope, '')
  }
  const body = encodeEnvelope(envelope, JSON.stringify(args))
  if (scheduleInputBytes(body) <= LIMITS.scheduleInputBytes) return body
  return withoutArguments(ports, { ...envelope, args }, expiresAtSeconds)
}
