/**
 * What a deployed fleet tells of itself: one output of its stack, by which the command line finds it.
 * @module
 */
import { CfnOutput, Stack } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { fleetName } from './fleet-environment.ts'
import type { FleetParts } from './fleet-parts.ts'
import { schedulerResources } from './fleet-schedules.ts'
import { mappingIds } from './fleet-workers.ts'

/** What the output's JSON has. */
export interface FleetOutput {
  /** The version of this form: 1. */
  readonly errand: 1
  /** The app's name in the config. */
  readonly app: string
  /** The code's version, as `ERRAND_VERSION` has it. */
  readonly version: string
  /** The fleet's name, a dimension of its metrics. */
  readonly fleet: string
  /** The table's name. */
  readonly table: string
  /** The bucket's name, where the config has `blobs`. */
  readonly bucket?: string
  /** URLs by the queues' names. */
  readonly queues: Readonly<Record<string, string>>
  /** URLs of the dead-letter queues, by the queues' names. */
  readonly deadLetters: Readonly<Record<string, string>>
  /** Names of functions, by the workers' names. */
  readonly workers: Readonly<Record<string, string>>
  /** The ids of the workers' event source mappings, by worker and queue. */
  readonly mappings: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** What its schedules are in, where it has any; `ERRAND_SCHEDULER` has the same. */
  readonly scheduler?: { readonly group: string; readonly role: string; readonly deadLetters: string }
  /** The name of the function that ends dead letters. */
  readonly deadLetterFunction?: string
  /** The address of the monitor. */
  readonly monitor?: string
}

/** Writes the output, JSON whose description begins with `errand fleet`. */
export function writeOutput(scope: Construct, parts: FleetParts): void {
  const { config, version, resources, deadLetterFunction, monitor } = parts
  const app = config.name
  const [queues, workers] = [[...parts.queues.values()], [...parts.workers.values()]]
  const output: FleetOutput = {
    errand: 1,
    app,
    version,
    fleet: fleetName(scope),
    table: resources.table.table.tableName,
    ...(resources.blobs !== undefined && { bucket: resources.blobs.bucket.bucketName }),
    queues: Object.fromEntries(queues.map(({ name, queue }) => [name, queue.queueUrl])),
    deadLetters: Object.fromEntries(
      queues.flatMap(({ name, deadLetterQueue }) =>
        deadLetterQueue === undefined ? [] : [[name, deadLetterQueue.queueUrl]],
      ),
    ),
    workers: Object.fromEntries(workers.map(({ name, function: made }) => [name, made.functionName])),
    mappings: Object.fromEntries(workers.map((worker) => [worker.name, mappingIds(worker)])),
    ...(resources.schedules !== undefined && { scheduler: schedulerResources(resources.schedules) }),
    ...(deadLetterFunction !== undefined && { deadLetterFunction: deadLetterFunction.functionName }),
    ...(monitor !== undefined && { monitor: monitor.url.url }),
  }
  new CfnOutput(scope, 'Fleet', {
    value: Stack.of(scope).toJsonString(output),
    description: `errand fleet ${app}: its table, queues and functions as JSON`,
  })
}
