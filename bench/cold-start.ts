/**
 * What a cold start costs beyond Node's own: the worker asset that the construct makes, beside Powertools' batch and
 * idempotency as a user would bundle them.
 * @module
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { bundleWorkers } from '../cdk/bundle-workers.ts'
import { discoverApp } from '../src/app-discovery/index.ts'
import { encodeEnvelope } from '../src/runtime/call/envelope.ts'
import { createCodec } from '../src/runtime/codec/codec.ts'
import { type DynamoDbStub, startDynamoDbStub } from '../test/support/dynamodb-stub.ts'
import { loopbackCredentials, loopbackRegion } from '../test/support/loopback-connection.ts'
import type { Case, Measures } from './rounds.ts'
import type { Row } from './table.ts'

const run = promisify(execFile)
const beside = (path: string) => fileURLToPath(new URL(`./cold-start/${path}`, import.meta.url))

/** A bundle to start. */
interface Bundle {
  readonly name: string
  readonly path: string
  readonly bytes: number
  /** The requests that handling one record takes: a bundle that does less is not measured. */
  readonly actions: readonly string[]
}

function errandBundle(folder: string): Bundle {
  const { directory, bytes } = bundleWorkers(discoverApp({ app: beside('app.ts') }), { outdir: folder })
  return { name: 'errand', path: join(directory, 'index.mjs'), bytes, actions: ['UpdateItem', 'UpdateItem'] }
}

/** With esbuild's defaults, and the banner without which the SDK's CommonJS does not run as ESM. */
async function powertoolsBundle(folder: string): Promise<Bundle> {
  const outfile = join(folder, 'powertools.mjs')
  await build({
    entryPoints: [beside('powertools.ts')],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'error',
  })
  return {
    name: 'Powertools',
    path: outfile,
    bytes: statSync(outfile).size,
    actions: ['PutItem', 'UpdateItem'],
  }
}

function eventOf(): object {
  const args = createCodec().encode([1, 2], 'arguments')
  const now = Date.now()
  const envelope = {
    v: 1,
    id: '019a0000-0000-7000-8000-000000000001',
    task: 'add',
    queue: 'default',
    payloadHash: 'AAAAAAAAAAAAAAAAAAAAAA',
    createdAt: now,
    dueAt: now,
  } as const
  const attributes = {
    ApproximateReceiveCount: '1',
    SentTimestamp: String(now),
    SenderId: 'bench',
    ApproximateFirstReceiveTimestamp: String(now),
  }
  const record = {
    messageId: 'bench-message',
    receiptHandle: 'bench-receipt',
    body: encodeEnvelope(envelope, args),
    attributes,
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:${loopbackRegion}:000000000000:bench`,
    awsRegion: loopbackRegion,
  }
  return { Records: [record] }
}

function environmentOf({ endpoint }: DynamoDbStub): NodeJS.ProcessEnv {
  return {
    AWS_REGION: loopbackRegion,
    AWS_ACCESS_KEY_ID: loopbackCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: loopbackCredentials.secretAccessKey,
    AWS_ENDPOINT_URL: endpoint,
    AWS_LAMBDA_FUNCTION_NAME: 'bench',
    ERRAND_TABLE: 'bench',
    ERRAND_QUEUE_URLS: JSON.stringify({ default: `${endpoint}/000000000000/bench` }),
  }
}

async function start({ name, path, bytes, actions }: Bundle, stub: DynamoDbStub): Promise<Measures> {
  const args = [beside('probe.mjs'), pathToFileURL(path).href, JSON.stringify(eventOf())]
  const { stdout, stderr } = await run(process.execPath, args, { env: environmentOf(stub) }).catch(
    // Node shows the line that threw: of a minified bundle, half of it.
    ({ stderr: text }: { stderr: string }) => {
      const lines = text.split('\n').map((line) => line.slice(0, 200))
      throw new Error(`${name} failed:\n${lines.slice(-20).join('\n')}`)
    },
  )
  // A worker's own lines, its metrics, stand before the probe's.
  const { answer, ...measures } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
  const asked = stub.takeActions()
  if (answer?.batchItemFailures?.length !== 0 || asked.join() !== actions.join()) {
    throw new Error(`${name} answered ${stdout} after ${asked.join()}: ${stderr}`)
  }
  return { ...measures, KiB: bytes / 1024 }
}

/** The cases: each run is a new process. */
export async function startColdStartCases(): Promise<{ readonly cases: Case[]; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'errand-cold-start-'))
  const bundles = [errandBundle(folder), await powertoolsBundle(folder)]
  const stub = await startDynamoDbStub()
  return {
    cases: bundles.map((bundle) => ({ name: bundle.name, run: () => start(bundle, stub) })),
    async close() {
      await stub.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const shown = [
  ['KiB', 'size'],
  ['import ms', 'import'],
  ['first ms', 'first call'],
  ['both ms', 'import + first call'],
  ['CPU ms', 'CPU of both'],
] as const

/** What is shown of them. */
export const coldStartRows: readonly Row[] = shown.flatMap(([metric, label]): Row[] => {
  const judged = metric === 'KiB' || metric === 'both ms'
  return [
    { label: `Powertools, ${label}`, of: 'Powertools', metric },
    {
      label: `worker asset, ${label}`,
      of: 'errand',
      metric,
      floor: 'Powertools',
      ...(judged && { target: { atMost: 0.8 } }),
    },
  ]
})
