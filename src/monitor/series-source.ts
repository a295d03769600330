/**
 * Where the charts of a range come from: the workers' metrics where they can be read, else the newest calls.
 * @module
 */

import type { Clock } from '../runtime/clock.ts'
import type { Backend } from '../runtime/ports/backend.ts'
import type { CallMetrics } from '../runtime/ports/call-metrics.ts'
import { type Reading, type Shared, shared } from './cached.ts'
import type { CallWindow } from './call-window.ts'
import { type Range, type Series, seriesOf } from './figures.ts'
import { METRICS_SECONDS, readMetricsSeries } from './metrics-series.ts'
import { visible } from './shown-text.ts'

/** Gives the charts' data of a range. */
export type SeriesSource = (range: Range) => Promise<Series>

/** Makes the source of one monitor: all its viewers share what is read, each range for itself. */
export function createSeriesSource(
  connect: () => Backend | Promise<Backend>,
  window: () => Promise<Reading<CallWindow>>,
): SeriesSource {
  const byRange = new Map<Range, Shared<Series>>()
  const ofCalls = async (range: Range): Promise<Series> => {
    const { value, readAt } = await window()
    return seriesOf(value, range, readAt)
  }
  const ofMetrics = (metrics: CallMetrics, clock: Clock, range: Range): Shared<Series> => {
    const known = byRange.get(range) ?? shared(() => readMetricsSeries(metrics, range, clock.now()))
    byRange.set(range, known)
    return known
  }
  return async (range) => {
    const { metrics, clock } = await connect()
    if (metrics === undefined) return ofCalls(range)
    try {
      return (await ofMetrics(metrics, clock, range).get(clock.now(), METRICS_SECONDS * 1000)).value
    } catch (error) {
      // Charts of the newest calls are better than none, and say why they are no more.
      const problem = visible(error instanceof Error ? error.message : String(error), 1000)
      return { ...(await ofCalls(range)), problem }
    }
  }
}
