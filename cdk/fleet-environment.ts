/**
 * The variables of a fleet's functions and clients: what is set, and what users may add.
 * @module
 */
import { Aws, CfnElement, CfnResource, Stack, Token } from 'aws-cdk-lib'
import { CfnFunction, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import { ENV, SCHEDULE_DEAD_LETTERS } from '../src/runtime/config/config.ts'
import type { FleetQueue } from './fleet-queues.ts'
import { type FleetSchedules, schedulerVariable } from './fleet-schedules.ts'
import { type FleetWorker, mappingIds } from './fleet-workers.ts'
import type { FleetResources } from './grants.ts'
import { refusal } from './refusal.ts'

/**
 * The fleet's name: its stack's, which an account's region has once, and where in it the fleet is. A dimension of its
 * metrics, for which CloudWatch takes ASCII alone. The stack's is left to the deployment, so that the templates of two
 * stages are the same.
 */
export function fleetName(fleet: Construct): string {
  const place = fleet.node.scopes.slice(Stack.of(fleet).node.scopes.length).map(({ node }) => node.id)
  return [Aws.STACK_NAME, ...place.map((id) => encodeURI(id))].join('/')
}

/** What tells a process where the fleet is. */
export function fleetEnvironment(
  scope: Construct,
  resources: FleetResources,
  queues: readonly FleetQueue[],
  version: string,
): Record<string, string> {
  const urls = queues.map(({ name, queue }) => [name, queue.queueUrl] as const)
  return {
    [ENV.table]: resources.table.table.tableName,
    [ENV.queueUrls]: toJson(scope, urls),
    ...(resources.blobs !== undefined && { [ENV.bucket]: resources.blobs.bucket.bucketName }),
    ...(resources.schedules?.longDelays === true && schedulerVariable(scope, resources.schedules)),
    [ENV.fleet]: fleetName(scope),
    [ENV.version]: version,
  }
}

/** The dead-letter function knows its own queues too, as `<queue>-dead-letters`. */
export function deadLetterUrls(
  scope: Construct,
  queues: readonly FleetQueue[],
  schedules: FleetSchedules | undefined,
): Record<string, string> {
  const urls = queues.flatMap(({ name, queue, deadLetterQueue }) => [
    [name, queue.queueUrl] as const,
    ...(deadLetterQueue === undefined ? [] : [[`${name}-dead-letters`, deadLetterQueue.queueUrl] as const]),
  ])
  const letters =
    schedules === undefined ? [] : [[SCHEDULE_DEAD_LETTERS, schedules.deadLetterQueue.queueUrl] as const]
  return { [ENV.queueUrls]: toJson(scope, [...urls, ...letters]) }
}

/** Who inspects asks the workers' functions, and their event source mappings. */
export function functionsVariable(scope: Construct, workers: readonly FleetWorker[]): Record<string, string> {
  const functions = workers.map((worker) => {
    const { name, function: made } = worker
    return [name, { name: made.functionName, mappings: mappingIds(worker) }] as const
  })
  return { [ENV.functions]: toJson(scope, functions) }
}

function toJson(scope: Construct, entries: readonly (readonly [string, unknown])[]): string {
  return Stack.of(scope).toJsonString(Object.fromEntries(entries))
}

/** Lambda sets these itself, and refuses a function that does. */
const reserved = new Set([
  '_HANDLER',
  '_X_AMZN_TRACE_ID',
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_DEFAULT_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_LAMBDA_RUNTIME_API',
  'AWS_REGION',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
])

/**
 * The variables that a user gives.
 * @throws InvalidOptionError where one is not theirs to set, or no name that Lambda takes
 */
export function checkEnvironment(
  scope: Construct,
  what: string,
  environment: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  for (const name of Object.keys(environment)) {
    const refuse = (why: string) => refusal(scope, `${what} sets ${JSON.stringify(name)}, ${why}`)
    if (name.startsWith('ERRAND_')) {
      throw refuse('which the fleet sets from the config; leave it out, or change the config')
    }
    if (reserved.has(name)) throw refuse('which Lambda sets itself and refuses to be given; use another name')
    if (!/^[A-Za-z][A-Za-z0-9_]+$/.test(name)) {
      throw refuse('and Lambda takes letters, digits and `_`, two at least, a letter first; use another name')
    }
  }
  return environment
}

/** Lambda's limit of all variables of a function, names and values. */
const MAX_ENVIRONMENT_BYTES = 4096

/**
 * What is wrong with the variables of a function once all are set: Lambda refuses more than 4 KB. Values that only the
 * deployment knows are counted at the least that they can have.
 */
export function environmentProblems(made: LambdaFunction): string[] {
  const resource = made.node.defaultChild
  if (!(resource instanceof CfnFunction)) return []
  const stack = Stack.of(made)
  const environment = stack.resolve(resource.environment) as
    | { variables?: Record<string, unknown> }
    | undefined
  const sizes = Object.entries(environment?.variables ?? {}).map(
    ([name, value]) => [name, name.length + leastBytes(stack, value)] as const,
  )
  const bytes = sizes.reduce((sum, [, size]) => sum + size, 0)
  if (bytes <= MAX_ENVIRONMENT_BYTES) return []
  const largest = sizes.sort(([, one], [, other]) => other - one).slice(0, 3)
  const listed = largest.map(([name, size]) => `${name} ${size}`).join(', ')
  return [
    `\`environment\` has at least ${bytes} bytes, and Lambda takes ${MAX_ENVIRONMENT_BYTES} (largest: ${listed}); keep large values in a parameter, ` +
      'and declare fewer queues where it is the queues: tasks can share one',
  ]
}

/** `https://sqs.eu-west-1.amazonaws.com/123456789012/`, of the shortest region. */
const URL_START_BYTES = 49

/** A UUID. */
const MAPPING_ID_BYTES = 36

/** Names that CloudFormation makes: stack, logical id, and 13 characters; SQS takes 80, Lambda 64. */
function leastBytes(stack: Stack, value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (typeof value !== 'object' || value === null) return String(value).length
  const [kind, content] = Object.entries(value)[0] ?? ['', '']
  if (kind === 'Fn::Join') {
    const [separator, parts] = content as [string, unknown[]]
    const inner = parts.reduce<number>((sum, part) => sum + leastBytes(stack, part), 0)
    return inner + separator.length * (parts.length - 1)
  }
  const logicalId = kind === 'Ref' && typeof content === 'string' ? content : undefined
  if (logicalId === undefined) return 1
  const type = typeOf(stack, logicalId)
  const nameBytes = stackNameBytes(stack) + logicalId.length + 14
  if (type === 'AWS::SQS::Queue') return URL_START_BYTES + Math.min(80, nameBytes)
  if (type === 'AWS::Lambda::Function') return Math.min(64, nameBytes)
  return type === 'AWS::Lambda::EventSourceMapping' ? MAPPING_ID_BYTES : 1
}

/** With the sign behind it; of a nested stack only the deployment knows the name. */
function stackNameBytes({ stackName }: Stack): number {
  return Token.isUnresolved(stackName) ? 0 : stackName.length + 1
}

function typeOf(stack: Stack, logicalId: string): string | undefined {
  const resource = stack.node
    .findAll()
    .filter((each) => each instanceof CfnElement)
    .find((each) => stack.resolve(each.logicalId) === logicalId)
  return resource instanceof CfnResource ? resource.cfnResourceType : undefined
}
