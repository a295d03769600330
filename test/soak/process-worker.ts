/**
 * A worker of the kill soak that is a process worker: under leases that it renews, on time that runs faster. Its parent
 * kills it.
 * @module
 */
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import { createExecutor } from '../../src/index.ts'
import { startProcessWorker } from '../../src/process-worker/process-worker.ts'
import { type AwsOptions, awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { deadLettersOf } from '../../src/runtime/config/dead-letter-names.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { fastClock, fastQueue } from '../support/fast-time.ts'
import { mapQueue } from './queue-mapping.ts'
import { config, DOOMED, followUps, INVOCATION_MS, QUEUE, tasks } from './soak-app.ts'

/** A lease of 60 s is over after 6. */
const FACTOR = 10

/** Calls that one process runs at once: a kill takes them all. */
const CONCURRENCY = 5

/** Time enough for a call on a busy machine: a tenth of it by the system's clock. */
const main = {
  ...config.workers.main,
  queues: [QUEUE],
  concurrency: CONCURRENCY,
  timeoutSeconds: 200,
} as const
/** Its queues are those of `main`; nobody runs the other worker, which the config must have for its queue. */
const own = { ...config, workers: { main, nobody: { queues: [DOOMED] } } } as const

async function work(aws: AwsOptions, sinceMs: number): Promise<void> {
  const clock = fastClock(FACTOR, sinceMs)
  const real = awsBackend(resolveConfig(own), { ...aws, clock })
  const backend: Backend = { ...real, queue: fastQueue(real.queue, FACTOR) }
  const executor = createExecutor(own, { tasks: { ...tasks, ...followUps }, backend })
  const { app } = internalsOf(executor)
  const deadLetters = createDeadLetterHandler(app, backend)
  for (const queue of [QUEUE, DOOMED]) {
    mapQueue(backend, deadLettersOf(queue), deadLetters, INVOCATION_MS * FACTOR)
  }
  const onReceived = () => process.send?.('busy')
  await startProcessWorker(app, backend, 'main', { pollSeconds: 10, onReceived })
}

// With its parent gone there is nobody left to work for.
process.on('disconnect', () => process.exit())
void work(JSON.parse(process.env.SOAK_AWS ?? '{}') as AwsOptions, Number(process.env.SOAK_SINCE_MS))
