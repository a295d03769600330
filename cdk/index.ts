/**
 * `errand/cdk`: the AWS stack of an app, from its config.
 * @module
 */
export { ErrandFleet } from './errand-fleet.ts'
export type { FleetMonitor } from './fleet-monitor.ts'
export type { FleetOutput } from './fleet-output.ts'
export type {
  AlarmThresholds,
  ClientAccess,
  ErrandFleetProps,
  ExistingQueue,
  FleetMonitorAuth,
  FleetMonitorProps,
  WorkerProps,
} from './fleet-props.ts'
export type { FleetQueue } from './fleet-queues.ts'
export type { FleetWorker } from './fleet-workers.ts'
