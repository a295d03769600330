/**
 * The call-metrics port on CloudWatch: what the workers of a fleet wrote to their logs, and CloudWatch made metrics of.
 * One request a reading, of ten statistics of six metrics; AWS bills metrics, $0.01 a thousand.
 * @module
 */

import { METRICS_NAMESPACE, totalDimensions } from '../config/metric-names.ts'
import { ErrandError } from '../errors.ts'
import type { CallMetrics, MetricsPeriod, MetricsSpan, Percentiles } from '../ports/call-metrics.ts'
import type { Lazy } from './aws-clients.ts'
import { requesting } from './aws-error.ts'
import type { CloudWatchConnection, MetricQuery, MetricValues } from './cloudwatch-client.ts'

/** Whose metrics. */
export interface CloudWatchMetricsOptions {
  readonly app: string
  /** The fleet's name, as its functions have it. */
  readonly fleet: string
  readonly cloudwatch: Lazy<CloudWatchConnection>
}

const counters = {
  calls: 'Calls',
  retries: 'Retries',
  failures: 'Failures',
  undeliverable: 'Undeliverable',
} as const
const distributions = { run: 'DurationMilliseconds', wait: 'QueueWaitMilliseconds' } as const
const percentiles = ['p50', 'p95', 'p99'] as const

const queries: readonly MetricQuery[] = [
  ...Object.entries(counters).map(([id, metricName]) => ({ id, metricName, statistic: 'Sum' })),
  ...Object.entries(distributions).flatMap(([id, metricName]) =>
    percentiles.map((statistic) => ({ id: `${id}${statistic}`, metricName, statistic })),
  ),
]

/** The metrics of a fleet. */
export function cloudWatchMetrics({ app, fleet, cloudwatch }: CloudWatchMetricsOptions): CallMetrics {
  return {
    async read({ fromMs, untilMs, periodSeconds }: MetricsSpan) {
      const connection = await cloudwatch.get()
      const request = {
        action: 'cloudwatch:GetMetricData',
        resource: `the metrics of fleet ${JSON.stringify(fleet)}`,
      }
      const read = await requesting(request, () =>
        connection.data({
          namespace: METRICS_NAMESPACE,
          dimensions: totalDimensions(app, fleet),
          queries,
          from: new Date(fromMs),
          until: new Date(untilMs),
          periodSeconds,
        }),
      )
      return periodsOf(read)
    },
  }
}

/** The answer of a reading by time: what CloudWatch has of each stretch, by the ids of the queries. */
function periodsOf(read: readonly MetricValues[]): MetricsPeriod[] {
  const byTime = new Map<number, Map<string, number>>()
  for (const { id, values, problem } of read) {
    if (problem !== undefined) throw new ErrandError(`CloudWatch has no whole answer (${id}: ${problem})`)
    for (const [at, value] of values) {
      const stretch = byTime.get(at) ?? new Map<string, number>()
      byTime.set(at, stretch.set(id, value))
    }
  }
  return [...byTime].sort(([a], [b]) => a - b).map(([at, values]) => periodOf(at, values))
}

function periodOf(at: number, values: ReadonlyMap<string, number>): MetricsPeriod {
  const count = (id: keyof typeof counters) => values.get(id) ?? 0
  const [run, wait] = [percentilesOf('run', values), percentilesOf('wait', values)]
  return {
    at,
    ...{ calls: count('calls'), retries: count('retries') },
    ...{ failures: count('failures'), undeliverable: count('undeliverable') },
    ...(run && { run }),
    ...(wait && { wait }),
  }
}

function percentilesOf(
  id: keyof typeof distributions,
  values: ReadonlyMap<string, number>,
): Percentiles | undefined {
  const [p50, p95, p99] = percentiles.map((percentile) => values.get(`${id}${percentile}`))
  return p50 === undefined || p95 === undefined || p99 === undefined ? undefined : { p50, p95, p99 }
}
