/**
 * `errand/local-emulator`: SQS, DynamoDB and Lambda's event source mapping in one process.
 * @module
 */
export { type EagerBackendOptions, eagerBackend } from './eager-backend.ts'
export {
  type EventSourceMapping,
  type EventSourceMappingOptions,
  startEventSourceMapping,
} from './event-source-mapping.ts'
export { type FaultPlan, faultPlan, type Operation, type RequestFault } from './fault-plan.ts'
export type { FaultSwitches, KillPoint, KillSwitches } from './faults.ts'
export { type InProcessBlobs, inProcessBlobs } from './in-process-blobs.ts'
export { arnOf, type InProcessQueue, inProcessQueue } from './in-process-queue.ts'
export { inProcessStore } from './in-process-store.ts'
export { type InvokeResult, type LambdaFunction, lambdaFunction } from './lambda-function.ts'
export {
  type LocalBackend,
  type LocalBackendOptions,
  localBackend,
} from './local-backend.ts'
export { type QueueGate, queueGate } from './queue-gate.ts'
export { type ScheduleFiring, type ScheduleFiringOptions, startSchedules } from './schedule-firing.ts'
export { seededEntropy } from './seeded-entropy.ts'
export { shareBackend } from './shared-backends.ts'
export { type Span, type VirtualClock, virtualClock } from './virtual-clock.ts'
