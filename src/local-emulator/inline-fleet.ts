/**
 * The fleet port of the eager backend: one worker, which is whoever submits, and queues that never hold anything.
 * @module
 */
import type { App } from '../runtime/app.ts'
import type { Clock } from '../runtime/clock.ts'
import { ENV } from '../runtime/config/config.ts'
import { InvalidOptionError } from '../runtime/errors.ts'
import { INLINE } from '../runtime/operations/fleet-status.ts'
import type { Fleet } from '../runtime/ports/fleet.ts'
import { reportOf } from '../runtime/ports/worker-report.ts'

/** What runs inline. */
export interface InlineCalls {
  readonly app: App | undefined
  /** How many so far, and how many at this moment. */
  readonly received: number
  readonly running: number
}

const pausing = async (queue: string): Promise<never> => {
  throw new InvalidOptionError(
    `queue ${JSON.stringify(queue)} cannot be paused on the eager backend, which runs each call inside its submit; use the local backend to see calls wait`,
  )
}

/** The port over what runs inline. */
export function inlineFleet(calls: () => InlineCalls, clock: Clock): Fleet {
  const startedAt = clock.now()
  return {
    async ping() {
      const { app, received, running } = calls()
      if (app === undefined) return [{ worker: INLINE, error: 'no executor was made in this process' }]
      const codeVersion = process.env[ENV.version]
      const uptimeSeconds = (clock.now() - startedAt) / 1000
      const source = { app, worker: INLINE, codeVersion, uptimeSeconds, received, running }
      return [{ worker: INLINE, report: reportOf(source) }]
    },
    paused: async () => new Map(),
    holdings: async () => ({ visible: 0, inFlight: 0, delayed: 0, dead: 0 }),
    pause: pausing,
    resume: pausing,
    purge: async () => {},
  }
}
