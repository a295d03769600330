/**
 * The AWS stack of an app, from its config: queues, workers, table, dead letters, roles, alarms.
 * @module
 */
import { Annotations, RemovalPolicy } from 'aws-cdk-lib'
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch'
import type { ITable, ITableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { IVpc } from 'aws-cdk-lib/aws-ec2'
import type { IGrantable } from 'aws-cdk-lib/aws-iam'
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import type { ResolvedConfig } from '../src/runtime/config.ts'
import { makeDeadLetterFunction } from './dead-letter-function.ts'
import { makeAlarms } from './fleet-alarms.ts'
import { makeBucket } from './fleet-bucket.ts'
import { checkEnvironment, deadLetterUrls, fleetEnvironment } from './fleet-environment.ts'
import type { FleetFunctionDefaults } from './fleet-function.ts'
import { writeOutput } from './fleet-output.ts'
import type { ClientAccess, ErrandFleetProps } from './fleet-props.ts'
import { type FleetQueue, makeQueue, useQueue } from './fleet-queues.ts'
import { type FleetTable, makeTable, useTable } from './fleet-table.ts'
import { type FleetWorker, makeWorker, sorted } from './fleet-workers.ts'
import { type FleetBlobs, type FleetResources, grantManage, grantRead, grantSubmit } from './grants.ts'
import {
  checkAccess,
  checkProps,
  functionProblems,
  warnOfConcurrency,
  warnOfExternals,
} from './guard-rails.ts'
import { declared } from './refusal.ts'
import { fleetApp, type WorkerAsset, workerAsset } from './worker-asset.ts'

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
  /** The alarms, of which each may be given actions of its own. */
  readonly alarms: readonly Alarm[]
  readonly #queues: ReadonlyMap<string, FleetQueue>
  readonly #workers: ReadonlyMap<string, FleetWorker>
  readonly #resources: FleetResources
  readonly #environment: Readonly<Record<string, string>>

  constructor(scope: Construct, id: string, props: ErrandFleetProps) {
    super(scope, id)
    const app = fleetApp(this, props)
    const { config } = app
    checkProps(this, config, props)
    const asset = workerAsset(this, app, props)
    this.config = config
    this.version = asset.version
    this.#queues = fleetQueues(this, config, props)
    const queues = [...this.#queues.values()]
    this.#resources = fleetResources(this, config, props, queues)
    this.table = this.#resources.table.table
    this.bucket = this.#resources.blobs?.bucket
    this.#environment = fleetEnvironment(this, this.#resources, queues, asset.version)
    const defaults = functionDefaults(this, asset, props, this.#environment)
    this.#workers = fleetWorkers(this, config, props, {
      defaults,
      queues: this.#queues,
      resources: this.#resources,
    })
    this.deadLetterFunction = makeDeadLetterFunction(this, queues, {
      defaults: { ...defaults, environment: { ...defaults.environment, ...deadLetterUrls(this, queues) } },
      resources: this.#resources,
      app: config.name,
    })
    this.alarms = fleetAlarms(this, config, props, queues, this.#functions())
    this.node.addValidation({ validate: () => this.#problems() })
    warnOfConcurrency(this, config)
    warnOfExternals(this, props)
    writeOutput(this, {
      app: config.name,
      version: asset.version,
      resources: this.#resources,
      queues,
      workers: [...this.#workers.values()],
      deadLetterFunction: this.deadLetterFunction,
    })
  }

  /**
   * A worker of the config: `bucket.grantRead(fleet.worker('foo'))`.
   * @throws InvalidOptionError where the config has none of this name
   */
  worker(name: string): FleetWorker {
    return declared(this, 'worker', name, this.#workers)
  }

  /**
   * A queue of the config, with its dead-letter queue.
   * @throws InvalidOptionError where the config has none of this name
   */
  queue(name: string): FleetQueue {
    return declared(this, 'queue', name, this.#queues)
  }

  /** The variables that tell a process where the fleet is; `addClient` sets them. */
  get clientEnvironment(): Readonly<Record<string, string>> {
    return { ...this.#environment }
  }

  /**
   * Wires a function that submits calls or reads futures: grants, variables, and that it is deployed after the
   * workers, so that they know each task that it submits.
   * @throws InvalidOptionError where no access is given
   */
  addClient(client: LambdaFunction, access: ClientAccess): void {
    checkAccess(this, client, access)
    if (access.submit === true) this.grantSubmit(client)
    if (access.read === true) this.grantRead(client)
    if (access.manage === true) this.grantManage(client)
    for (const [name, value] of Object.entries(this.#environment)) client.addEnvironment(name, value)
    // The function alone, not its role: a worker may yet be granted something of the client's.
    const deployed = client.node.defaultChild ?? client
    for (const worker of this.#workers.values())
      deployed.node.addDependency(worker.function, ...worker.mappings)
  }

  /** Grants what submitting takes, and nothing else; `addClient` sets variables too. */
  grantSubmit(grantee: IGrantable): void {
    grantSubmit(this.#resources, grantee)
  }

  /** Grants what reading futures takes. */
  grantRead(grantee: IGrantable): void {
    grantRead(this.#resources, grantee)
  }

  /** Grants what cancelling, aborting and retrying by hand take, submitting and reading among it. */
  grantManage(grantee: IGrantable): void {
    grantManage(this.#resources, grantee)
  }

  #functions(): Map<string, LambdaFunction> {
    const functions = new Map([...this.#workers].map(([name, worker]) => [`worker-${name}`, worker.function]))
    if (this.deadLetterFunction !== undefined) functions.set('dead-letters', this.deadLetterFunction)
    return functions
  }

  #problems(): string[] {
    const { config, deadLetterFunction } = this
    const ofWorkers = [...this.#workers].flatMap(([name, { function: made }]) => {
      const { queues } = declared(this, 'worker', name, config.workers)
      const consumed = queues.map((queue) => declared(this, 'queue', queue, config.queues))
      return functionProblems(this, `worker ${JSON.stringify(name)}`, made, consumed)
    })
    if (deadLetterFunction === undefined) return ofWorkers
    return [...ofWorkers, ...functionProblems(this, 'dead letters', deadLetterFunction, [])]
  }
}

function fleetQueues(
  fleet: Construct,
  config: ResolvedConfig,
  props: ErrandFleetProps,
): Map<string, FleetQueue> {
  const scope = new Construct(fleet, 'Queues')
  const { removalPolicy = RemovalPolicy.RETAIN, encryptionKey, queues: given = {} } = props
  return new Map(
    sorted(config.queues.keys()).map((name) => {
      const settings = declared(fleet, 'queue', name, config.queues)
      const existing = Object.hasOwn(given, name) ? given[name] : undefined
      if (existing !== undefined) return [name, useQueue(fleet, settings, existing)]
      return [name, makeQueue(scope, settings, { removalPolicy, encryptionKey })]
    }),
  )
}

function fleetResources(
  fleet: Construct,
  config: ResolvedConfig,
  props: ErrandFleetProps,
  queues: readonly FleetQueue[],
): FleetResources {
  const { removalPolicy = RemovalPolicy.RETAIN, encryptionKey } = props
  const { listing } = config
  const table: FleetTable =
    props.table === undefined
      ? makeTable(fleet, { listing, removalPolicy, encryptionKey })
      : useTable(fleet, props.table as ITableV2, { listing })
  return { table, queues: queues.map(({ queue }) => queue), blobs: fleetBlobs(fleet, config, props) }
}

function fleetBlobs(
  fleet: Construct,
  config: ResolvedConfig,
  props: ErrandFleetProps,
): FleetBlobs | undefined {
  if (config.blobs === undefined) return undefined
  const { removalPolicy = RemovalPolicy.RETAIN, encryptionKey } = props
  const prefix = `${config.blobs.prefix}${config.name}/`
  return {
    prefix,
    bucket:
      (props.bucket as IBucket | undefined) ?? makeBucket(fleet, { prefix, removalPolicy, encryptionKey }),
  }
}

function functionDefaults(
  fleet: Construct,
  asset: WorkerAsset,
  props: ErrandFleetProps,
  environment: Readonly<Record<string, string>>,
): FleetFunctionDefaults {
  const { layers = [], logRetention = RetentionDays.ONE_MONTH, removalPolicy = RemovalPolicy.RETAIN } = props
  const own = checkEnvironment(fleet, '`environment`', props.environment)
  return {
    bundle: asset.directory,
    layers,
    logRetention,
    removalPolicy,
    environment: { ...own, ...environment },
  }
}

function fleetWorkers(
  fleet: Construct,
  config: ResolvedConfig,
  props: ErrandFleetProps,
  parts: {
    readonly defaults: FleetFunctionDefaults
    readonly queues: ReadonlyMap<string, FleetQueue>
    readonly resources: FleetResources
  },
): Map<string, FleetWorker> {
  const scope = new Construct(fleet, 'Workers')
  const { vpc, vpcSubnets } = props
  const network =
    vpc === undefined ? undefined : { vpc: vpc as IVpc, ...(vpcSubnets !== undefined && { vpcSubnets }) }
  return new Map(
    sorted(config.workers.keys()).map((name) => {
      const settings = declared(fleet, 'worker', name, config.workers)
      const own = props.workers?.[name] ?? {}
      checkEnvironment(fleet, `\`environment\` of worker ${JSON.stringify(name)}`, own.environment)
      return [name, makeWorker(scope, settings, own, { ...parts, network, app: config.name })]
    }),
  )
}

function fleetAlarms(
  fleet: Construct,
  config: ResolvedConfig,
  props: ErrandFleetProps,
  queues: readonly FleetQueue[],
  functions: ReadonlyMap<string, LambdaFunction>,
): readonly Alarm[] {
  const { alarms = true, alarmTopic } = props
  if (alarms === false) {
    if (alarmTopic !== undefined) {
      Annotations.of(fleet).addWarningV2(
        'errand:no-alarms',
        '`alarmTopic` is given and `alarms` is false: nobody is told',
      )
    }
    return []
  }
  const thresholds = alarms === true ? {} : alarms
  return makeAlarms(fleet, { app: config.name, queues, functions }, thresholds, alarmTopic)
}
