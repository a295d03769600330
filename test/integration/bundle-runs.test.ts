/**
 * The worker asset on the wire: imported by a process of its own with the variables that the construct sets, it runs
 * calls with real SQS and DynamoDB requests.
 * @module
 */
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { createExecutor } from 'errand'
import { arnOf } from 'errand/local-emulator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleWorkers } from '../../cdk/bundle-workers.ts'
import { discoverApp } from '../../src/app-discovery/index.ts'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { encodeEnvelope } from '../../src/runtime/call/envelope.ts'
import { createCodec } from '../../src/runtime/codec/codec.ts'
import { writeApp } from '../support/app-folder.ts'
import { startDynalite } from '../support/dynalite.ts'
import { createTable } from '../support/dynamodb-table.ts'
import { type FauxqsServer, startFauxqs } from '../support/fauxqs.ts'
import {
  connectionTo,
  loopbackCredentials,
  loopbackRegion,
  type WireServer,
} from '../support/loopback-connection.ts'

const run = promisify(execFile)
const tableName = 'bundle-runs'
let sqs: FauxqsServer
let dynamodb: WireServer

beforeAll(async () => {
  sqs = await startFauxqs({ default: {} })
  dynamodb = await startDynalite()
  await createTable(dynamodb, tableName)
})
afterAll(() => Promise.all([sqs?.close(), dynamodb?.close()]))

const app = `
import { createExecutor, currentTask } from 'errand'
const add = (a: number, b: number) => a + b
// A result that is an item of its own, and a call from a task: more of the SDK than a plain call takes.
const chain = async (a: number) => ({ id: (await executor.submit(add, a, 1)).id, text: 'x'.repeat(10_000) })
const fail = () => { throw new Error('attempt ' + currentTask.attempt) }
export const executor = createExecutor({ name: 'shop' }, { tasks: { add, chain, fail } })
`

/** The same tasks, as their sender names them. */
const add = (_a: number, _b: number): number => 0
const chain = (_a: number): { id: string; text: string } => ({ id: '', text: '' })
const fail = () => {}

const envelope = {
  v: 1,
  id: '019a0000-0000-7000-8000-000000000001',
  task: 'add',
  queue: 'default',
  payloadHash: 'AAAAAAAAAAAAAAAAAAAAAA',
} as const

/** What Lambda does with an event, in a process of its own. */
async function invoke(
  directory: string,
  event: object,
  more: NodeJS.ProcessEnv = {},
): Promise<{ answer: object; loaded: string[]; log: string }> {
  const url = pathToFileURL(join(directory, 'index.mjs')).href
  const code = `import(${JSON.stringify(url)}).then(async ({ handler }) => {
    const answer = await handler(${JSON.stringify(event)}, { getRemainingTimeInMillis: () => 30000 })
    process.stdout.write(JSON.stringify({ answer, loaded: process.moduleLoadList }))
    process.exit()
  })`
  const env = {
    AWS_REGION: loopbackRegion,
    AWS_ACCESS_KEY_ID: loopbackCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: loopbackCredentials.secretAccessKey,
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint,
    ERRAND_TABLE: tableName,
    ERRAND_QUEUE_URLS: JSON.stringify(sqs.queueUrls),
    ERRAND_WORKER: 'worker-1',
    ...more,
  }
  const { stdout, stderr } = await run(process.execPath, ['-e', code], { cwd: directory, env })
  return { ...JSON.parse(stdout), log: stderr }
}

test('calls succeed, submit others, store large results, and are hidden when they fail', async () => {
  const cwd = writeApp({ 'errand.ts': app })
  const found = discoverApp({ cwd })
  const { directory } = bundleWorkers(found, { outdir: join(cwd, 'out') })
  const aws = {
    region: loopbackRegion,
    tableName,
    queueUrls: sqs.queueUrls,
    sqs: connectionTo(sqs),
    dynamodb: connectionTo(dynamodb),
  }
  const executor = createExecutor({ name: 'shop' }, { tasks: { add, chain, fail }, backend: 'aws', aws })
  const futures = [
    await executor.submit(add, 1, 2),
    await executor.submit(chain, 5),
    await executor.submit(fail),
  ] as const
  const { queue, store } = awsBackend(found.config, aws)
  const messages = await queue.receive('default', { maxMessages: 10, waitSeconds: 1 })
  const Records = messages.map((message) => ({
    ...message,
    attributes: { ApproximateReceiveCount: '1' },
    eventSourceARN: arnOf('default'),
  }))
  const { answer, loaded, log } = await invoke(directory, { Records })
  expect(log).not.toContain('visibility not changed')
  // 20 ms of every cold start, where anything imports node:http as ESM does.
  expect(loaded.filter((name) => name.includes('undici'))).toEqual([])
  const rows = await store.read(
    futures.map(({ id }) => id),
    { consistent: true },
  )
  expect(rows.map((row) => row?.state)).toEqual(['succeeded', 'succeeded', 'retrying'])
  const failed = messages.find(({ body }) => body.includes('"fail"'))
  expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: failed?.messageId }] })
  expect(await futures[0].result()).toBe(3)
  const { id, text } = await futures[1].result()
  expect(text.length).toBe(10_000)
  expect((await store.read([id], { consistent: true }))[0]?.state).toBe('pending')
  await executor.close()
})

test('a file of settings is read where a variable names it, and not looked for otherwise', async () => {
  const agents: string[] = []
  const server = createServer((request, response) => {
    agents.push(String(request.headers['user-agent']))
    response.writeHead(400).end('{"__type":"ValidationException"}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const settings = '[default]\nsdk_ua_app_id = from-the-file\n'
  const cwd = writeApp({ 'errand.ts': app, 'settings.ini': settings, '.aws/config': settings })
  const { directory } = bundleWorkers(discoverApp({ cwd }), { outdir: join(cwd, 'out') })
  const now = Date.now()
  const args = createCodec().encode([1, 2], 'arguments')
  const body = encodeEnvelope({ ...envelope, createdAt: now, dueAt: now }, args)
  const event = { Records: [{ messageId: 'one', body, eventSourceARN: arnOf('default') }] }
  const reachable = { AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${port}`, HOME: cwd }
  for (const named of [{}, { AWS_CONFIG_FILE: join(cwd, 'settings.ini') }]) {
    await invoke(directory, event, { ...reachable, ...named })
    const isNamed = 'AWS_CONFIG_FILE' in named
    const asked = agents.splice(0).map((agent) => agent.includes('app/from-the-file'))
    expect(new Set(asked)).toEqual(new Set([isNamed]))
  }
  await new Promise((resolve) => server.close(resolve))
})
