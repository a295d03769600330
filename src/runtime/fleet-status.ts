/**
 * What the workers of an app are doing: the answers of those that can be asked, and the notices of those that are
 * processes of their own, by worker.
 * @module
 */
import type { Backend } from './backend.ts'
import type { ResolvedConfig } from './config.ts'
import { NotWiredError } from './errors.ts'
import type { Fleet, QueueHoldings } from './fleet.ts'
import { type Notices, readNotices } from './heartbeat.ts'
import type { WorkerReport } from './worker-report.ts'

/**
 * Whether a worker is there. `OK`: it answered, or one of its processes wrote its notice in the last 50 s. `paused`: so
 * it did, and all its queues are paused. `no answer`: neither.
 */
export type WorkerState = 'OK' | 'paused' | 'no answer'

/** The status of a fleet, in the shape of the Python design. */
export interface Status {
  /** Whether every worker answered. */
  readonly ping: boolean
  readonly workers: Readonly<Record<string, WorkerState>>
}

/** One environment or process of a worker that told of itself. */
export interface ProcessStats extends WorkerReport {
  /** Which process, where it is one of its own (`errand worker`). Absent: an environment that was pinged. */
  readonly processId?: string
}

/** What there is to know of one worker. */
export interface WorkerStats {
  readonly state: WorkerState
  /** Why it did not answer. */
  readonly error?: string
  /** How many calls it may run at once, over all its environments. */
  readonly concurrency: number
  readonly queues: readonly string[]
  /** Its queues that are paused. Absent where that is not known here. */
  readonly paused?: readonly string[]
  /**
   * Who told of itself. On Lambda that is one environment, whichever was free: its counts are its own, not the
   * worker's.
   */
  readonly processes: readonly ProcessStats[]
}

/** What there is to know of one queue. */
export interface QueueStats extends QueueHoldings {
  /** Whether no worker polls it. Absent where that is not known here. */
  readonly paused?: boolean
}

/** The fleet of a backend. */
export function fleetOf(config: ResolvedConfig, { fleet, kind }: Backend): Fleet {
  if (fleet !== undefined) return fleet
  throw new NotWiredError(
    `the ${kind} backend that ${JSON.stringify(config.name)} was given has no \`fleet\`, so nobody can ask for its workers; use the backend 'aws', 'local' or 'eager', or give yours one`,
  )
}

/** What there is to know of each worker. */
export async function workerStats(
  config: ResolvedConfig,
  backend: Backend,
): Promise<Readonly<Record<string, WorkerStats>>> {
  const fleet = fleetOf(config, backend)
  const [answers, paused, notices] = await Promise.all([
    fleet.ping(),
    fleet.paused(),
    readNotices(backend.store, backend.clock, config.name),
  ])
  const names = new Set(
    [...answers, ...notices.processes.map(({ report }) => report)].map(({ worker }) => worker),
  )
  if (!names.has(INLINE)) for (const name of config.workers.keys()) names.add(name)
  const stats = [...names].sort(inOrderOf(config)).map((name) => {
    const answer = answers.find(({ worker }) => worker === name)
    const own = notices.processes.filter(({ report }) => report.worker === name)
    const alive = own.filter(({ isAlive }) => isAlive)
    const processes: ProcessStats[] = [
      ...(answer?.report ? [answer.report] : []),
      ...alive.map(({ id, report }) => ({ ...report, processId: id })),
    ]
    const { concurrency = 1, queues = [...config.queues.keys()] } = config.workers.get(name) ?? {}
    const ownPaused =
      paused === undefined ? undefined : queues.filter((queue) => isPausedFor([name], queue, paused, notices))
    const state = stateOf(processes, queues, ownPaused)
    const error = state === 'no answer' ? (answer?.error ?? silenceOf(own.length)) : undefined
    return [
      name,
      {
        state,
        concurrency,
        queues,
        processes,
        ...(ownPaused && { paused: ownPaused }),
        ...(error && { error }),
      },
    ] as const
  })
  return Object.fromEntries(stats)
}

/** The one worker of a backend that runs calls inside their submit. */
export const INLINE = 'inline'

/** As the config declares them, and after them what it does not (any more). */
function inOrderOf({ workers }: ResolvedConfig): (a: string, b: string) => number {
  const declared = [...workers.keys()]
  const place = (name: string) => (declared.includes(name) ? declared.indexOf(name) : declared.length)
  return (a, b) => place(a) - place(b) || (a < b ? -1 : 1)
}

function stateOf(
  processes: readonly ProcessStats[],
  queues: readonly string[],
  paused: readonly string[] | undefined,
): WorkerState {
  if (processes.length === 0) return 'no answer'
  return paused !== undefined && paused.length === queues.length ? 'paused' : 'OK'
}

function silenceOf(processes: number): string {
  return processes === 0
    ? 'it has no function that is known here, and no process of it has reported'
    : `${processes} of its processes stopped reporting, and said nothing`
}

/** What there is to know of each queue. */
export async function queueStats(
  config: ResolvedConfig,
  backend: Backend,
): Promise<Readonly<Record<string, QueueStats>>> {
  const fleet = fleetOf(config, backend)
  const names = [...config.queues.keys()]
  const [paused, notices, holdings] = await Promise.all([
    fleet.paused(),
    readNotices(backend.store, backend.clock, config.name),
    Promise.all(names.map((name) => fleet.holdings(name))),
  ])
  return Object.fromEntries(
    names.map((name, index) => [
      name,
      {
        ...(holdings[index] as QueueHoldings),
        ...(paused && { paused: isPausedFor(consumersOf(config, name), name, paused, notices) }),
      },
    ]),
  )
}

/** Whether none of these workers polls the queue: no function of theirs, and no process. */
function isPausedFor(
  workers: readonly string[],
  queue: string,
  paused: ReadonlyMap<string, ReadonlySet<string>>,
  notices: Notices,
): boolean {
  const functions = workers.filter((worker) => paused.has(worker))
  const hasProcess = notices.processes.some(
    ({ isAlive, report }) => isAlive && workers.includes(report.worker),
  )
  const isTold = notices.paused.has(queue) || (functions.length > 0 && !hasProcess)
  return isTold && functions.every((worker) => paused.get(worker)?.has(queue) === true)
}

function consumersOf({ workers }: ResolvedConfig, queue: string): string[] {
  return [...workers.values()].filter(({ queues }) => queues.includes(queue)).map(({ name }) => name)
}
