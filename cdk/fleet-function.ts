/**
 * A Lambda function of a fleet, worker or dead-letter handler: what they have in common.
 * @module
 */
import { Duration, type RemovalPolicy } from 'aws-cdk-lib'
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import { Effect, Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  ApplicationLogLevel,
  Architecture,
  Code,
  EventSourceMapping,
  type ILayerVersion,
  Function as LambdaFunction,
  LoggingFormat,
  RecursiveLoop,
  Runtime,
  SystemLogLevel,
} from 'aws-cdk-lib/aws-lambda'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import type { LogLevel } from '../src/runtime/config/config.ts'
import { acknowledgeNetworkInterfaces } from './acknowledgements.ts'
import { allow } from './grants.ts'

/** What all functions of a fleet share. */
export interface FleetFunctionDefaults {
  /** The folder of the bundle: one for all. */
  readonly bundle: string
  readonly layers: readonly ILayerVersion[]
  readonly environment: Readonly<Record<string, string>>
  readonly logRetention: RetentionDays
  readonly removalPolicy: RemovalPolicy
}

/** Where a function runs. */
export interface FleetNetwork {
  readonly vpc: IVpc
  readonly vpcSubnets?: SubnetSelection
  readonly securityGroups?: readonly ISecurityGroup[]
}

/** What is one function's own. */
export interface FleetFunctionOptions {
  readonly handler: 'index.handler' | 'index.deadLetters'
  readonly description: string
  readonly memoryMiB: number
  readonly timeoutSeconds: number
  readonly logLevel: LogLevel
  readonly network?: FleetNetwork
}

const logLevels = {
  debug: ApplicationLogLevel.DEBUG,
  info: ApplicationLogLevel.INFO,
  warn: ApplicationLogLevel.WARN,
  error: ApplicationLogLevel.ERROR,
} as const satisfies Record<LogLevel, ApplicationLogLevel>

/** Makes the function, with a role and a log group of its own. */
export function makeFunction(
  scope: Construct,
  defaults: FleetFunctionDefaults,
  options: FleetFunctionOptions,
): LambdaFunction {
  const { removalPolicy, logRetention, layers, environment } = defaults
  const logGroup = new LogGroup(scope, 'Logs', { retention: logRetention, removalPolicy })
  // No managed policy: AWSLambdaBasicExecutionRole may write to every log group of the account.
  const role = new Role(scope, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') })
  allow(role, ['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn)
  const interfaces = options.network && grantNetworkInterfaces(scope, role)
  const { network } = options
  const made = new LambdaFunction(scope, 'Function', {
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    code: Code.fromAsset(defaults.bundle),
    handler: options.handler,
    description: options.description,
    role,
    memorySize: options.memoryMiB,
    timeout: Duration.seconds(options.timeoutSeconds),
    environment: { ...environment },
    layers: [...layers],
    logGroup,
    loggingFormat: LoggingFormat.JSON,
    applicationLogLevelV2: logLevels[options.logLevel],
    // No START, END and REPORT lines: they cost more than the invocation.
    systemLogLevelV2: SystemLogLevel.WARN,
    // Lambda would stop a chain of tasks that submit tasks after 16 calls; errand limits the depth itself.
    recursiveLoop: RecursiveLoop.ALLOW,
    ...(network !== undefined && {
      vpc: network.vpc,
      ...(network.vpcSubnets !== undefined && { vpcSubnets: network.vpcSubnets }),
      ...(network.securityGroups !== undefined && { securityGroups: [...network.securityGroups] }),
    }),
  })
  if (interfaces !== undefined) {
    made.node.addDependency(interfaces)
    denyNetworkInterfaces(scope, role, made)
  }
  return made
}

const interfaceActions = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
]

/** What Lambda needs to put a function into a VPC; the managed policy has log groups of the whole account besides. */
function grantNetworkInterfaces(scope: Construct, role: Role): Policy {
  const statements = [new PolicyStatement({ actions: interfaceActions, resources: ['*'] })]
  const policy = new Policy(scope, 'NetworkInterfaces', { statements, roles: [role] })
  acknowledgeNetworkInterfaces(policy)
  return policy
}

/** Lambda uses the role to make interfaces, the function's code has no business with them: AWS's advice. */
function denyNetworkInterfaces(scope: Construct, role: Role, made: LambdaFunction): void {
  const statement = new PolicyStatement({
    effect: Effect.DENY,
    actions: interfaceActions,
    resources: ['*'],
    conditions: { ArnEquals: { 'lambda:SourceFunctionArn': made.functionArn } },
  })
  new Policy(scope, 'NoNetworkInterfaces', { statements: [statement], roles: [role] })
}

/** How a function is given a queue's messages. */
export interface MappingOptions {
  readonly batchSize: number
  readonly batchWindowSeconds: number
  /** How many invocations may run at once, 2–1,000. */
  readonly maxConcurrency: number
}

/** Gives the function the messages of the queue, without the grants that `SqsEventSource` adds. */
export function consume(
  mappings: Construct,
  name: string,
  target: LambdaFunction,
  queue: IQueue,
  { batchSize, batchWindowSeconds, maxConcurrency }: MappingOptions,
): EventSourceMapping {
  return new EventSourceMapping(mappings, name, {
    target,
    eventSourceArn: queue.queueArn,
    batchSize,
    maxConcurrency,
    reportBatchItemFailures: true,
    ...(batchWindowSeconds > 0 && { maxBatchingWindow: Duration.seconds(batchWindowSeconds) }),
  })
}
