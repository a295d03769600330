/**
 * The test in the part of the event source mapping: it hands a queue's messages to a worker's handler until none is
 * left. It waits for nothing: an hour passes by the clock, and then what went back is made visible.
 * @module
 */
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import type { WorkerHandler } from '../../src/handlers/invocation.ts'
import { eventOf } from '../../src/local-emulator/event-source-mapping.ts'
import type { Queue } from '../../src/runtime/ports/queue.ts'
import { inLanes } from '../support/lanes.ts'
import { loopbackRegion } from '../support/loopback-connection.ts'
import type { ShiftedClock } from '../support/shifted-clock.ts'

/** What to drain, and with what. */
export interface Drain {
  /** Past the proxies: received from, and made visible by. */
  readonly past: Queue
  /** Deletes what was acknowledged. */
  readonly through: Queue
  readonly handler: WorkerHandler
  readonly clock: ShiftedClock
  /** Told of each message that was invoked with, and whether it was acknowledged. */
  readonly onInvoked?: (message: Invoked) => void
  /** Told before an invocation of the calls that are in it. */
  readonly onInvoking?: (ids: readonly string[]) => void
}

/** What became of one message. */
export interface Invoked {
  /** The id of its call. */
  readonly id: string
  readonly isAcknowledged: boolean
}

/** Invocations at once, of up to ten calls each. */
const LANES = 20
const MAX_ROUNDS = 40
const INVOCATION_MS = 60_000

/**
 * Empties the queue `default`, whose visibility must be longer than a round takes; gives up after 40 rounds, so that
 * what is stuck is found by the account and not by a time-out.
 */
export async function drain(drained: Drain): Promise<void> {
  const { past, clock } = drained
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const events = await receiveAll(past)
    if (events.length === 0) return
    await inLanes(events.length, LANES, (index) => invoke(drained, events[index] as SQSEvent))
    clock.shift(3600)
    const receipts = events.flatMap(({ Records }) => Records.map(({ receiptHandle }) => receiptHandle))
    await past.changeVisibility(
      'default',
      receipts.map((receiptHandle) => ({ receiptHandle, visibilitySeconds: 0 })),
    )
  }
}

async function receiveAll(queue: Queue): Promise<SQSEvent[]> {
  const events: SQSEvent[] = []
  for (;;) {
    const messages = await queue.receive('default', { maxMessages: 10, waitSeconds: 0 })
    if (messages.length === 0) return events
    events.push(eventOf(messages, `arn:aws:sqs:${loopbackRegion}:000000000000:default`))
  }
}

async function invoke(drained: Drain, event: SQSEvent): Promise<void> {
  const { through, handler, clock, onInvoking, onInvoked } = drained
  const deadline = clock.now() + INVOCATION_MS
  const context = { getRemainingTimeInMillis: () => deadline - clock.now() }
  const idOf = ({ body }: SQSRecord) => (JSON.parse(body) as { id: string }).id
  onInvoking?.(event.Records.map(idOf))
  const { batchItemFailures } = await handler(event, context)
  const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
  const done = event.Records.filter(({ messageId }) => !failed.has(messageId))
  for (const record of event.Records) {
    onInvoked?.({ id: idOf(record), isAcknowledged: !failed.has(record.messageId) })
  }
  const receipts = done.map(({ receiptHandle }) => receiptHandle)
  // A delete that is lost brings the message again, of a call that is final.
  await through.delete('default', receipts).catch(() => {})
}
