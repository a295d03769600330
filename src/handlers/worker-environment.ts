/**
 * One environment of a worker: what its attempts share, its start hooks run once before the first of them.
 * @module
 */
import type { App } from '../runtime/app.ts'
import type { Environment } from '../runtime/attempt/attempt.ts'
import { createLeases } from '../runtime/attempt/leases.ts'
import { createMarks } from '../runtime/attempt/marks.ts'
import type { ResolvedConfig, ResolvedWorker } from '../runtime/config/config.ts'
import { suggestName } from '../runtime/config/nearest-name.ts'
import { InvalidOptionError } from '../runtime/errors.ts'
import { createLog, type Log } from '../runtime/log.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import type { MetricLines } from './metrics.ts'
import { type AttemptObserver, observeAttempts } from './observe-attempts.ts'

/** An environment that is made when first needed. */
export interface OpenEnvironment {
  readonly app: App
  readonly ports: Ports
  readonly settings: ResolvedWorker
  readonly log: Log
  readonly observer: AttemptObserver | undefined
  /** The environment; runs the start hooks at the first call. Where one throws, the next call tries again. */
  get(): Promise<Environment>
  /** The environment where it was made already, so that all batches but the first wait for nothing. */
  ready(): Environment | undefined
  /** Gives up start hooks that have not settled: the next call runs them anew. */
  abandonStart(): void
  /**
   * Runs the stop hooks, each whatever the others do. Does nothing where the start hooks did not run.
   * @throws the first error of a hook
   */
  stop(): Promise<void>
}

/** What differs between environments. */
export interface EnvironmentOptions {
  /** Where metrics go, and with them a line of the log for each attempt. @default neither */
  readonly metrics?: MetricLines | undefined
  /** Whether its leases are short, and renewed: nothing kills it at a time. @default false: they last as long as Lambda lets it */
  readonly renewsLeases?: boolean
}

/**
 * Opens an environment of the worker of this name; nothing runs yet.
 * @throws InvalidOptionError where the config has no worker of this name
 */
export function openEnvironment(
  app: App,
  ports: Ports,
  workerName: string,
  { metrics, renewsLeases = false }: EnvironmentOptions = {},
): OpenEnvironment {
  const settings = checkWorkerName(app.config, workerName)
  const log = createLog(settings.logLevel, { app: app.config.name, worker: workerName }, ports.clock)
  const observer = metrics && observeAttempts(app, ports.clock, log, metrics)
  let starting: Promise<Environment> | undefined
  let environment: Environment | undefined
  const start = async (): Promise<Environment> => {
    const context = await runStartHooks(app)
    const marks = createMarks(ports)
    const leases = renewsLeases ? createLeases(ports) : undefined
    return { app, ports, worker: settings, marks, leases, log, context, observe: observer?.observe }
  }
  return {
    app,
    ports,
    settings,
    log,
    observer,
    get() {
      if (starting !== undefined) return starting
      const beginning = start()
      starting = beginning
      // A start that was given up may settle yet: what was made meanwhile stays.
      beginning.then(
        (made) => {
          if (starting === beginning) environment = made
        },
        () => {
          if (starting === beginning) starting = undefined
        },
      )
      return beginning
    },
    ready: () => environment,
    abandonStart() {
      if (environment === undefined) starting = undefined
    },
    async stop() {
      const stopping = environment
      starting = undefined
      environment = undefined
      if (stopping !== undefined) await runStopHooks(app, stopping.context)
    },
  }
}

/**
 * The worker of this name.
 * @throws InvalidOptionError where the config has none
 */
export function checkWorkerName(config: ResolvedConfig, name: string): ResolvedWorker {
  const worker = config.workers.get(name)
  if (worker !== undefined) return worker
  throw new InvalidOptionError(
    `worker ${JSON.stringify(name)} is not declared; ${suggestName(name, config.workers.keys())}`,
  )
}

async function runStartHooks(app: App): Promise<unknown> {
  const context = {}
  for (const hook of app.startHooks) Object.assign(context, await hook())
  return context
}

async function runStopHooks(app: App, context: unknown): Promise<void> {
  const answers = await Promise.allSettled(app.stopHooks.map(async (hook) => hook(context)))
  const failed = answers.find((answer) => answer.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
