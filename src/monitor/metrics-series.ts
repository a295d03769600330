/**
 * Charts' data by the workers' metrics, where a backend has them: of all attempts, however many, and for as long as the
 * metrics are kept. They come a minute or two late.
 * @module
 */
import type { CallMetrics, MetricsPeriod, MetricsSpan } from '../runtime/ports/call-metrics.ts'
import { type Bucket, bucketMsOf, RANGES, type Range, type Series } from './figures.ts'

/** How often metrics are read again, in seconds: each reading is billed. */
export const METRICS_SECONDS = 60

/** Metrics are kept by the minute. */
const LEAST_PERIOD_MS = 60_000

/** Reads the metrics of a range as charts show them. */
export async function readMetricsSeries(metrics: CallMetrics, range: Range, now: number): Promise<Series> {
  const span = spanOf(range, now)
  const bucketMs = span.periodSeconds * 1000
  const found = new Map((await metrics.read(span)).map((period) => [period.at, period]))
  const buckets = Array.from({ length: (span.untilMs - span.fromMs) / bucketMs }, (_, index) => {
    const at = span.fromMs + index * bucketMs
    return bucketOf(at, found.get(at))
  })
  const calls = buckets.reduce((total, { succeeded, failed }) => total + succeeded + failed, 0)
  return { bucketMs, buckets, calls, since: span.fromMs, isCut: false, source: 'metrics' }
}

function spanOf(range: Range, now: number): MetricsSpan {
  const { milliseconds } = RANGES[range]
  const bucketMs = Math.max(bucketMsOf(milliseconds), LEAST_PERIOD_MS)
  const [first, last] = [Math.floor((now - milliseconds) / bucketMs), Math.floor(now / bucketMs)]
  return { fromMs: first * bucketMs, untilMs: (last + 1) * bucketMs, periodSeconds: bucketMs / 1000 }
}

/** What ended without failing counts as succeeded: a call that stopped when it was asked to is among them. */
function bucketOf(at: number, period: MetricsPeriod | undefined): Bucket {
  if (period === undefined) return { at, succeeded: 0, failed: 0 }
  const { calls, retries, failures, undeliverable, run, wait } = period
  const succeeded = Math.max(calls - retries - (failures - undeliverable), 0)
  return { at, succeeded, failed: failures, ...(run && { run }), ...(wait && { wait }) }
}
