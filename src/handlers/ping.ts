/**
 * Pings: an invocation with `{ "errand": "ping" }` is answered with what this environment knows of itself. It opens no
 * backend, runs no hook and reads no record: whoever may invoke the function learns no more than its names and counts.
 * @module
 */
import type { SQSEvent } from 'aws-lambda'
import type { App } from '../runtime/app.ts'
import { systemClock } from '../runtime/clock.ts'
import { ENV } from '../runtime/config/config.ts'
import type { WorkerReport } from '../runtime/ports/worker-report.ts'
import type { InvocationContext, WorkerHandler } from './invocation.ts'

/** What is told of an environment beside what its process tells. */
interface EnvironmentCounts {
  /** When it began, in epoch milliseconds. */
  readonly startedAt: number
  /** Messages that it was given so far. */
  received: number
  /** Messages that it has in hand. */
  running: number
}

/** Whether an event is a ping: by its own field alone, and never one that brings messages. */
function isPing(event: unknown): boolean {
  if (typeof event !== 'object' || event === null || Object.hasOwn(event, 'Records')) return false
  return Object.hasOwn(event, 'errand') && Reflect.get(event, 'errand') === 'ping'
}

async function answerPing(
  app: App,
  worker: string,
  { startedAt, received, running }: EnvironmentCounts,
): Promise<WorkerReport> {
  const { reportOf } = await import('../runtime/ports/worker-report.ts')
  const uptimeSeconds = Math.max((systemClock.now() - startedAt) / 1000, 0)
  return reportOf({ app, worker, codeVersion: process.env[ENV.version], uptimeSeconds, received, running })
}

/** The handler, which also answers pings. */
export function answeringPings(app: App, worker: string, handler: WorkerHandler): WorkerHandler {
  const counts: EnvironmentCounts = { startedAt: systemClock.now(), received: 0, running: 0 }
  const handle = async (event: SQSEvent, context?: Partial<InvocationContext>) => {
    // Lambda returns to the invoker whatever this is; the event source mapping sends no pings.
    if (isPing(event)) return (await answerPing(app, worker, counts)) as never
    const messages = Array.isArray(event?.Records) ? event.Records.length : 0
    counts.received += messages
    counts.running += messages
    try {
      return await handler(event, context)
    } finally {
      counts.running -= messages
    }
  }
  return Object.assign(handle, { stop: handler.stop })
}
