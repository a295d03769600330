/**
 * What each option becomes, by backend: the one thing about an option that no declaration says. docs/configuration.md has
 * it as tables. An option without a row here, and a row without an option, are refused where the page is written.
 * @module
 */

/** What an option becomes. */
export interface Becomes {
  /** With `ErrandFleet`; the names of AWS's own settings. */
  readonly aws: string
  /** With the backend `local`, workers in this process. */
  readonly local: string
  /** With the backend `eager`, inline. */
  readonly eager: string
}

const same = (text: string): Becomes => ({ aws: text, local: 'the same', eager: 'the same' })

/** The rows, by interface and option. */
export const BECOMES: Readonly<Record<string, Readonly<Record<string, Becomes>>>> = {
  Config: {
    name: {
      aws: "the metrics' dimension `App`, the blobs' folder, and a word of descriptions; resources have names of CloudFormation's",
      local: 'the name of the one backend that the process shares',
      eager: 'the same',
    },
    queues: {
      aws: 'an SQS queue each, with a dead-letter queue',
      local: 'the same, emulated in this process',
      eager: 'names alone: a call runs inside its submit',
    },
    workers: {
      aws: 'a Lambda function each, with an event source mapping for each of its queues',
      local: 'the same, emulated in this process',
      eager: "the first that consumes the call's queue lends its settings",
    },
    routes: same('the queue that a submit sends to'),
    taskOptions: same('what the worker reads at each attempt'),
    record: {
      aws: '`PutItem` at submit, or none',
      local: 'the same, in memory',
      eager: 'the same, in memory',
    },
    listing: {
      aws: 'the index `listing` of the table, and one more write unit a call',
      local: 'whether `executor.inspect` lists calls',
      eager: 'the same',
    },
    blobs: {
      aws: 'an S3 bucket with a lifecycle rule, or the one that is given',
      local: 'memory, under the same rules',
      eager: 'memory, under the same rules',
    },
    longDelays: {
      aws: 'a group of schedules and a role, which submitters and workers may pass to EventBridge Scheduler',
      local: 'timers of this process',
      eager: "whether such delays are taken: they move the backend's own clock",
    },
    schedules: {
      aws: 'a schedule of EventBridge Scheduler each, in a group of the fleet, with a role and a dead-letter queue',
      local: 'timers of this process; with `errand cluster` and `errand dev` of that one',
      eager: 'nothing: they are not fired',
    },
  },
  BlobOptions: {
    prefix: {
      aws: "the first part of the objects' keys, and of the roles' resources",
      local: 'the same',
      eager: 'the same',
    },
  },
  QueueOptions: {
    fifo: {
      aws: '`FifoQueue`, with high throughput: a message group for each tenant',
      local: 'the same order, emulated',
      eager: 'delays are refused; there is no order to keep',
    },
    draining: same('submits to it are refused, and its workers run what it holds'),
    retentionSeconds: {
      aws: "`MessageRetentionPeriod`, and a part of a record's time to live",
      local: 'the same, emulated',
      eager: "a part of a record's life",
    },
    visibilitySeconds: {
      aws: '`VisibilityTimeout`',
      local: 'the same, emulated',
      eager: 'nothing: no message waits',
    },
  },
  WorkerOptions: {
    concurrency: {
      aws: '`MaximumConcurrency` of each mapping: concurrency ÷ (queues × `batchSize`); in a container that of each process',
      local: 'the same, at least one invocation at once',
      eager: 'nothing: a call runs as soon as it is submitted',
    },
    memoryMiB: {
      aws: '`MemorySize`; in a container nothing',
      local: 'nothing: memory is not limited',
      eager: 'nothing',
    },
    timeoutSeconds: {
      aws: '`Timeout`; in a container the time limit of a call',
      local: 'when the invocation ends, and its environment with it',
      eager: 'the most that an attempt may take',
    },
    runsOn: {
      aws: 'a function, or no function: you start `errand worker` or `runWorker`',
      local: 'nothing: both are emulated alike',
      eager: 'nothing',
    },
    logLevel: {
      aws: "the function's `ApplicationLogLevel`, and what its log says",
      local: 'what its log says, on standard error',
      eager: 'the same',
    },
    queues: {
      aws: "an event source mapping each, and the role's resources",
      local: 'the same, emulated',
      eager: "which worker's settings a call has",
    },
    batchSize: {
      aws: '`BatchSize`; in a container nothing',
      local: 'the same, emulated',
      eager: 'nothing: a call is alone',
    },
    batchWindowSeconds: {
      aws: '`MaximumBatchingWindowInSeconds`; in a container nothing',
      local: 'the same, emulated',
      eager: 'nothing',
    },
  },
  TaskOptions: {
    maxAttempts: same('when the worker ends a call as `failed`'),
    maxKills: {
      aws: 'when the worker ends a call as `failed`, the reason `killed`',
      local: 'the same; only a time-out or a fault switch kills',
      eager: 'nothing: nothing kills an attempt',
    },
    timeoutSeconds: same("when an attempt's signal is aborted; synth refuses more than its workers allow"),
    backoff: {
      aws: '`VisibilityTimeout` of the one message',
      local: 'the same, emulated',
      eager: "skipped: the backend's own clock moves on",
    },
    formerly: same('under which names the worker finds the task'),
    keepArguments: {
      aws: 'an item of its own, written once while the function runs',
      local: 'the same, emulated',
      eager: 'the same, in memory',
    },
  },
  CallTimes: {
    delaySeconds: {
      aws: '`DelaySeconds` of the message; over 900 s a one-time schedule of EventBridge Scheduler',
      local: 'the same, emulated',
      eager: "skipped: the backend's own clock moves on",
    },
    at: {
      aws: 'the same',
      local: 'the same',
      eager: "skipped: the backend's own clock moves on",
    },
    expiresInSeconds: {
      aws: 'a time in record and envelope, which the claim asks for',
      local: 'the same',
      eager: 'the same, by its own clock',
    },
    expiresAt: {
      aws: 'a time in record and envelope, which the claim asks for',
      local: 'the same',
      eager: 'the same, by its own clock',
    },
  },
  CallOptions: {
    queue: {
      aws: 'the `QueueUrl` of the send',
      local: 'the same, emulated',
      eager: "which worker's settings it has",
    },
    idempotencyKey: same("the call's id: a hash of tenant, task and key"),
    tenant: {
      aws: '`MessageGroupId` of the message',
      local: 'the same on FIFO queues; fair queues are not emulated',
      eager: "a part of the call's id, and a filter of lists",
    },
    then: same('a call of its own, sent after the final write and before the acknowledgement'),
    catch: same('a call of its own, sent after the final write and before the acknowledgement'),
    id: same("the record's key"),
  },
}
