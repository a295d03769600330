/**
 * The function that ends what SQS gave up on, so that no future hangs. It consumes the dead-letter queues: a letter
 * that it ended is gone from there, and is found as a failed call, which can be retried by hand.
 * @module
 */
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { DEFAULTS, LIMITS } from '../src/runtime/config/config.ts'
import { consume, type FleetFunctionDefaults, makeFunction } from './fleet-function.ts'
import { DEAD_LETTER_TIMEOUT_SECONDS, type FleetQueue } from './fleet-queues.ts'
import { type FleetResources, grantDeadLetters } from './grants.ts'

/** Makes the function; `undefined` where no queue has dead letters. */
export function makeDeadLetterFunction(
  parent: Construct,
  queues: readonly FleetQueue[],
  parts: {
    readonly defaults: FleetFunctionDefaults
    readonly resources: FleetResources
    readonly app: string
  },
): LambdaFunction | undefined {
  const sources = queues.flatMap(({ name, deadLetterQueue }): [string, IQueue][] =>
    deadLetterQueue === undefined ? [] : [[name, deadLetterQueue]],
  )
  const { schedules } = parts.resources
  if (schedules !== undefined) sources.push(['(schedules)', schedules.deadLetterQueue])
  if (sources.length === 0) return undefined
  const scope = new Construct(parent, 'DeadLetters')
  // It runs no task and needs nothing of the user's network; the code that it shares with the workers takes memory.
  const made = makeFunction(scope, parts.defaults, {
    handler: 'index.deadLetters',
    description: `errand dead letters of ${parts.app}`,
    memoryMiB: DEFAULTS.worker.memoryMiB,
    timeoutSeconds: DEAD_LETTER_TIMEOUT_SECONDS,
    logLevel: 'info',
  })
  grantDeadLetters(
    parts.resources,
    sources.map(([, queue]) => queue),
    made,
  )
  const mappings = new Construct(scope, 'Mappings')
  // Letters are rare, and two invocations at once is the least that Lambda takes.
  const options = { batchSize: LIMITS.batchEntries, batchWindowSeconds: 0, maxConcurrency: 2 }
  for (const [name, queue] of sources) consume(mappings, name, made, queue, options)
  return made
}
