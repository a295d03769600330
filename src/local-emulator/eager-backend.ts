/**
 * The eager backend: a submit runs its call inline, through the same envelope, attempt, record and retries as
 * everywhere else, and returns when it is final. Nothing waits: back-offs and delays move the backend's own clock.
 * @module
 */
import { type OpenEnvironment, openEnvironment } from '../handlers/worker-environment.ts'
import type { App } from '../runtime/app.ts'
import { runMessage } from '../runtime/attempt/attempt.ts'
import { decodeEnvelope } from '../runtime/call/envelope.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import type { ResolvedConfig } from '../runtime/config/config.ts'
import { outsideAnyContext, runningTask } from '../runtime/current-task.ts'
import { type Entropy, systemEntropy } from '../runtime/entropy.ts'
import { NotWiredError } from '../runtime/errors.ts'
import type { Backend, Ports } from '../runtime/ports/backend.ts'
import type { OneTimeSchedules } from '../runtime/ports/one-time-schedules.ts'
import type { OutgoingMessage, Queue, SendResult } from '../runtime/ports/queue.ts'
import { inProcessBlobs } from './in-process-blobs.ts'
import { type InProcessStore, inProcessStore } from './in-process-store.ts'
import { inlineFleet } from './inline-fleet.ts'

/** How to make an eager backend. */
export interface EagerBackendOptions {
  /** Let a submit reject with the error of a call that failed. @default false: it stays in the future */
  readonly propagate?: boolean
  /** @default the system's */
  readonly clock?: Clock
  /** @default the system's */
  readonly entropy?: Entropy
}

interface Inline {
  readonly config: ResolvedConfig
  readonly ports: Ports
  readonly store: InProcessStore
  /** Moves the clock: what a wait comes to where nothing waits. */
  readonly skip: (seconds: number) => void
  /** By queue. */
  readonly environments: Map<string, OpenEnvironment>
  app: App | undefined
  /** How many calls so far, and how many at this moment. */
  received: number
  running: number
}

/** Makes the eager backend of one app. */
export function eagerBackend(config: ResolvedConfig, options: EagerBackendOptions): Backend {
  const { clock = systemClock, entropy = systemEntropy } = options
  let skippedMs = 0
  const shifted: Clock = { now: () => clock.now() + skippedMs, setTimer: clock.setTimer }
  const queue: Queue = {
    send: async (name, messages) => {
      const results: SendResult[] = []
      for (const message of messages) {
        inline.received++
        inline.running++
        try {
          await runInline(inline, name, message)
        } finally {
          inline.running--
        }
        results.push(delivered)
      }
      return results
    },
    // A call is over before its send returns: there is never a message to receive, or to hide.
    receive: async () => [],
    changeVisibility: async () => {},
    delete: async () => {},
    counts: async () => ({ visible: 0, inFlight: 0, delayed: 0 }),
    nameOfArn: (arn) => arn.slice(arn.lastIndexOf(':') + 1),
  }
  const store = inProcessStore({ clock: shifted })
  const blobs = config.blobs && { blobs: inProcessBlobs({ clock: shifted }) }
  const oneTimeSchedules = config.longDelays && { oneTimeSchedules: inlineSchedules(() => inline) }
  const ports: Ports = { clock: shifted, entropy, queue, store, ...blobs, ...oneTimeSchedules }
  const inline: Inline = {
    config,
    ports,
    store,
    skip: (seconds) => {
      skippedMs += seconds * 1000
    },
    environments: new Map(),
    app: undefined,
    received: 0,
    running: 0,
  }
  return {
    ...ports,
    fleet: inlineFleet(() => inline, shifted),
    kind: 'eager',
    propagate: options.propagate ?? false,
    attach: (app) => {
      if (inline.app !== app) inline.environments.clear()
      inline.app = app
    },
    start: async () => {},
    close: async () => {
      const environments = [...inline.environments.values()]
      inline.environments.clear()
      await Promise.allSettled(environments.map(({ stop }) => stop()))
    },
  }
}

/** What would wait in a schedule runs at once, like what is delayed: inside the call that is retried, where it is one. */
function inlineSchedules(inline: () => Inline): OneTimeSchedules {
  return {
    async create({ queue, message, dueAt }) {
      const delaySeconds = Math.max(Math.ceil((dueAt - inline().ports.clock.now()) / 1000), 0)
      await runInline(inline(), queue, { ...message, delaySeconds })
    },
    // It is over before anybody can delete it.
    delete: async () => {},
  }
}

/** Nobody can ask for a message that was never in a queue: it needs no id of its own. */
const delivered: SendResult = { messageId: 'inline' }

/** Delivers one message until it is acknowledged. */
async function runInline(inline: Inline, queue: string, message: OutgoingMessage): Promise<void> {
  const open = environmentOf(inline, queue)
  if (message.delaySeconds !== undefined) inline.skip(message.delaySeconds)
  const environment = open.ready() ?? (await outsideAnyContext(open.get))
  for (;;) {
    const delivery = {
      body: message.body,
      // Inline there is no invocation that ends, and the clock may jump: each attempt has the worker's whole time-out.
      deadline: Number.POSITIVE_INFINITY,
      budgetMs: open.settings.timeoutSeconds * 1000,
    }
    const settlement = await outsideAnyContext(runMessage, environment, delivery)
    if (settlement.acknowledge) return
    const { id } = decodeEnvelope(message.body)
    if (inline.store.peek(id)?.state !== 'running') {
      // A whole second at least: whoever returns a message for a moment must find time gone on.
      inline.skip(settlement.hideSeconds || 1)
    } else if (runningTask()?.id === id) {
      // A call that submits itself (by its key) would wait for its own end.
      return
    } else {
      // Another submit of the same call runs it just now: to move the clock would end its lease.
      await nextWrite(inline.store, id)
    }
  }
}

function nextWrite(store: InProcessStore, id: string): Promise<void> {
  return new Promise((resolve) => {
    const stop = store.watch((record) => {
      if (record.id !== id) return
      stop()
      resolve()
    })
  })
}

function environmentOf(inline: Inline, queue: string): OpenEnvironment {
  const { app, environments, config, ports } = inline
  if (app === undefined) {
    throw new NotWiredError(
      `no executor of ${JSON.stringify(config.name)} was made in this process, so nothing can run its calls inline; import the module that calls createExecutor`,
    )
  }
  let environment = environments.get(queue)
  if (environment === undefined) {
    const worker = [...config.workers.values()].find(({ queues }) => queues.includes(queue))
    environment = openEnvironment(app, ports, worker?.name ?? '')
    environments.set(queue, environment)
  }
  return environment
}
