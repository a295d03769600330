/**
 * How many invocations an event source mapping may make at once.
 * @module
 */
import type { Construct } from 'constructs'
import { DEFAULTS, type ResolvedWorker } from '../src/runtime/config/config.ts'
import { showValue } from '../src/runtime/config/nearest-name.ts'
import { refusal } from './refusal.ts'

/** Lambda's limits of `MaximumConcurrency`. */
const MIN_INVOCATIONS = 2
const MAX_INVOCATIONS = 1000

/**
 * `MaximumConcurrency` of each of a worker's mappings: its concurrency counts calls, over all its queues.
 * @throws InvalidOptionError where that is no whole number from 2 to 1,000
 */
export function mappingConcurrency(scope: Construct, settings: ResolvedWorker): number {
  const { name, concurrency, batchSize, queues } = settings
  const unit = queues.length * batchSize
  const invocations = concurrency / unit
  if (Number.isInteger(invocations) && invocations >= MIN_INVOCATIONS && invocations <= MAX_INVOCATIONS) {
    return invocations
  }
  const nearest = [Math.floor(invocations), Math.ceil(invocations)].map(
    (count) => unit * Math.min(Math.max(count, MIN_INVOCATIONS), MAX_INVOCATIONS),
  )
  const instead = [...new Set(nearest)].join(' or ')
  const over = `${queues.length} ${queues.length === 1 ? 'queue' : 'queues'} × batches of ${batchSize}`
  const isDefault = concurrency === DEFAULTS.worker.concurrency
  throw refusal(
    scope,
    `worker ${showValue(name)}: \`concurrency\` is ${concurrency}${isDefault ? ', the default,' : ','} over ${over} that is ${round(invocations)} ${invocations === 1 ? 'invocation' : 'invocations'} at once, ` +
      `and Lambda takes whole numbers from ${MIN_INVOCATIONS} to ${MAX_INVOCATIONS}; use ${instead}, or another \`batchSize\``,
  )
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
