/**
 * `errand/otel`: traces by OpenTelemetry.
 * @module
 */
export { type TracingOptions, tracing } from './tracing.ts'
