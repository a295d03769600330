/**
 * What the workers of an app are doing: the answers of those that can be asked, and the notices of those that are
 * processes of their own, by worker.
 * @module
 */

import type { ResolvedConfig } from '../config/config.ts'
import { NotWiredError } from '../errors.ts'
import type { Backend } from '../ports/backend.ts'
import type { Fleet, QueueHoldings, WorkerAnswer } from '../ports/fleet.ts'
import type { WorkerReport } from '../ports/worker-report.ts'
import { type Notices, readNotices } from './heartbeat.ts'

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

/** Which queues are paused, and what was left in the store. */
export interface Told {
  readonly paused: ReadonlyMap<string, ReadonlySet<string>> | undefined
  readonly notices: Notices
}

/**
 * Reads what workers and queues are told of alike.
 * @param options.withPaused whether anybody asks for what is paused; @default true
 */
export async function readTold(
  { name }: ResolvedConfig,
  { store, clock }: Backend,
  fleet: Fleet,
  { withPaused = true }: { readonly withPaused?: boolean } = {},
): Promise<Told> {
  const [paused, notices] = await Promise.all([
    withPaused ? fleet.paused() : undefined,
    readNotices(store, clock, name),
  ])
  return { paused, notices }
}

/** What there is to know of each worker. */
export function workerStats(
  config: ResolvedConfig,
  answers: readonly WorkerAnswer[],
  { paused, notices }: Told,
): Readonly<Record<string, WorkerStats>> {
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

/** What each queue holds, by queue. */
export async function readHoldings(
  { queues }: ResolvedConfig,
  fleet: Fleet,
): Promise<ReadonlyMap<string, QueueHoldings>> {
  const names = [...queues.keys()]
  return new Map(await Promise.all(names.map(async (name) => [name, await fleet.holdings(name)] as const)))
}

/** What there is to know of each queue. */
export function queueStats(
  config: ResolvedConfig,
  holdings: ReadonlyMap<string, QueueHoldings>,
  { paused, notices }: Told,
): Readonly<Record<string, QueueStats>> {
  return Object.fromEntries(
    [...holdings].map(([name, held]) => [
      name,
      {
        ...held,
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
