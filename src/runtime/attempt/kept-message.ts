/**
 * Messages kept beside the record: of a call that fails, for a retry by hand, and where the task says `keepArguments`
 * of any call, for people to look at.
 * @module
 */

import { retentionSecondsOf } from '../call/message-life.ts'
import { expiryOf } from '../call/record.ts'
import { LIMITS } from '../config/config.ts'
import { withoutArguments } from '../submit/large-arguments.ts'
import type { Environment } from './attempt.ts'
import type { Claimed } from './finish-attempt.ts'

/** Whether some item can hold the message. Where none can it is not kept, and the log says so. */
export function canKeep(
  { ports, log }: Environment,
  { envelope, delivery }: Pick<Claimed, 'envelope' | 'delivery'>,
): boolean {
  const bytes = Buffer.byteLength(delivery.body)
  if (bytes <= LIMITS.resultBytes || ports.blobs !== undefined) return true
  log('warn', 'the arguments are too large to be kept', { id: envelope.id, bytes })
  return false
}

/** Keeps the message; where it is too large for an item, its arguments in a blob. */
export async function keepMessage(
  { app, ports }: Environment,
  { envelope, delivery }: Pick<Claimed, 'envelope' | 'delivery'>,
): Promise<void> {
  const expiresAtSeconds = expiryOf(ports.clock.now(), retentionSecondsOf(app.config, envelope.queue))
  const isTooLarge = Buffer.byteLength(delivery.body) > LIMITS.resultBytes
  const body = isTooLarge ? await withoutArguments(ports, envelope, expiresAtSeconds) : delivery.body
  await ports.store.putMessage(envelope.id, body, expiresAtSeconds)
}

/**
 * Keeps the message of a call whose task says `keepArguments`, while its function runs. Once a call: later attempts
 * find it kept, unless all before them were killed. Nothing fails for it. `undefined` where there is nothing to do.
 */
export function keepForPeople(environment: Environment, claimed: Claimed): Promise<void> | undefined {
  const { task, record, envelope } = claimed
  if (task?.options.keepArguments !== true) return undefined
  if (record.failures > 0 || record.forgiven !== undefined || !canKeep(environment, claimed)) return undefined
  return keepMessage(environment, claimed).catch((error: unknown) => {
    environment.log('warn', 'the arguments could not be kept', { id: envelope.id, error })
  })
}
