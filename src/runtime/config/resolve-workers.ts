/**
 * Checks the workers of a config and fills in their defaults.
 * @module
 */

import { InvalidOptionError } from '../errors.ts'
import { type Config, DEFAULTS, LIMITS, PROTOCOL, type ResolvedWorker, type WorkerOptions } from './config.ts'
import { namedOptions } from './named-options.ts'
import { showValue, suggestName } from './nearest-name.ts'
import { checkKeys, checkNumber, checkWord } from './option-checks.ts'

/**
 * The workers by name, every default filled in.
 * @throws InvalidOptionError
 */
export function resolveWorkers(
  workers: Config['workers'],
  queues: readonly string[],
): Map<string, ResolvedWorker> {
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
