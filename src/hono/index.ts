/**
 * `errand/hono`: calls in a web app on Hono.
 * @module
 */
export type {
  CallResult,
  CallStateName,
  CallStatus,
  GroupResult,
  GroupStatus,
} from '../browser/call-status.ts'
export { accepted } from './accepted.ts'
export type { TaskGroupResult, TaskResult } from './call-results.ts'
export type { JsonOf, JsonValue } from './json-of.ts'
export { provide } from './provide.ts'
export type { CallSource, RequestedCall, TaskRoutesOptions } from './route-options.ts'
export { taskRoutes } from './task-routes.ts'
