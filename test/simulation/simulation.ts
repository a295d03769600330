/**
 * What all parts of one run share: its time, its faults, its history, the true queue and store.
 * @module
 */
import { type InProcessQueue, inProcessQueue } from '../../src/local-emulator/in-process-queue.ts'
import { type InProcessStore, inProcessStore } from '../../src/local-emulator/in-process-store.ts'
import type { CallRecord } from '../../src/runtime/call/record.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import type { Config, ConfigSchedule, ResolvedConfig } from '../../src/runtime/config/config.ts'
import { deadLettersOf } from '../../src/runtime/config/dead-letter-names.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { type Faults, faultsOf } from './faults.ts'
import { type History, historyOf } from './history.ts'
import type { Mode } from './modes.ts'
import { type Plan, type PlannedSchedule, planOf, RETENTION_SECONDS } from './plan.ts'
import { SCHEDULED } from './programs.ts'
import { type SimulatedSchedules, simulatedSchedules } from './schedules.ts'
import { type Chance, chanceOf } from './seeded-chance.ts'
import { seededEntropy } from './seeded-entropy.ts'
import { type VirtualWorld, virtualWorld } from './virtual-world.ts'

/** When the queue, the store or both do not answer. */
interface Outage {
  readonly of: 'store' | 'queue'
  readonly from: number
  readonly until: number
}

/** The state of one run. */
export interface Simulation {
  readonly plan: Plan
  readonly mode: Mode
  readonly config: Config
  readonly resolved: ResolvedConfig
  readonly world: VirtualWorld
  readonly faults: Faults
  readonly history: History
  /** As they truly are. */
  readonly queue: InProcessQueue
  readonly store: InProcessStore
  readonly schedules: SimulatedSchedules
  /** How long requests take. */
  readonly latency: Chance
  /** The records of a call over time, for reads that lag behind. */
  readonly versions: Map<string, { readonly at: number; readonly record: CallRecord }[]>
  /** The bodies of all messages, by message id. */
  readonly bodies: Map<string, string>
  isDown(part: 'store' | 'queue' | 'scheduler'): boolean
  /** Told after every change of a queue. */
  onQueueChange(queue: string): void
  /** The call that a message is of, where it is of one. */
  callOf(body: string): CallOfMessage
  invocations: number
  /** Counts executions, so that each attempt returns a value of its own. */
  executions: number
  isQuiet: boolean
}

/** Which call a message is of; of none, where it is poison. */
export interface CallOfMessage {
  readonly id: string | undefined
  readonly payloadHash: string | undefined
  /** Which sending of the call's message it is, from 1. */
  readonly sends: number
}

/** Where time begins: any fixed moment, so that runs repeat. */
export const START_MS = Date.UTC(2026, 0, 1)

/** A run that goes on after so many events is a loop. */
export const MAX_EVENTS = 30_000

/** The name of the schedule, where a plan has one. */
export const RECURRING = 'recurring'

/** What it says of its times is of no account: the plan fires it. */
function scheduleOf({ overlap, program }: PlannedSchedule): ConfigSchedule {
  return { task: 'work', cron: '* * * * *', overlap, args: [SCHEDULED, SCHEDULED, program] }
}

function configOf(plan: Plan, { renewsLeases }: Mode): Config {
  const { visibilitySeconds } = plan
  const queue = { visibilitySeconds, retentionSeconds: RETENTION_SECONDS }
  const worker = {
    timeoutSeconds: plan.timeoutSeconds,
    batchSize: plan.batchSize,
    logLevel: 'error',
    runsOn: renewsLeases ? 'container' : 'lambda',
  } as const
  const { maxAttempts, maxKills } = plan
  const task = { maxAttempts, maxKills, backoff: { baseSeconds: 2, factor: 2, maxSeconds: 30 } }
  return {
    name: 'simulation',
    queues: { default: queue, orders: { ...queue, fifo: true } },
    workers: { main: worker },
    record: plan.record,
    longDelays: plan.longDelays,
    ...(plan.schedule !== undefined && { schedules: { [RECURRING]: scheduleOf(plan.schedule) } }),
    taskOptions: {
      '*': task,
      fragile: { ...task, maxAttempts: 1 },
      brief: { ...task, timeoutSeconds: 2 },
    },
  }
}

function outageOf(faults: Faults): Outage | undefined {
  if (!faults.happens('outage')) return undefined
  const amount = faults.amount('outage')
  const from = START_MS + Math.floor(amount * 20_000)
  const until = from + 1000 + Math.floor(((amount * 7919) % 1) * 50_000)
  return { of: (amount * 104_729) % 1 < 0.7 ? 'store' : 'queue', from, until }
}

/** Sets a run up; nothing has happened yet. */
export function simulationOf(seed: number, mode: Mode, only?: ReadonlySet<string>): Simulation {
  const plan = mode.adjust(planOf(seed))
  const world = virtualWorld(START_MS, MAX_EVENTS)
  const faults = faultsOf(seed, only)
  const outage = outageOf(faults)
  const config = configOf(plan, mode)
  const resolved = resolveConfig(config)
  const clock: Clock = {
    now: world.now,
    setTimer(task, delayMs) {
      const event = world.after(delayMs, task)
      return { cancel: () => world.cancel(event) }
    },
  }
  const entropy = seededEntropy(seed, 'queue')
  const deadLetters = { maxReceiveCount: plan.maxReceiveCount }
  const sim: Simulation = {
    plan,
    mode,
    config,
    resolved,
    world,
    faults,
    history: historyOf(world.now),
    queue: inProcessQueue({ queues: resolved.queues, clock, entropy, deadLetters }),
    store: inProcessStore({ clock }),
    schedules: simulatedSchedules(() => sim),
    latency: chanceOf(seed, 'latency'),
    versions: new Map(),
    bodies: new Map(),
    isDown(part) {
      if (outage === undefined || this.isQuiet || outage.of !== part) return false
      return outage.from <= world.now() && world.now() < outage.until
    },
    onQueueChange: () => {},
    callOf: memoized(callOfBody),
    invocations: 0,
    executions: 0,
    isQuiet: false,
  }
  return sim
}

/** All queues of a run, the dead-letter queues last. */
export function queueNames(sim: Simulation): string[] {
  const names = [...sim.resolved.queues.keys()]
  return [...names, ...names.map(deadLettersOf)]
}

function memoized<T>(make: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    let made = known.get(text)
    if (made === undefined) {
      made = make(text)
      known.set(text, made)
    }
    return made
  }
}

/** What a message says of its call; that of a schedule has no id, and it is made here once more. */
export function callIn(body: string): { readonly id: string; readonly task: string; readonly dueAt: number } {
  const { id, task, dueAt, schedule, scheduledAt } = JSON.parse(body)
  if (scheduledAt === undefined) return { id, task, dueAt }
  const time = String(scheduledAt).replaceAll(/[-:]/g, '')
  return { id: `schedule:${schedule}:${time}`, task, dueAt: Date.parse(scheduledAt) }
}

function callOfBody(body: string): CallOfMessage {
  try {
    const { payloadHash, sends = 1 } = JSON.parse(body)
    const { id } = callIn(body)
    if (typeof id === 'string' && typeof payloadHash === 'string') return { id, payloadHash, sends }
  } catch {
    // Poison is of no call.
  }
  return { id: undefined, payloadHash: undefined, sends: 1 }
}
