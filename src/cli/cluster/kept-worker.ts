/**
 * A worker that is kept running: its process is started again when it ends, at once where it had come to work, else after
 * a while that grows; and replaced, with the new one at work before the old one drains.
 * @module
 */
import type { Clock, Timer } from '../../runtime/clock.ts'
import type { WorkerProcess } from './child-process.ts'

/** Starts the process of a worker. */
export type StartProcess = () => WorkerProcess

/** A worker that is kept running. */
export interface KeptWorker {
  /** Settles once its first process works, or has failed to. */
  readonly ready: Promise<boolean>
  /** Starts another process, and once that works has the old one drain. `false`: it did not come to work, the old one stays. */
  replace(start: StartProcess): Promise<boolean>
  /** Has all its processes end once what they run has ended. */
  drain(): Promise<void>
  /** Ends all its processes now. */
  kill(): void
}

/** A process that ends sooner than this after its start died at once. */
const STEADY_MS = 5000
const FIRST_PAUSE_MS = 1000
const LAST_PAUSE_MS = 30_000

/** Starts it. */
export function keepWorker(
  first: StartProcess,
  { clock, say }: { readonly clock: Clock; say(line: string): void },
): KeptWorker {
  let start = first
  let isStopping = false
  let pauseMs = 0
  let timer: Timer | undefined
  const processes = new Set<WorkerProcess>()
  let current = begin(start)

  function begin(how: StartProcess): WorkerProcess {
    const began = clock.now()
    const made = how()
    processes.add(made)
    void made.ended.then((ending) => {
      processes.delete(made)
      if (isStopping || made !== current) return
      say(`ended with ${ending}${again(clock.now() - began)}`)
    })
    return made
  }

  function again(livedMs: number): string {
    pauseMs = livedMs >= STEADY_MS ? 0 : Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), LAST_PAUSE_MS)
    timer = clock.setTimer(() => {
      current = begin(start)
    }, pauseMs)
    return pauseMs === 0 ? '; it is started again' : `; it is started again in ${pauseMs / 1000} s`
  }

  return {
    ready: current.ready,
    async replace(how) {
      const made = begin(how)
      if (!(await made.ready)) return false
      // Only now: it may have ended meanwhile, and been started again.
      const old = current
      timer?.cancel()
      start = how
      current = made
      old.drain()
      return true
    },
    async drain() {
      isStopping = true
      timer?.cancel()
      for (const each of processes) each.drain()
      await Promise.all([...processes].map(({ ended }) => ended))
    },
    kill() {
      isStopping = true
      timer?.cancel()
      for (const each of processes) each.kill()
    },
  }
}
