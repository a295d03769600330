/**
 * Which faults happen. Every opportunity is a numbered decision (`lost-response#4`), drawn from the seed alone, so that
 * a run can be repeated with only some of its faults: that is how a failure is shrunk.
 * @module
 */
import { chanceOf, fractionAt } from './seeded-chance.ts'

/** How likely each fault is at one opportunity, where a seed has it on. */
const rates = {
  /** A message is in the queue twice. */
  duplicate: 0.15,
  /** A message is delivered to two environments at once. */
  twin: 0.08,
  /** A message overtakes others. */
  reorder: 0.2,
  /** A message is delivered minutes or hours late. */
  late: 0.04,
  /** A message becomes visible while it is worked on. */
  'early-redelivery': 0.12,
  /** A batch is received, and then nothing. */
  abandoned: 0.05,
  /** The deletion of a message is forgotten. */
  undeleted: 0.08,
  /** Some messages of a send are refused. */
  'partial-send': 0.1,
  throttle: 0.08,
  'lost-request': 0.06,
  'lost-response': 0.1,
  /** A request is given up by who sent it, and arrives all the same, after others. */
  'late-request': 0.05,
  /** An error is not tried again by the SDK, but given to the caller. */
  surfaced: 0.3,
  /** A request takes seconds. */
  slow: 0.04,
  /** An eventually consistent read shows an older record. */
  'stale-read': 0.35,
  /** A worker's environment dies at an I/O point. */
  crash: 0.02,
  /** A client's process dies at an I/O point. */
  'client-crash': 0.04,
  /** An environment stands still in the middle of an invocation. */
  freeze: 0.08,
  /** An environment outlives its time-out: it stands still, and goes on hours later. */
  zombie: 0.5,
  /** The store, or the queue, answers nobody for a while; decided once a run. */
  outage: 0.3,
  /** A schedule fires minutes or hours late. */
  'late-schedule': 0.1,
  /** A schedule fires twice. */
  'twin-schedule': 0.15,
  /** A schedule that fires again and again leaves a time out. */
  'lost-schedule': 0.1,
} as const

/** The kinds of faults. */
export type FaultKind = keyof typeof rates

/** The kinds, in a fixed order. */
export const faultKinds = Object.keys(rates) as readonly FaultKind[]

/** The faults of one run. */
export interface Faults {
  /** Decides whether this opportunity becomes a fault. */
  happens(kind: FaultKind): boolean
  /** How much of it, from 0 up to but not including 1; of the decision that was made last. */
  amount(kind: FaultKind): number
  /** The faults that happened, by name. */
  readonly happened: readonly string[]
  /** No fault from now on. */
  stop(): void
}

/**
 * Makes the faults of a seed.
 * @param only the names that may happen; all where absent
 */
export function faultsOf(seed: number, only?: ReadonlySet<string>): Faults {
  const swarm = chanceOf(seed, 'swarm')
  // A tenth has one kind alone: what it does is then seen for itself.
  const single = swarm.happens(0.1) ? swarm.pick(faultKinds) : undefined
  // A third of the seeds have few kinds on, so that rare pairs are not drowned by the others.
  const share = swarm.pick([0.15, 0.4, 0.7])
  const strength = swarm.pick([0.5, 1, 2])
  const probabilities = new Map(
    faultKinds.map((kind) => {
      const on = single === undefined ? swarm.happens(share) : kind === single
      return [kind, on ? Math.min(rates[kind] * strength, 0.6) : 0] as const
    }),
  )
  const counts = new Map<FaultKind, number>()
  const happened: string[] = []
  let stopped = false
  return {
    happened,
    happens(kind) {
      const place = counts.get(kind) ?? 0
      counts.set(kind, place + 1)
      if (stopped || fractionAt(seed, kind, place) >= (probabilities.get(kind) as number)) return false
      const name = `${kind}#${place}`
      if (only !== undefined && !only.has(name)) return false
      happened.push(name)
      return true
    },
    amount: (kind) => fractionAt(seed ^ 0x5bd1e995, kind, (counts.get(kind) ?? 1) - 1),
    stop() {
      stopped = true
    },
  }
}
