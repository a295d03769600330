/**
 * The sending side of an in-process queue.
 * @module
 */
import type { Clock } from '../runtime/clock.ts'
import type { OutgoingMessage, SendResult } from '../runtime/ports/queue.ts'
import { type QueueState, wakeReceivers } from './queue-receivers.ts'
import { refusalOfMessage } from './sqs-refusals.ts'
import type { StoredMessage } from './waiting-messages.ts'

/** SQS: a de-duplication id is remembered for five minutes. */
const DEDUPLICATION_MS = 300_000

/** The id that was sent before, where the message is one that SQS accepts and does not deliver. */
function duplicateOf(state: QueueState, id: string | undefined, now: number): string | undefined {
  for (const [oldest, { sentAt }] of state.sentIds) {
    if (sentAt > now - DEDUPLICATION_MS) break
    state.sentIds.delete(oldest)
  }
  return id === undefined ? undefined : state.sentIds.get(id)?.messageId
}

function accept(state: QueueState, message: OutgoingMessage, messageId: string, now: number): void {
  const { body, groupId, delaySeconds, deduplicationId } = message
  const stored: StoredMessage = {
    number: ++state.lastNumber,
    messageId,
    body,
    groupId,
    sentAt: now,
    firstReceivedAt: 0,
    receiveCount: 0,
    receipt: undefined,
    hidden: undefined,
    next: undefined,
  }
  if (deduplicationId !== undefined) state.sentIds.set(deduplicationId, { messageId, sentAt: now })
  if (state.waiting.size() + state.hidden.size() === 0) state.oldestSentAt = now
  if (delaySeconds) stored.hidden = state.hidden.add(now + delaySeconds * 1000, stored)
  else state.waiting.add(stored)
}

/** Takes what SQS would take; the results are in the order of the messages. */
export function sendMessages(
  state: QueueState,
  messages: readonly OutgoingMessage[],
  newId: () => string,
  clock: Clock,
): readonly SendResult[] {
  const now = clock.now()
  const results = messages.map((message): SendResult => {
    const error = refusalOfMessage(state.definition, message)
    if (error) return { error }
    const known = state.definition.fifo && duplicateOf(state, message.deduplicationId, now)
    if (known) return { messageId: known }
    const messageId = newId()
    accept(state, message, messageId, now)
    return { messageId }
  })
  wakeReceivers(state, clock)
  return results
}
