/**
 * Messages that go back to their queue: hidden for as long as each must wait, instead of the queue's whole visibility.
 * @module
 */
import type { SQSRecord } from 'aws-lambda'
import type { Timer } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import type { VisibilityChange } from '../runtime/ports/queue.ts'

/** The messages of one invocation that go back. */
export interface ReturnedMessages {
  /** Has this one hidden for so long, soon. */
  add(record: SQSRecord, visibilitySeconds: number): void
  /** Has those that were added hidden now. Never rejects. */
  flush(): Promise<void>
}

/** How long one waits for others: those of a batch that fail together take one request, and none waits for a slow mate. */
const GATHER_MS = 200

/** Gathers the messages that go back. */
export function createReturnedMessages(ports: Ports, log: Log): ReturnedMessages {
  let waiting: { record: SQSRecord; visibilitySeconds: number }[] = []
  let timer: Timer | undefined
  let hiding: Promise<void> | undefined
  const hideWaiting = async () => {
    timer?.cancel()
    timer = undefined
    const leaving = waiting
    waiting = []
    const byQueue = new Map<string, VisibilityChange[]>()
    for (const { record, visibilitySeconds } of leaving) {
      // The queue's name comes from the event, never from the message.
      const name = queueOf(ports, record)
      if (name === undefined) continue
      const changes = byQueue.get(name) ?? []
      changes.push({ receiptHandle: record.receiptHandle, visibilitySeconds })
      byQueue.set(name, changes)
    }
    await Promise.all([...byQueue].map(([name, changes]) => hide(ports, log, name, changes)))
  }
  // One after the other: who asks last waits for those before, or the environment would freeze in the middle of one.
  const flush = () => {
    hiding = hiding === undefined ? hideWaiting() : hiding.then(hideWaiting)
    return hiding
  }
  return {
    add(record, visibilitySeconds) {
      waiting.push({ record, visibilitySeconds })
      timer ??= ports.clock.setTimer(() => void flush(), GATHER_MS, { background: true })
    },
    flush,
  }
}

/** The queue that an event's record came from, or `undefined` where it does not say, or is not of this app. */
export function queueOf(ports: Ports, record: SQSRecord): string | undefined {
  const { eventSourceARN } = record
  return typeof eventSourceARN === 'string' ? ports.queue.nameOfArn(eventSourceARN) : undefined
}

async function hide(
  ports: Ports,
  log: Log,
  queue: string,
  changes: readonly VisibilityChange[],
): Promise<void> {
  try {
    await ports.queue.changeVisibility(queue, changes)
  } catch (error) {
    // Then it stays hidden for the queue's visibility: later, but not lost.
    log('warn', 'visibility not changed', { queue, error })
  }
}
