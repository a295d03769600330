/**
 * The AWS stack of an app, from its config: queues, workers, table, dead letters, roles, alarms.
 * @module
 */
import { Annotations } from 'aws-cdk-lib'
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch'
import type { ITable, ITableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { IGrantable } from 'aws-cdk-lib/aws-iam'
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import type { ResolvedConfig } from '../src/runtime/config/config.ts'
import { deployAfter, orderProblems } from './client-order.ts'
import { makeAlarms } from './fleet-alarms.ts'
import { fleetName, functionsVariable } from './fleet-environment.ts'
import type { FleetMonitor } from './fleet-monitor.ts'
import { writeOutput } from './fleet-output.ts'
import { controlsOf, type FleetParts, makeParts } from './fleet-parts.ts'
import type { ClientAccess, ErrandFleetProps } from './fleet-props.ts'
import type { FleetQueue } from './fleet-queues.ts'
import { schedulerVariable } from './fleet-schedules.ts'
import { type FleetWorker, sorted } from './fleet-workers.ts'
import { grantManage, grantRead, grantSubmit, grantWork } from './grants.ts'
import {
  checkClient,
  claimVariables,
  clientProblems,
  functionProblems,
  warnOfConcurrency,
  warnOfExternals,
} from './guard-rails.ts'
import { grantInspect, grantMonitor, grantNotices, grantOperate } from './inspection-grants.ts'
import { declared, refusal } from './refusal.ts'

/**
 * The queues, workers and table of one app. The config decides what is made; the props add what only a deployment
 * knows.
 *
 * @example
 * const fleet = new ErrandFleet(this, 'Jobs', { app: 'src/errand.ts' })
 * fleet.addClient(web, { submit: true, read: true })
 * @throws AppDiscoveryError where the app cannot be loaded
 * @throws BundleError where it cannot be bundled
 * @throws InvalidOptionError where the config or the props ask for what AWS would refuse, or what would lose work
 */
export class ErrandFleet extends Construct {
  /** The app's config, every default filled in. */
  readonly config: ResolvedConfig
  /** The version of the code: the first 12 digits of the bundle's hash; `ERRAND_VERSION` in the functions. */
  readonly version: string
  /** The records. */
  readonly table: ITable | ITableV2
  /** Large payloads, where the config has `blobs`. */
  readonly bucket: IBucket | undefined
  /** The function that ends dead letters; `undefined` where all queues were given without a dead-letter queue. */
  readonly deadLetterFunction: LambdaFunction | undefined
  /** The monitor, where the prop `monitor` asks for one. */
  readonly monitor: FleetMonitor | undefined
  /** The alarms, of which each may be given actions of its own. */
  readonly alarms: readonly Alarm[]
  readonly #parts: FleetParts
  /** Each with whether it is deployed after the workers. */
  readonly #clients = new Map<LambdaFunction, boolean>()

  constructor(scope: Construct, id: string, props: ErrandFleetProps) {
    super(scope, id)
    const parts = makeParts(this, props)
    this.#parts = parts
    this.config = parts.config
    this.version = parts.version
    this.table = parts.resources.table.table
    this.bucket = parts.resources.blobs?.bucket
    this.deadLetterFunction = parts.deadLetterFunction
    this.monitor = parts.monitor
    this.alarms = fleetAlarms(this, parts, props)
    for (const made of functionsOf(parts).values()) claimVariables(this, made)
    if (parts.monitor !== undefined) claimVariables(this, parts.monitor.function)
    this.node.addValidation({
      validate: () => [
        ...problemsOf(this, parts),
        ...[...this.#clients].flatMap(([client, isOrdered]) => [
          ...clientProblems(this, client),
          ...(isOrdered ? orderProblems(this, client, parts.workers.values()) : []),
        ]),
      ],
    })
    warnOfConcurrency(this, parts.config)
    warnOfExternals(this, props)
    writeOutput(this, parts)
  }

  /**
   * A worker of the config: `bucket.grantRead(fleet.worker('foo'))`.
   * @throws InvalidOptionError where the config has none of this name, or it runs in containers
   */
  worker(name: string): FleetWorker {
    if (this.config.workers.get(name)?.runsOn === 'container') {
      throw refusal(
        this,
        `worker ${JSON.stringify(name)} runs in containers, and the fleet makes no function for it; \`grantWork\` its role, or leave \`runsOn\` out of the config`,
      )
    }
    return declared(this, 'worker', name, this.#parts.workers)
  }

  /**
   * A queue of the config, with its dead-letter queue.
   * @throws InvalidOptionError where the config has none of this name
   */
  queue(name: string): FleetQueue {
    return declared(this, 'queue', name, this.#parts.queues)
  }

  /** The variables that tell a process where the fleet is; `addClient` sets them. */
  get clientEnvironment(): Readonly<Record<string, string>> {
    return { ...this.#parts.environment }
  }

  /** Those, and the one that tells who inspects or operates where the workers are. */
  get inspectEnvironment(): Readonly<Record<string, string>> {
    const { environment, resources, workers } = this.#parts
    return {
      ...environment,
      ...schedulerVariable(this, resources.schedules),
      ...functionsVariable(this, [...workers.values()]),
    }
  }

  /**
   * Wires a function that submits calls, reads futures, or looks after the fleet: grants, variables, and that it is
   * deployed after the workers, so that they know each task that it submits (unless `ordered` is false).
   * @throws InvalidOptionError where no access is given, or the function has the variables of a fleet already
   */
  addClient(client: LambdaFunction, access: ClientAccess): void {
    checkClient(this, client, access)
    claimVariables(this, client)
    if (access.submit === true) this.grantSubmit(client)
    if (access.read === true) this.grantRead(client)
    if (access.manage === true) this.grantManage(client)
    if (access.inspect === true) this.grantInspect(client)
    if (access.operate === true) this.grantOperate(client)
    if (access.monitor === true) this.grantMonitor(client)
    const looks = access.inspect === true || access.operate === true || access.monitor === true
    const environment = looks ? this.inspectEnvironment : this.clientEnvironment
    for (const [name, value] of Object.entries(environment)) client.addEnvironment(name, value)
    this.#clients.set(client, access.ordered ?? true)
    if (access.ordered ?? true) deployAfter(client, this.#parts.workers.values())
  }

  /** Grants what submitting takes, and nothing else; `addClient` sets variables too. */
  grantSubmit(grantee: IGrantable): void {
    grantSubmit(this.#parts.resources, grantee)
  }

  /** Grants what reading futures takes. */
  grantRead(grantee: IGrantable): void {
    grantRead(this.#parts.resources, grantee)
  }

  /** Grants what cancelling, aborting and retrying by hand take, submitting and reading among it. */
  grantManage(grantee: IGrantable): void {
    grantManage(this.#parts.resources, grantee)
  }

  /** Grants what looking takes: `status` and `inspect`; the variables are `inspectEnvironment`. */
  grantInspect(grantee: IGrantable): void {
    grantInspect(controlsOf(this.#parts), grantee)
  }

  /** Grants what pausing, resuming and purging queues take, inspecting among it. */
  grantOperate(grantee: IGrantable): void {
    grantOperate(controlsOf(this.#parts), grantee)
  }

  /** Grants what serving `errand/monitor` takes, read-only; the variables are `inspectEnvironment`. */
  grantMonitor(grantee: IGrantable): void {
    grantMonitor(controlsOf(this.#parts), grantee, { payloads: true })
  }

  /**
   * Grants what a worker does to who runs it in containers, its notices among it; the variables are `clientEnvironment`,
   * and `ERRAND_WORKER`.
   * @throws InvalidOptionError where the config has no worker of this name
   */
  grantWork(grantee: IGrantable, worker: string): void {
    const { queues } = declared(this, 'worker', worker, this.config.workers)
    const consumed = sorted(queues).map((name) => this.queue(name).queue)
    grantWork(this.#parts.resources, consumed, grantee, true)
    grantNotices(this.#parts.resources, grantee, ['PutItem', 'Query'])
  }
}

/** The workers' functions and the dead letters', by the names that alarms have. */
function functionsOf({ workers, deadLetterFunction }: FleetParts): Map<string, LambdaFunction> {
  const functions = new Map([...workers].map(([name, worker]) => [`worker-${name}`, worker.function]))
  if (deadLetterFunction !== undefined) functions.set('dead-letters', deadLetterFunction)
  return functions
}

function problemsOf(
  fleet: Construct,
  { config, workers, deadLetterFunction, monitor }: FleetParts,
): string[] {
  const ofWorkers = [...workers].flatMap(([name, { function: made }]) => {
    const { queues } = declared(fleet, 'worker', name, config.workers)
    const consumed = queues.map((queue) => declared(fleet, 'queue', queue, config.queues))
    return functionProblems(fleet, `worker ${JSON.stringify(name)}`, made, consumed)
  })
  const deadLetters =
    deadLetterFunction === undefined ? [] : functionProblems(fleet, 'dead letters', deadLetterFunction, [])
  const ofMonitor =
    monitor === undefined ? [] : functionProblems(fleet, 'monitor', monitor.function, undefined)
  return [...ofWorkers, ...deadLetters, ...ofMonitor]
}

function fleetAlarms(fleet: Construct, parts: FleetParts, props: ErrandFleetProps): readonly Alarm[] {
  const { alarms = true, alarmTopic } = props
  if (alarms === false) {
    if (alarmTopic !== undefined) {
      const text = '`alarmTopic` is given and `alarms` is false: nobody is told'
      Annotations.of(fleet).addWarningV2('errand:no-alarms', text)
    }
    return []
  }
  const watched = {
    app: parts.config.name,
    name: fleetName(fleet),
    queues: [...parts.queues.values()],
    functions: functionsOf(parts),
  }
  return makeAlarms(fleet, watched, alarms === true ? {} : alarms, alarmTopic)
}
