/**
 * The fleet port: the workers of one app as somebody outside sees them, and the queues that they consume. Nothing on
 * the way of a call uses it. `test/conformance/fleet-suite.ts` holds every implementation to it.
 * @module
 */
import type { QueueCounts } from './queue.ts'
import type { WorkerReport } from './worker-report.ts'

/** What became of asking one worker. */
export interface WorkerAnswer {
  /** Its name in the config; `inline` where calls run inside their submit. */
  readonly worker: string
  /** What it said. Absent: it did not answer. */
  readonly report?: WorkerReport
  /** Why it did not, for people. */
  readonly error?: string
}

/** What a queue holds; SQS's numbers are approximate. */
export interface QueueHoldings extends QueueCounts {
  /** How many messages its dead-letter queue holds. Absent where it has none. */
  readonly dead?: number
  /** The age of its oldest message. Absent where nobody can tell: SQS keeps it as a metric alone. */
  readonly oldestSeconds?: number
}

/** The workers of one app, and what their queues hold. */
export interface Fleet {
  /**
   * Asks every worker, all at once. One that does not answer is an answer too; those that are processes of their own
   * are not asked, but leave notices in the store.
   * @throws NotWiredError where the workers are not known here; AccessDeniedError
   */
  ping(): Promise<readonly WorkerAnswer[]>
  /**
   * The queues that a worker has been told not to poll, by worker; `undefined` where that is not known here.
   * @throws AccessDeniedError
   */
  paused(): Promise<ReadonlyMap<string, ReadonlySet<string>> | undefined>
  /** @throws AccessDeniedError, ResourceNotFoundError */
  holdings(queue: string): Promise<QueueHoldings>
  /**
   * Tells every worker that consumes the queue to stop polling it. What has been received runs to its end. Resolves when
   * they are told, which on AWS is up to a minute before they stop. Pausing twice is pausing once.
   * @throws InvalidOptionError where nothing polls; NotWiredError, AccessDeniedError, ResourceNotFoundError
   */
  pause(queue: string): Promise<void>
  /** Undoes `pause`. */
  resume(queue: string): Promise<void>
  /**
   * Deletes every message of the queue, those in flight included.
   * @throws AccessDeniedError, ResourceNotFoundError; ErrandError where SQS purged it less than 60 s ago
   */
  purge(queue: string): Promise<void>
}
