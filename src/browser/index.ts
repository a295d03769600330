/**
 * `errand/browser`: follows calls from a page. It stands on nothing but the browser.
 * @module
 */
export type { CallResult, CallStateName, CallStatus, GroupResult, GroupStatus } from './call-status.ts'
export { FollowError, type FollowOptions, follow, resultOf } from './follow.ts'
