/**
 * The app of the parity programs, as a module of its own: the workers of a cluster load it in their processes.
 * @module
 */
import { type ConnectOptions, createExecutor, defineConfig, type Executor } from 'errand'
import * as tasks from './tasks.ts'

/** A worker for each of two queues, so that a cluster has two of their processes. */
export const config = defineConfig({
  name: 'parity',
  queues: ['default', 'high'],
  workers: {
    main: { queues: ['default'], concurrency: 40, logLevel: 'error' },
    urgent: { queues: ['high'], concurrency: 40, logLevel: 'error' },
  },
  routes: { slowAdd: 'high' },
  taskOptions: { '*': { maxAttempts: 3, backoff: { baseSeconds: 0 } } },
})

/** The error classes that travel by name. */
export const errors = { PaymentDeclined: tasks.PaymentDeclined }

/** An executor with the tasks and the middleware of the programs; it is the one that tasks submit to from now on. */
export function createParityExecutor(options: Pick<ConnectOptions, 'backend' | 'aws'> = {}): Executor {
  const { app, PaymentDeclined: _, ...registered } = tasks
  const made = createExecutor(config, { ...options, errors, tasks: registered })
  made.use({
    run: async (call, next) => {
      await next()
      if (call.result === 'seen by middleware') call.result = `${call.task}, attempt ${call.attempt}`
    },
  })
  app.executor = made as unknown as Executor
  return app.executor
}

/** The one that workers run. */
export const executor = createParityExecutor()
