/**
 * Queues and workers of the flights example: data only, importing it runs nothing.
 * @module
 */
import { defineConfig } from 'errand'

/** One queue for the chunks of reports, and one worker that runs eight of them at once. */
export const config = defineConfig({
  name: 'flights',
  queues: ['reports'],
  workers: {
    summariser: { concurrency: 8, memoryMiB: 512, timeoutSeconds: 60, logLevel: 'warn', queues: ['reports'] },
  },
  taskOptions: { 'reports.*': { maxAttempts: 3, timeoutSeconds: 30 } },
})
