/**
 * What a command is about: the app, and where its fleet runs. A deployed one (`--stack`), else the one that the variables
 * name, else the cluster that runs on this machine.
 * @module
 */
import { type DiscoveredApp, discoverApp } from '../app-discovery/index.ts'
import { type AwsOptions, awsBackend } from '../runtime/aws/aws-backend.ts'
import { buildClient, type Client } from '../runtime/client.ts'
import { type Config, ENV, type ResolvedConfig } from '../runtime/config/config.ts'
import { NotWiredError } from '../runtime/errors.ts'
import { buildExecutor, type Executor } from '../runtime/executor.ts'
import type { Future } from '../runtime/future/future.ts'
import type { Inspect, QueueControl } from '../runtime/operations/inspection.ts'
import { noticedSchedules } from '../runtime/schedules/noticed-schedules.ts'
import type { ScheduleContext, ScheduleControl } from '../runtime/schedules/schedule-control.ts'
import { UsageError } from './exit-codes.ts'
import { findRunningCluster } from './local-aws/cluster-file.ts'
import { environmentWith, type Variables } from './local-aws/local-aws.ts'

/** Options of every command. */
export interface SharedOptions {
  /** Where the app is: `path`, or `path:export`. */
  readonly app?: string
  /** The CloudFormation stack of a deployed fleet. */
  readonly stack?: string
  /** JSON instead of tables. */
  readonly json?: boolean
}

/** Where the fleet of a command runs. */
export interface Place {
  readonly kind: 'stack' | 'variables' | 'cluster'
  /** In words: `the stack "jobs"`. */
  readonly text: string
}

/** An app, connected. */
export interface Connection {
  readonly app: DiscoveredApp
  readonly place: Place
  readonly client: Client<never>
  readonly inspect: Inspect
  readonly queues: QueueControl
  readonly schedules: ScheduleControl
  /** Without tasks: what looks after calls and queues needs none. */
  readonly executor: Executor
  close(): Promise<void>
}

/** Runs with an app's connection, and closes it. */
export async function connected<T>(
  options: SharedOptions,
  say: (text: string) => void,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connect(options, say)
  try {
    return await use(connection)
  } finally {
    await connection.close()
  }
}

async function connect(options: SharedOptions, say: (text: string) => void): Promise<Connection> {
  const app = findApp(options)
  const place = await findPlace(app, options)
  if (place.kind === 'cluster') say(`errand: ${place.text}`)
  return { ...openApp(app), place }
}

/** Connects an app to the cluster that these variables lead to, whatever this process's own say. */
export function connectTo(app: DiscoveredApp, variables: Variables): Omit<Connection, 'place'> {
  return openApp(app, optionsOf(variables), variables[ENV.schedules] === 'notices')
}

function optionsOf(variables: Variables): AwsOptions {
  const text = (name: string) => variables[name] ?? ''
  const credentials = {
    accessKeyId: text('AWS_ACCESS_KEY_ID'),
    secretAccessKey: text('AWS_SECRET_ACCESS_KEY'),
  }
  const reach = (service: string) => ({ endpoint: text(`AWS_ENDPOINT_URL_${service}`), credentials })
  const [bucket, scheduler] = [variables[ENV.bucket], variables[ENV.scheduler]]
  return {
    ...{ tableName: text(ENV.table), queueUrls: JSON.parse(text(ENV.queueUrls)), functions: {} },
    ...{ region: text('AWS_REGION'), sqs: reach('SQS'), dynamodb: reach('DYNAMODB') },
    ...(bucket !== undefined && { bucket, s3: reach('S3') }),
    ...(scheduler !== undefined && {
      schedulerResources: JSON.parse(scheduler),
      scheduler: reach('SCHEDULER'),
    }),
  }
}

/** @param noticed whether a process of this machine fires the schedules; @default as the variables say */
function openApp(app: DiscoveredApp, options: AwsOptions = {}, noticed = false): Omit<Connection, 'place'> {
  const declared = declaredConfig(app.config)
  const opened = awsBackend(app.config, options)
  const backend = noticed ? { ...opened, schedules: noticedSchedules(opened.store) } : opened
  const client = buildClient<never, Config>(declared, {}, async () => backend)
  const scheduled: ScheduleContext = {
    config: app.config,
    connect: () => backend,
    schedules: () => new Map(app.schedules.map((schedule) => [schedule.name, schedule])),
    submitByName: (task, args, queue) => submitterOf(client, queue)(task, ...args),
  }
  const executor = buildExecutor(declared, { scheduled }, async () => backend) as unknown as Executor
  const { queues } = executor
  return {
    app,
    client,
    inspect: executor.inspect,
    queues,
    schedules: executor.schedules,
    executor,
    async close() {
      await client.close()
      await backend.close()
    },
  }
}

/** Submits to a queue, by names that are known only now. */
export function submitterOf(client: Client<never>, queue: string) {
  const submit = client.with({ queue }).submit as unknown
  return submit as (task: string, ...args: readonly unknown[]) => Promise<Future<unknown>>
}

/**
 * The app of a command.
 * @throws AppDiscoveryError
 */
export function findApp({ app }: Pick<SharedOptions, 'app'>): DiscoveredApp {
  return discoverApp(app === undefined ? {} : { app })
}

/**
 * Refuses the stack of a deployed fleet to what starts one here.
 * @throws UsageError
 */
export function refuseStack(command: string, { stack }: Pick<SharedOptions, 'stack'>): void {
  if (stack === undefined) return
  throw new UsageError(
    `--stack names a deployed fleet, and \`errand ${command}\` starts one on this machine; leave it out, or look at the deployed one with \`errand status --stack ${stack}\``,
  )
}

/**
 * Where its fleet runs; from then on this process's variables name it.
 * @throws NotWiredError where nothing is said, and nothing runs here
 */
export async function findPlace(app: DiscoveredApp, { stack }: SharedOptions): Promise<Place> {
  const { name } = app.config
  if (stack !== undefined) {
    const { fleetOfStack } = await import('../runtime/aws/fleet-of-stack.ts')
    Object.assign(process.env, await fleetOfStack(stack, name))
    return { kind: 'stack', text: `the stack ${JSON.stringify(stack)}` }
  }
  if (namesFleet(process.env)) {
    return { kind: 'variables', text: `the fleet that ${ENV.table} and ${ENV.queueUrls} name` }
  }
  const cluster = await findRunningCluster({ name, modulePath: app.modulePath })
  if (cluster === undefined) {
    throw new NotWiredError(
      `no fleet of ${JSON.stringify(name)} is known here: start one with \`errand cluster\` or \`errand dev\`, name a deployed one with \`--stack NAME\`, or set ${ENV.table} and ${ENV.queueUrls}`,
    )
  }
  replaceEnvironment(environmentWith(process.env, cluster.variables))
  return { kind: 'cluster', text: `the cluster of ${name} on this machine (process ${cluster.pid})` }
}

/**
 * Whether the variables name a fleet.
 * @throws NotWiredError where they name half of one: the cluster of this machine is not what was meant
 */
function namesFleet(env: NodeJS.ProcessEnv): boolean {
  const [set, missing] = env[ENV.table] ? [ENV.table, ENV.queueUrls] : [ENV.queueUrls, ENV.table]
  if (!env[set]) return false
  if (env[missing]) return true
  throw new NotWiredError(`${set} is set, and ${missing} is not: set both, or unset ${set}`)
}

function replaceEnvironment(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(env, name)) delete process.env[name]
  Object.assign(process.env, env)
}

/** A config that resolves to this one again, but for its schedules: those of the code are looked after with them. */
function declaredConfig(config: ResolvedConfig): Config {
  const { queues, workers, defaultQueue: _, schedules: __, blobs, ...rest } = config
  const [ownQueues, ownWorkers] = [new Map(queues), new Map(workers)].map(entriesWithoutNames)
  return {
    ...rest,
    queues: ownQueues as NonNullable<Config['queues']>,
    workers: ownWorkers as NonNullable<Config['workers']>,
    ...(blobs !== undefined && { blobs }),
  }
}

function entriesWithoutNames(map: ReadonlyMap<string, { readonly name: string }>): object {
  return Object.fromEntries([...map].map(([name, { name: _, ...options }]) => [name, options]))
}
