/**
 * Suspects: messages whose calls were killed before. Each runs apart from the others, so that it takes none of them
 * with it a second time.
 * @module
 */

import { decodeEnvelope } from '../runtime/call/envelope.ts'
import { type CallRecord, isFinal, isLive, killsOf } from '../runtime/call/record.ts'
import type { Ports } from '../runtime/ports/backend.ts'

/** What is asked of a message. */
export interface Received {
  readonly body: string
  /** How often it was received, this time included. */
  readonly receiveCount: number
}

/**
 * The suspects among these messages, in their order. Only a message that was received before can be one, so a batch of
 * new ones costs no read.
 */
export async function findSuspects<Message>(
  { store, clock }: Ports,
  messages: readonly Message[],
  receivedOf: (message: Message) => Received,
): Promise<readonly Message[]> {
  const again = messages.flatMap((message) => {
    const { body, receiveCount } = receivedOf(message)
    const id = receiveCount > 1 ? idOf(body) : undefined
    return id === undefined ? [] : [{ message, id }]
  })
  if (again.length === 0) return []
  const now = clock.now()
  const rows = await store.read(
    again.map(({ id }) => id),
    { consistent: true },
  )
  return again.flatMap(({ message }, at) => (wasKilled(rows[at], now) ? [message] : []))
}

function idOf(body: string): string | undefined {
  try {
    return decodeEnvelope(body).id
  } catch {
    return undefined
  }
}

function wasKilled(row: CallRecord | undefined, now: number): boolean {
  if (!isLive(row, now) || isFinal(row.state)) return false
  if (row.state !== 'running') return killsOf(row) > 0
  // Seen from the next claim, a running attempt whose lease is over was killed; one under a live lease is not ours.
  return (row.leaseUntil ?? 0) < now
}
