/**
 * A backend: where calls go. The ports are all that submitting, running and waiting know of it.
 * @module
 */
import type { App } from '../app.ts'
import type { Clock } from '../clock.ts'
import type { Entropy } from '../entropy.ts'
import type { Blobs } from './blobs.ts'
import type { CallMetrics } from './call-metrics.ts'
import type { Fleet } from './fleet.ts'
import type { OneTimeSchedules } from './one-time-schedules.ts'
import type { Queue } from './queue.ts'
import type { Schedules } from './schedules.ts'
import type { Store } from './store.ts'

/** The three kinds of backend. */
export type BackendKind = 'aws' | 'local' | 'eager'

/** What the runtime needs of the world. */
export interface Ports {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly queue: Queue
  readonly store: Store
  /** Where the config has `blobs`. */
  readonly blobs?: Blobs
  /** Where the config has `longDelays`. */
  readonly oneTimeSchedules?: OneTimeSchedules
  /** The version of the code that runs here, where it was deployed with one; see `codeVersionOf`. */
  readonly version?: string
}

/** The ports, and workers where the backend runs them itself. */
export interface Backend extends Ports {
  readonly kind: BackendKind
  /** Whether a submit rejects with the error of a call that failed: an option of `eager`. @default false */
  readonly propagate?: boolean
  /** The schedules as seen from outside. Without it nobody can look at them, or pause one. */
  readonly schedules?: Schedules
  /** The workers as seen from outside. Without it nobody can ask for their status, or pause a queue. */
  readonly fleet?: Fleet
  /** What attempts came to over time. Without it that is told from the newest calls. */
  readonly metrics?: CallMetrics
  /**
   * Gives a backend that runs workers itself the app whose tasks they run. Called once an executor first needs
   * its backend; again, with a reloaded app of the same name, it replaces the earlier one.
   */
  attach?(app: App): void
  /** Starts the workers, where the backend runs them. Starting twice is starting once. */
  start(): Promise<void>
  /** Stops the workers after the attempts that run, and frees connections. */
  close(): Promise<void>
}
