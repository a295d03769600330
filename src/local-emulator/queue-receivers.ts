/**
 * The receiving side of an in-process queue: what becomes visible when, and who gets it.
 * @module
 */
import type { Clock, Timer } from '../runtime/clock.ts'
import type { ResolvedQueue } from '../runtime/config/config.ts'
import type { DeadlineHeap } from '../runtime/deadline-heap.ts'
import type { ReceivedMessage, ReceiveOptions } from '../runtime/ports/queue.ts'
import { checkReceive, MAX_IN_FLIGHT, overLimit } from './sqs-refusals.ts'
import type { StoredMessage, WaitingMessages } from './waiting-messages.ts'

/** One queue. Hidden messages (in flight or delayed) come to light at the next operation, or by the timer. */
export interface QueueState {
  readonly definition: ResolvedQueue
  readonly retentionMs: number
  readonly waiting: WaitingMessages
  readonly hidden: DeadlineHeap<StoredMessage>
  /** By receipt handle. */
  readonly inFlight: Map<string, StoredMessage>
  /** By de-duplication id, the oldest first. */
  readonly sentIds: Map<string, { readonly messageId: string; readonly sentAt: number }>
  readonly maxReceiveCount: number
  readonly deadLetters: QueueState | undefined
  readonly receivers: Set<Receiver>
  wakeIsSet: boolean
  /** Set at the earliest hidden message, only while somebody waits for it. */
  timer: Timer | undefined
  timerAt: number
  lastNumber: number
  lastReceipt: number
  lastBatch: number
  /** No message is older. */
  oldestSentAt: number
}

/** A receive that waits. */
interface Receiver {
  readonly options: ReceiveOptions
  end(messages: readonly ReceivedMessage[]): void
}

// Taken when this module loads, so that a test runner's fake timers do not stop the queue.
const { setImmediate } = globalThis

/** Makes visible what is due; every operation does so first. */
export function surface(state: QueueState, now: number): void {
  for (let message = state.hidden.take(now); message !== undefined; message = state.hidden.take(now)) {
    const { receipt } = message
    message.hidden = undefined
    message.receipt = undefined
    state.waiting.add(message)
    if (receipt === undefined) continue
    state.inFlight.delete(receipt.handle)
    state.waiting.release(message)
  }
}

/** Moves a message over: a standard queue's keeps its age, a FIFO queue's counts from the move, as SQS has it. */
function moveToDeadLetters(message: StoredMessage, from: QueueState, to: QueueState, clock: Clock): void {
  const sentAt = from.definition.fifo ? clock.now() : message.sentAt
  const number = ++to.lastNumber
  to.waiting.add({ ...message, number, sentAt, receipt: undefined, hidden: undefined, next: undefined })
  to.oldestSentAt = Math.min(to.oldestSentAt, sentAt)
  wakeReceivers(to, clock)
}

/** Puts a message in flight under a new receipt. */
function deliver(
  state: QueueState,
  message: StoredMessage,
  now: number,
  visibilitySeconds = state.definition.visibilitySeconds,
): ReceivedMessage {
  const handle = `${state.definition.name}#${++state.lastReceipt}`
  message.receiveCount++
  message.receipt = { handle, receivedAt: now }
  if (message.receiveCount === 1) message.firstReceivedAt = now
  message.hidden = state.hidden.add(now + visibilitySeconds * 1000, message)
  state.inFlight.set(handle, message)
  const { messageId, body, receiveCount, sentAt, firstReceivedAt, groupId } = message
  return groupId === undefined
    ? { messageId, receiptHandle: handle, body, receiveCount, sentAt, firstReceivedAt }
    : { messageId, receiptHandle: handle, body, receiveCount, sentAt, firstReceivedAt, groupId }
}

function takeBatch(
  state: QueueState,
  { maxMessages, visibilitySeconds }: ReceiveOptions,
  clock: Clock,
): readonly ReceivedMessage[] {
  const now = clock.now()
  const batch = ++state.lastBatch
  const received: ReceivedMessage[] = []
  while (received.length < maxMessages && state.inFlight.size < MAX_IN_FLIGHT) {
    const message = state.waiting.take(batch)
    if (message === undefined) break
    if (message.sentAt <= now - state.retentionMs) {
      state.waiting.release(message)
    } else if (state.deadLetters && message.receiveCount >= state.maxReceiveCount) {
      moveToDeadLetters(message, state, state.deadLetters, clock)
      state.waiting.release(message)
    } else {
      received.push(deliver(state, message, now, visibilitySeconds))
    }
  }
  return received
}

/** Sets the timer for the next hidden message, or none where nobody waits: no timer outlives its use. */
function arm(state: QueueState, clock: Clock): void {
  const next = state.receivers.size === 0 ? undefined : state.hidden.next()
  const at = next?.at ?? Number.POSITIVE_INFINITY
  if (at === state.timerAt) return
  state.timer?.cancel()
  state.timerAt = at
  state.timer = undefined
  if (next === undefined) return
  const fire = () => {
    state.timerAt = Number.POSITIVE_INFINITY
    state.timer = undefined
    wakeReceivers(state, clock)
  }
  state.timer = clock.setTimer(fire, at - clock.now(), { background: true })
}

function serve(state: QueueState, clock: Clock): void {
  state.wakeIsSet = false
  surface(state, clock.now())
  for (const receiver of state.receivers) {
    const messages = takeBatch(state, receiver.options, clock)
    if (messages.length === 0) break
    receiver.end(messages)
  }
  arm(state, clock)
}

/**
 * Makes visible what is due, and serves waiting receives in a macrotask: what is sent in one turn fills a batch,
 * and a flood leaves I/O its turns.
 */
export function wakeReceivers(state: QueueState, clock: Clock): void {
  surface(state, clock.now())
  if (state.receivers.size === 0) return
  if (state.waiting.size() === 0 || state.wakeIsSet) {
    arm(state, clock)
    return
  }
  state.wakeIsSet = true
  setImmediate(() => serve(state, clock))
}

function wait(state: QueueState, options: ReceiveOptions, clock: Clock): Promise<readonly ReceivedMessage[]> {
  const { waitSeconds, signal } = options
  return new Promise((resolve) => {
    const receiver: Receiver = {
      options,
      end(messages) {
        state.receivers.delete(receiver)
        timer?.cancel()
        signal?.removeEventListener('abort', abort)
        arm(state, clock)
        resolve(messages)
      },
    }
    const abort = () => receiver.end([])
    const timer = Number.isFinite(waitSeconds) ? clock.setTimer(abort, waitSeconds * 1000) : undefined
    signal?.addEventListener('abort', abort, { once: true })
    state.receivers.add(receiver)
    arm(state, clock)
  })
}

/** Receives what is visible, or waits for it. */
export function receive(
  state: QueueState,
  options: ReceiveOptions,
  clock: Clock,
): readonly ReceivedMessage[] | Promise<readonly ReceivedMessage[]> {
  checkReceive(options)
  surface(state, clock.now())
  if (options.signal?.aborted) return []
  const messages = takeBatch(state, options, clock)
  if (messages.length > 0) return messages
  if (options.waitSeconds > 0) return wait(state, options, clock)
  // SQS refuses a short poll of a standard queue at its limit; a long poll, and a FIFO queue, give nothing.
  if (state.inFlight.size >= MAX_IN_FLIGHT && !state.definition.fifo) throw overLimit(state.definition.name)
  return messages
}
