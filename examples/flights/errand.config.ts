/**
 * Queues and workers of the flights example: data only, importing it runs nothing.
 * @module
 */
import { defineConfig } from 'errand'

/** One queue for the chunks of reports, and two workers that share it, each running four of them at once. */
export const config = defineConfig({
  name: 'flights',
  queues: ['reports'],
  workers: {
    foo: { concurrency: 4, memoryMiB: 512, timeoutSeconds: 60, logLevel: 'warn', queues: ['reports'] },
    bar: { concurrency: 4, memoryMiB: 512, timeoutSeconds: 60, logLevel: 'warn', queues: ['reports'] },
  },
  taskOptions: { 'reports.*': { maxAttempts: 3, timeoutSeconds: 30 } },
  // A night whose report still goes when the next is due makes one report, not two.
  schedules: {
    nightly: { task: 'reports.nightly', cron: '0 2 * * *', timezone: 'America/New_York', overlap: 'skip' },
  },
})
