/**
 * The workers' metrics in CloudWatch by their names, as they are written, read, and watched by alarms.
 * @module
 */

/** The namespace of the metrics. */
export const METRICS_NAMESPACE = 'errand'

/**
 * The dimensions of an app's totals. Every set of dimensions holds them, so that a fleet's name makes no metric more.
 * @param fleet the fleet's name as the construct gives it; without one, stages of an app in one account are added up
 */
export function totalDimensions(app: string, fleet: string | undefined): Readonly<Record<string, string>> {
  return { App: app, ...(fleet !== undefined && { Fleet: fleet }) }
}
