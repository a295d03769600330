/**
 * Queues and workers of the kitchen: the app that the scenarios deploy, run and break.
 * @module
 */
import { defineConfig } from 'errand'

// As short as a lease of the least time-out: what a killed attempt held is tried again after 13 s, not 43.
const visible = { visibilitySeconds: 12 }
const short = { timeoutSeconds: 10, memoryMiB: 128, batchSize: 1 }

/** What ends an environment has a worker of its own, so that it takes no other call with it. */
export const config = defineConfig({
  name: 'kitchen',
  queues: {
    main: visible,
    rough: visible,
    orders: { ...visible, fifo: true },
    shelved: visible,
    patient: visible,
    untidy: visible,
  },
  workers: {
    main: { ...short, memoryMiB: 256, batchSize: 10, concurrency: 20, queues: ['main'] },
    rough: { ...short, concurrency: 6, queues: ['rough'] },
    orders: { ...short, concurrency: 2, queues: ['orders'] },
    shelved: { ...short, concurrency: 2, queues: ['shelved'] },
    patient: { ...short, concurrency: 2, queues: ['patient'] },
    untidy: { ...short, concurrency: 2, queues: ['untidy'] },
  },
  routes: {
    'rough.*': 'rough',
    'rough.lingers': 'patient',
    'rough.leavesRejection': 'untidy',
    'orders.*': 'orders',
    'shelved.*': 'shelved',
  },
  taskOptions: {
    '*': { backoff: { baseSeconds: 1, factor: 1 } },
    'rough.exits': { maxKills: 2 },
    'rough.hoards': { maxKills: 1 },
    'rough.neverSettles': { maxAttempts: 1, timeoutSeconds: 1 },
    'rough.sleeps': { maxAttempts: 2, timeoutSeconds: 1, backoff: { baseSeconds: 1, factor: 1 } },
  },
})
