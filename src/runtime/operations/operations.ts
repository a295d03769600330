/**
 * What people do about an app: look at its calls, workers, queues and schedules, retry, pause. Nothing of it is on the way of
 * a call, so its code is loaded when it is needed.
 * @module
 */
import { atNeed, once } from '../at-need.ts'
import type { ScheduleControl } from '../schedules/schedule-control.ts'
import type { Inspect, Inspection, InspectionContext, QueueControl } from './inspection.ts'
import type { Retries, RetryContext } from './retry-by-hand.ts'

/** Makes them, of their executor or client. */
export function createOperations(context: RetryContext & InspectionContext): Retries & Inspection {
  const inspection = once(async () => (await import('./inspection.ts')).createInspection(context))
  return {
    ...atNeed<Retries>({ retry: true, retryAll: true }, async () =>
      (await import('./retry-by-hand.ts')).createRetries(context),
    ),
    ...atNeed<Pick<Inspection, 'status'>>({ status: true }, inspection),
    inspect: atNeed<Inspect>(INSPECT, async () => (await inspection()).inspect),
    queues: atNeed<QueueControl>(
      { pause: true, resume: true, purge: true },
      async () => (await inspection()).queues,
    ),
    schedules: {
      names: () => [...context.schedules().keys()],
      ...atNeed<Omit<ScheduleControl, 'names'>>(
        { pause: true, resume: true, run: true },
        async () => (await inspection()).schedules,
      ),
    },
  }
}

const INSPECT = {
  calls: true,
  call: true,
  active: true,
  scheduled: true,
  revoked: true,
  reserved: true,
  registered: true,
  stats: true,
  queues: true,
  schedules: true,
} as const
