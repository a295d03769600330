/**
 * `errand/monitor`: one page to see what runs, what waits, what failed and why. It needs `hono`, an optional peer.
 * @module
 */
export { monitor } from './monitor.ts'
export type { Authorize, Grant, LoggedCall, MonitorOptions, RedactOptions } from './monitor-options.ts'
