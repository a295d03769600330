/**
 * A queue whose messages come late or twice, and whose requests can be lost or throttled.
 * @module
 */
import { LIMITS } from '../runtime/config/config.ts'
import type { OutgoingMessage, Queue, SendResult } from '../runtime/ports/queue.ts'
import type { FaultPlan } from './fault-plan.ts'
import { faultyRequest, tryRequest } from './faulty-request.ts'

function later(message: OutgoingMessage, seconds: number): OutgoingMessage {
  const delaySeconds = Math.min((message.delaySeconds ?? 0) + seconds, LIMITS.delaySeconds)
  return { ...message, delaySeconds }
}

/** A message of a FIFO queue, which keeps order, and drops copies by their id. */
function isFifo(message: OutgoingMessage): boolean {
  return message.deduplicationId !== undefined
}

/** Some of the messages late, and copies of some. */
function mixedUp(messages: readonly OutgoingMessage[], plan: FaultPlan): OutgoingMessage[][] {
  const { delay, duplicate, maxDelaySeconds } = plan.switches
  const sent: OutgoingMessage[] = []
  const copies: OutgoingMessage[] = []
  for (const message of messages) {
    const movable = !isFifo(message)
    const isLate = movable && plan.happens(delay)
    sent.push(isLate ? later(message, plan.upTo(maxDelaySeconds)) : message)
    // From the same second on, so that a copy may overtake the message.
    if (movable && plan.happens(duplicate)) {
      copies.push(later(message, plan.upTo(maxDelaySeconds + 1) - 1))
    }
  }
  return [sent, copies]
}

/** Wraps a queue; reordering is the queue's own affair. */
export function faultyQueue<Q extends Queue>(queue: Q, plan: FaultPlan): Q {
  const send = async (name: string, messages: readonly OutgoingMessage[]): Promise<readonly SendResult[]> => {
    const [sent = [], copies = []] = mixedUp(messages, plan)
    const results = await queue.send(name, sent)
    if (copies.length > 0) await queue.send(name, copies)
    return results
  }
  return {
    ...queue,
    send: (name, messages) => faultyRequest(plan, 'send', () => send(name, messages)),
    // Who polls polls again by itself.
    receive: (name, options) => tryRequest(plan, 'receive', () => queue.receive(name, options)),
    delete: (name, receiptHandles) => faultyRequest(plan, 'delete', () => queue.delete(name, receiptHandles)),
    changeVisibility: (name, changes) =>
      faultyRequest(plan, 'changeVisibility', () => queue.changeVisibility(name, changes)),
  }
}
