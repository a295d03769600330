/**
 * `--stack`: the command line finds a deployed fleet by the outputs of its stack. The real SDK, and servers that speak
 * CloudFormation's, Lambda's, SQS's and DynamoDB's protocols.
 */
import { defineConfig } from 'errand'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { FleetOutput } from '../../cdk/fleet-output.ts'
import { EXIT, exitCodeOf } from '../../src/cli/exit-codes.ts'
import { errorText } from '../../src/cli/output/screen.ts'
import { fleetOfStack } from '../../src/runtime/aws/fleet-of-stack.ts'
import { imports, writeApp } from '../support/app-folder.ts'
import { type CloudFormationApi, type Output, startCloudFormationApi } from '../support/cloudformation-api.ts'
import { cleanEnvironment, runCommand } from '../support/command-line.ts'
import { startDynalite } from '../support/dynalite.ts'
import { createTable } from '../support/dynamodb-table.ts'
import { type FauxqsServer, startFauxqs } from '../support/fauxqs.ts'
import { type DeployedFleet, deployFleet } from '../support/lambda-fleet.ts'
import { loopbackCredentials, loopbackRegion, type WireServer } from '../support/loopback-connection.ts'

const shop = `${imports}
const config = defineConfig({ name: 'shop', queues: ['low', 'high'], workers: ['foo', 'bar'] })
export const executor = createExecutor(config, { tasks: { add: (a: number, b: number) => a + b } })
`
const config = defineConfig({ name: 'shop', queues: ['low', 'high'], workers: ['foo', 'bar'] })

/** Each command is a process, and takes seconds on a busy machine. */
const LIMIT_MS = 120_000

let sqs: FauxqsServer
let dynamodb: WireServer
let fleet: DeployedFleet
let cloudFormation: CloudFormationApi

/** As the construct writes it. */
const outputOf = (app: string, output: FleetOutput): Output => ({
  key: 'JobsFleet1A2B3C4D',
  value: JSON.stringify(output),
  description: `errand fleet ${app}: its table, queues and functions as JSON`,
})

beforeAll(async () => {
  sqs = await startFauxqs()
  dynamodb = await startDynalite()
  await createTable(dynamodb, 'shop-calls')
  const tasks = { add: (a: number, b: number) => a + b }
  fleet = await deployFleet({ sqs, dynamodb, tableName: 'shop-calls' }, config, tasks)
  const urls = Object.entries(fleet.aws.queueUrls ?? {})
  const isLetters = (name: string) => name.endsWith('-dead-letters')
  const functions = Object.entries(fleet.aws.functions ?? {})
  const output: FleetOutput = {
    errand: 1,
    app: 'shop',
    version: 'v7',
    fleet: 'jobs/Fleet',
    table: 'shop-calls',
    queues: Object.fromEntries(urls.filter(([name]) => !isLetters(name))),
    deadLetters: Object.fromEntries(
      urls.filter(([name]) => isLetters(name)).map(([name, url]) => [name.replace('-dead-letters', ''), url]),
    ),
    workers: Object.fromEntries(functions.map(([worker, { name }]) => [worker, name])),
    mappings: Object.fromEntries(functions.map(([worker, { mappings }]) => [worker, mappings])),
  }
  cloudFormation = await startCloudFormationApi({
    jobs: [{ key: 'Url', value: 'https://shop.example/?a=1&b=2' }, outputOf('shop', output)],
    'old-jobs': [outputOf('shop', { ...output, errand: 2 as 1 })],
    mails: [outputOf('mailer', { ...output, app: 'mailer' })],
    network: [{ key: 'VpcId', value: 'vpc-1', description: 'errand fleet? No: the network' }],
    bare: [],
    secret: { status: 403, code: 'AccessDenied' },
    stale: { status: 403, code: 'ExpiredToken' },
  })
})
afterAll(async () => {
  await fleet.close()
  await cloudFormation.close()
  await sqs.close()
  await dynamodb.close()
})

/** What a shell has that may look at the stack. */
const signedIn = (): NodeJS.ProcessEnv => ({
  AWS_REGION: loopbackRegion,
  AWS_ACCESS_KEY_ID: loopbackCredentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: loopbackCredentials.secretAccessKey,
  AWS_ENDPOINT_URL_CLOUDFORMATION: cloudFormation.endpoint,
  AWS_ENDPOINT_URL_LAMBDA: fleet.api.endpoint,
  AWS_ENDPOINT_URL_SQS: sqs.endpoint,
  AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint,
})

/** Runs a command in the app's folder; `stack` stands behind it. */
const run = (words: string, env: NodeJS.ProcessEnv = signedIn()) =>
  runCommand(words.split(' '), { cwd: writeApp({ 'errand.ts': shop }), env })

test(
  'leads to the fleet: its functions answer, its queues are paused, its calls are read',
  async () => {
    const status = await run('status --json --stack jobs')
    expect(status.stderr).toBe('')
    expect(JSON.parse(status.stdout)).toEqual({ ping: true, workers: { foo: 'OK', bar: 'OK' } })
    expect(cloudFormation.requests.at(-1)).toBe('DescribeStacks jobs by test')

    const paused = await run('pause low --stack jobs')
    expect(paused).toMatchObject({ code: 0, stderr: '' })
    const states = Object.entries(fleet.api.states()).filter(([mapping]) => mapping.includes('-low-'))
    expect(states.map(([, state]) => state)).toEqual(['Disabling', 'Disabling'])

    const submitted = await run('submit add 1 2 --stack jobs')
    expect(submitted).toMatchObject({ code: 0, stderr: '' })
    const result = await run(`result ${submitted.stdout.trim()} --json --stack jobs`)
    expect(JSON.parse(result.stdout)).toMatchObject({ state: 'pending' })
  },
  LIMIT_MS,
)

test(
  'wins over what the shell has of another fleet',
  async () => {
    const env = {
      ...signedIn(),
      ERRAND_TABLE: 'other',
      ERRAND_QUEUE_URLS: '{"low":"http://127.0.0.1:9/0/low"}',
    }
    const status = await run('status --json --stack jobs', env)
    expect(JSON.parse(status.stdout)).toMatchObject({ ping: true })
  },
  LIMIT_MS,
)

describe('what is wrong is told with what to do', () => {
  /** In this process: what the shell has, and nothing of the machine's own AWS. */
  const shell = (env: NodeJS.ProcessEnv) => {
    for (const [name, value] of Object.entries({ ...cleanEnvironment, ...env })) vi.stubEnv(name, value)
  }
  afterEach(() => vi.unstubAllEnvs())

  test.each([
    ['jbos', 'there is no stack "jbos" in us-east-1', 'another region by AWS_REGION'],
    ['bare', 'the stack "bare" has no fleet of "shop" among its outputs, but no fleet at all', 'ErrandFleet'],
    ['network', 'the stack "network" has no fleet of "shop"', 'no fleet at all'],
    ['mails', 'but fleets of "mailer"', 'name the stack that holds the ErrandFleet, or its app with --app'],
    ['old-jobs', 'is described in form 2', 'install the version that deployed it'],
    [
      'secret',
      'AWS denied cloudformation:DescribeStacks on the stack "secret" in us-east-1',
      'sign in as somebody else (AWS_PROFILE)',
    ],
  ])('--stack %s', async (stack, what, fix) => {
    shell(signedIn())
    const error = await fleetOfStack(stack, 'shop').catch((thrown: unknown) => thrown)
    expect(errorText(error)).toContain(what)
    expect(errorText(error)).toContain(fix)
    expect(exitCodeOf(error)).toBe(EXIT.connection)
  })

  test('no region', async () => {
    shell({ ...signedIn(), AWS_REGION: undefined })
    const error = await fleetOfStack('jobs', 'shop').catch((thrown: unknown) => thrown)
    expect(errorText(error)).toContain('`--stack` needs a region to look in, and none is known here')
    expect(exitCodeOf(error)).toBe(EXIT.connection)
  })

  test.each([
    ['no credentials', 'jobs', { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }],
    ['credentials of yesterday', 'stale', {}],
  ])('%s', async (_, stack, change) => {
    const { code, stderr } = await run(`status --stack ${stack}`, { ...signedIn(), ...change })
    expect(stderr).toContain('sign in (`aws sso login`), or set AWS_PROFILE')
    expect(code).toBe(EXIT.connection)
  })
})
