/**
 * A worker of the kill soak, in a process of its own: polls the queue as Lambda's event source mapping does, and runs
 * errand's handlers. Its parent kills it.
 * @module
 */
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { createExecutor } from '../../src/index.ts'
import { type AwsOptions, awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { deadLettersOf } from '../../src/runtime/config/dead-letter-names.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { mapQueue } from './queue-mapping.ts'
import { config, DOOMED, followUps, INVOCATION_MS, QUEUE, tasks } from './soak-app.ts'

function work(aws: AwsOptions): void {
  const backend = awsBackend(resolveConfig(config), aws)
  const executor = createExecutor(config, { tasks: { ...tasks, ...followUps }, backend })
  const { app } = internalsOf(executor)
  const handler = createWorkerHandler(app, backend, 'main')
  mapQueue(backend, QUEUE, handler, INVOCATION_MS, () => process.send?.('busy'))
  const deadLetters = createDeadLetterHandler(app, backend)
  for (const queue of [QUEUE, DOOMED]) mapQueue(backend, deadLettersOf(queue), deadLetters, INVOCATION_MS)
}

// With its parent gone there is nobody left to work for.
process.on('disconnect', () => process.exit())
work(JSON.parse(process.env.SOAK_AWS ?? '{}') as AwsOptions)
