/**
 * A worker as a process of its own: it polls its queues, and runs the same attempts as on Lambda, under leases that it
 * renews. For a laptop, and for work that outgrows Lambda's 15 minutes, in any container.
 * @module
 */
import { findSuspects } from '../handlers/suspects.ts'
import { type OpenEnvironment, openEnvironment } from '../handlers/worker-environment.ts'
import type { App } from '../runtime/app.ts'
import { type Delivery, type Environment, runMessage } from '../runtime/attempt.ts'
import type { Ports } from '../runtime/backend.ts'
import { delay } from '../runtime/clock.ts'
import { LIMITS } from '../runtime/config.ts'
import { hide, type Settlement } from '../runtime/settlement.ts'
import { createHeldMessages, type HeldMessage, type HeldMessages } from './held-messages.ts'
import { createTurns, type Turn, type Turns } from './turns.ts'

/** A worker that runs. */
export interface ProcessWorker {
  /** How many calls run, and how many messages wait in this process for their turn. */
  load(): { readonly running: number; readonly waiting: number }
  /** Receives nothing any more, gives back what has not begun, and resolves when what runs has ended. */
  drain(): Promise<void>
}

/** How it works. */
export interface ProcessWorkerOptions {
  /** How many calls run at once in this process, 1–1,000. @default the worker's `concurrency` */
  readonly concurrency?: number
  /** How long one poll waits for messages, 0–20 s. @default 20 */
  readonly pollSeconds?: number
  /** Told of each message before its call runs; tests count by it. */
  readonly onReceived?: () => void
}

interface State {
  readonly worker: OpenEnvironment
  readonly environment: Environment
  readonly options: ProcessWorkerOptions
  readonly limit: number
  readonly turns: Turns
  readonly held: HeldMessages
  readonly stopping: AbortController
}

/** Between polls that fail, in milliseconds: doubled each time, up to the last. */
const FIRST_BACK_OFF_MS = 1000
const LAST_BACK_OFF_MS = 30_000

/**
 * Starts to work as the worker of this name, once the start hooks have run.
 * @throws InvalidOptionError where the config has no worker of this name; what a start hook throws
 */
export async function startProcessWorker(
  app: App,
  ports: Ports,
  workerName: string,
  options: ProcessWorkerOptions = {},
): Promise<ProcessWorker> {
  const worker = openEnvironment(app, ports, workerName, { renewsLeases: true })
  const limit = options.concurrency ?? worker.settings.concurrency
  const state: State = {
    worker,
    environment: await worker.get(),
    options,
    limit,
    turns: createTurns(limit),
    held: createHeldMessages(ports, worker.log),
    stopping: new AbortController(),
  }
  const polls = worker.settings.queues.map((queue) => poll(state, queue))
  let drained: Promise<void> | undefined
  return {
    load: () => ({ running: state.turns.running(), waiting: state.turns.waiting() }),
    drain: () => {
      drained ??= drain(state, polls)
      return drained
    },
  }
}

async function drain(
  { stopping, turns, held, worker }: State,
  polls: readonly Promise<void>[],
): Promise<void> {
  stopping.abort()
  const [left] = await Promise.all([turns.drain(), ...polls])
  for (const turn of left) (turn as MessagesTurn).giveBack()
  await held.flush()
  await worker.stop()
}

async function poll(state: State, queue: string): Promise<void> {
  const { worker, stopping, turns, limit, options } = state
  const { ports, log } = worker
  let backOffMs = FIRST_BACK_OFF_MS
  while (!stopping.signal.aborted) {
    await turns.room()
    const free = limit - turns.running() - turns.waiting()
    const maxMessages = Math.min(LIMITS.batchEntries, free)
    const waitSeconds = options.pollSeconds ?? LIMITS.receiveWaitSeconds
    try {
      const messages = await ports.queue.receive(queue, { maxMessages, waitSeconds, signal: stopping.signal })
      backOffMs = FIRST_BACK_OFF_MS
      if (messages.length > 0)
        await take(
          state,
          queue,
          messages.map((message) => ({ queue, message })),
        )
    } catch (error) {
      // A wire client ends a poll by throwing when it is told to stop.
      if (stopping.signal.aborted) return
      log('warn', 'the queue could not be polled; tried again', { queue, error, backOffMs })
      await delay(ports.clock, backOffMs)
      backOffMs = Math.min(backOffMs * 2, LAST_BACK_OFF_MS)
    }
    await nextTurn()
  }
}

// Taken when this module loads, so that a test runner's fake timers do not stop the polling.
const { setImmediate } = globalThis

/** A full queue answers at once: without a turn between two polls, I/O and timers would starve. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** A turn that can be taken back before it began. */
interface MessagesTurn extends Turn {
  giveBack(): void
}

async function take(state: State, queue: string, received: readonly HeldMessage[]): Promise<void> {
  const { worker, held, turns, options } = state
  for (const one of received) held.hold(one)
  const suspects = await suspectsOf(state, received)
  const isFifo = worker.app.config.queues.get(queue)?.fifo === true
  for (const messages of isFifo ? byGroup(received) : received.map((one) => [one])) {
    options.onReceived?.()
    turns.add(
      turnOf(
        state,
        messages,
        messages.some((one) => suspects.has(one)),
      ),
    )
  }
}

/** The messages of each group of a FIFO queue, in their order. */
function byGroup(received: readonly HeldMessage[]): HeldMessage[][] {
  return [...Map.groupBy(received, ({ message }) => message.groupId ?? '').values()]
}

/** Whoever cannot read cannot claim either: then the messages go their way. */
async function suspectsOf(
  { worker }: State,
  received: readonly HeldMessage[],
): Promise<ReadonlySet<HeldMessage>> {
  try {
    return new Set(await findSuspects(worker.ports, received, ({ message }) => message))
  } catch {
    return new Set()
  }
}

/** One message, or the messages of a group one after the other; what follows a failure goes back, or would overtake it. */
function turnOf(state: State, messages: readonly HeldMessage[], isSuspect: boolean): MessagesTurn {
  const { held } = state
  const giveBack = () => {
    for (const one of messages) held.settle(one, hide(0))
  }
  const run = async () => {
    let stopped = false
    for (const one of messages) {
      const settlement: Settlement = stopped
        ? hide(0)
        : await runMessage(state.environment, deliveryOf(state, one))
      held.settle(one, settlement)
      stopped = !settlement.acknowledge
    }
  }
  return { isSuspect, run, giveBack }
}

/** Its time begins with its turn: there is no invocation that others used up a part of. */
function deliveryOf({ worker }: State, { message }: HeldMessage): Delivery {
  const budgetMs = worker.settings.timeoutSeconds * 1000
  const { body, firstReceivedAt } = message
  return { body, firstReceivedAt, budgetMs, deadline: worker.ports.clock.now() + budgetMs }
}
