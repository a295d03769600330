/**
 * The workers of the local backend: for each a function, and mappings from its queues; and one function for all
 * dead-letter queues.
 * @module
 */
import type { App } from '../runtime/app.ts'
import type { Ports } from '../runtime/backend.ts'
import type { ResolvedConfig, ResolvedWorker } from '../runtime/config.ts'
import { deadLettersOf } from '../runtime/queue.ts'
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

/** The workers of one app. */
export interface Fleet {
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
  readonly mappings: EventSourceMapping[]
}

function sayError(error: Error, worker: string, queue: string): void {
  process.stderr.write(`errand: worker "${worker}", queue "${queue}": ${error.message}\n`)
}

/** Errors that the switches made are no news. */
function isWanted(fleet: Fleet, error: Error): boolean {
  return fleet.plan !== undefined && (isInjected(error) || error.name === 'Runtime.ExitError')
}

function attachedApp(fleet: Fleet): App {
  if (fleet.app) return fleet.app
  throw new Error(`no app is attached to the local backend of "${fleet.config.name}"`)
}

function functionOf(fleet: Fleet, worker: ResolvedWorker): LambdaFunction {
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
  fleet: Fleet,
  lambda: LambdaFunction,
  who: string,
  queueName: string,
  how: MappingOptions,
): void {
  const { ports, options, gate } = fleet
  const { onError = sayError } = options
  const mapping = startEventSourceMapping({
    ...how,
    queue: gate === undefined ? ports.queue : gate.guard(ports.queue),
    queueName,
    arn: arnOf(queueName),
    invoke: (event) => (fleet.isAbandoned ? abandoned : lambda.invoke(event)),
    clock: ports.clock,
    // An idle worker then holds no timer: on virtual time there is nothing to jump to but due work.
    pollSeconds: Number.POSITIVE_INFINITY,
    onError: (error) => {
      if (!fleet.isAbandoned && !isWanted(fleet, error)) onError(error, who, queueName)
    },
  })
  fleet.mappings.push(mapping)
}

const abandoned = Promise.resolve<InvokeResult>({ ok: false, error: new Error('the backend was abandoned') })

function startWorker(fleet: Fleet, worker: ResolvedWorker): void {
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

function startDeadLetters(fleet: Fleet): void {
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
export function startFleet(fleet: Fleet): void {
  if (fleet.phase === 'running' || fleet.phase === 'closed') return
  fleet.phase = fleet.app ? 'running' : 'wanted'
  if (!fleet.app) return
  for (const worker of fleet.config.workers.values()) startWorker(fleet, worker)
  startDeadLetters(fleet)
}

/** Has the workers run the calls of this app, in place of an earlier one's. */
export function attachApp(fleet: Fleet, app: App): void {
  // The same app again is no deployment: its environments keep what their start hooks made.
  if (fleet.app === app) return
  if (fleet.app !== undefined) warnOfMissing(fleet.config.name, fleet.app, app)
  fleet.app = app
  for (const lambda of fleet.functions) lambda.redeploy()
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

/** Ends the workers after the invocations that run; no more are started. */
export async function closeFleet(fleet: Fleet): Promise<void> {
  fleet.phase = 'closed'
  await Promise.all(fleet.mappings.map((mapping) => mapping.stop()))
  await Promise.all(fleet.functions.map((lambda) => lambda.stopIdle()))
  for (const lambda of fleet.functions) lambda.killAll()
}

/** Ends the workers at once: the invocations that run are killed. */
export async function abandonFleet(fleet: Fleet): Promise<void> {
  fleet.isAbandoned = true
  await Promise.all(fleet.functions.map((lambda) => lambda.stopIdle()))
  for (const lambda of fleet.functions) lambda.killAll()
  await closeFleet(fleet)
}
