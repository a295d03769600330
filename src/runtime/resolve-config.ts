/**
 * Checks a config and fills in its defaults.
 * @module
 */
import {
  type Backoff,
  type Config,
  DEFAULTS,
  LIMITS,
  PROTOCOL,
  type QueueOptions,
  type ResolvedConfig,
  type ResolvedTaskOptions,
  type ResolvedWorker,
  type TaskOptions,
} from './config/config.ts'
import { longestMatch } from './config/name-pattern.ts'
import { namedOptions } from './config/named-options.ts'
import { quoteNames, showValue, suggestName } from './config/nearest-name.ts'
import {
  checkFlag,
  checkKeys,
  checkName,
  checkNumber,
  checkTexts,
  checkWord,
} from './config/option-checks.ts'
import { resolveQueues } from './config/resolve-queues.ts'
import { resolveWorkers } from './config/resolve-workers.ts'
import { InvalidOptionError } from './errors.ts'
import { resolveSchedules } from './schedules/resolve-schedules.ts'

const appName = /^[A-Za-z][A-Za-z0-9-]{0,39}$/

/** Refuses properties that `Known` does not have, which a type parameter alone lets pass. */
type NoOther<C, Known> = { readonly [Key in Exclude<keyof C, keyof Known>]: never }

/**
 * Declares an app: data only, read by executors, clients, workers and the stack. It is checked at once, so that a
 * mistake fails where it is written.
 *
 * @example
 * export const config = defineConfig({ name: 'shop', queues: ['default', 'slow'], workers: { main: { concurrency: 20 } } })
 * @throws InvalidOptionError
 */
export function defineConfig<const C extends Config>(config: C & NoOther<C, Config>): C {
  resolveConfig(config)
  return config
}

/**
 * The config with every default filled in.
 * @throws InvalidOptionError
 */
export function resolveConfig(config: Config): ResolvedConfig {
  checkKeys('the config', config, [
    'name',
    'queues',
    'workers',
    'routes',
    'taskOptions',
    'record',
    'listing',
    'blobs',
    'longDelays',
    'schedules',
  ])
  const name = checkName(
    'config `name`',
    config.name,
    appName,
    'a letter, then letters, digits and `-`, at most 40 characters',
  )
  const queueOptions = namedOptions<QueueOptions>('queues', config.queues ?? [DEFAULTS.queue])
  const queueNames = [...queueOptions.keys()]
  const workers = resolveWorkers(config.workers ?? 1, queueNames)
  const queues = resolveQueues(queueOptions, workers)
  const drainingNames = queueNames.filter((queue) => queues.get(queue)?.draining === true)
  const blobs = resolveBlobs(config.blobs)
  const defaultQueue = queueNames[0] as string
  const routes = checkRoutes(config.routes ?? {}, queueNames, drainingNames)
  const longDelays = checkFlag('config `longDelays`', config.longDelays, DEFAULTS.longDelays)
  const resolved: ResolvedConfig = {
    name,
    queues,
    defaultQueue,
    workers,
    routes,
    schedules: resolveSchedules(config.schedules, { queues, routes, defaultQueue }),
    taskOptions: checkTaskOptions(config.taskOptions ?? {}, workers, longDelays),
    record: checkWord('config `record`', config.record, ['on-submit', 'on-claim'], DEFAULTS.record),
    listing: checkFlag('config `listing`', config.listing, DEFAULTS.listing),
    longDelays,
    ...(blobs !== undefined && { blobs }),
  }
  return resolved
}

const prefixForm = /^(?=.{0,128}$)(?:(?!\.\.?\/)[A-Za-z0-9._-]+\/)*$/

function resolveBlobs(declared: Config['blobs']): ResolvedConfig['blobs'] {
  if (declared === undefined || declared === false) return undefined
  if (declared === true) return DEFAULTS.blobs
  if (typeof declared !== 'object' || declared === null) {
    throw new InvalidOptionError(
      `config \`blobs\` is ${showValue(declared)}, expected true, false, or an object with options`,
    )
  }
  checkKeys('config `blobs`', declared, ['prefix'])
  const rule = "path segments of letters, digits, `-`, `_` and `.`, each with a `/` behind it, as 'jobs/'"
  return {
    prefix: checkName('config `blobs.prefix`', declared.prefix ?? DEFAULTS.blobs.prefix, prefixForm, rule),
  }
}

function checkRoutes(
  routes: Readonly<Record<string, string>>,
  queues: readonly string[],
  draining: readonly string[],
): Readonly<Record<string, string>> {
  if (typeof routes !== 'object' || routes === null) {
    throw new InvalidOptionError(
      `config \`routes\` is ${showValue(routes)}, expected queues by task name or pattern`,
    )
  }
  for (const [pattern, queue] of Object.entries(routes)) {
    if (!queues.includes(queue)) {
      const known = suggestName(String(queue), queues)
      throw new InvalidOptionError(
        `config \`routes\`: ${JSON.stringify(pattern)} leads to a queue ${showValue(queue)} that is not declared; ${known}`,
      )
    }
    if (draining.includes(queue)) {
      throw new InvalidOptionError(
        `config \`routes\`: ${JSON.stringify(pattern)} leads to the queue ${showValue(queue)}, which is draining and takes no new calls; route it to one of ${quoteNames(queues.filter((name) => !draining.includes(name)))}`,
      )
    }
  }
  return routes
}

function checkTaskOptions(
  options: Readonly<Record<string, TaskOptions>>,
  workers: ReadonlyMap<string, ResolvedWorker>,
  longDelays: boolean,
): Readonly<Record<string, TaskOptions>> {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError(
      `config \`taskOptions\` is ${showValue(options)}, expected options by task name`,
    )
  }
  const longest = Math.max(...[...workers.values()].map((worker) => worker.timeoutSeconds))
  for (const [pattern, taskOptions] of Object.entries(options)) {
    const where = `config \`taskOptions\` ${JSON.stringify(pattern)}`
    checkOneTaskOptions(where, taskOptions, longest, longDelays)
    if (taskOptions.formerly !== undefined && pattern.includes('*')) {
      throw new InvalidOptionError(
        `${where}: \`formerly\` is given for a pattern, but a former name is of one task; give it under that task's name`,
      )
    }
  }
  return options
}

const taskOptionNames = [
  ...(['maxAttempts', 'maxKills', 'timeoutSeconds', 'backoff', 'formerly', 'keepArguments'] as const),
]

/**
 * Checks a task's options against the longest time-out of the workers that may run it.
 * @param longDelays whether it may be retried later than SQS can hide its message
 * @throws InvalidOptionError
 */
export function checkOneTaskOptions(
  where: string,
  options: TaskOptions,
  workerTimeoutSeconds: number,
  longDelays: boolean,
): void {
  checkKeys(where, options, taskOptionNames)
  const count = { min: 1, max: 100, whole: true }
  checkNumber(`${where}: \`maxAttempts\``, options.maxAttempts, count, 0)
  checkNumber(`${where}: \`maxKills\``, options.maxKills, count, 0)
  const room = workerTimeoutSeconds - PROTOCOL.attemptReserveSeconds
  const why = `the longest worker time-out is ${workerTimeoutSeconds} s and ${PROTOCOL.attemptReserveSeconds} s of it are kept for the final write; raise the worker's \`timeoutSeconds\` or split the task`
  checkNumber(`${where}: \`timeoutSeconds\``, options.timeoutSeconds, { min: 0.001, max: room, why }, 0)
  if (options.backoff !== undefined) checkBackoff(`${where}: \`backoff\``, options.backoff, longDelays)
  if (options.formerly !== undefined) checkTexts(`${where}: \`formerly\``, options.formerly)
  checkFlag(`${where}: \`keepArguments\``, options.keepArguments, false)
}

function checkBackoff(where: string, backoff: Backoff, longDelays: boolean): void {
  checkKeys(where, backoff, ['baseSeconds', 'factor', 'maxSeconds'])
  const limit = longDelays
    ? { min: 0, max: LIMITS.longDelaySeconds, why: 'at most 365 days' }
    : {
        min: 0,
        max: LIMITS.backoffSeconds,
        why: 'SQS hides a message for 12 h at most; with `longDelays: true` in the config it may be 365 days',
      }
  checkNumber(`${where}: \`baseSeconds\``, backoff.baseSeconds, limit, 0)
  checkNumber(`${where}: \`factor\``, backoff.factor, { min: 1, max: 100 }, 0)
  checkNumber(`${where}: \`maxSeconds\``, backoff.maxSeconds, limit, 0)
}

/**
 * The names that a task had, by its own options and by the config's: one that does not count would lose its calls. In
 * the config they stand under the exact name.
 */
export function formerNamesOf(config: ResolvedConfig, task: string, own: TaskOptions): readonly string[] {
  const declared = Object.hasOwn(config.taskOptions, task) ? config.taskOptions[task]?.formerly : undefined
  return [...new Set([...(own.formerly ?? []), ...(declared ?? [])])]
}

/** The options of one task: its own, over those its name has in the config, over the defaults. */
export function resolveTaskOptions(
  config: ResolvedConfig,
  task: string,
  own: TaskOptions = {},
): ResolvedTaskOptions {
  const declared = longestMatch(config.taskOptions, task) ?? {}
  const timeoutSeconds = own.timeoutSeconds ?? declared.timeoutSeconds
  return {
    maxAttempts: own.maxAttempts ?? declared.maxAttempts ?? DEFAULTS.task.maxAttempts,
    maxKills: own.maxKills ?? declared.maxKills ?? DEFAULTS.task.maxKills,
    backoff: {
      baseSeconds: own.backoff?.baseSeconds ?? declared.backoff?.baseSeconds ?? DEFAULTS.backoff.baseSeconds,
      factor: own.backoff?.factor ?? declared.backoff?.factor ?? DEFAULTS.backoff.factor,
      maxSeconds: own.backoff?.maxSeconds ?? declared.backoff?.maxSeconds ?? DEFAULTS.backoff.maxSeconds,
    },
    keepArguments: own.keepArguments ?? declared.keepArguments ?? DEFAULTS.task.keepArguments,
    ...(timeoutSeconds !== undefined && { timeoutSeconds }),
  }
}
