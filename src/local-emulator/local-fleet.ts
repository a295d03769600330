/**
 * The workers of the local backend: for each a function, and mappings from its queues; and one function for all
 * dead-letter queues.
 * @module
 */
import type { SQSEvent } from 'aws-lambda'
import type { App } from '../runtime/app.ts'
import type { ResolvedConfig, ResolvedWorker } from '../runtime/config/config.ts'
import { deadLettersOf } from '../runtime/config/dead-letter-names.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import { noticedSchedules } from '../runtime/schedules/noticed-schedules.ts'
import { type EventSourceMapping, startEventSourceMapping } from './event-source-mapping.ts'
import type { FaultPlan } from './fault-plan.ts'
import { faultyApp, faultyPorts } from './faulty-environment.ts'
import { isInjected } from './faulty-request.ts'
import { arnOf } from './in-process-queue.ts'
import {
  type InvokeResult,
  type LambdaFunction,
  lambdaFunction,
  type WorkerHandler,
} from './lambda-function.ts'
import type { QueueGate } from './queue-gate.ts'
import { type ScheduleFiring, startSchedules } from './schedule-firing.ts'

/** What runs the calls. */
export interface FleetOptions {
  /**
   * Makes the handler of one environment of a worker: the same that runs on Lambda.
   * @param ended aborted when the environment has ended, however it came about
   */
  makeHandler(app: App, ports: Ports, worker: string, ended: AbortSignal): WorkerHandler
  /** Makes the handler of the dead-letter queues. @default none: dead letters stay where they are */
  makeDeadLetterHandler?(app: App, ports: Ports): WorkerHandler
  /** Told of invocations that failed as a whole: a time-out, a handler that threw. @default a line on stderr */
  onError?(error: Error, worker: string, queue: string): void
}

/** A function that is mapped to a queue. */
interface QueueMapping {
  readonly queueName: string
  start(): EventSourceMapping
  /** Absent while the queue is paused. */
  running: EventSourceMapping | undefined
}

/** What a worker was given. */
interface WorkerCounts {
  /** Messages so far. */
  received: number
  /** Messages of invocations that run. */
  running: number
}

/** The workers of one app. */
export interface LocalFleet {
  readonly config: ResolvedConfig
  readonly options: FleetOptions
  /** What the workers' environments see. */
  readonly ports: Ports
  /** What goes wrong; its kills are of workers alone. */
  readonly plan: FaultPlan | undefined
  /** What the workers poll through. */
  readonly gate: QueueGate | undefined
  /** The task of a call, for kills by name. */
  taskOf(id: string): string | undefined
  app: App | undefined
  /** `wanted`: to be started as soon as there is an app. */
  phase: 'idle' | 'wanted' | 'running' | 'closed'
  /** Nothing is invoked any more. */
  isAbandoned: boolean
  readonly functions: LambdaFunction[]
  readonly mappings: QueueMapping[]
  /** Mappings that poll no more, until the invocations that they started have ended. */
  readonly stopping: Set<Promise<void>>
  /** Queues that are not polled. */
  readonly paused: Set<string>
  /** By worker. */
  readonly counts: Map<string, WorkerCounts>
  /** The schedules of the app, while its workers run. */
  firing: ScheduleFiring | undefined
  /** When the workers were started, in epoch milliseconds. */
  startedAt: number
}

function sayError(error: Error, worker: string, queue: string): void {
  process.stderr.write(`errand: worker "${worker}", queue "${queue}": ${error.message}\n`)
}

/** Errors that the switches made are no news. */
function isWanted(fleet: LocalFleet, error: Error): boolean {
  return fleet.plan !== undefined && (isInjected(error) || error.name === 'Runtime.ExitError')
}

function attachedApp(fleet: LocalFleet): App {
  if (fleet.app) return fleet.app
  throw new Error(`no app is attached to the local backend of "${fleet.config.name}"`)
}

function functionOf(fleet: LocalFleet, worker: ResolvedWorker): LambdaFunction {
  const { ports, options, plan, taskOf } = fleet
  return lambdaFunction({
    name: `${fleet.config.name}-${worker.name}`,
    ports,
    timeoutSeconds: worker.timeoutSeconds,
    clock: ports.clock,
    makeHandler(own, { exit, ended }) {
      const app = attachedApp(fleet)
      if (plan === undefined) return options.makeHandler(app, own, worker.name, ended)
      const nameNow = (task: string) => app.registry.find(task)?.name ?? task
      const environment = { plan, exit, taskOf, nameNow }
      const ports = faultyPorts(own, environment)
      return options.makeHandler(faultyApp(app, environment), ports, worker.name, ended)
    },
  })
}

/** How a function is given the messages of a queue. */
interface MappingOptions {
  readonly batchSize: number
  readonly batchWindowSeconds: number
  readonly maximumConcurrency: number
}

function map(
  fleet: LocalFleet,
  lambda: LambdaFunction,
  who: string,
  queueName: string,
  how: MappingOptions,
): void {
  const { ports, options, gate } = fleet
  const { onError = sayError } = options
  const counts = countsOf(fleet, who)
  const start = () =>
    startEventSourceMapping({
      ...how,
      queue: gate === undefined ? ports.queue : gate.guard(ports.queue),
      queueName,
      arn: arnOf(queueName),
      invoke: (event) => (fleet.isAbandoned ? abandoned : counted(counts, lambda, event)),
      clock: ports.clock,
      // An idle worker then holds no timer: on virtual time there is nothing to jump to but due work.
      pollSeconds: Number.POSITIVE_INFINITY,
      onError: (error) => {
        if (!fleet.isAbandoned && !isWanted(fleet, error)) onError(error, who, queueName)
      },
    })
  fleet.mappings.push({ queueName, start, running: fleet.paused.has(queueName) ? undefined : start() })
}

function countsOf({ counts }: LocalFleet, who: string): WorkerCounts {
  const own = counts.get(who) ?? { received: 0, running: 0 }
  counts.set(who, own)
  return own
}

/** Its own promise goes back: one more in between would be one more turn in the way of each call. */
function counted(counts: WorkerCounts, lambda: LambdaFunction, event: SQSEvent): Promise<InvokeResult> {
  const { length } = event.Records
  counts.received += length
  counts.running += length
  const result = lambda.invoke(event)
  void result.then(() => {
    counts.running -= length
  })
  return result
}

const abandoned = Promise.resolve<InvokeResult>({ ok: false, error: new Error('the backend was abandoned') })

function startWorker(fleet: LocalFleet, worker: ResolvedWorker): void {
  const lambda = functionOf(fleet, worker)
  fleet.functions.push(lambda)
  const { batchSize, batchWindowSeconds, queues } = worker
  const invocations = Math.floor(worker.concurrency / (queues.length * batchSize))
  const how = { batchSize, batchWindowSeconds, maximumConcurrency: Math.max(1, invocations) }
  for (const queueName of queues) map(fleet, lambda, worker.name, queueName, how)
}

/** The least that a mapping can be given on AWS, in calls at once, and SQS's batch. */
const deadLetterMapping: MappingOptions = { batchSize: 10, batchWindowSeconds: 0, maximumConcurrency: 2 }
const DEAD_LETTER_TIMEOUT_SECONDS = 60

function startDeadLetters(fleet: LocalFleet): void {
  const { makeDeadLetterHandler: makeHandler } = fleet.options
  if (makeHandler === undefined) return
  const name = 'dead-letters'
  const lambda = lambdaFunction({
    name: `${fleet.config.name}-${name}`,
    ports: fleet.ports,
    timeoutSeconds: DEAD_LETTER_TIMEOUT_SECONDS,
    clock: fleet.ports.clock,
    makeHandler: (own) => makeHandler(attachedApp(fleet), own),
  })
  fleet.functions.push(lambda)
  for (const queue of fleet.config.queues.keys()) {
    map(fleet, lambda, name, deadLettersOf(queue), deadLetterMapping)
  }
}

/** Starts the workers, once; where there is no app yet, as soon as there is one. */
export function startFleet(fleet: LocalFleet): void {
  if (fleet.phase === 'running' || fleet.phase === 'closed') return
  fleet.phase = fleet.app ? 'running' : 'wanted'
  if (!fleet.app) return
  fleet.startedAt = fleet.ports.clock.now()
  for (const worker of fleet.config.workers.values()) startWorker(fleet, worker)
  startDeadLetters(fleet)
  fireSchedules(fleet, fleet.app)
}

/** Fires the schedules of this app, in place of an earlier one's. */
function fireSchedules(fleet: LocalFleet, app: App): void {
  const { config, ports, options } = fleet
  const { clock, entropy, queue, store } = ports
  fleet.firing?.stop()
  fleet.firing = startSchedules({
    ...{ config, clock, entropy, queue, states: noticedSchedules(store) },
    schedules: app.schedules().values(),
    onUnsent({ name, queue: where }, error) {
      const { onError = sayError } = options
      const cause = error instanceof Error ? error : new Error(String(error))
      if (!isWanted(fleet, cause)) onError(cause, `schedule ${name}`, where)
    },
  })
}

/** Has the workers run the calls of this app, in place of an earlier one's. */
export function attachApp(fleet: LocalFleet, app: App): void {
  // The same app again is no deployment: its environments keep what their start hooks made.
  if (fleet.app === app) return
  if (fleet.app !== undefined) warnOfMissing(fleet.config.name, fleet.app, app)
  fleet.app = app
  for (const lambda of fleet.functions) lambda.redeploy()
  if (fleet.phase === 'running') fireSchedules(fleet, app)
  if (fleet.phase === 'wanted') startFleet(fleet)
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

/** Stops polling a queue; what was received runs to its end. */
export function pauseQueue(fleet: LocalFleet, queue: string): void {
  fleet.paused.add(queue)
  for (const mapping of fleet.mappings) {
    if (mapping.queueName !== queue || mapping.running === undefined) continue
    const stopped = mapping.running.stop()
    mapping.running = undefined
    fleet.stopping.add(stopped)
    void stopped.then(() => fleet.stopping.delete(stopped))
  }
}

/** Polls it again: at once, so until what ran at the pause has ended there may be more invocations than usual. */
export function resumeQueue(fleet: LocalFleet, queue: string): void {
  fleet.paused.delete(queue)
  if (fleet.phase !== 'running') return
  for (const mapping of fleet.mappings) {
    if (mapping.queueName === queue) mapping.running ??= mapping.start()
  }
}

/** Ends the workers after the invocations that run; no more are started. */
export async function closeFleet(fleet: LocalFleet): Promise<void> {
  fleet.phase = 'closed'
  fleet.firing?.stop()
  await Promise.all([...fleet.stopping, ...fleet.mappings.map(({ running }) => running?.stop())])
  await Promise.all(fleet.functions.map((lambda) => lambda.stopIdle()))
  for (const lambda of fleet.functions) lambda.killAll()
}

/** Ends the workers at once: the invocations that run are killed. */
export async function abandonFleet(fleet: LocalFleet): Promise<void> {
  fleet.isAbandoned = true
  await Promise.all(fleet.functions.map((lambda) => lambda.stopIdle()))
  for (const lambda of fleet.functions) lambda.killAll()
  await closeFleet(fleet)
}
