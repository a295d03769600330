/**
 * SQS in this process: its semantics, limits and error names, on any clock.
 *
 * A message is **delayed** until its delay is over, then **visible**; a receive puts it **in flight** under a new
 * receipt, for the queue's visibility or what `changeVisibility` made of it; then it is visible again, and the
 * receipt no longer good. A visible message that is past the queue's retention is dropped, and one that was
 * received `maxReceiveCount` times goes to `<name>-dead-letters`, instead of being received once more.
 *
 * Not emulated: duplicates, reordering and lost responses (the fault switches make those), fairness between the
 * groups of a standard queue, and the rates of FIFO queues.
 * @module
 */
import type { Clock } from '../runtime/clock.ts'
import { LIMITS, type ResolvedQueue } from '../runtime/config.ts'
import type { Entropy } from '../runtime/entropy.ts'
import type {
  OutgoingMessage,
  Queue,
  QueueCounts,
  ReceivedMessage,
  SendResult,
  VisibilityChange,
} from '../runtime/queue.ts'
import { deadlineHeap } from './deadline-heap.ts'
import { type QueueState, receive, surface, wakeReceivers } from './queue-receivers.ts'
import {
  invalidHandle,
  noSuchQueue,
  refusalOfMessage,
  refusalOfVisibility,
  visibilityBeyondLimit,
} from './sqs-refusals.ts'
import { fifoOrder, type StoredMessage, standardOrder } from './waiting-messages.ts'

/** When a message becomes a dead letter, and for how long it is kept then. */
export interface DeadLetterOptions {
  /** @default 100 */
  readonly maxReceiveCount?: number
  /** @default 1209600 (14 days) */
  readonly retentionSeconds?: number
}

/** How to make a queue in this process. */
export interface InProcessQueueOptions {
  readonly queues: ReadonlyMap<string, ResolvedQueue>
  readonly clock: Clock
  readonly entropy: Entropy
  readonly deadLetters?: DeadLetterOptions
}

/** One message, as it lies in the queue. */
export interface InspectedMessage {
  readonly messageId: string
  readonly body: string
  readonly state: 'visible' | 'in-flight' | 'delayed'
  readonly receiveCount: number
  /** When it may be received (again); when it was sent, where it may be. */
  readonly visibleAt: number
  readonly groupId?: string
}

/** The queue port, in this process. `receive` takes an endless `waitSeconds` too. */
export interface InProcessQueue extends Queue {
  /** What a queue, or its dead-letter queue, holds, in the order of sending; changes nothing. */
  inspect(queue: string): readonly InspectedMessage[]
  /** How many messages there are in all queues but the dead-letter queues. */
  unfinished(): number
}

/** SQS: a de-duplication id is remembered for five minutes. */
const DEDUPLICATION_MS = 300_000

const ARN_PREFIX = 'arn:aws:sqs:local:000000000000:'

/** The ARN of a queue in this process. */
export function arnOf(queue: string): string {
  return ARN_PREFIX + queue
}

/** The name of a queue's dead-letter queue. */
export function deadLettersOf(queue: string): string {
  return `${queue}-dead-letters`
}

function newState(definition: ResolvedQueue, maxReceiveCount: number, deadLetters?: QueueState): QueueState {
  return {
    definition,
    retentionMs: definition.retentionSeconds * 1000,
    waiting: definition.fifo ? fifoOrder() : standardOrder(),
    hidden: deadlineHeap(),
    inFlight: new Map(),
    sentIds: new Map(),
    maxReceiveCount,
    deadLetters,
    receivers: new Set(),
    wakeIsSet: false,
    timer: undefined,
    timerAt: Number.POSITIVE_INFINITY,
    lastNumber: 0,
    lastReceipt: 0,
    lastBatch: 0,
    oldestSentAt: Number.POSITIVE_INFINITY,
  }
}

function makeStates(options: InProcessQueueOptions): Map<string, QueueState> {
  const { maxReceiveCount = 100, retentionSeconds = LIMITS.maxRetentionSeconds } = options.deadLetters ?? {}
  const states = new Map<string, QueueState>()
  for (const definition of options.queues.values()) {
    const name = deadLettersOf(definition.name)
    const deadLetters = newState({ ...definition, name, retentionSeconds }, Number.POSITIVE_INFINITY)
    states.set(definition.name, newState(definition, maxReceiveCount, deadLetters))
    states.set(name, deadLetters)
  }
  return states
}

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

function sendAll(
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

/** Messages that SQS has dropped by now are not counted; walked only where there may be one. */
function countVisible(state: QueueState, now: number): number {
  const expired = now - state.retentionMs
  if (state.oldestSentAt > expired) return state.waiting.size()
  return state.waiting.items().filter(({ sentAt }) => sentAt > expired).length
}

function inspect(state: QueueState, now: number): readonly InspectedMessage[] {
  return [...state.waiting.items(), ...state.hidden.items()]
    .filter(({ sentAt }) => sentAt > now - state.retentionMs)
    .sort((one, other) => one.number - other.number)
    .map(({ messageId, body, receiveCount, receipt, hidden, sentAt, groupId }) => ({
      messageId,
      body,
      state: hidden === undefined || hidden.at <= now ? 'visible' : receipt ? 'in-flight' : 'delayed',
      receiveCount,
      visibleAt: hidden?.at ?? sentAt,
      ...(groupId !== undefined && { groupId }),
    }))
}

function countsOf(state: QueueState, clock: Clock): QueueCounts {
  wakeReceivers(state, clock)
  const inFlight = state.inFlight.size
  return { visible: countVisible(state, clock.now()), inFlight, delayed: state.hidden.size() - inFlight }
}

/** Message ids: 80 random bits of this queue, then a number; making a UUID each would cost more than the send. */
function messageIds({ entropy, clock }: InProcessQueueOptions): () => string {
  const prefix = entropy.id(clock.now()).slice(0, 24)
  let last = 0
  return () => prefix + (++last).toString(16).padStart(12, '0')
}

/** Makes queues, each with its dead-letter queue, in this process. */
export function inProcessQueue(options: InProcessQueueOptions): InProcessQueue {
  const { clock } = options
  const states = makeStates(options)
  const newId = messageIds(options)

  function stateOf(queue: string): QueueState {
    const state = states.get(queue)
    if (!state) throw noSuchQueue(queue, options.queues.keys())
    return state
  }

  return {
    send: async (queue, messages) => sendAll(stateOf(queue), messages, newId, clock),
    receive: async (queue, how): Promise<readonly ReceivedMessage[]> => receive(stateOf(queue), how, clock),
    async delete(queue, receiptHandles) {
      const state = stateOf(queue)
      surface(state, clock.now())
      try {
        forEach(receiptHandles, (handle) => remove(state, handle))
      } finally {
        wakeReceivers(state, clock)
      }
    },
    async changeVisibility(queue, changes) {
      const state = stateOf(queue)
      const now = clock.now()
      surface(state, now)
      try {
        forEach(changes, (change) => hideUntil(state, change, now))
      } finally {
        wakeReceivers(state, clock)
      }
    },
    counts: async (queue) => countsOf(stateOf(queue), clock),
    nameOfArn(arn) {
      const name = arn.startsWith(ARN_PREFIX) ? arn.slice(ARN_PREFIX.length) : ''
      return states.has(name) ? name : undefined
    },
    inspect: (queue) => inspect(stateOf(queue), clock.now()),
    unfinished() {
      let count = 0
      for (const name of options.queues.keys()) count += inspect(stateOf(name), clock.now()).length
      return count
    },
  }
}
