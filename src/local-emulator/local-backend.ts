/**
 * The local backend: queues, records and workers of one app, in this process.
 * @module
 */
import type { App } from '../runtime/app.ts'
import type { Backend, Ports } from '../runtime/backend.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import type { ResolvedConfig, ResolvedWorker } from '../runtime/config.ts'
import { outsideAnyContext } from '../runtime/current-task.ts'
import { type Entropy, systemEntropy } from '../runtime/entropy.ts'
import { ClosedError } from '../runtime/errors.ts'
import type { Queue } from '../runtime/queue.ts'
import { type EventSourceMapping, startEventSourceMapping } from './event-source-mapping.ts'
import { arnOf, type InProcessQueue, inProcessQueue } from './in-process-queue.ts'
import { inProcessStore } from './in-process-store.ts'
import { type LambdaFunction, lambdaFunction, type WorkerHandler } from './lambda-function.ts'
import { watchForLoss } from './lost-calls.ts'

/** How to make a local backend. */
export interface LocalBackendOptions {
  /** Makes the handler of one environment of a worker: the same that runs on Lambda. */
  makeHandler(app: App, ports: Ports, worker: string): WorkerHandler
  /** @default the system's */
  readonly clock?: Clock
  /** @default the system's */
  readonly entropy?: Entropy
  /** Whether the first send starts the workers; `start()` does so in any case. @default true */
  readonly startWorkers?: boolean
  /** Told of invocations that failed as a whole: a time-out, a handler that threw. @default a line on stderr */
  onError?(error: Error, worker: string, queue: string): void
}

/** A backend in this process, whose queues can be looked into. */
export interface LocalBackend extends Backend {
  readonly kind: 'local'
  attach(app: App): void
  /** What a queue, or its dead-letter queue (`<name>-dead-letters`), holds. */
  inspect: InProcessQueue['inspect']
}

interface Fleet {
  readonly config: ResolvedConfig
  readonly options: LocalBackendOptions
  readonly ports: Ports
  app: App | undefined
  /** `wanted`: to be started as soon as there is an app. */
  phase: 'idle' | 'wanted' | 'running' | 'closed'
  readonly functions: LambdaFunction[]
  readonly mappings: EventSourceMapping[]
}

function sayError(error: Error, worker: string, queue: string): void {
  process.stderr.write(`errand: worker "${worker}", queue "${queue}": ${error.message}\n`)
}

function functionOf(fleet: Fleet, worker: ResolvedWorker): LambdaFunction {
  const { ports, options } = fleet
  return lambdaFunction({
    name: `${fleet.config.name}-${worker.name}`,
    ports,
    timeoutSeconds: worker.timeoutSeconds,
    clock: ports.clock,
    makeHandler(environment) {
      if (!fleet.app) throw new Error(`no app is attached to the local backend of "${fleet.config.name}"`)
      return options.makeHandler(fleet.app, environment, worker.name)
    },
  })
}

function startWorker(fleet: Fleet, worker: ResolvedWorker): void {
  const { ports, options } = fleet
  const { onError = sayError } = options
  const lambda = functionOf(fleet, worker)
  fleet.functions.push(lambda)
  const invocations = Math.floor(worker.concurrency / (worker.queues.length * worker.batchSize))
  for (const queueName of worker.queues) {
    const mapping = startEventSourceMapping({
      queue: ports.queue,
      queueName,
      arn: arnOf(queueName),
      batchSize: worker.batchSize,
      batchWindowSeconds: worker.batchWindowSeconds,
      maximumConcurrency: Math.max(1, invocations),
      invoke: lambda.invoke,
      clock: ports.clock,
      // An idle worker then holds no timer: on virtual time there is nothing to jump to but due work.
      pollSeconds: Number.POSITIVE_INFINITY,
      onError: (error) => onError(error, worker.name, queueName),
    })
    fleet.mappings.push(mapping)
  }
}

function startWorkers(fleet: Fleet): void {
  if (fleet.phase === 'running' || fleet.phase === 'closed') return
  fleet.phase = fleet.app ? 'running' : 'wanted'
  if (!fleet.app) return
  for (const worker of fleet.config.workers.values()) startWorker(fleet, worker)
}

function attach(fleet: Fleet, app: App): void {
  // The same app again is no deployment: its environments keep what their start hooks made.
  if (fleet.app === app) return
  if (fleet.app !== undefined) warnOfMissing(fleet.config.name, fleet.app, app)
  fleet.app = app
  for (const lambda of fleet.functions) lambda.redeploy()
  if (fleet.phase === 'wanted') startWorkers(fleet)
}

/** Two executors of one name are taken for one module that was loaded again; two different ones would starve each other. */
function warnOfMissing(name: string, before: App, after: App): void {
  try {
    const known = after.registry.names()
    const missing = before.registry.names().filter((task) => !known.includes(task))
    if (missing.length === 0) return
    process.emitWarning(
      `another executor of "${name}" has taken over the local workers, and does not have the task${missing.length === 1 ? '' : 's'} ${missing.join(', ')}: their calls wait; give each app a name of its own, or close the first executor`,
      'ErrandWarning',
    )
  } catch {
    // An app whose tasks cannot be read says so when it is used.
  }
}

async function closeFleet(fleet: Fleet): Promise<void> {
  fleet.phase = 'closed'
  await Promise.all(fleet.mappings.map((mapping) => mapping.stop()))
  await Promise.all(fleet.functions.map((lambda) => lambda.stopIdle()))
  for (const lambda of fleet.functions) lambda.killAll()
}

/** The queue as clients see it: a send starts the workers, and a closed backend takes none. */
function clientQueue(queue: Queue, fleet: Fleet): Queue {
  const { startWorkers: onFirstSend = true } = fleet.options
  return {
    ...queue,
    // No async function: awaiting nothing of its own, it would only add a turn to the way of each call.
    send(name, messages) {
      if (fleet.phase === 'closed') {
        return Promise.reject(
          new ClosedError(
            `the local backend of "${fleet.config.name}" is closed: nothing would run the call`,
          ),
        )
      }
      if (onFirstSend && fleet.phase !== 'running') outsideAnyContext(startWorkers, fleet)
      return queue.send(name, messages)
    },
  }
}

/** Makes the backend of one app. Its workers run in this process, from the first send on. */
export function localBackend(config: ResolvedConfig, options: LocalBackendOptions): LocalBackend {
  const { clock = systemClock, entropy = systemEntropy } = options
  const queue = inProcessQueue({ queues: config.queues, clock, entropy })
  const store = inProcessStore({ clock })
  const ports: Ports = { clock, entropy, queue, store }
  const fleet: Fleet = {
    config,
    options,
    ports,
    app: undefined,
    phase: 'idle',
    functions: [],
    mappings: [],
  }
  // A message may be left of a call that was cancelled; only where calls that wait have no record do messages count.
  const count = config.record === 'on-claim' ? queue.unfinished : store.unfinished
  const forget = watchForLoss({ name: config.name, count })
  return {
    ...ports,
    kind: 'local',
    queue: clientQueue(queue, fleet),
    inspect: queue.inspect,
    attach: (app) => outsideAnyContext(attach, fleet, app),
    start: async () => outsideAnyContext(startWorkers, fleet),
    async close() {
      await closeFleet(fleet)
      // On a clock of its own it is a test's, and what a test leaves behind is no loss.
      forget({ quiet: options.clock !== undefined })
    },
  }
}
