/**
 * The polling of one queue: one receive at a time, as long as there is room, and none while the queue is paused.
 * @module
 */

import type { Clock } from '../runtime/clock.ts'
import { LIMITS, PROTOCOL } from '../runtime/config/config.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import type { ReceivedMessage } from '../runtime/ports/queue.ts'
import type { Troubles } from './troubles.ts'
import type { Turns } from './turns.ts'

/** What is polled, and for whom. */
export interface PollingOptions {
  readonly ports: Pick<Ports, 'queue' | 'clock'>
  readonly queue: string
  /** How long one poll waits for messages. */
  readonly waitSeconds: number
  readonly turns: Pick<Turns, 'free' | 'room'>
  readonly troubles: Troubles
  readonly isPaused: boolean
  /** Given what was received, hidden for as long as a lease lasts; awaited before the next poll. Never rejects. */
  take(messages: readonly ReceivedMessage[]): Promise<void>
}

/** A queue that is polled. */
export interface Polling {
  /** Ends the poll that is under way, until it is told to go on. */
  setPaused(isPaused: boolean): void
  /** Ends it for good, at once, and resolves when what was received has been taken. */
  stop(): Promise<void>
}

/** Between polls that fail, in milliseconds: doubled each time, up to the last. */
const FIRST_BACK_OFF_MS = 1000
const LAST_BACK_OFF_MS = 30_000

/** Begins to poll. */
export function startPolling(options: PollingOptions): Polling {
  let { isPaused } = options
  let isStopped = false
  let backOffMs = FIRST_BACK_OFF_MS
  /** Of one round only, so that no listeners gather on it. */
  let interruption = new AbortController()
  const round = async (signal: AbortSignal) => {
    if (isPaused) return aborted(signal)
    try {
      await pollOnce(options, signal)
      backOffMs = FIRST_BACK_OFF_MS
    } catch (error) {
      if (signal.aborted) return
      options.troubles.arise(pollingOf(options), error)
      await pause(options.ports.clock, backOffMs, signal)
      backOffMs = Math.min(backOffMs * 2, LAST_BACK_OFF_MS)
    }
  }
  const poll = async () => {
    while (!isStopped) {
      interruption = new AbortController()
      await round(interruption.signal)
      await nextTurn()
    }
  }
  const polling = poll()
  return {
    setPaused(value) {
      if (value === isPaused) return
      isPaused = value
      interruption.abort()
    },
    stop() {
      isStopped = true
      interruption.abort()
      return polling
    },
  }
}

function pollingOf({ queue }: PollingOptions): string {
  return `polling queue ${JSON.stringify(queue)}`
}

async function pollOnce(options: PollingOptions, signal: AbortSignal): Promise<void> {
  const { ports, queue, turns, troubles, waitSeconds, take } = options
  await turns.room(signal)
  const maxMessages = Math.min(turns.free(), LIMITS.batchEntries)
  // Another queue's messages may have come first.
  if (signal.aborted || maxMessages < 1) return
  const visibilitySeconds = PROTOCOL.renewedLeaseSeconds
  const messages = await ports.queue.receive(queue, { maxMessages, waitSeconds, visibilitySeconds, signal })
  if (!signal.aborted) troubles.over(pollingOf(options))
  // What came in spite of an interruption is in flight, and must be taken or given back.
  if (messages.length > 0) await take(messages)
}

/** The time, or less where it is interrupted; it keeps the process alive, which has nothing else to wait for. */
function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel()
      resolve()
    }
    const timer = clock.setTimer(end, ms)
    signal.addEventListener('abort', end, { once: true })
  })
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

// Taken when this module loads, so that a test runner's fake timers do not stop the polling.
const { setImmediate } = globalThis

/** A full queue answers at once: without a turn between two polls, I/O and timers would starve. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
