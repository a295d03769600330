/**
 * A worker whose outputs its parent closes or reads: it runs two batches, and tells its parent what came of them. Its
 * task writes what the variable `TASK_WRITES` says.
 * @module
 */
import { createExecutor, defineConfig, task } from 'errand'
import { workerHandler } from 'errand/lambda'
import { eventOf } from '../../src/local-emulator/event-source-mapping.ts'
import { arnOf, inProcessQueue, inProcessStore } from '../../src/local-emulator/index.ts'
import { systemClock as clock } from '../../src/runtime/clock.ts'
import { systemEntropy as entropy } from '../../src/runtime/entropy.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

const config = defineConfig({ name: 'closed', workers: { main: { batchSize: 10 } } })
const boom = task({
  maxAttempts: 1,
  run: () => {
    process.stdout.write(process.env.TASK_WRITES ?? '')
    throw new Error('boom')
  },
})
const queue = inProcessQueue({ queues: resolveConfig(config).queues, clock, entropy })
const ports = { clock, entropy, queue, store: inProcessStore({ clock }) }
const backend: Backend = { ...ports, kind: 'aws', start: async () => {}, close: async () => {} }
const executor = createExecutor(config, { tasks: { boom }, backend })
const handler = workerHandler(executor)

process.once('message', async () => {
  const returned: number[] = []
  for (let batch = 0; batch < 2; batch++) {
    await executor.map(
      boom,
      Array.from({ length: 10 }, () => []),
    )
    const event = eventOf(
      await queue.receive('default', { maxMessages: 10, waitSeconds: 0 }),
      arnOf('default'),
    )
    returned.push((await handler(event)).batchItemFailures.length)
    // What a stream tells of a closed pipe, it tells in a later turn.
    await new Promise((resolve) => clock.setTimer(() => resolve(undefined), 50))
  }
  process.send?.(returned, () => process.exit(0))
})
process.send?.('ready')
