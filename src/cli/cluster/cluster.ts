/**
 * A fleet on one machine: AWS, and a process for each worker that the config declares and for the dead letters.
 * @module
 */
import type { DiscoveredApp } from '../../app-discovery/index.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { ResolvedConfig } from '../../runtime/config/config.ts'
import { UsageError } from '../exit-codes.ts'
import {
  type ClusterOwner,
  findRunningCluster,
  releaseStart,
  removeClusterFile,
  startFolder,
  takeStart,
  writeClusterFile,
} from '../local-aws/cluster-file.ts'
import {
  environmentWith,
  type LocalAws,
  type LocalAwsOptions,
  PLAIN_ENDPOINTS,
  startLocalAws,
  type Variables,
} from '../local-aws/local-aws.ts'
import type { BuiltApp } from '../worker/built-app.ts'
import { DEAD_LETTERS } from '../worker/worker-here.ts'
import { startWorkerProcess } from './child-process.ts'
import { type ClusterSchedules, fireSchedules } from './fire-schedules.ts'
import { type KeptWorker, keepWorker, type StartProcess } from './kept-worker.ts'

/** A cluster that runs. */
export interface Cluster {
  variables(): Variables
  /** Settles once every worker works, or has failed to; says whether all do. Never, where it is ended before. */
  readonly ready: Promise<boolean>
  /** Has every worker go on with other code, each once its new process works. Says which could not. */
  reload(app: DiscoveredApp, built: BuiltApp): Promise<readonly string[]>
  /** Ends it once what runs has ended. */
  drain(): Promise<void>
  /** Ends it now. */
  kill(): void
}

/** How a cluster is started. */
export interface ClusterOptions extends LocalAwsOptions {
  readonly app: DiscoveredApp
  readonly built: BuiltApp
  /** Says a line of the worker of this name. */
  prefix(name: string): (line: string) => void
}

interface State {
  readonly options: ClusterOptions
  readonly aws: LocalAws
  readonly workers: Map<string, KeptWorker>
  readonly firing: ClusterSchedules
  /** Whose file other terminals find: a reload may bring another name. */
  owner: ClusterOwner
}

/**
 * Starts one, and announces it to other terminals.
 * @throws UsageError where one of this app runs or starts already, or a port is in use; NotWiredError
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const owner = ownerOf(options.app)
  const starting = takeStart(owner, process.pid)
  if (starting !== undefined) {
    throw new UsageError(
      `a cluster of ${JSON.stringify(owner.name)} is being started, by process ${starting}; use it, or end it first (where that is no process of errand, remove ${startFolder(owner)})`,
    )
  }
  try {
    return await startAlone(options, owner)
  } finally {
    releaseStart(owner, process.pid)
  }
}

async function startAlone(options: ClusterOptions, owner: ClusterOwner): Promise<Cluster> {
  const running = await findRunningCluster(owner)
  if (running !== undefined) {
    throw new UsageError(
      `a cluster of ${JSON.stringify(owner.name)} runs already, as process ${running.pid}; use it, or end it first`,
    )
  }
  // This process speaks to local AWS alone.
  Object.assign(process.env, PLAIN_ENDPOINTS)
  const aws = await startLocalAws(options.app.config, options)
  const firing = fireSchedules(aws, { say: options.prefix('schedules') })
  const state: State = { options, aws, workers: new Map(), firing, owner }
  try {
    announce(state, options.app)
  } catch (error) {
    // Its servers would keep the process alive, with nobody to use them.
    await state.aws.close()
    throw error
  }
  firing.use(options.app)
  for (const name of processNames(options.app.config)) {
    const kept = keepWorker(starter(state, options.app.config, options.built, name), {
      clock: systemClock,
      say: options.prefix(name),
    })
    state.workers.set(name, kept)
  }
  let isEnding = false
  const ready = Promise.all([...state.workers.values()].map((worker) => worker.ready)).then((all) =>
    isEnding ? new Promise<never>(() => {}) : all.every(Boolean),
  )
  const end = async () => {
    removeClusterFile(state.owner, process.pid)
    await firing.stop()
    await state.aws.close()
  }
  return {
    variables: state.aws.variables,
    ready,
    reload: (app, built) => reload(state, app, built),
    async drain() {
      isEnding = true
      // What fired from now on would find no worker.
      await firing.stop()
      await Promise.all([...state.workers.values()].map((worker) => worker.drain()))
      await end()
    },
    kill() {
      isEnding = true
      for (const worker of state.workers.values()) worker.kill()
      removeClusterFile(state.owner, process.pid)
    },
  }
}

function ownerOf({ config, modulePath }: DiscoveredApp) {
  return { name: config.name, modulePath }
}

function announce(state: State, app: DiscoveredApp): void {
  const { aws, owner: before } = state
  const owner = ownerOf(app)
  if (owner.name !== before.name) removeClusterFile(before, process.pid)
  state.owner = owner
  writeClusterFile(owner, { app: owner.name, pid: process.pid, variables: aws.variables() })
}

/** What has a process: each worker, and what ends dead letters. */
function processNames({ workers }: ResolvedConfig): readonly string[] {
  return [...workers.keys(), DEAD_LETTERS]
}

/** The dead-letter function has as long. */
const DEAD_LETTER_TIMEOUT_SECONDS = 60

function starter(
  { options, aws }: State,
  config: ResolvedConfig,
  built: BuiltApp,
  name: string,
): StartProcess {
  const timeoutSeconds = config.workers.get(name)?.timeoutSeconds ?? DEAD_LETTER_TIMEOUT_SECONDS
  return () =>
    startWorkerProcess({
      request: { built, worker: name },
      env: environmentWith(process.env, aws.variables()),
      timeoutSeconds,
      clock: systemClock,
      say: options.prefix(name),
    })
}

async function reload(state: State, app: DiscoveredApp, built: BuiltApp): Promise<readonly string[]> {
  const { workers, aws, options } = state
  await aws.addQueues(app.config)
  state.firing.use(app)
  announce(state, app)
  const names = processNames(app.config)
  const replaced = names.map(async (name) => {
    const start = starter(state, app.config, built, name)
    const kept = workers.get(name)
    if (kept !== undefined) return { name, works: await kept.replace(start) }
    const added = keepWorker(start, { clock: systemClock, say: options.prefix(name) })
    workers.set(name, added)
    return { name, works: await added.ready }
  })
  for (const [name, kept] of workers) {
    if (names.includes(name)) continue
    workers.delete(name)
    void kept.drain()
  }
  return (await Promise.all(replaced)).filter(({ works }) => !works).map(({ name }) => name)
}
