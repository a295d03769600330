/**
 * Heartbeats: how workers that are processes of their own tell that they are there, and learn that a queue is paused.
 *
 * Each writes a notice every 20 s and reads the others' in the same turn: about one write unit and half a read unit for
 * each 4 KB of all notices, 4,320 times a day. A Lambda environment writes none: it is pinged instead.
 * @module
 */

import type { Clock, Timer } from '../clock.ts'
import type { Backend } from '../ports/backend.ts'
import type { Store } from '../ports/store.ts'
import { parseReport, readReport, type WorkerReport } from '../ports/worker-report.ts'

/** How often a process writes its notice, in seconds. */
const BEAT_SECONDS = 20

/** A process whose last beat is older than this is not there: two beats may be late, and clocks 10 s apart. */
const ALIVE_SECONDS = 50

/** How long the notice of a process that ended without a word is shown as one that does not answer. */
const KEPT_SECONDS = 600

/** Notices of paused queues are read first: however many processes there are, none of these is left out. */
const PAUSED = 'paused#'
const PROCESS = 'process#'

/** For ever, as a time to live wants it: the year 2286. */
const FOREVER_SECONDS = 9_999_999_999

/** A worker that is a process of its own, as its last notice tells. */
export interface WorkerProcess {
  readonly id: string
  readonly report: WorkerReport
  /** When it wrote it, in epoch milliseconds. */
  readonly beatAt: number
  /** Whether it should have written another since. */
  readonly isAlive: boolean
}

/** What the notices in the store say. */
export interface Notices {
  readonly processes: readonly WorkerProcess[]
  /** The queues that worker processes do not poll. */
  readonly paused: ReadonlySet<string>
}

/** A heart that beats. */
export interface Heartbeat {
  /** Ends it, and takes the notice back. */
  stop(): Promise<void>
}

/** What a heartbeat tells, and is told. */
export interface HeartbeatOptions {
  /** Names the process among those of its worker: host and pid, say. At most 128 characters. */
  readonly processId: string
  /** Asked at every beat. */
  report(): WorkerReport
  /** Told after every beat which queues not to poll. */
  onPaused(queues: ReadonlySet<string>): void
  /** Told of a beat that failed; the next one comes 20 s later. @default nobody */
  onError?(error: unknown): void
}

/** Begins with a beat at once, and keeps no process alive. */
export function startHeartbeat(
  { store, clock }: Pick<Backend, 'store' | 'clock'>,
  options: HeartbeatOptions,
): Heartbeat {
  let timer: Timer | undefined
  let isStopped = false
  const key = (worker: string) => `${PROCESS}${worker}#${options.processId}`
  const beat = async () => {
    try {
      const report = options.report()
      const beatAt = clock.now()
      const expiresAtSeconds = Math.ceil(beatAt / 1000) + KEPT_SECONDS
      await store.putNotice({
        key: key(report.worker),
        text: JSON.stringify({ beatAt, report }),
        expiresAtSeconds,
      })
      const { paused } = await readNotices(store, clock, report.app)
      if (!isStopped) options.onPaused(paused)
    } catch (error) {
      options.onError?.(error)
    }
    if (!isStopped) timer = clock.setTimer(next, BEAT_SECONDS * 1000, { background: true })
  }
  const next = () => {
    beating = beat()
  }
  let beating = beat()
  return {
    async stop() {
      isStopped = true
      timer?.cancel()
      await beating
      const { worker } = options.report()
      await store.putNotice({ key: key(worker), text: '', expiresAtSeconds: 0 })
    },
  }
}

/** Leaves the notice that a queue is paused, or takes it back. */
export async function putPaused(store: Store, queue: string, isPaused: boolean): Promise<void> {
  await store.putNotice({ key: PAUSED + queue, text: '', expiresAtSeconds: isPaused ? FOREVER_SECONDS : 0 })
}

/** Reads what processes and people have left for this app. What is not a notice of ours is passed over. */
export async function readNotices(
  store: Pick<Store, 'notices'>,
  clock: Pick<Clock, 'now'>,
  app: string,
): Promise<Notices> {
  const now = clock.now()
  const paused = new Set<string>()
  const processes: WorkerProcess[] = []
  for (const { key, text, expiresAtSeconds } of await store.notices()) {
    if (expiresAtSeconds * 1000 <= now) continue
    if (key.startsWith(PAUSED)) paused.add(key.slice(PAUSED.length))
    const process = key.startsWith(PROCESS) ? processOf(key, text, now) : undefined
    if (process !== undefined && process.report.app === app) processes.push(process)
  }
  return { processes, paused }
}

function processOf(key: string, text: string, now: number): WorkerProcess | undefined {
  const value = parseReport(text)
  if (typeof value !== 'object' || value === null) return undefined
  const beatAt: unknown = Object.hasOwn(value, 'beatAt') ? Reflect.get(value, 'beatAt') : undefined
  const report = Object.hasOwn(value, 'report') ? readReport(Reflect.get(value, 'report')) : undefined
  if (report === undefined || typeof beatAt !== 'number') return undefined
  const id = key.slice(PROCESS.length + report.worker.length + 1)
  return { id, report, beatAt, isAlive: beatAt > now - ALIVE_SECONDS * 1000 }
}
