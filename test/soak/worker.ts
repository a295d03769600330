/**
 * A worker of the kill soak, in a process of its own: polls the queue as Lambda's event source mapping does, and runs
 * errand's handlers. Its parent kills it.
 * @module
 */
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import type { WorkerHandler } from '../../src/handlers/invocation.ts'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { createExecutor } from '../../src/index.ts'
import { startEventSourceMapping } from '../../src/local-emulator/event-source-mapping.ts'
import { type AwsOptions, awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { deadLettersOf } from '../../src/runtime/queue.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { config, DOOMED, followUps, INVOCATION_MS, QUEUE, tasks } from './soak-app.ts'

/** Invocations that one process runs at once: a kill takes them all. */
const CONCURRENCY = 2

function work(aws: AwsOptions): void {
  const backend = awsBackend(resolveConfig(config), aws)
  const executor = createExecutor(config, { tasks: { ...tasks, ...followUps }, backend })
  const { app } = internalsOf(executor)
  const poll = (queueName: string, handler: WorkerHandler) =>
    startEventSourceMapping({
      queue: backend.queue,
      queueName,
      arn: `arn:aws:sqs:${aws.region}:000000000000:${queueName}`,
      batchSize: 5,
      batchWindowSeconds: 0,
      maximumConcurrency: CONCURRENCY,
      pollSeconds: 5,
      clock: systemClock,
      async invoke(event) {
        process.send?.('busy')
        const deadline = systemClock.now() + INVOCATION_MS
        const payload = await handler(event, { getRemainingTimeInMillis: () => deadline - systemClock.now() })
        return { ok: true, payload }
      },
    })
  poll(QUEUE, createWorkerHandler(app, backend, 'main'))
  const deadLetters = createDeadLetterHandler(app, backend)
  for (const queue of [QUEUE, DOOMED]) poll(deadLettersOf(queue), deadLetters)
}

// With its parent gone there is nobody left to work for.
process.on('disconnect', () => process.exit())
work(JSON.parse(process.env.SOAK_AWS ?? '{}') as AwsOptions)
