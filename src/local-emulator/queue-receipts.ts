/**
 * What a receipt is good for: deleting its message, and changing its visibility. And what ends all of them.
 * @module
 */
import type { Clock } from '../runtime/clock.ts'
import { LIMITS } from '../runtime/config/config.ts'
import type { VisibilityChange } from '../runtime/ports/queue.ts'
import { type QueueState, surface, wakeReceivers } from './queue-receivers.ts'
import { invalidHandle, refusalOfVisibility, visibilityBeyondLimit } from './sqs-refusals.ts'
import type { StoredMessage } from './waiting-messages.ts'

/** The message in flight under this receipt; `undefined` where the receipt is no longer good. */
function inFlightUnder(state: QueueState, handle: string): StoredMessage | undefined {
  const message = state.inFlight.get(handle)
  if (message) return message
  const prefix = `${state.definition.name}#`
  if (!handle.startsWith(prefix) || !/^\d+$/.test(handle.slice(prefix.length))) throw invalidHandle(handle)
  return undefined
}

/** Ends a delivery: its receipt is no longer good. */
function endReceipt(state: QueueState, message: StoredMessage): void {
  if (message.hidden) state.hidden.cancel(message.hidden)
  if (message.receipt) state.inFlight.delete(message.receipt.handle)
  message.hidden = undefined
  message.receipt = undefined
}

function remove(state: QueueState, handle: string): void {
  const message = inFlightUnder(state, handle)
  if (!message) return
  endReceipt(state, message)
  state.waiting.release(message)
}

function hideUntil(state: QueueState, change: VisibilityChange, now: number): void {
  const { receiptHandle, visibilitySeconds } = change
  const refusal = refusalOfVisibility(visibilitySeconds)
  if (refusal) throw refusal
  const message = inFlightUnder(state, receiptHandle)
  if (!message?.receipt || !message.hidden) return
  const until = now + visibilitySeconds * 1000
  if (until > message.receipt.receivedAt + LIMITS.visibilitySeconds * 1000) {
    throw visibilityBeyondLimit(visibilitySeconds)
  }
  if (visibilitySeconds === 0) {
    endReceipt(state, message)
    state.waiting.add(message)
    state.waiting.release(message)
    return
  }
  state.hidden.cancel(message.hidden)
  message.hidden = state.hidden.add(until, message)
}

/** Does every entry; throws the first refusal after the last, as one failed entry of a batch stops no other. */
function forEach<T>(entries: readonly T[], handle: (entry: T) => void): void {
  const errors: unknown[] = []
  for (const entry of entries) {
    try {
      handle(entry)
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

/** Deletes what is in flight under these receipts. */
export function deleteMessages(state: QueueState, receiptHandles: readonly string[], clock: Clock): void {
  surface(state, clock.now())
  try {
    forEach(receiptHandles, (handle) => remove(state, handle))
  } finally {
    wakeReceivers(state, clock)
  }
}

/** Hides what is in flight under these receipts for longer, or no longer. */
export function changeVisibilities(
  state: QueueState,
  changes: readonly VisibilityChange[],
  clock: Clock,
): void {
  const now = clock.now()
  surface(state, now)
  try {
    forEach(changes, (change) => hideUntil(state, change, now))
  } finally {
    wakeReceivers(state, clock)
  }
}

/** Deletes every message: what is in flight first, so that no group of a FIFO queue is held by it. */
export function purgeMessages(state: QueueState, clock: Clock): void {
  surface(state, clock.now())
  for (const message of state.hidden.items()) {
    const wasTaken = message.receipt !== undefined
    endReceipt(state, message)
    if (wasTaken) state.waiting.release(message)
  }
  const batch = ++state.lastBatch
  for (let message = state.waiting.take(batch); message !== undefined; message = state.waiting.take(batch)) {
    state.waiting.release(message)
  }
  wakeReceivers(state, clock)
}
