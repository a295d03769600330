/**
 * `errand/monitor`: one page to see what runs, what waits, what failed and why. It needs `hono`, an optional peer, and to
 * listen on a port of its own `@hono/node-server`, another.
 * @module
 */
export { cloudWatchLogs, type LogPlaces } from './cloudwatch-logs.ts'
export {
  deployedOptions,
  type MonitorAuth,
  type MonitorHandler,
  type MonitorHandlerOptions,
  monitorHandler,
} from './lambda.ts'
export { monitor } from './monitor.ts'
export type { Authorize, Grant, LoggedCall, MonitorOptions } from './monitor-options.ts'
export type { RedactOptions } from './redact-options.ts'
export type { MonitoredExecutor } from './sources.ts'
export { type RunningMonitor, type StartMonitorOptions, startMonitor } from './start-monitor.ts'
