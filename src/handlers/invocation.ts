/**
 * One invocation by SQS: an event in, `batchItemFailures` out.
 *
 * It never throws: a throw fails the whole batch. It never lists an id that is not in the event: that fails the
 * whole batch too. And a timer keeps the event loop alive until it has answered: an invocation that runs out of
 * things to do ends with `null`, which the event source mapping reads as success.
 * @module
 */
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type { Delivery } from '../runtime/attempt/attempt.ts'
import type { Settlement } from '../runtime/attempt/settlement.ts'
import type { ResolvedWorker } from '../runtime/config/config.ts'
import type { Log } from '../runtime/log.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import type { AttemptObserver } from './observe-attempts.ts'
import { createReturnedMessages, type ReturnedMessages } from './returned-messages.ts'

/** What the handler needs of Lambda's context. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number
  readonly awsRequestId: string
}

/** A handler of SQS events. */
export interface WorkerHandler {
  (event: SQSEvent, context?: Partial<InvocationContext>): Promise<SQSBatchResponse>
  /** Runs the stop hooks, where the start hooks ran. */
  stop(): Promise<void>
}

/** What is invoked. */
export interface Invoked {
  readonly ports: Ports
  readonly settings: Pick<ResolvedWorker, 'timeoutSeconds'>
  readonly log: Log
  readonly observer?: AttemptObserver | undefined
}

/**
 * Handles one event by `run`, which says in the batch what may be deleted; what it does not say goes back. Never rejects.
 * @param onOutOfTime called before the answer is given for want of time
 */
export async function handleEvent(
  { ports, settings, log, observer }: Invoked,
  event: SQSEvent,
  context: Partial<InvocationContext> | undefined,
  run: (batch: Batch) => Promise<void>,
  onOutOfTime: () => void = () => {},
): Promise<SQSBatchResponse> {
  const { clock } = ports
  const records = recordsOf(event)
  const remainingMs = remainingOf(settings, context)
  const batch: Batch = {
    records,
    deadline: clock.now() + remainingMs,
    budgetMs: remainingMs,
    acknowledged: new Set(),
    returned: createReturnedMessages(ports, log),
    requestId: observer === undefined ? undefined : requestIdOf(context),
  }
  await new Promise<void>((resolve) => {
    // It ends the invocation in time, and keeps the event loop alive until then.
    const outOfTime = () => {
      onOutOfTime()
      // What goes back is hidden while there is time for it.
      clock.setTimer(resolve, ANSWER_RESERVE_MS / 2)
      void batch.returned.flush().then(resolve)
    }
    const timer = clock.setTimer(outOfTime, Math.max(remainingMs - ANSWER_RESERVE_MS, 0))
    const end = () => {
      timer.cancel()
      resolve()
    }
    run(batch).then(end, (error: unknown) => {
      log('error', 'the batch was returned', { error })
      end()
    })
  })
  observer?.flush()
  return returning(records.filter(({ messageId }) => !batch.acknowledged.has(messageId)))
}

/** An event's records, and none where it is no event of SQS: a throw would fail whatever else is in it. */
function recordsOf(event: SQSEvent): readonly SQSRecord[] {
  const records: unknown = event?.Records
  return Array.isArray(records)
    ? records.filter((record) => typeof record === 'object' && record !== null)
    : []
}

/** The answer that gives these records back. */
function returning(records: readonly SQSRecord[]): SQSBatchResponse {
  return { batchItemFailures: records.map(({ messageId }) => ({ itemIdentifier: messageId })) }
}

/** The answer that gives a whole event back. */
export function returnAll(event: SQSEvent): SQSBatchResponse {
  return returning(recordsOf(event))
}

/** The messages of one invocation, and what has become of them. */
export interface Batch {
  readonly records: readonly SQSRecord[]
  /** When the environment is killed, in epoch milliseconds. */
  readonly deadline: number
  /** How long the invocation has from its beginning. */
  readonly budgetMs: number
  /** The ids of the messages that may be deleted. */
  readonly acknowledged: Set<string>
  readonly returned: ReturnedMessages
  /** The invocation's id; `undefined` where nobody observes, or the context does not say. */
  readonly requestId: string | undefined
}

/** What the answer itself may take, once the time is over. */
const ANSWER_RESERVE_MS = 500

/** A context that is missing, or says nonsense, must not make a lease without end. */
function remainingOf(
  worker: Pick<ResolvedWorker, 'timeoutSeconds'>,
  context: Partial<InvocationContext> | undefined,
): number {
  const longest = worker.timeoutSeconds * 1000
  try {
    const remaining = context?.getRemainingTimeInMillis?.()
    if (remaining === undefined || !Number.isFinite(remaining)) return longest
    return Math.min(Math.max(remaining, 0), 24 * 3600 * 1000)
  } catch {
    return longest
  }
}

/** Anything may stand in a context that is not Lambda's. */
function requestIdOf(context: Partial<InvocationContext> | undefined): string | undefined {
  try {
    const id: unknown = context?.awsRequestId
    return typeof id === 'string' ? id : undefined
  } catch {
    return undefined
  }
}

/** Does with a message what its attempt has come to. */
export function settleMessage(batch: Batch, record: SQSRecord, settlement: Settlement): boolean {
  if (settlement.acknowledge) batch.acknowledged.add(record.messageId)
  else if (settlement.hideSeconds !== undefined) batch.returned.add(record, settlement.hideSeconds)
  return settlement.acknowledge
}

/** A message as an attempt is given it. */
export function deliveryOf(
  { body, attributes }: SQSRecord,
  { deadline, budgetMs, requestId }: Batch,
  isLater: boolean,
): Delivery {
  const firstReceivedAt = Number(attributes?.ApproximateFirstReceiveTimestamp)
  const sentAt = Number(attributes?.SentTimestamp)
  const delivery = { body, deadline, budgetMs, isLater }
  if (requestId !== undefined) Object.assign(delivery, { requestId })
  if (Number.isFinite(sentAt)) Object.assign(delivery, { sentAt })
  return Number.isFinite(firstReceivedAt) ? Object.assign(delivery, { firstReceivedAt }) : delivery
}
