/**
 * The fleet port in this process: the workers of the local backend, as somebody outside sees them.
 * @module
 */
import { ENV } from '../runtime/config/config.ts'
import { deadLettersOf } from '../runtime/config/dead-letter-names.ts'
import { outsideAnyContext } from '../runtime/current-task.ts'
import type { Fleet, WorkerAnswer } from '../runtime/ports/fleet.ts'
import { reportOf } from '../runtime/ports/worker-report.ts'
import type { InProcessQueue } from './in-process-queue.ts'
import { type LocalFleet, pauseQueue, resumeQueue } from './local-fleet.ts'

/** What the queues of this process can tell of themselves. */
type TellingQueue = Pick<InProcessQueue, 'counts' | 'purge' | 'oldestSentAt'>

/** The port over a local fleet. Its answers are exact, and cost nothing. */
export function inProcessFleet(fleet: LocalFleet, queue: TellingQueue): Fleet {
  const { clock } = fleet.ports
  return {
    ping: async () => [...fleet.config.workers.keys()].map((worker) => answerOf(fleet, worker)),
    paused: async () =>
      new Map(
        [...fleet.config.workers.values()].map(({ name, queues }) => [
          name,
          new Set(queues.filter((each) => fleet.paused.has(each))),
        ]),
      ),
    async holdings(name) {
      const [counts, dead] = await Promise.all([queue.counts(name), queue.counts(deadLettersOf(name))])
      const oldest = queue.oldestSentAt(name)
      return {
        ...counts,
        dead: dead.visible + dead.inFlight + dead.delayed,
        ...(oldest !== undefined && { oldestSeconds: (clock.now() - oldest) / 1000 }),
      }
    },
    pause: async (name) => pauseQueue(fleet, name),
    resume: async (name) => outsideAnyContext(resumeQueue, fleet, name),
    purge: async (name) => queue.purge(name),
  }
}

function answerOf(fleet: LocalFleet, worker: string): WorkerAnswer {
  const { app, phase, ports, counts, startedAt } = fleet
  if (app === undefined || phase !== 'running') {
    const why =
      phase === 'closed' ? 'was closed' : 'has not started its workers: submit a call, or executor.start()'
    return { worker, error: `the local backend ${why}` }
  }
  const { received, running } = counts.get(worker) ?? { received: 0, running: 0 }
  const uptimeSeconds = (ports.clock.now() - startedAt) / 1000
  const codeVersion = process.env[ENV.version]
  try {
    return { worker, report: reportOf({ app, worker, codeVersion, uptimeSeconds, received, running }) }
  } catch (error) {
    // Tasks are read when first needed, and may be refused.
    return { worker, error: String(error) }
  }
}
