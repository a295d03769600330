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
  type ResolvedQueue,
  type ResolvedTaskOptions,
  type ResolvedWorker,
  type TaskOptions,
  type WorkerOptions,
} from './config.ts'
import { InvalidOptionError } from './errors.ts'
import { longestMatch } from './name-pattern.ts'
import { quoteNames, showValue, suggestName } from './nearest-name.ts'
import { checkFlag, checkKeys, checkName, checkNumber, checkTexts, checkWord } from './option-checks.ts'

const appName = /^[A-Za-z][A-Za-z0-9-]{0,39}$/
const resourceName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/
const resourceRule = 'a name of 1–64 letters, digits, `-` and `_`, beginning with a letter or digit'

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
  const queues = new Map(
    [...queueOptions].map(([queue, options]) => [queue, resolveQueue(queue, options, workers)] as const),
  )
  const drainingNames = queueNames.filter((queue) => queues.get(queue)?.draining === true)
  checkDefaultQueue(queueNames, drainingNames)
  const blobs = resolveBlobs(config.blobs)
  const resolved: ResolvedConfig = {
    name,
    queues,
    defaultQueue: queueNames[0] as string,
    workers,
    routes: checkRoutes(config.routes ?? {}, queueNames, drainingNames),
    taskOptions: checkTaskOptions(config.taskOptions ?? {}, workers),
    record: checkWord('config `record`', config.record, ['on-submit', 'on-claim'], DEFAULTS.record),
    listing: checkFlag('config `listing`', config.listing, DEFAULTS.listing),
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

/** Names or an options object, as a map in order. */
function namedOptions<Options>(what: string, value: unknown): Map<string, Options> {
  const isList = Array.isArray(value)
  if (!isList && (typeof value !== 'object' || value === null)) {
    throw new InvalidOptionError(
      `config \`${what}\` is ${showValue(value)}, expected names, or options by name`,
    )
  }
  const entries = isList ? value.map((name) => [name, {}] as const) : Object.entries(value as object)
  if (entries.length === 0) {
    throw new InvalidOptionError(`config \`${what}\` is empty; name at least one, or leave the option out`)
  }
  const named = new Map<string, Options>()
  for (const [name, options] of entries) {
    const where = `config \`${what}\`: the name`
    checkName(where, name, resourceName, resourceRule)
    if (named.has(name))
      throw new InvalidOptionError(`config \`${what}\` names ${JSON.stringify(name)} twice`)
    named.set(name, options as Options)
  }
  return named
}

function resolveWorkers(workers: Config['workers'], queues: readonly string[]): Map<string, ResolvedWorker> {
  if (typeof workers === 'number') {
    checkNumber('config `workers`', workers, { min: 1, max: 100, whole: true }, 1)
    const names = Array.from({ length: workers }, (_, index) => `worker-${index + 1}`)
    return resolveWorkers(names, queues)
  }
  const named = namedOptions<WorkerOptions>('workers', workers)
  return new Map([...named].map(([name, options]) => [name, resolveWorker(name, options, queues)] as const))
}

/** How long a worker's time-out may be, and why. */
const longestTimeout = {
  lambda: [
    LIMITS.timeoutSeconds,
    "Lambda's limit is 900; what takes longer runs with `runsOn: 'container'`. Below 10 there is no room for an attempt and its final write",
  ],
  container: [LIMITS.containerTimeoutSeconds, 'SQS hides a message for 12 h at most'],
} as const

function resolveWorker(name: string, options: WorkerOptions, queues: readonly string[]): ResolvedWorker {
  const where = `worker ${JSON.stringify(name)}`
  checkKeys(where, options, [
    'concurrency',
    'memoryMiB',
    'timeoutSeconds',
    'runsOn',
    'logLevel',
    'queues',
    'batchSize',
    'batchWindowSeconds',
  ])
  const whole = (option: keyof typeof DEFAULTS.worker & string, min: number, max: number, why?: string) =>
    checkNumber(
      `${where}: \`${option}\``,
      options[option],
      { min, max, whole: true, ...(why !== undefined && { why }) },
      DEFAULTS.worker[option] as number,
    )
  const concurrency = whole('concurrency', 1, 10_000)
  const consumed = checkWorkerQueues(where, options.queues ?? queues, queues)
  const runsOn = checkWord(
    `${where}: \`runsOn\``,
    options.runsOn,
    ['lambda', 'container'],
    DEFAULTS.worker.runsOn,
  )
  const [longest, timeoutWhy] = longestTimeout[runsOn]
  return {
    name,
    concurrency,
    memoryMiB: whole('memoryMiB', LIMITS.minMemoryMiB, LIMITS.maxMemoryMiB, "Lambda's limits"),
    timeoutSeconds: whole('timeoutSeconds', PROTOCOL.minTimeoutSeconds, longest, timeoutWhy),
    runsOn,
    batchWindowSeconds: whole('batchWindowSeconds', 0, LIMITS.batchWindowSeconds, "Lambda's limit"),
    logLevel: checkWord(
      `${where}: \`logLevel\``,
      options.logLevel,
      ['debug', 'info', 'warn', 'error'],
      DEFAULTS.worker.logLevel,
    ),
    queues: consumed,
    batchSize: checkNumber(
      `${where}: \`batchSize\``,
      options.batchSize,
      { min: 1, max: LIMITS.batchEntries, whole: true },
      defaultBatchSize(concurrency, consumed.length),
    ),
  }
}

/**
 * The largest batch that divides the concurrency over the queues and leaves each mapping the two invocations at
 * once that AWS asks for (`MaximumConcurrency` is at least 2).
 */
function defaultBatchSize(concurrency: number, queues: number): number {
  for (let size: number = LIMITS.batchEntries; size > 1; size--) {
    const invocations = concurrency / (queues * size)
    if (invocations >= 2 && Number.isInteger(invocations)) return size
  }
  return 1
}

function checkWorkerQueues(where: string, names: unknown, queues: readonly string[]): readonly string[] {
  if (!Array.isArray(names) || names.length === 0) {
    throw new InvalidOptionError(
      `${where}: \`queues\` is ${showValue(names)}, expected at least one queue's name`,
    )
  }
  for (const [index, name] of names.entries()) {
    if (!queues.includes(name)) {
      const known = suggestName(String(name), queues)
      throw new InvalidOptionError(
        `${where} consumes a queue ${showValue(name)} that is not declared; ${known}`,
      )
    }
    if (names.indexOf(name) !== index) {
      throw new InvalidOptionError(`${where}: \`queues\` names ${showValue(name)} twice`)
    }
  }
  return names
}

function resolveQueue(
  name: string,
  options: QueueOptions,
  workers: ReadonlyMap<string, ResolvedWorker>,
): ResolvedQueue {
  const where = `queue ${JSON.stringify(name)}`
  checkKeys(where, options, ['fifo', 'retentionSeconds', 'visibilitySeconds', 'draining'])
  const consumers = [...workers.values()].filter((worker) => worker.queues.includes(name))
  if (consumers.length === 0) {
    throw new InvalidOptionError(
      `${where} has no worker, its calls would never run; add it to the \`queues\` of one of ${quoteNames([...workers.keys()])}`,
    )
  }
  const hidden = consumers.map(hiddenSecondsOf)
  const retention = {
    min: LIMITS.minRetentionSeconds,
    max: LIMITS.maxRetentionSeconds,
    whole: true,
    why: "SQS's limits",
  }
  const visibility = {
    min: Math.max(...hidden.map(({ least }) => least)),
    max: LIMITS.visibilitySeconds,
    whole: true,
    why: 'no less than its slowest worker may take, or a message comes back while it runs',
  }
  return {
    name,
    fifo: checkFlag(`${where}: \`fifo\``, options.fifo, false),
    draining: checkFlag(`${where}: \`draining\``, options.draining, false),
    retentionSeconds: checkNumber(
      `${where}: \`retentionSeconds\``,
      options.retentionSeconds,
      retention,
      DEFAULTS.queueRetentionSeconds,
    ),
    visibilitySeconds: checkNumber(
      `${where}: \`visibilitySeconds\``,
      options.visibilitySeconds,
      visibility,
      Math.max(...hidden.map(({ usual }) => usual)),
    ),
  }
}

/** Calls that say nothing go there, and a call's follow-up may: it must take them. */
function checkDefaultQueue([first = '', ...others]: readonly string[], draining: readonly string[]): void {
  if (!draining.includes(first)) return
  const next = others.find((name) => !draining.includes(name))
  const fix =
    next === undefined
      ? 'declare another queue before it'
      : `declare ${JSON.stringify(next)} before it: the first is the default`
  throw new InvalidOptionError(
    `queue ${JSON.stringify(first)}: \`draining\` is true, but it is the default queue, which calls without a route go to; ${fix}`,
  )
}

/** How long a message is hidden for a worker: a process in a container hides it anew, as long as it runs. */
function hiddenSecondsOf({ runsOn, timeoutSeconds, batchWindowSeconds }: ResolvedWorker) {
  if (runsOn === 'container') {
    return { least: PROTOCOL.renewedLeaseSeconds, usual: PROTOCOL.renewedLeaseSeconds + 30 }
  }
  return { least: timeoutSeconds, usual: timeoutSeconds + batchWindowSeconds + 30 }
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
): Readonly<Record<string, TaskOptions>> {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError(
      `config \`taskOptions\` is ${showValue(options)}, expected options by task name`,
    )
  }
  const longest = Math.max(...[...workers.values()].map((worker) => worker.timeoutSeconds))
  for (const [pattern, taskOptions] of Object.entries(options)) {
    const where = `config \`taskOptions\` ${JSON.stringify(pattern)}`
    checkOneTaskOptions(where, taskOptions, longest)
    if (taskOptions.formerly !== undefined && pattern.includes('*')) {
      throw new InvalidOptionError(
        `${where}: \`formerly\` is given for a pattern, but a former name is of one task; give it under that task's name`,
      )
    }
  }
  return options
}

const taskOptionNames = ['maxAttempts', 'maxKills', 'timeoutSeconds', 'backoff', 'formerly'] as const

/**
 * Checks a task's options against the longest time-out of the workers that may run it.
 * @throws InvalidOptionError
 */
export function checkOneTaskOptions(where: string, options: TaskOptions, workerTimeoutSeconds: number): void {
  checkKeys(where, options, taskOptionNames)
  const count = { min: 1, max: 100, whole: true }
  checkNumber(`${where}: \`maxAttempts\``, options.maxAttempts, count, 0)
  checkNumber(`${where}: \`maxKills\``, options.maxKills, count, 0)
  const room = workerTimeoutSeconds - PROTOCOL.attemptReserveSeconds
  const why = `the longest worker time-out is ${workerTimeoutSeconds} s and ${PROTOCOL.attemptReserveSeconds} s of it are kept for the final write; raise the worker's \`timeoutSeconds\` or split the task`
  checkNumber(`${where}: \`timeoutSeconds\``, options.timeoutSeconds, { min: 0.001, max: room, why }, 0)
  if (options.backoff !== undefined) checkBackoff(`${where}: \`backoff\``, options.backoff)
  if (options.formerly !== undefined) checkTexts(`${where}: \`formerly\``, options.formerly)
}

function checkBackoff(where: string, backoff: Backoff): void {
  checkKeys(where, backoff, ['baseSeconds', 'factor', 'maxSeconds'])
  const limit = { min: 0, max: LIMITS.backoffSeconds, why: 'SQS hides a message for 12 h at most' }
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
    ...(timeoutSeconds !== undefined && { timeoutSeconds }),
  }
}
