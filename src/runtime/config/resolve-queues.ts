/**
 * Checks the queues of a config, and fills in their defaults from the workers that consume them.
 * @module
 */

import { InvalidOptionError } from '../errors.ts'
import {
  DEFAULTS,
  LIMITS,
  PROTOCOL,
  type QueueOptions,
  type ResolvedQueue,
  type ResolvedWorker,
} from './config.ts'
import { deadLettersOf } from './dead-letter-names.ts'
import { quoteNames } from './nearest-name.ts'
import { checkFlag, checkKeys, checkNumber } from './option-checks.ts'

/**
 * The queues by name, in the order of their declaration, every default filled in.
 * @throws InvalidOptionError
 */
export function resolveQueues(
  declared: ReadonlyMap<string, QueueOptions>,
  workers: ReadonlyMap<string, ResolvedWorker>,
): Map<string, ResolvedQueue> {
  checkDeadLetterNames(declared)
  const queues = new Map(
    [...declared].map(([name, options]) => [name, resolveQueue(name, options, workers)] as const),
  )
  checkDefaultQueue([...queues.values()])
  checkBatchWindows(queues, workers)
  return queues
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
function checkDefaultQueue([first, ...others]: readonly ResolvedQueue[]): void {
  if (first?.draining !== true) return
  const next = others.find(({ draining }) => !draining)
  const fix =
    next === undefined
      ? 'declare another queue before it'
      : `declare ${JSON.stringify(next.name)} before it: the first is the default`
  throw new InvalidOptionError(
    `queue ${JSON.stringify(first.name)}: \`draining\` is true, but it is the default queue, which calls without a route go to; ${fix}`,
  )
}

/** A queue by the name of another's dead-letter queue would take its place wherever queues are known by name. */
function checkDeadLetterNames(declared: ReadonlyMap<string, QueueOptions>): void {
  for (const name of declared.keys()) {
    const deadLetters = deadLettersOf(name)
    if (!declared.has(deadLetters)) continue
    throw new InvalidOptionError(
      `config \`queues\` has ${JSON.stringify(deadLetters)}, which is the name of the dead-letter queue of ${JSON.stringify(name)}; use another name`,
    )
  }
}

/**
 * Lambda refuses the mapping: "Batching window is not supported for FIFO queues".
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
 */
function checkBatchWindows(
  queues: ReadonlyMap<string, ResolvedQueue>,
  workers: ReadonlyMap<string, ResolvedWorker>,
): void {
  for (const { name, runsOn, batchWindowSeconds, queues: consumed } of workers.values()) {
    // Processes in containers have no mapping.
    if (runsOn === 'container' || batchWindowSeconds === 0) continue
    const fifo = consumed.find((queue) => queues.get(queue)?.fifo === true)
    if (fifo === undefined) continue
    throw new InvalidOptionError(
      `worker ${JSON.stringify(name)}: \`batchWindowSeconds\` is ${batchWindowSeconds}, and it consumes the FIFO queue ${JSON.stringify(fifo)}, ` +
        'for which Lambda has no batch window; give the FIFO queue a worker of its own, or leave the window out',
    )
  }
}

/** How long a message is hidden for a worker: a process in a container hides it anew, as long as it runs. */
function hiddenSecondsOf({ runsOn, timeoutSeconds, batchWindowSeconds }: ResolvedWorker) {
  if (runsOn === 'container') {
    return { least: PROTOCOL.renewedLeaseSeconds, usual: PROTOCOL.renewedLeaseSeconds + 30 }
  }
  return { least: timeoutSeconds, usual: timeoutSeconds + batchWindowSeconds + 30 }
}
