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
import { LIMITS, MAX_RECEIVE_COUNT, type ResolvedQueue } from '../runtime/config/config.ts'
import { deadLettersOf } from '../runtime/config/dead-letter-names.ts'
import { deadlineHeap } from '../runtime/deadline-heap.ts'
import type { Entropy } from '../runtime/entropy.ts'
import type { Queue, QueueCounts } from '../runtime/ports/queue.ts'
import { changeVisibilities, deleteMessages, purgeMessages } from './queue-receipts.ts'
import { type QueueState, receive, wakeReceivers } from './queue-receivers.ts'
import { sendMessages } from './queue-sending.ts'
import { noSuchQueue } from './sqs-refusals.ts'
import { fifoOrder, standardOrder } from './waiting-messages.ts'

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
  /** Asked at each receive from a standard queue: whether the message next in line is overtaken. @default never */
  readonly reorders?: () => boolean
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
  /** Deletes all of a queue's messages, in flight or not, as `PurgeQueue` does; its dead-letter queue keeps its own. */
  purge(queue: string): void
  /** When the oldest message of a queue was sent, in flight or not; `undefined` where there is none. */
  oldestSentAt(queue: string): number | undefined
  /** How many messages there are in all queues but the dead-letter queues. */
  unfinished(): number
}

const ARN_PREFIX = 'arn:aws:sqs:local:000000000000:'

/** The ARN of a queue in this process. */
export function arnOf(queue: string): string {
  return ARN_PREFIX + queue
}

function newState(
  { reorders }: InProcessQueueOptions,
  definition: ResolvedQueue,
  maxReceiveCount: number,
  deadLetters?: QueueState,
): QueueState {
  return {
    definition,
    retentionMs: definition.retentionSeconds * 1000,
    waiting: definition.fifo ? fifoOrder() : standardOrder(reorders),
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
  const { maxReceiveCount = MAX_RECEIVE_COUNT, retentionSeconds = LIMITS.maxRetentionSeconds } =
    options.deadLetters ?? {}
  const states = new Map<string, QueueState>()
  for (const definition of options.queues.values()) {
    const name = deadLettersOf(definition.name)
    const deadLetters = newState(options, { ...definition, name, retentionSeconds }, Number.POSITIVE_INFINITY)
    states.set(definition.name, newState(options, definition, maxReceiveCount, deadLetters))
    states.set(name, deadLetters)
  }
  return states
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

function oldestSentAt(state: QueueState, now: number): number | undefined {
  let oldest: number | undefined
  for (const { sentAt } of [...state.waiting.items(), ...state.hidden.items()]) {
    if (sentAt > now - state.retentionMs && sentAt < (oldest ?? Number.POSITIVE_INFINITY)) oldest = sentAt
  }
  return oldest
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
    send: async (queue, messages) => sendMessages(stateOf(queue), messages, newId, clock),
    receive: async (queue, how) => receive(stateOf(queue), how, clock),
    delete: async (queue, receiptHandles) => deleteMessages(stateOf(queue), receiptHandles, clock),
    changeVisibility: async (queue, changes) => changeVisibilities(stateOf(queue), changes, clock),
    counts: async (queue) => countsOf(stateOf(queue), clock),
    nameOfArn(arn) {
      const name = arn.startsWith(ARN_PREFIX) ? arn.slice(ARN_PREFIX.length) : ''
      return states.has(name) ? name : undefined
    },
    inspect: (queue) => inspect(stateOf(queue), clock.now()),
    purge: (queue) => purgeMessages(stateOf(queue), clock),
    oldestSentAt: (queue) => oldestSentAt(stateOf(queue), clock.now()),
    unfinished() {
      let count = 0
      for (const name of options.queues.keys()) count += inspect(stateOf(name), clock.now()).length
      return count
    },
  }
}
