/**
 * Watches the attempts of one environment: a line of the log for each, and metrics for each invocation.
 * @module
 */
import type { App } from '../runtime/app.ts'
import type { Observe } from '../runtime/attempt/attempt-report.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { createAttemptLog } from './attempt-log.ts'
import { createMetrics, type MetricLines } from './metrics.ts'

/** Who watches the attempts of an environment. Neither throws: a call is worth more than its metrics. */
export interface AttemptObserver {
  readonly observe: Observe
  /** Called at the end of each invocation, before its answer: after it the environment freezes. */
  flush(): void
}

/** Makes the observer of one environment. */
export function observeAttempts(
  app: App,
  clock: Pick<Clock, 'now'>,
  log: Log,
  lines: MetricLines,
): AttemptObserver {
  const say = createAttemptLog(log)
  const metrics = createMetrics(app, clock, lines)
  return {
    observe(report) {
      say(report)
      metrics.count(report)
      // What was killed once often dies again, and then nobody would be left to tell of this kill.
      if (report.outcome === 'killed') metrics.flush()
    },
    flush: metrics.flush,
  }
}
