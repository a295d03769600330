/**
 * The local backend: queues, records and workers of one app, in this process.
 * @module
 */
import type { App } from '../runtime/app.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import type { ResolvedConfig } from '../runtime/config/config.ts'
import { checkKeys } from '../runtime/config/option-checks.ts'
import { outsideAnyContext } from '../runtime/current-task.ts'
import { type Entropy, systemEntropy } from '../runtime/entropy.ts'
import { ClosedError } from '../runtime/errors.ts'
import type { Backend, Ports } from '../runtime/ports/backend.ts'
import type { Blobs } from '../runtime/ports/blobs.ts'
import type { OneTimeSchedules } from '../runtime/ports/one-time-schedules.ts'
import type { OutgoingMessage, Queue } from '../runtime/ports/queue.ts'
import { noticedSchedules } from '../runtime/schedules/noticed-schedules.ts'
import { type FaultPlan, faultPlan } from './fault-plan.ts'
import type { FaultSwitches } from './faults.ts'
import { faultyBlobs } from './faulty-blobs.ts'
import { faultyOneTimeSchedules } from './faulty-one-time-schedules.ts'
import { faultyQueue } from './faulty-queue.ts'
import { faultyStore } from './faulty-store.ts'
import { inProcessBlobs } from './in-process-blobs.ts'
import { inProcessFleet } from './in-process-fleet.ts'
import { type InProcessSchedules, inProcessOneTimeSchedules } from './in-process-one-time-schedules.ts'
import { type InProcessQueue, inProcessQueue } from './in-process-queue.ts'
import { inProcessStore } from './in-process-store.ts'
import {
  abandonFleet,
  attachApp,
  closeFleet,
  type FleetOptions,
  type LocalFleet,
  startFleet,
} from './local-fleet.ts'
import { watchForLoss } from './lost-calls.ts'
import type { QueueGate } from './queue-gate.ts'
import { seededEntropy } from './seeded-entropy.ts'

/** How to make a local backend. */
export interface LocalBackendOptions extends FleetOptions {
  /** @default the system's */
  readonly clock?: Clock
  /** @default the system's; where there are faults, one of their seed */
  readonly entropy?: Entropy
  /** Whether the first send starts the workers; `start()` does so in any case. @default true */
  readonly startWorkers?: boolean
  /** What goes wrong: switches, or a plan of `faultPlan()`, that single faults can be asked of. @default nothing */
  readonly faults?: FaultSwitches | FaultPlan
  /** What the workers poll through: while it is shut, nothing runs. @default none */
  readonly gate?: QueueGate
  /** Told of the messages that a queue has taken, whoever sent them, and whether or not the sender learns of it. */
  onTaken?(messages: readonly OutgoingMessage[]): void
}

const optionNames = [
  ...['makeHandler', 'makeDeadLetterHandler', 'onError', 'clock', 'entropy', 'startWorkers'],
  ...['faults', 'gate', 'onTaken'],
] as const

/** A backend in this process, whose queues can be looked into. */
export interface LocalBackend extends Backend {
  readonly kind: 'local'
  attach(app: App): void
  /** What a queue, or its dead-letter queue (`<name>-dead-letters`), holds. */
  inspect: InProcessQueue['inspect']
  /** The messages that wait in schedules, for longer than a queue can delay them; none without `longDelays`. */
  readonly waitingInSchedules: Pick<InProcessSchedules, 'waiting' | 'nextAt'>
  /** Closes it at once: attempts that run are killed, and no virtual time is waited for. */
  abandon(): Promise<void>
}

/** The queue as submitters see it, tasks among them: a send starts the workers, and a closed backend takes none. */
function clientQueue(queue: Queue, startWorkers: boolean, fleet: () => LocalFleet): Queue {
  return {
    ...queue,
    // No async function: awaiting nothing of its own, it would only add a turn to the way of each call.
    send(name, messages) {
      const { phase, config } = fleet()
      if (phase === 'closed') {
        return Promise.reject(
          new ClosedError(`the local backend of "${config.name}" is closed: nothing would run the call`),
        )
      }
      if (startWorkers && phase !== 'running') outsideAnyContext(startFleet, fleet())
      return queue.send(name, messages)
    },
  }
}

/** A queue that tells what it takes. */
function telling(queue: InProcessQueue, onTaken: LocalBackendOptions['onTaken']): InProcessQueue {
  if (onTaken === undefined) return queue
  return {
    ...queue,
    async send(name, messages) {
      const results = await queue.send(name, messages)
      onTaken(messages.filter((_, index) => 'messageId' in (results[index] ?? {})))
      return results
    },
  }
}

/** The messages that wait in a schedule are taken, too. */
function tellingSchedules(
  schedules: OneTimeSchedules,
  onTaken: LocalBackendOptions['onTaken'],
): OneTimeSchedules {
  if (onTaken === undefined) return schedules
  return {
    ...schedules,
    async create(schedule) {
      await schedules.create(schedule)
      onTaken([schedule.message])
    },
  }
}

function planOf(faults: FaultSwitches | FaultPlan | undefined): FaultPlan | undefined {
  if (faults === undefined) return undefined
  return 'takeKill' in Object(faults) ? (faults as FaultPlan) : faultPlan(faults as FaultSwitches)
}

function blobsOf(clock: Clock, plan: FaultPlan | undefined): Blobs {
  const sound = inProcessBlobs({ clock })
  return plan ? faultyBlobs(sound, plan) : sound
}

/**
 * Makes the backend of one app. Its workers run in this process, from the first send on.
 * @throws InvalidOptionError
 */
export function localBackend(config: ResolvedConfig, options: LocalBackendOptions): LocalBackend {
  checkKeys('the options of the local backend', options, optionNames)
  const plan = planOf(options.faults)
  const { clock = systemClock, gate, startWorkers = true } = options
  const entropy = options.entropy ?? (plan ? seededEntropy(plan.switches.seed) : systemEntropy)
  const reorders = plan && { reorders: () => plan.happens(plan.switches.reorder) }
  const sound = telling(
    inProcessQueue({ queues: config.queues, clock, entropy, ...reorders }),
    options.onTaken,
  )
  const soundStore = inProcessStore({ clock })
  const queue = clientQueue(plan ? faultyQueue(sound, plan) : sound, startWorkers, () => fleet)
  const store = plan ? faultyStore(soundStore, plan) : soundStore
  const blobs = config.blobs && { blobs: blobsOf(clock, plan) }
  // By the queue as submitters have it: late and twice as well, and a message that falls due starts the workers.
  const schedules = inProcessOneTimeSchedules({ clock, queue })
  const told = tellingSchedules(schedules, options.onTaken)
  const oneTimeSchedules = config.longDelays && {
    oneTimeSchedules: plan ? faultyOneTimeSchedules(told, plan) : told,
  }
  const ports: Ports = { clock, entropy, queue, store, ...blobs, ...oneTimeSchedules }
  const fleet: LocalFleet = {
    ...{ config, options, ports, plan, gate },
    taskOf: (id) => soundStore.peek(id)?.task,
    app: undefined,
    phase: 'idle',
    isAbandoned: false,
    functions: [],
    mappings: [],
    stopping: new Set(),
    paused: new Set(),
    counts: new Map(),
    ...{ firing: undefined, startedAt: 0 },
  }
  // A message may be left of a call that was cancelled; only where calls that wait have no record do messages count.
  const unfinished = () => sound.unfinished() + schedules.waiting().length
  const count = config.record === 'on-claim' ? unfinished : soundStore.unfinished
  const forget = watchForLoss({ name: config.name, count })
  return {
    ...ports,
    kind: 'local',
    fleet: inProcessFleet(fleet, sound),
    schedules: noticedSchedules(store),
    inspect: sound.inspect,
    waitingInSchedules: schedules,
    attach: (app) => outsideAnyContext(attachApp, fleet, app),
    start: async () => outsideAnyContext(startFleet, fleet),
    async close() {
      await closeFleet(fleet)
      // On a clock of its own it is a test's, and what a test leaves behind is no loss.
      forget({ quiet: options.clock !== undefined })
      schedules.stop()
    },
    async abandon() {
      forget({ quiet: true })
      schedules.stop()
      await abandonFleet(fleet)
    },
  }
}
