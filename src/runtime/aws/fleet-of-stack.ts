/**
 * Finds a deployed fleet by its CloudFormation stack: the construct leaves an output there that names its table, queues
 * and functions.
 * @module
 */
import { ENV } from '../config.ts'
import { NotWiredError } from '../errors.ts'
import { quoteNames, suggestName } from '../nearest-name.ts'
import { clientConfig } from './aws-clients.ts'
import { requesting } from './aws-error.ts'
import type { WorkerFunction } from './lambda-fleet.ts'

/** One output of a stack. */
export interface StackOutput {
  readonly Description?: string
  readonly OutputValue?: string
}

/** The part of `@aws-sdk/client-cloudformation` that is used: it is an optional peer, which a consumer may not have. */
interface CloudFormationSdk {
  readonly CloudFormationClient: new (
    options: object,
  ) => { send(command: object): Promise<unknown>; destroy(): void }
  readonly DescribeStacksCommand: new (input: { readonly StackName: string }) => object
}

/**
 * The variables that lead to the fleet of an app.
 * @throws NotWiredError where the stack has no fleet of this app, or the client is not installed; AccessDeniedError
 */
export async function fleetOfStack(stack: string, app: string): Promise<Record<string, string>> {
  const sdk = await loadSdk()
  const client = new sdk.CloudFormationClient(clientConfig('CLOUDFORMATION', {}, process.env))
  try {
    const request = { action: 'cloudformation:DescribeStacks', resource: `stack ${JSON.stringify(stack)}` }
    const answer = (await requesting(request, () =>
      client.send(new sdk.DescribeStacksCommand({ StackName: stack })),
    )) as { readonly Stacks?: readonly { readonly Outputs?: readonly StackOutput[] }[] }
    return variablesOf(stack, app, answer.Stacks?.[0]?.Outputs ?? [])
  } finally {
    client.destroy()
  }
}

/**
 * The variables that a stack's outputs come to.
 * @throws NotWiredError where none is of this app
 */
export function variablesOf(
  stack: string,
  app: string,
  outputs: readonly StackOutput[],
): Record<string, string> {
  const fleets = outputs
    .filter(({ Description = '' }) => Description.startsWith('errand fleet '))
    .map(({ OutputValue = '' }) => JSON.parse(OutputValue) as FleetOutput)
  const fleet = fleets.find((each) => each.app === app)
  if (fleet === undefined) {
    const names = fleets.map((each) => each.app)
    const found =
      names.length === 0 ? 'no fleet at all' : `fleets of ${quoteNames(names)}; ${suggestName(app, names)}`
    throw new NotWiredError(
      `the stack ${JSON.stringify(stack)} has no fleet of ${JSON.stringify(app)} among its outputs, but ${found}; name the stack that holds the ErrandFleet, or its app with --app`,
    )
  }
  if (fleet.errand !== 1) {
    throw new NotWiredError(
      `the fleet of the stack ${JSON.stringify(stack)} is described in form ${fleet.errand}, and this errand knows form 1; install the version that deployed it`,
    )
  }
  const letters = Object.entries(fleet.deadLetters).map(
    ([name, url]) => [`${name}-dead-letters`, url] as const,
  )
  return {
    [ENV.table]: fleet.table,
    [ENV.queueUrls]: JSON.stringify({ ...fleet.queues, ...Object.fromEntries(letters) }),
    [ENV.functions]: JSON.stringify(functionsOf(fleet)),
    [ENV.version]: fleet.version,
    ...(fleet.fleet !== undefined && { [ENV.fleet]: fleet.fleet }),
    ...(fleet.bucket !== undefined && { [ENV.bucket]: fleet.bucket }),
  }
}

/** The workers' functions, as the variable has them. */
function functionsOf({ workers, mappings }: FleetOutput): Record<string, WorkerFunction> {
  return Object.fromEntries(
    Object.entries(workers).map(([worker, name]) => [worker, { name, mappings: mappings[worker] ?? {} }]),
  )
}

/** As `cdk/fleet-output.ts` writes it. */
interface FleetOutput {
  readonly errand: number
  readonly app: string
  readonly version: string
  readonly fleet?: string
  readonly table: string
  readonly bucket?: string
  readonly queues: Readonly<Record<string, string>>
  readonly deadLetters: Readonly<Record<string, string>>
  readonly workers: Readonly<Record<string, string>>
  readonly mappings: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** Not a literal: its types are not there where it is not installed. */
const CLOUDFORMATION_CLIENT: string = '@aws-sdk/client-cloudformation'

async function loadSdk(): Promise<CloudFormationSdk> {
  try {
    return (await import(CLOUDFORMATION_CLIENT)) as CloudFormationSdk
  } catch (cause) {
    throw new NotWiredError(
      `\`--stack\` asks CloudFormation, whose client cannot be loaded (see cause): \`npm i -D ${CLOUDFORMATION_CLIENT}\``,
      { cause },
    )
  }
}
