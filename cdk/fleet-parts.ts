/**
 * What a fleet is made of, in the order in which its parts need each other.
 * @module
 */
import { RemovalPolicy } from 'aws-cdk-lib'
import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { IVpc } from 'aws-cdk-lib/aws-ec2'
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import type { DiscoveredApp } from '../src/app-discovery/index.ts'
import type { ResolvedConfig } from '../src/runtime/config/config.ts'
import { makeDeadLetterFunction } from './dead-letter-function.ts'
import { checkDistinct } from './distinct-queues.ts'
import { makeBucket } from './fleet-bucket.ts'
import { checkEnvironment, deadLetterUrls, fleetEnvironment, functionsVariable } from './fleet-environment.ts'
import type { FleetFunctionDefaults } from './fleet-function.ts'
import { type FleetMonitor, makeMonitor } from './fleet-monitor.ts'
import type { ErrandFleetProps } from './fleet-props.ts'
import { type FleetQueue, makeQueue, useQueue } from './fleet-queues.ts'
import { makeScheduleGroup, makeSchedules, schedulerVariable } from './fleet-schedules.ts'
import { type FleetTable, makeTable, useTable } from './fleet-table.ts'
import { type FleetWorker, makeWorker, sorted } from './fleet-workers.ts'
import type { FleetBlobs, FleetResources } from './grants.ts'
import { checkProps } from './guard-rails.ts'
import type { FleetControls } from './inspection-grants.ts'
import { monitorSettings } from './monitor-settings.ts'
import { declared } from './refusal.ts'
import { checkTaskLimits } from './task-limits.ts'
import { fleetApp, monitorAsset, type WorkerAsset, workerAsset } from './worker-asset.ts'

/** The parts of a fleet. */
export interface FleetParts {
  readonly config: ResolvedConfig
  /** The version of the code. */
  readonly version: string
  readonly queues: ReadonlyMap<string, FleetQueue>
  readonly resources: FleetResources
  /** The variables that tell a process where the fleet is. */
  readonly environment: Readonly<Record<string, string>>
  readonly workers: ReadonlyMap<string, FleetWorker>
  readonly deadLetterFunction: LambdaFunction | undefined
  readonly monitor: FleetMonitor | undefined
}

/**
 * Makes the parts of a fleet.
 * @throws AppDiscoveryError, BundleError, InvalidOptionError
 */
export function makeParts(fleet: Construct, props: ErrandFleetProps): FleetParts {
  const app = fleetApp(fleet, props)
  const { config } = app
  checkProps(fleet, config, props)
  checkTaskLimits(fleet, app)
  const asset = workerAsset(fleet, app, props)
  const { version } = asset
  const queues = fleetQueues(fleet, config, props)
  const listed = [...queues.values()]
  const { encryptionKey, removalPolicy = RemovalPolicy.RETAIN } = props
  const scheduled = { app, queues, encryptionKey, removalPolicy }
  const schedules = makeScheduleGroup(fleet, scheduled)
  const resources = { ...fleetResources(fleet, config, props, listed), schedules }
  const environment = fleetEnvironment(fleet, resources, listed, version)
  const defaults = functionDefaults(fleet, asset, props, environment)
  const workers = fleetWorkers(fleet, config, props, { defaults, queues, resources })
  const deadLetterFunction = makeDeadLetterFunction(fleet, listed, {
    defaults: {
      ...defaults,
      environment: { ...defaults.environment, ...deadLetterUrls(fleet, listed, schedules) },
    },
    resources,
    app: config.name,
  })
  const knowing = [...workers.values()].map((worker) => worker.function)
  makeSchedules(fleet, scheduled, schedules, knowing)
  const made = { config, version, queues, resources, environment, workers, deadLetterFunction }
  return { ...made, monitor: fleetMonitor(fleet, app, props, { ...made, defaults }) }
}

/** What looking after a fleet reaches. */
export function controlsOf({
  resources,
  queues,
  workers,
}: Pick<FleetParts, 'resources' | 'queues' | 'workers'>): FleetControls {
  const deadLetterQueues = [...queues.values()].flatMap(({ deadLetterQueue }) => deadLetterQueue ?? [])
  return { ...resources, deadLetterQueues, workers: [...workers.values()] }
}

function fleetMonitor(
  fleet: Construct,
  app: DiscoveredApp,
  props: ErrandFleetProps,
  parts: Omit<FleetParts, 'monitor'> & { readonly defaults: FleetFunctionDefaults },
): FleetMonitor | undefined {
  if (props.monitor === undefined) return undefined
  const settings = monitorSettings(fleet, props.monitor)
  const { access } = settings
  const { directory } = monitorAsset(
    fleet,
    app,
    props,
    access.kind === 'authorize' ? access.module : undefined,
  )
  const { defaults, workers, deadLetterFunction } = parts
  const listed = [...workers.values()]
  return makeMonitor(fleet, {
    settings,
    defaults: {
      ...defaults,
      bundle: directory,
      // The dead letters' URLs too: what lies there is shown.
      environment: {
        ...defaults.environment,
        ...deadLetterUrls(fleet, [...parts.queues.values()], parts.resources.schedules),
        ...schedulerVariable(fleet, parts.resources.schedules),
        ...functionsVariable(fleet, listed),
      },
    },
    controls: controlsOf(parts),
    logged: [...listed.map((worker) => worker.function), ...(deadLetterFunction ? [deadLetterFunction] : [])],
    app: app.config.name,
  })
}

function fleetQueues(
  fleet: Construct,
  config: ResolvedConfig,
  props: ErrandFleetProps,
): Map<string, FleetQueue> {
  const scope = new Construct(fleet, 'Queues')
  const { removalPolicy = RemovalPolicy.RETAIN, encryptionKey, queues: given = {} } = props
  const queues = new Map(
    sorted(config.queues.keys()).map((name) => {
      const settings = declared(fleet, 'queue', name, config.queues)
      const existing = Object.hasOwn(given, name) ? given[name] : undefined
      if (existing !== undefined) return [name, useQueue(fleet, settings, existing)]
      return [name, makeQueue(scope, settings, { removalPolicy, encryptionKey })]
    }),
  )
  checkDistinct(fleet, queues.values())
  return queues
}

function fleetResources(
  fleet: Construct,
  config: ResolvedConfig,
  props: ErrandFleetProps,
  queues: readonly FleetQueue[],
): Omit<FleetResources, 'schedules'> {
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
    sorted(config.workers.keys()).flatMap((name) => {
      const settings = declared(fleet, 'worker', name, config.workers)
      // Its processes are the user's to start.
      if (settings.runsOn === 'container') return []
      const own = props.workers?.[name] ?? {}
      checkEnvironment(fleet, `\`environment\` of worker ${JSON.stringify(name)}`, own.environment)
      return [[name, makeWorker(scope, settings, own, { ...parts, network, app: config.name })]]
    }),
  )
}
