/**
 * What somebody runs in a container: an app's worker, until it is told to stop. On time that runs faster, so that the
 * lease of one that is killed is soon over; `hold` tells the parent that it runs, and ends when the parent says so.
 * @module
 */
import { once } from 'node:events'
import { createExecutor, currentTask, defineConfig } from 'errand'
import { runWorker } from 'errand/worker'
import { type AwsOptions, awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { fastClock, fastQueue } from './fast-time.ts'

/** A lease of 60 s is over after 3. */
const FACTOR = 20

/** Its app. */
export const containerConfig = defineConfig({
  name: 'shop',
  workers: { main: { runsOn: 'container', concurrency: 1, timeoutSeconds: 3600, logLevel: 'info' } },
  listing: false,
})

/** Its tasks. */
export const containerTasks = {
  hold: async () => {
    if (currentTask.attempt > 1) return 'by another'
    const released = once(process, 'message')
    process.send?.('running')
    await released
    return 'at once'
  },
  quick: () => 'quick',
}

async function work(aws: AwsOptions, sinceMs: number): Promise<void> {
  const clock = fastClock(FACTOR, sinceMs)
  const real = awsBackend(resolveConfig(containerConfig), { ...aws, clock })
  const backend = { ...real, queue: fastQueue(real.queue, FACTOR) }
  const executor = createExecutor(containerConfig, { tasks: containerTasks, backend })
  await runWorker(executor)
  // What is left of it must not keep the process alive; the channel to the parent would.
  process.disconnect()
}

if (process.env.CONTAINER_AWS !== undefined) {
  void work(JSON.parse(process.env.CONTAINER_AWS) as AwsOptions, Number(process.env.CONTAINER_SINCE_MS))
}
