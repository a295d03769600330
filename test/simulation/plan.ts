/**
 * What a seed decides before anything happens: how the fleet is made, who submits what when, who cancels it.
 * @module
 */
import { type Chance, chanceOf } from './seeded-chance.ts'

/** What a task does in each of its attempts. */
export interface Program {
  /** How long an attempt takes. */
  readonly durationMs: number
  /** The first so many attempts throw. */
  readonly throws: number
  readonly error: 'plain' | 'non-retryable' | 'retry-after' | 'retry-later'
  /** The next so many attempts end the process. */
  readonly exits: number
  /** The next so many attempts block the thread until Lambda ends it. */
  readonly blocks: number
  /** It never ends by itself. */
  readonly hangs: boolean
  readonly reports: number
  /** It stops when its signal is aborted. */
  readonly heeds: boolean
  /** Its result is too large for the record. */
  readonly large: boolean
  /** It submits so many calls. */
  readonly children: number
}

/** One call that is to be submitted. */
export interface PlannedCall {
  readonly number: number
  readonly task: 'work' | 'fragile' | 'brief' | 'unknown'
  readonly program: Program
  /** Tells two payloads under one key or id apart. */
  readonly variant: number
  readonly queue: 'default' | 'orders'
  readonly delaySeconds: number
  /** Whether its delay is given as a moment. */
  readonly at: boolean
  readonly expiresInSeconds: number | undefined
  readonly tenant: string | undefined
  readonly key: string | undefined
  readonly id: string | undefined
  readonly client: number
  readonly atMs: number
  /** Submitted again by another client, where it has a key or an id. */
  readonly againAtMs: number | undefined
  readonly watched: boolean
  /** What follows its end. */
  readonly follows: 'none' | 'then' | 'catch' | 'both'
}

/** What somebody asks of a call. */
export interface PlannedRequest {
  readonly what: 'cancel' | 'abort' | 'retry'
  readonly call: number
  readonly client: number
  readonly atMs: number
}

/** A schedule that fires in the course of a run. */
export interface PlannedSchedule {
  readonly overlap: 'skip' | 'allow'
  readonly program: Program
  /** Its due times, in whole seconds: closer than a minute, so that runs meet. */
  readonly dueAtMs: readonly number[]
}

/** Everything that a seed decides beside its faults. */
export interface Plan {
  readonly seed: number
  readonly timeoutSeconds: number
  readonly visibilitySeconds: number
  readonly batchSize: number
  readonly environments: number
  readonly record: 'on-submit' | 'on-claim'
  readonly maxAttempts: number
  readonly maxKills: number
  readonly maxReceiveCount: number
  /** How far a process's clock may be from true time, either way. */
  readonly skewMs: number
  readonly calls: readonly PlannedCall[]
  readonly requests: readonly PlannedRequest[]
  /** Bodies that are no envelopes, and when they arrive. */
  readonly poison: readonly { readonly body: string; readonly atMs: number }[]
  /** When the faults end. */
  readonly quietAtMs: number
  /** Whether calls may be delayed, and wait for a retry, for hours: by schedules. */
  readonly longDelays: boolean
  readonly schedule: PlannedSchedule | undefined
  /** Whether messages are delivered once more after the records of their calls have expired. */
  readonly echoesLater: boolean
}

/** The queues' retention: records live a day longer. */
export const RETENTION_SECONDS = 345_600

const poisonBodies = ['', 'not json', '[]', 'null', '{"v":9}', '{"v":1,"id":"x"}', '"text"', '{"v":1,"id":7}']

function programOf(chance: Chance, timeoutSeconds: number): Program {
  const kind = chance.whole(0, 11)
  const short = chance.whole(0, 3000)
  return {
    durationMs: kind === 0 ? chance.whole(3000, timeoutSeconds * 1000) : kind < 5 ? 0 : short,
    throws: kind === 1 || kind === 2 ? chance.whole(1, 4) : 0,
    error: chance.pick(['plain', 'plain', 'plain', 'non-retryable', 'retry-after']),
    exits: kind === 3 || kind === 2 ? chance.whole(1, 4) : 0,
    blocks: kind === 4 ? chance.whole(1, 3) : 0,
    hangs: kind === 5,
    reports: chance.happens(0.25) ? chance.whole(1, 4) : 0,
    heeds: chance.happens(0.5),
    large: chance.happens(0.08),
    children: chance.happens(0.08) ? chance.whole(1, 2) : 0,
  }
}

function callOf(
  chance: Chance,
  plan: { timeoutSeconds: number; record: string; fifo: boolean },
  number: number,
): PlannedCall {
  const fifo = plan.fifo && chance.happens(0.5)
  const naming = chance.whole(0, 3)
  const key = naming === 1 && plan.record === 'on-submit' ? `key-${chance.whole(0, 1)}` : undefined
  const atMs = chance.whole(0, 15_000)
  return {
    number,
    task: chance.pick(['work', 'work', 'work', 'fragile', 'brief']),
    program: programOf(chance, plan.timeoutSeconds),
    variant: number,
    queue: fifo ? 'orders' : 'default',
    delaySeconds: fifo || !chance.happens(0.2) ? 0 : chance.pick([1, 5, 20, 60]),
    at: false,
    expiresInSeconds: undefined,
    tenant: chance.happens(0.3) ? chance.pick(['acme', 'bolt']) : undefined,
    key,
    id: naming === 2 ? `given-${number}` : undefined,
    client: chance.whole(0, 1),
    atMs,
    againAtMs:
      (key !== undefined || naming === 2) && chance.happens(0.7)
        ? Math.max(0, atMs + chance.whole(-2000, 30_000))
        : undefined,
    watched: chance.happens(0.4),
    follows: chance.happens(0.25) ? chance.pick(['then', 'catch', 'both']) : 'none',
  }
}

function poisonOf(chance: Chance) {
  return Array.from({ length: chance.whole(1, 2) }, () => ({
    body: chance.pick(poisonBodies),
    atMs: chance.whole(0, 10_000),
  }))
}

function requestOf(chance: Chance, calls: number): PlannedRequest {
  return {
    what: chance.pick(['cancel', 'abort', 'abort', 'retry', 'retry']),
    call: chance.whole(0, calls - 1),
    client: chance.whole(0, 1),
    atMs: chance.pick([chance.whole(0, 5000), chance.whole(0, 20_000), chance.whole(0, 90_000)]),
  }
}

/** A second call of another payload under the same id or key, and one that nobody knows how to run. */
function twistCalls(chance: Chance, calls: PlannedCall[]): void {
  const victim = chance.pick(calls)
  if (chance.happens(0.3) && (victim.key !== undefined || victim.id !== undefined)) {
    const atMs = victim.atMs + chance.whole(0, 20_000)
    calls.push({ ...victim, number: calls.length, variant: calls.length, atMs, againAtMs: undefined })
  }
  if (chance.happens(0.04)) {
    const stranger = { ...chance.pick(calls), number: calls.length, variant: calls.length, watched: false }
    calls.push({ ...stranger, task: 'unknown', key: undefined, id: undefined, againAtMs: undefined })
  }
}

/** Delays on both sides of what SQS can, in seconds. */
const longDelaySeconds = [899, 901, 915, 1000, 1800, 3601, 7300, 50_000]

/**
 * Gives some calls hours to wait, and some an expiry; by chances of their own, so that the rest of a plan stays. Nobody
 * looks on while a call waits for hours: to poll so long would be most of a run.
 */
function stretchTimes(chance: Chance, calls: readonly PlannedCall[], hasLongDelays: boolean): PlannedCall[] {
  return calls.map((call) => {
    const isLong = hasLongDelays && call.queue === 'default' && chance.happens(0.5)
    const delaySeconds = isLong && chance.happens(0.7) ? chance.pick(longDelaySeconds) : call.delaySeconds
    const at = chance.happens(0.3)
    const retriesLater = isLong && chance.happens(0.4)
    const expires = chance.happens(0.3)
    const untilSeconds = chance.pick([1, 3, 10, 40, 300])
    const { program } = call
    return {
      ...call,
      delaySeconds,
      at,
      ...(expires && { expiresInSeconds: delaySeconds + untilSeconds }),
      // Without its key, a second submit would be another call.
      ...(isLong && {
        key: undefined,
        watched: false,
        againAtMs: call.id === undefined ? undefined : call.againAtMs,
      }),
      ...(retriesLater && {
        program: { ...program, throws: Math.max(program.throws, 1), error: 'retry-later' },
      }),
    }
  })
}

/** A seed's schedule; by chances of its own, so that the rest of a plan stays. */
function scheduleOf(chance: Chance, timeoutSeconds: number): PlannedSchedule | undefined {
  if (!chance.happens(0.15)) return undefined
  const everyMs = chance.pick([1000, 3000, 10_000])
  const firstMs = chance.whole(0, 10) * 1000
  return {
    overlap: chance.happens(0.7) ? 'skip' : 'allow',
    program: { ...programOf(chance, timeoutSeconds), children: 0 },
    dueAtMs: Array.from({ length: chance.whole(1, 4) }, (_, index) => firstMs + index * everyMs),
  }
}

/** The plan of a seed. */
export function planOf(seed: number): Plan {
  const chance = chanceOf(seed, 'plan')
  const timeoutSeconds = chance.pick([10, 12, 20])
  const record = chance.happens(0.2) ? 'on-claim' : 'on-submit'
  const fifo = chance.happens(0.3)
  const size = chance.whole(2, 7)
  const times = chanceOf(seed, 'times')
  const longDelays = times.happens(0.2)
  const isTimed = longDelays || times.happens(0.2)
  const plain = Array.from({ length: size }, (_, number) =>
    callOf(chance, { timeoutSeconds, record, fifo }, number),
  )
  const calls = isTimed ? stretchTimes(times, plain, longDelays) : plain
  twistCalls(chance, calls)
  const hasPoison = chance.happens(0.06)
  const requests = chance.happens(0.6)
    ? Array.from({ length: chance.whole(1, 4) }, () => requestOf(chance, calls.length))
    : []
  return {
    seed,
    timeoutSeconds,
    visibilitySeconds: timeoutSeconds + chance.pick([0, 1, 5, 30]),
    batchSize: chance.pick([1, 2, 5, 10]),
    environments: chance.whole(1, 4),
    record,
    maxAttempts: chance.whole(1, 3),
    maxKills: chance.whole(1, 3),
    maxReceiveCount: hasPoison || chance.happens(0.1) ? chance.whole(3, 12) : 100,
    skewMs: chance.pick([0, 500, 1450]),
    calls,
    requests,
    poison: hasPoison ? poisonOf(chance) : [],
    quietAtMs: chance.whole(20_000, 90_000),
    longDelays,
    schedule: scheduleOf(chanceOf(seed, 'schedule'), timeoutSeconds),
    echoesLater: chance.happens(0.15),
  }
}
