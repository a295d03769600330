/**
 * What a fleet refuses and warns of at synth, beside what the config refuses already: errors for what would lose work
 * or what AWS would refuse in the middle of a deployment, warnings for what may.
 * @module
 */
import { Annotations, Stack } from 'aws-cdk-lib'
import { CfnEventSourceMapping, CfnFunction, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import type { ResolvedConfig, ResolvedQueue } from '../src/runtime/config/config.ts'
import { suggestName } from '../src/runtime/config/nearest-name.ts'
import { environmentProblems } from './fleet-environment.ts'
import type { ClientAccess, ErrandFleetProps, WorkerProps } from './fleet-props.ts'
import { mappingConcurrency } from './mapping-concurrency.ts'
import { declared, refusal } from './refusal.ts'

const known: Readonly<Record<keyof ErrandFleetProps, true>> = {
  alarms: true,
  alarmTopic: true,
  app: true,
  bucket: true,
  encryptionKey: true,
  environment: true,
  externalModules: true,
  files: true,
  layers: true,
  logRetention: true,
  minify: true,
  monitor: true,
  queues: true,
  removalPolicy: true,
  table: true,
  vpc: true,
  vpcSubnets: true,
  workers: true,
}

const knownOfWorker: Readonly<Record<keyof WorkerProps, true>> = {
  environment: true,
  layers: true,
  securityGroups: true,
  submits: true,
}

const knownOfClient: Readonly<Record<keyof ClientAccess, true>> = {
  submit: true,
  read: true,
  manage: true,
  inspect: true,
  operate: true,
  monitor: true,
  ordered: true,
}

/**
 * Checks the props against the config, and the config against what a stack can have: all names are declared, nothing is
 * given that has no use, concurrency can be expressed.
 * @throws InvalidOptionError
 */
export function checkProps(scope: Construct, config: ResolvedConfig, props: ErrandFleetProps): void {
  checkKeys(scope, 'the fleet', props, known)
  for (const settings of config.workers.values()) {
    if (settings.runsOn === 'lambda') mappingConcurrency(scope, settings)
  }
  for (const [name, own] of Object.entries(props.workers ?? {})) {
    const { runsOn } = declared(scope, '`workers`: worker', name, config.workers)
    if (runsOn === 'container') {
      const what = `\`workers\` ${JSON.stringify(name)} is given props, and it runs in containers, which the fleet does not make`
      throw refusal(scope, `${what}; give them to the container, and \`fleet.grantWork\` to its role`)
    }
    checkKeys(scope, `\`workers\` ${JSON.stringify(name)}`, own, knownOfWorker)
  }
  for (const name of Object.keys(props.queues ?? {})) declared(scope, '`queues`: queue', name, config.queues)
  if (props.bucket !== undefined && config.blobs === undefined) {
    throw refusal(
      scope,
      '`bucket` is given, and the config has no `blobs`, so nothing would go there; add `blobs: true` to the config, or leave it out',
    )
  }
  if (props.vpcSubnets !== undefined && props.vpc === undefined) {
    throw refusal(
      scope,
      '`vpcSubnets` are given and no `vpc`; give the VPC that they are of, or leave them out',
    )
  }
}

/**
 * Checks that an object has no keys but these.
 * @throws InvalidOptionError with the nearest of them
 */
export function checkKeys(
  scope: Construct,
  what: string,
  given: object,
  names: Readonly<Record<string, true>>,
): void {
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(names, key)) continue
    const fix = inConfig.has(key)
      ? 'set it in the config, which workers read too'
      : suggestName(key, Object.keys(names))
    throw refusal(scope, `${what} has an unknown option \`${key}\`; ${fix}`)
  }
}

/** What one may look for among the props, though it is the config's. */
const inConfig = new Set([
  'batchSize',
  'batchWindowSeconds',
  'concurrency',
  'logLevel',
  'memoryMiB',
  'memorySize',
  'routes',
  'timeout',
  'timeoutSeconds',
])

/** Whose variables a function has: it finds one fleet by them, and a second would take their place. */
const fleetOf = new WeakMap<LambdaFunction, Construct>()

/** Notes that the function has the variables of this fleet. */
export function claimVariables(fleet: Construct, made: LambdaFunction): void {
  fleetOf.set(made, fleet)
}

/**
 * Checks that a client is given something, and is not wired already.
 * @throws InvalidOptionError
 */
export function checkClient(fleet: Construct, client: LambdaFunction, access: ClientAccess): void {
  const where = client.node.path
  const home = fleetOf.get(client)
  if (client.node.scopes.includes(fleet)) {
    throw refusal(
      fleet,
      `\`addClient\` is given ${where}, a function of the fleet itself, which submits and reads anyway; leave it out, or \`grantManage\` it`,
    )
  }
  if (home !== undefined && home !== fleet) {
    throw refusal(
      fleet,
      `\`addClient\` is given ${where}, which has the variables of ${home.node.path} already, and they hold one fleet; ` +
        'use `grantSubmit` and `grantRead`, and give its client the table and the queues by variables of your own (the option `aws`)',
    )
  }
  checkKeys(fleet, `\`addClient\` of ${where}`, access, knownOfClient)
  const { ordered: _, ...given } = access
  if (Object.values(given).includes(true)) return
  const accesses = Object.keys(knownOfClient).filter((name) => name !== 'ordered')
  const forms = accesses.map((name) => `{ ${name}: true }`)
  throw refusal(
    fleet,
    `\`addClient\` gives ${where} no access; say what it does: ${forms.slice(0, -1).join(', ')} or ${forms.at(-1)}`,
  )
}

/** What is wrong with the variables of a client, when all that users set on it is known. */
export function clientProblems(fleet: Construct, client: LambdaFunction): string[] {
  return environmentProblems(client).map(
    (problem) => `${fleet.node.path}: client ${client.node.path}: ${problem}`,
  )
}

/** What is wrong with a function of the fleet at the end of the synthesis, when all that users set on it is known. */
export function functionProblems(
  fleet: Construct,
  name: string,
  made: LambdaFunction,
  consumed: readonly ResolvedQueue[] | undefined,
): string[] {
  const resource = made.node.defaultChild
  if (!(resource instanceof CfnFunction)) return []
  const { reservedConcurrentExecutions: reserved, timeout = 0 } = resource
  const say = (problem: string) => `${fleet.node.path}: ${name} (${made.node.path}): ${problem}`
  const problems = environmentProblems(made)
  if (reserved !== undefined && consumed !== undefined) {
    problems.push(
      `\`reservedConcurrentExecutions\` is ${Stack.of(made).resolve(reserved)}: SQS's pollers do not see it, throttled messages are received again and ` +
        "again until they are dead letters; leave it out: the worker's `concurrency` in the config sets the mappings' MaximumConcurrency",
    )
  }
  for (const { name: queue, visibilitySeconds } of consumed ?? []) {
    if (timeout <= visibilitySeconds) continue
    problems.push(
      `\`timeout\` is ${timeout} s, and queue ${JSON.stringify(queue)} hides a message for ${visibilitySeconds} s: it would come back while it runs, ` +
        'and Lambda refuses the mapping; set `timeoutSeconds` of the worker in the config, which the visibility follows',
    )
  }
  return problems.map(say)
}

/** An account's concurrency, unless it was raised; new accounts have less. */
const ACCOUNT_CONCURRENCY = 1000

/** Warns where a fleet may want more invocations at once than an account has. */
export function warnOfConcurrency(scope: Construct, config: ResolvedConfig): void {
  const mappings = scope.node.findAll().filter((each) => each instanceof CfnEventSourceMapping)
  const invocations = mappings.reduce((sum, { scalingConfig }) => {
    const { maximumConcurrency = 0 } = Stack.of(scope).resolve(scalingConfig) ?? {}
    return sum + maximumConcurrency
  }, 0)
  if (invocations <= ACCOUNT_CONCURRENCY) return
  Annotations.of(scope).addWarningV2(
    'errand:concurrency',
    `the workers of ${config.name} may take ${invocations} invocations at once, and an account has ${ACCOUNT_CONCURRENCY} unless it was raised; ` +
      'what is throttled waits. Lower `concurrency`, raise `batchSize`, or ask AWS for more',
  )
}

/** Warns where a module is left out of the bundle and no layer can have it. */
export function warnOfExternals(
  scope: Construct,
  { externalModules = [], layers = [] }: ErrandFleetProps,
): void {
  const missing = externalModules.filter((name) => !name.startsWith('@aws-sdk/'))
  if (missing.length === 0 || layers.length > 0) return
  Annotations.of(scope).addWarningV2(
    'errand:external-modules',
    `\`externalModules\` leaves ${missing.join(', ')} out of the bundle, which all functions of the fleet load, and \`layers\` has no layer; give the one that has it`,
  )
}
