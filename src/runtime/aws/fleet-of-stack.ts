/**
 * Finds a deployed fleet by its CloudFormation stack: the construct leaves an output there that names its table, queues
 * and functions.
 * @module
 */
import type * as CloudFormationSdk from '@aws-sdk/client-cloudformation'
import { ENV } from '../config/config.ts'
import { quoteNames, suggestName } from '../config/nearest-name.ts'
import { NotWiredError } from '../errors.ts'
import { clientConfig } from './aws-clients.ts'
import { requesting } from './aws-error.ts'
import type { WorkerFunction } from './lambda-fleet.ts'

/** One output of a stack, by the part of it that is read. */
export interface StackOutput {
  readonly Description?: string | undefined
  readonly OutputValue?: string | undefined
}

/**
 * The variables that lead to the fleet of an app.
 * @throws NotWiredError where there is no such stack, it has no fleet of this app, no region is known, or the client is not
 *   installed; AccessDeniedError
 */
export async function fleetOfStack(stack: string, app: string): Promise<Record<string, string>> {
  const sdk = await loadSdk()
  const client = new sdk.CloudFormationClient(clientConfig('CLOUDFORMATION', {}, process.env))
  try {
    const region = await regionOf(client)
    const request = {
      action: 'cloudformation:DescribeStacks',
      resource: `the stack ${JSON.stringify(stack)} in ${region}`,
      remedy: 'allow it to who signed in here, or sign in as somebody else (AWS_PROFILE)',
    }
    const { Stacks = [] } = await requesting(request, () =>
      client.send(new sdk.DescribeStacksCommand({ StackName: stack })),
    ).catch((error: unknown) => {
      throw isMissing(error) ? noStack(stack, region, error) : error
    })
    return variablesOf(stack, app, Stacks[0]?.Outputs ?? [])
  } finally {
    client.destroy()
  }
}

/** Before the request, which would fail for it, with less to go by. */
async function regionOf(client: CloudFormationSdk.CloudFormationClient): Promise<string> {
  try {
    return await client.config.region()
  } catch (cause) {
    throw new NotWiredError(
      '`--stack` needs a region to look in, and none is known here: set AWS_REGION, or the region of your profile (`aws configure`)',
      { cause },
    )
  }
}

/** CloudFormation has no exception of its own for it: "Stack with id jobs does not exist". */
function isMissing(error: unknown): boolean {
  return (
    error instanceof Error && error.name === 'ValidationError' && error.message.includes('does not exist')
  )
}

function noStack(stack: string, region: string, cause: unknown): NotWiredError {
  return new NotWiredError(
    `there is no stack ${JSON.stringify(stack)} in ${region}, in the account that is signed in here; name one that is there (\`aws cloudformation list-stacks\`), or another region by AWS_REGION`,
    { cause },
  )
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
    .flatMap(({ OutputValue = '' }) => parseFleet(OutputValue))
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
    ...(fleet.scheduler !== undefined && { [ENV.scheduler]: JSON.stringify(fleet.scheduler) }),
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
  readonly scheduler?: unknown
  readonly mappings: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** The output's JSON; whatever else has such a description is no fleet. */
function parseFleet(text: string): FleetOutput[] {
  try {
    return [JSON.parse(text) as FleetOutput]
  } catch {
    return []
  }
}

function loadSdk(): Promise<typeof CloudFormationSdk> {
  return import('@aws-sdk/client-cloudformation').catch((cause: unknown) => {
    throw new NotWiredError(
      '`--stack` asks CloudFormation, whose client cannot be loaded (see cause): `npm i -D @aws-sdk/client-cloudformation`',
      { cause },
    )
  })
}
