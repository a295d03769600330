/**
 * The workers of a fleet: a function each, with an event source mapping for each of its queues.
 * @module
 */
import { Annotations } from 'aws-cdk-lib'
import type { Connections, IConnectable } from 'aws-cdk-lib/aws-ec2'
import type { IGrantable, IPrincipal } from 'aws-cdk-lib/aws-iam'
import type { EventSourceMapping, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { ENV, type ResolvedWorker } from '../src/runtime/config/config.ts'
import { showValue } from '../src/runtime/config/nearest-name.ts'
import { consume, type FleetFunctionDefaults, type FleetNetwork, makeFunction } from './fleet-function.ts'
import type { WorkerProps } from './fleet-props.ts'
import type { FleetQueue } from './fleet-queues.ts'
import { type FleetResources, grantWork } from './grants.ts'
import { mappingConcurrency } from './mapping-concurrency.ts'
import { declared, refusal } from './refusal.ts'

/** One worker of a fleet: what it may reach is granted to it, as to any function. */
export interface FleetWorker extends IGrantable, IConnectable {
  readonly name: string
  readonly function: LambdaFunction
  /** One for each of its queues, by the queue's name. */
  readonly mappings: ReadonlyMap<string, EventSourceMapping>
}

/** What a worker is made of. */
export interface WorkerParts {
  readonly defaults: FleetFunctionDefaults
  readonly network: Omit<FleetNetwork, 'securityGroups'> | undefined
  readonly queues: ReadonlyMap<string, FleetQueue>
  readonly resources: FleetResources
  /** The app's name, for the description. */
  readonly app: string
}

/**
 * Makes a worker.
 * @throws InvalidOptionError where its concurrency cannot be expressed
 */
export function makeWorker(
  parent: Construct,
  settings: ResolvedWorker,
  props: WorkerProps,
  parts: WorkerParts,
): FleetWorker {
  const { name, memoryMiB, timeoutSeconds, logLevel, batchSize, batchWindowSeconds } = settings
  const { defaults, network } = parts
  const scope = new Construct(parent, name)
  const maxConcurrency = mappingConcurrency(scope, settings)
  const { securityGroups } = props
  if (securityGroups !== undefined && network === undefined) {
    throw refusal(
      scope,
      '`securityGroups` are given and the fleet has no `vpc`; give it one, or leave them out',
    )
  }
  if (memoryMiB < SPARE_MEMORY_MIB && batchSize > 1) warnOfMemory(scope, settings)
  const made = makeFunction(
    scope,
    {
      ...defaults,
      layers: checkLayers(scope, [...defaults.layers, ...(props.layers ?? [])]),
      environment: { ...defaults.environment, ...props.environment, [ENV.worker]: name },
    },
    {
      handler: 'index.handler',
      description: `errand worker ${name} of ${parts.app}`,
      memoryMiB,
      timeoutSeconds,
      logLevel,
      ...(network !== undefined && {
        network: { ...network, ...(securityGroups !== undefined && { securityGroups }) },
      }),
    },
  )
  const consumed = sorted(settings.queues).map((queue) => declared(scope, 'queue', queue, parts.queues))
  grantWork(
    parts.resources,
    consumed.map(({ queue }) => queue),
    made,
    props.submits ?? true,
  )
  const mappings = new Construct(scope, 'Mappings')
  const options = { batchSize, batchWindowSeconds, maxConcurrency }
  return asWorker(
    name,
    made,
    new Map(
      consumed.map(({ name: queue, queue: source }) => [
        queue,
        consume(mappings, queue, made, source, options),
      ]),
    ),
  )
}

/** The ids of a worker's event source mappings, by queue. */
export function mappingIds({ mappings }: FleetWorker): Record<string, string> {
  return Object.fromEntries(
    [...mappings].map(([queue, { eventSourceMappingId }]) => [queue, eventSourceMappingId]),
  )
}

/** By code units, so that a template is the same on every machine. */
export function sorted(names: Iterable<string>): string[] {
  return [...names].sort()
}

function asWorker(
  name: string,
  made: LambdaFunction,
  mappings: ReadonlyMap<string, EventSourceMapping>,
): FleetWorker {
  return {
    name,
    function: made,
    mappings,
    get grantPrincipal(): IPrincipal {
      return made.grantPrincipal
    },
    get connections(): Connections {
      return made.connections
    },
  }
}

const MAX_LAYERS = 5

function checkLayers<Layer>(scope: Construct, layers: Layer[]): Layer[] {
  if (layers.length <= MAX_LAYERS) return layers
  throw refusal(
    scope,
    `\`layers\` are ${layers.length}, the fleet's and the worker's together, and Lambda takes ${MAX_LAYERS}; join some`,
  )
}

/** What a batch of calls can share without running out: the SDK's clients and the runtime take half of it. */
const SPARE_MEMORY_MIB = 256

function warnOfMemory(scope: Construct, { name, memoryMiB, batchSize }: ResolvedWorker): void {
  Annotations.of(scope).addWarningV2(
    'errand:memory',
    `worker ${showValue(name)}: \`memoryMiB\` is ${memoryMiB}, and ${batchSize} calls at once share it; one that runs out of it ` +
      `kills the others. Give it ${SPARE_MEMORY_MIB} or more, or \`batchSize: 1\``,
  )
}
