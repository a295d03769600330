/**
 * Everything that can be declared: options, their defaults, AWS's limits and the names of environment
 * variables, each exactly once.
 * @module
 */
import type { ConfigSchedule, ResolvedSchedule, ScheduleOptions } from './schedule-options.ts'

export type { ConfigSchedule, ResolvedSchedule, ScheduleOptions } from './schedule-options.ts'

/** How one queue is made. */
export interface QueueOptions {
  /** First in, first out within a tenant; one call at a time. @default false */
  readonly fifo?: boolean
  /**
   * On its way out: workers run what it holds, and submits to it are refused. Not for the default queue, and no route
   * may lead to it. @default false
   */
  readonly draining?: boolean
  /** How long SQS keeps a message, 60–1,209,600 s (14 days). @default 345600 (4 days) */
  readonly retentionSeconds?: number
  /**
   * How long a received message stays hidden, 0–43,200 s (12 h), and no less than the time-out of any worker
   * that consumes the queue. @default the longest such time-out + batch window + 30 s
   */
  readonly visibilitySeconds?: number
}

/** How verbose a worker's log is. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** How one worker is made. */
export interface WorkerOptions {
  /** How many calls the worker runs at once, over all its environments, 1–10,000. @default 10 */
  readonly concurrency?: number
  /** Memory of one environment, 128–10,240 MiB; CPU grows with it. @default 512 */
  readonly memoryMiB?: number
  /**
   * How long one invocation may take, 10–900 s (Lambda's limit); in a container how long one call may, up to 39,600 s
   * (11 h: SQS hides a message for 12 h at most). @default 60
   */
  readonly timeoutSeconds?: number
  /**
   * Where it runs: as a Lambda function, or as processes that you start (`errand worker`), in any container. @default 'lambda'
   */
  readonly runsOn?: 'lambda' | 'container'
  /** The least level of what its log says. @default 'info' */
  readonly logLevel?: LogLevel
  /** The queues it consumes. @default all queues */
  readonly queues?: readonly string[]
  /**
   * How many calls one invocation is given, 1–10; they run concurrently in one environment. Give a task that
   * needs the machine to itself a worker with 1.
   * @default the largest that divides the concurrency over the queues and leaves each two invocations at once, else 1
   */
  readonly batchSize?: number
  /** How long to wait for a batch to fill, 0–300 s; none for a FIFO queue. @default 0 */
  readonly batchWindowSeconds?: number
}

/** How long to wait between attempts: full jitter, a random part of `base × factor^(failures − 1)`, up to `max`. */
export interface Backoff {
  /** The bound after the first failure. @default 5 */
  readonly baseSeconds?: number
  /** What the bound grows by with each failure, 1–100. @default 2 */
  readonly factor?: number
  /**
   * The bound at most, up to 39,600 s (11 h): SQS hides a message for 12 h from its receipt, the attempt included. Where
   * the config has `longDelays`, up to 31,536,000 s (365 days). @default 3600
   */
  readonly maxSeconds?: number
}

/** What a task decides about its own attempts; read by the worker alone. */
export interface TaskOptions {
  /** How often it may fail before the call ends as `failed`, 1–100. @default 3 */
  readonly maxAttempts?: number
  /** How often it may be killed (memory, `process.exit`, a crash) before the call ends so, 1–100. @default 3 */
  readonly maxKills?: number
  /**
   * How long one attempt may take, in seconds; at least 0.001, at most the worker's time-out − 5 s.
   * @default the worker's time-out − 5 s
   */
  readonly timeoutSeconds?: number
  /** How long to wait between attempts. @default those of `Backoff` */
  readonly backoff?: Backoff
  /**
   * The names that the task had: calls that were sent under one of them run as this task. Not by a pattern. Both count,
   * the task's own and those of the config. @default none
   */
  readonly formerly?: readonly string[]
  /**
   * Whether the arguments of every call are kept beside its record, for the monitor to show; those of calls that fail
   * are kept in any case. The first attempt writes them, once, while the function runs: one more write unit a call for
   * each KB of its message. @default false
   */
  readonly keepArguments?: boolean
}

/** Where large payloads go. */
export interface BlobOptions {
  /**
   * What keys in the bucket begin with, before the app's name: path segments of letters, digits, `-`, `_` and `.`, each
   * with a `/` behind it, at most 128 characters; `''` for none. @default 'errand/'
   */
  readonly prefix?: string
}

/** What `defineConfig` takes. */
export interface Config {
  /** Names the app: a letter, then letters, digits and `-`, at most 40 characters. */
  readonly name: string
  /** Names, or options by name; the first is the default queue. @default ['default'] */
  readonly queues?: readonly string[] | Readonly<Record<string, QueueOptions>>
  /** How many (1–100: `worker-1`, `worker-2`, …), their names, or options by name. @default 1 */
  readonly workers?: number | readonly string[] | Readonly<Record<string, WorkerOptions>>
  /** The queue of a task, by name or pattern (`reports.*`); the longest pattern that matches wins. @default {} */
  readonly routes?: Readonly<Record<string, string>>
  /**
   * Options by task name or pattern; the longest pattern that matches wins, a declared task's own options over it.
   * @default {}
   */
  readonly taskOptions?: Readonly<Record<string, TaskOptions>>
  /**
   * When a call's record is written. `on-claim` saves a write unit a call: nothing is written at submit, so
   * there are no idempotency keys, and a call that waits cannot be cancelled. @default 'on-submit'
   */
  readonly record?: 'on-submit' | 'on-claim'
  /** Whether calls are listed for the monitor: one more write unit a call. @default true */
  readonly listing?: boolean
  /**
   * Whether arguments over 1 MiB and results over 32 KiB go to a bucket, whose name is given where it is deployed
   * (`ERRAND_BUCKET`). Without it such arguments are refused, and results end at the limit of an item. Needs
   * `@aws-sdk/client-s3` on AWS. @default false
   */
  readonly blobs?: boolean | BlobOptions
  /**
   * Whether calls may be delayed by more than 900 s, and retried later than in 11 h: by one-time schedules of EventBridge
   * Scheduler ($1 a million), which submitters and workers are then allowed to make. Needs `@aws-sdk/client-scheduler` on
   * AWS. @default false
   */
  readonly longDelays?: boolean
  /** Calls that are due again and again, or once, by the schedule's name; see docs/scheduling.md. @default {} */
  readonly schedules?: Readonly<Record<string, ConfigSchedule>>
}

/** Defaults of everything optional in a config. */
export const DEFAULTS = {
  queue: 'default',
  queueRetentionSeconds: 345_600,
  worker: {
    concurrency: 10,
    memoryMiB: 512,
    timeoutSeconds: 60,
    runsOn: 'lambda',
    logLevel: 'info',
    batchWindowSeconds: 0,
  },
  task: { maxAttempts: 3, maxKills: 3, keepArguments: false },
  backoff: { baseSeconds: 5, factor: 2, maxSeconds: 3600 },
  record: 'on-submit',
  listing: true,
  blobs: { prefix: 'errand/' },
  longDelays: false,
  schedule: { timezone: 'UTC', enabled: true, jitterMinutes: 0, overlap: 'allow' },
} as const satisfies {
  queue: string
  queueRetentionSeconds: number
  worker: WorkerOptions
  task: TaskOptions
  backoff: Backoff
  record: Config['record']
  listing: boolean
  blobs: BlobOptions
  longDelays: boolean
  schedule: ScheduleOptions
}

/** Limits of AWS, with where they are stated, and our own. */
export const LIMITS = {
  /** SQS: a message, and a batch of them together, in bytes. */
  messageBytes: 1_048_576,
  /** SQS: entries in a batch request. */
  batchEntries: 10,
  /** SQS: `DelaySeconds`. */
  delaySeconds: 900,
  /** Where the config has `longDelays`, the longest delay: 365 days. */
  longDelaySeconds: 31_536_000,
  /** The latest expiry, from the submit: a message that is due in a year lives for 14 days more at the most. */
  expirySeconds: 31_536_000 + 1_209_600,
  /** EventBridge Scheduler: the `Input` of a target is 256 KB. */
  scheduleInputBytes: 262_144,
  /** EventBridge Scheduler: `MaximumWindowInMinutes`. */
  jitterMinutes: 1440,
  /** SQS: visibility, counted from the receipt. */
  visibilitySeconds: 43_200,
  /** SQS: `WaitTimeSeconds` of a receive. */
  receiveWaitSeconds: 20,
  /** SQS: retention. */
  minRetentionSeconds: 60,
  maxRetentionSeconds: 1_209_600,
  /** SQS: `MessageGroupId`, characters. */
  tenantLength: 128,
  /** Lambda: the function time-out. */
  timeoutSeconds: 900,
  /** A call in a container: its message is hidden all the while, and SQS hides it for 12 h at most. */
  containerTimeoutSeconds: 39_600,
  /** Lambda: memory. */
  minMemoryMiB: 128,
  maxMemoryMiB: 10_240,
  /** Lambda: `MaximumBatchingWindowInSeconds`. */
  batchWindowSeconds: 300,
  /** DynamoDB: an item is 400 KB; what is left of it for a result beside its keys. */
  resultBytes: 400 * 1024 - 1024,
  /** DynamoDB: keys of a `BatchGetItem`. */
  readBatch: 100,
  /** A result up to this size lies in the record; a larger one in an item of its own. */
  inlineResultBytes: 4096,
  /** Where the config has `blobs`, a larger result goes there: S3 then costs less than DynamoDB's write units. */
  blobResultBytes: 32 * 1024,
  /** The largest arguments, and the largest result, in a blob: 64 MiB, since codec and Lambda's memory hold them whole. */
  blobBytes: 64 * 1024 * 1024,
  /** How old a blob must be before a bucket's lifecycle rule may delete it: two lives of a message, and two days. */
  blobDays: 30,
  /** What a progress value may take; the record is billed by its size at every write. */
  progressBytes: 4096,
  /** The longest wait between attempts: below SQS's 12 h, which count from the receipt. */
  backoffSeconds: 39_600,
  /** Characters of a task's name, and of an id. */
  nameLength: 128,
  /** Characters of a code version: it travels with each call. */
  versionLength: 64,
  /** Characters of all headers of a call, names and values: those of a trace have up to 588. */
  headersLength: 1024,
  /** How deep tasks may submit tasks: Lambda's own loop detection is off, so this is what ends a runaway chain. */
  depth: 100,
  /** Calls in a group. */
  groupSize: 1_000_000,
} as const

/**
 * What the names of schedules that calls wait for begin with. No declared name can, so who may make and delete those of
 * calls reaches none that is declared.
 */
export const CALL_SCHEDULE_PREFIX = '_'

/** What schedules could not send, among the queues: no queue of a config has such a name. */
export const SCHEDULE_DEAD_LETTERS = '(schedules)-dead-letters'

/** Times of the protocol, each in seconds. */
export const PROTOCOL = {
  /** A lease outlives the invocation's hard deadline by this: the clock skew that is tolerated. */
  leaseMarginSeconds: 3,
  /** How long a lease lasts where nothing kills the worker at a time: in a process of its own, which renews it. */
  renewedLeaseSeconds: 60,
  /** How often such a process renews its leases. */
  renewSeconds: 20,
  /** A call that is due within this is due. */
  dueToleranceSeconds: 1,
  /** The attempt ends this long before the invocation does, so that its end can be written. */
  finishReserveSeconds: 3,
  /** The default time limit of an attempt is the worker's time-out less this. */
  attemptReserveSeconds: 5,
  /** A record lives for its due time + the queue's retention + this. */
  recordMarginSeconds: 86_400,
  /** How long a message that this worker cannot run (unknown task, unreadable) is hidden at a time. */
  unreadableHideSeconds: 60,
  /** How long an unknown task's call waits for a deployment that knows it. */
  unknownTaskSeconds: 3600,
  /** When, after its expiry, a call is seen as ended by who may not write so: a claim of that moment has been answered by then. */
  expiryMarginSeconds: 60,
  /**
   * For how long EventBridge Scheduler sends again what SQS does not take, before it is a dead letter: less than the half
   * day for which a worker believes that a call without a record is new.
   */
  firingAgeSeconds: 21_600,
  /** How often at most: EventBridge Scheduler's own default, and its most. */
  firingAttempts: 185,
  /** How far the clocks of senders and workers may be apart before a message counts as forged. */
  clockSkewSeconds: 3600,
  /** Marks of attempts older than this are read, this often. */
  markReadSeconds: 5,
  /** The least time-out of a worker: below it there is no room for an attempt and its final write. */
  minTimeoutSeconds: 10,
} as const

/**
 * How often SQS hands out a message before it makes it a dead letter. It counts throttling and postponements too;
 * errand counts attempts itself, so this is only the last resort.
 */
export const MAX_RECEIVE_COUNT = 100

/** Environment variables; the CDK construct sets all but `ERRAND_BACKEND`, `ERRAND_APP` and `ERRAND_SCHEDULES`. */
export const ENV = {
  /** `aws`, `local` or `eager`; the option `backend` wins over it. */
  backend: 'ERRAND_BACKEND',
  /** The app's module, `path[:export]`, for the command line and the construct. */
  app: 'ERRAND_APP',
  /** The table's name or ARN. */
  table: 'ERRAND_TABLE',
  /** The queues' URLs as a JSON object by name; dead-letter queues are `<queue>-dead-letters`. */
  queueUrls: 'ERRAND_QUEUE_URLS',
  /** The bucket's name, where the config has `blobs`. */
  bucket: 'ERRAND_BUCKET',
  /**
   * Where the config has `longDelays`, what makes their schedules, and where it has schedules, who inspects is told where they
   * are, as a JSON object: `group` (its name), `role` (its ARN,
   * which the schedules send by) and `deadLetters` (the ARN of the queue for messages that a schedule could not send).
   */
  scheduler: 'ERRAND_SCHEDULER',
  /**
   * `notices`: a process of this machine fires the schedules, and sees by notices in the table which are paused.
   * `errand cluster` and `errand dev` set it.
   */
  schedules: 'ERRAND_SCHEDULES',
  /** The workers' functions as a JSON object by worker, with their mappings; `{}` where all workers are processes. */
  functions: 'ERRAND_FUNCTIONS',
  /** Which worker of the config this function or process is. Without it, the first; `errand worker` wants one of several named. */
  worker: 'ERRAND_WORKER',
  /** The fleet's name, `<stack>/<construct>`: a dimension of its metrics, by which stages in one account are told apart. */
  fleet: 'ERRAND_FLEET',
  /** The options of the monitor's function, as JSON. */
  monitor: 'ERRAND_MONITOR',
  /**
   * The version of this process's code, at most 64 visible ASCII characters. It travels with each call: an
   * `UnknownTaskError` names the sender's and the worker's.
   */
  version: 'ERRAND_VERSION',
} as const

/** How one task's attempts are made, every default filled in. */
export interface ResolvedTaskOptions {
  readonly maxAttempts: number
  readonly maxKills: number
  /** Absent: the worker's time-out − 5 s. */
  readonly timeoutSeconds?: number
  readonly backoff: Required<Backoff>
  readonly keepArguments: boolean
}

/** A queue with every default filled in. */
export interface ResolvedQueue {
  readonly name: string
  readonly fifo: boolean
  readonly draining: boolean
  readonly retentionSeconds: number
  readonly visibilitySeconds: number
}

/** A worker with every default filled in. */
export interface ResolvedWorker extends Required<Omit<WorkerOptions, 'queues'>> {
  readonly name: string
  readonly queues: readonly string[]
}

/** A config that was checked, with every default filled in. */
export interface ResolvedConfig {
  readonly name: string
  readonly queues: ReadonlyMap<string, ResolvedQueue>
  readonly defaultQueue: string
  readonly workers: ReadonlyMap<string, ResolvedWorker>
  readonly routes: Readonly<Record<string, string>>
  readonly taskOptions: Readonly<Record<string, TaskOptions>>
  readonly record: 'on-submit' | 'on-claim'
  readonly listing: boolean
  /** Absent: large payloads have nowhere to go. */
  readonly blobs?: Required<BlobOptions>
  readonly longDelays: boolean
  /** Those that the config declares; an app may declare more. */
  readonly schedules: ReadonlyMap<string, ResolvedSchedule>
}

/** The names of a config's queues, as a type. */
export type QueueName<C extends Config> = C['queues'] extends readonly (infer Name extends string)[]
  ? Name
  : C['queues'] extends Readonly<Record<infer Name extends string, QueueOptions>>
    ? Name
    : string
