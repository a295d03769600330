/**
 * A worker as a process of its own: it polls its queues, and runs the same attempts as on Lambda, under leases that it
 * renews. For a laptop, and for work that outgrows Lambda's 15 minutes, in any container.
 *
 * At most `concurrency` calls run. While calls are short, up to 20 more messages are received ahead; beside them each
 * further queue may bring ten, since it is polled before anybody knows what the others bring. What has waited for 20 s
 * goes back for other processes.
 * @module
 */
import { hostname } from 'node:os'
import { type OpenEnvironment, openEnvironment } from '../handlers/worker-environment.ts'
import type { App } from '../runtime/app.ts'
import { LIMITS, PROTOCOL, type ResolvedWorker } from '../runtime/config/config.ts'
import { checkKeys, checkNumber } from '../runtime/config/option-checks.ts'
import { type Heartbeat, startHeartbeat } from '../runtime/operations/heartbeat.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import { reportOf } from '../runtime/ports/worker-report.ts'
import { createHeldMessages, type HeldMessages } from './held-messages.ts'
import { takeMessages } from './message-turns.ts'
import { type Polling, startPolling } from './polling.ts'
import { createTroubles, type Troubles } from './troubles.ts'
import { createTurns, type Turns } from './turns.ts'

/** A worker that runs. */
export interface ProcessWorker {
  /** How many calls run, and how many messages wait in this process for their turn. */
  load(): { readonly running: number; readonly waiting: number }
  /**
   * Receives nothing any more, gives back what has not begun, and resolves when what runs has ended and the stop hooks
   * have run. Draining twice is draining once.
   * @throws what a stop hook throws, when all else is done
   */
  drain(): Promise<void>
}

/** How it works. */
export interface ProcessWorkerOptions {
  /** How many calls run at once in this process, 1–1,000. @default the worker's `concurrency`, at most 1,000 */
  readonly concurrency?: number
  /** How long one poll waits for messages, 1–20 s. @default 20 */
  readonly pollSeconds?: number
  /** Told of each message before its call runs; tests count by it. */
  readonly onReceived?: () => void
}

/** How many calls one process runs at once at the most: each holds a message, and renews it and a lease every 20 s. */
const MOST_AT_ONCE = 1000

/** What one worker is made of, while it runs. */
interface State {
  readonly worker: OpenEnvironment
  readonly options: Required<Pick<ProcessWorkerOptions, 'concurrency' | 'pollSeconds'>>
  readonly turns: Turns
  readonly held: HeldMessages
  readonly troubles: Troubles
  readonly startedAt: number
  readonly processId: string
  received: number
  isStopping: boolean
  paused: ReadonlySet<string>
  /** By queue; empty until the first heartbeat. */
  pollings: ReadonlyMap<string, Polling>
}

/**
 * Starts to work as the worker of this name, once the start hooks have run and it is known which queues are paused.
 * @throws InvalidOptionError where the config has no worker of this name, or an option is out of its range; what a
 *   start hook throws
 */
export async function startProcessWorker(
  app: App,
  ports: Ports,
  workerName: string,
  options: ProcessWorkerOptions = {},
): Promise<ProcessWorker> {
  const worker = openEnvironment(app, ports, workerName, { renewsLeases: true })
  const state = stateOf(worker, options)
  const { turns, held, troubles } = state
  const environment = await worker.get()
  const heartbeat = await beginHeartbeat(state)
  const { onReceived } = options
  const on = {
    ...{ environment, turns, held, troubles },
    isStopping: () => state.isStopping,
    ...(onReceived && { onReceived }),
  }
  const startPollingOf = (queue: string) =>
    startPolling({
      ...{ ports, queue, turns, troubles },
      waitSeconds: state.options.pollSeconds,
      isPaused: state.paused.has(queue),
      take(messages) {
        state.received += messages.length
        const receivedAt = ports.clock.now()
        return takeMessages(
          on,
          messages.map((message) => ({ queue, message, receivedAt })),
        )
      },
    })
  state.pollings = new Map(worker.settings.queues.map((queue) => [queue, startPollingOf(queue)]))
  const { concurrency } = state.options
  worker.log('info', 'the worker runs', {
    concurrency,
    queues: worker.settings.queues.join(', '),
    processId: state.processId,
  })
  let draining: Promise<void> | undefined
  return {
    load: () => loadOf(state),
    drain: () => {
      draining ??= drain(state, heartbeat)
      return draining
    },
  }
}

function stateOf(worker: OpenEnvironment, options: ProcessWorkerOptions): State {
  const { ports, settings, log } = worker
  const checked = checkOptions(settings, options)
  const troubles = createTroubles(log)
  const turns = createTurns(checked.concurrency, ports.clock)
  const giveBackOverdue = () => turns.giveBackAfter(PROTOCOL.renewSeconds * 1000)
  return {
    ...{ worker, turns, troubles, options: checked },
    held: createHeldMessages(ports, troubles, giveBackOverdue),
    startedAt: ports.clock.now(),
    // In a container every process is number 1, and on a host's network its name is the host's.
    processId: `${hostname().slice(0, 90)}-${process.pid}-${ports.entropy.owner().slice(0, 6)}`,
    received: 0,
    isStopping: false,
    paused: new Set(),
    pollings: new Map(),
  }
}

function checkOptions(settings: ResolvedWorker, options: ProcessWorkerOptions): State['options'] {
  const where = `the options of worker ${JSON.stringify(settings.name)}`
  checkKeys(where, options, ['concurrency', 'pollSeconds', 'onReceived'])
  const number = (name: 'concurrency' | 'pollSeconds', max: number, fallback: number) =>
    checkNumber(`${where}: \`${name}\``, options[name], { min: 1, max, whole: true }, fallback)
  return {
    concurrency: number('concurrency', MOST_AT_ONCE, Math.min(settings.concurrency, MOST_AT_ONCE)),
    pollSeconds: number('pollSeconds', LIMITS.receiveWaitSeconds, LIMITS.receiveWaitSeconds),
  }
}

/** Resolves after the first beat, which tells what is paused. Where it fails the worker works: only its notice is missing. */
async function beginHeartbeat(state: State): Promise<Heartbeat> {
  const { worker, troubles, processId } = state
  const what = 'writing the heartbeat'
  const first = Promise.withResolvers<void>()
  const heartbeat = startHeartbeat(worker.ports, {
    processId,
    report: () => reportNow(state),
    onPaused(queues) {
      troubles.over(what)
      heedPaused(state, queues)
      first.resolve()
    },
    onError(error) {
      troubles.arise(what, error)
      first.resolve()
    },
  })
  await first.promise
  return heartbeat
}

function heedPaused(state: State, queues: ReadonlySet<string>): void {
  const { worker } = state
  for (const queue of worker.settings.queues) {
    const isPaused = queues.has(queue)
    if (isPaused === state.paused.has(queue)) continue
    worker.log('info', isPaused ? 'the queue is paused' : 'the queue is no longer paused', { queue })
    state.pollings.get(queue)?.setPaused(isPaused)
  }
  state.paused = queues
}

function reportNow({ worker, held, startedAt, received }: State) {
  const { app, ports, settings } = worker
  const uptimeSeconds = Math.max((ports.clock.now() - startedAt) / 1000, 0)
  const counts = { uptimeSeconds, received, running: held.count() }
  return reportOf({ app, worker: settings.name, codeVersion: ports.version, ...counts })
}

function loadOf({ turns, held }: State): ReturnType<ProcessWorker['load']> {
  const running = turns.running()
  // What waits in a group behind the call that runs waits too.
  return { running, waiting: Math.max(held.count() - running, 0) }
}

async function drain(state: State, heartbeat: Heartbeat): Promise<void> {
  const { turns, held, worker, troubles } = state
  state.isStopping = true
  worker.log('info', 'the worker drains', loadOf(state))
  const pollings = [...state.pollings.values()].map((polling) => polling.stop())
  await Promise.all([turns.close(), ...pollings])
  await held.flush()
  await heartbeat.stop().catch((error: unknown) => troubles.arise('taking back the heartbeat', error))
  try {
    await worker.stop()
  } finally {
    worker.log('info', 'the worker has stopped', { received: state.received })
  }
}
