/**
 * Synthesises the kitchen.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { App, Duration, Stack } from 'aws-cdk-lib'
import { AttributeType, ProjectionType, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Code, Function as LambdaFunction, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { buildSync } from 'esbuild'
import { tableDefinition } from '../../../src/runtime/aws/dynamodb-item.ts'
import { resolveConfig } from '../../../src/runtime/resolve-config.ts'
import { config } from './kitchen/errand.config.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const root = path('../../..')

/** Bundles an entry into a folder's `index.mjs`, as the construct does a worker's. */
function bundle(contents: string, folder: string): string {
  buildSync({
    stdin: { contents, resolveDir: path('.'), loader: 'ts' },
    absWorkingDir: root,
    outfile: join(folder, 'index.mjs'),
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    external: ['errand/local-emulator', '@aws-sdk/client-s3'],
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'error',
  })
  return folder
}

/** A folder as `cdk synth` writes it, and how to remove it. */
export interface Synthesis {
  readonly folder: string
  remove(): void
}

/** Synthesises the stack of one version of the app. */
export function synthesiseKitchen(app: 'errand.ts' | 'errand-next.ts'): Synthesis {
  const folder = mkdtempSync(join(tmpdir(), 'errand-kitchen-'))
  const cdk = new App({ outdir: join(folder, 'cdk.out'), analyticsReporting: false })
  const stack = new Stack(cdk, 'Kitchen')
  const workers = bundle(
    [
      `import { executor } from './kitchen/${app}'`,
      "import { deadLetterHandler, workerHandler } from 'errand/lambda'",
      'export const handler = workerHandler(executor)',
      'export const deadLetters = deadLetterHandler(executor)',
    ].join('\n'),
    join(folder, 'workers'),
  )
  const resolved = resolveConfig(config)
  const queues = new Map<string, { queue: Queue; deadLetters: Queue }>()
  for (const { name, fifo, visibilitySeconds, retentionSeconds } of resolved.queues.values()) {
    const only = fifo ? { fifo } : {}
    const deadLetters = new Queue(stack, `${name}DeadLetters`, {
      ...only,
      visibilityTimeout: Duration.seconds(90),
      retentionPeriod: Duration.days(14),
    })
    const queue = new Queue(stack, `${name}Queue`, {
      ...only,
      visibilityTimeout: Duration.seconds(visibilitySeconds),
      retentionPeriod: Duration.seconds(retentionSeconds),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: 100 },
    })
    queues.set(name, { queue, deadLetters })
  }
  const string = (name: string) => ({ name, type: AttributeType.STRING })
  const [listing, failed] = tableDefinition('').GlobalSecondaryIndexes ?? []
  const keyOf = (index: typeof listing, at: number) => index?.KeySchema?.[at]?.AttributeName ?? ''
  const table = new TableV2(stack, 'Table', {
    partitionKey: string('pk'),
    sortKey: string('sk'),
    timeToLiveAttribute: 'tl',
    globalSecondaryIndexes: [
      {
        indexName: listing?.IndexName ?? '',
        partitionKey: string(keyOf(listing, 0)),
        sortKey: string(keyOf(listing, 1)),
        projectionType: ProjectionType.KEYS_ONLY,
      },
      {
        indexName: failed?.IndexName ?? '',
        partitionKey: string(keyOf(failed, 0)),
        sortKey: { name: keyOf(failed, 1), type: AttributeType.NUMBER },
        projectionType: ProjectionType.KEYS_ONLY,
      },
    ],
  })
  const urls = Object.fromEntries(
    [...queues].flatMap(([name, { queue, deadLetters }]) => [
      [name, queue.queueUrl],
      [`${name}-dead-letters`, deadLetters.queueUrl],
    ]),
  )
  const lambda = (id: string, handler: string, code: string, own: Record<string, string>, settings = {}) =>
    new LambdaFunction(stack, id, {
      runtime: Runtime.NODEJS_24_X,
      handler,
      code: Code.fromAsset(code),
      loggingFormat: LoggingFormat.JSON,
      environment: { ERRAND_TABLE: table.tableName, ERRAND_QUEUE_URLS: stack.toJsonString(urls), ...own },
      ...settings,
    })
  for (const worker of resolved.workers.values()) {
    const made = lambda(
      `${worker.name}Worker`,
      'index.handler',
      workers,
      { ERRAND_WORKER: worker.name },
      { memorySize: worker.memoryMiB, timeout: Duration.seconds(worker.timeoutSeconds) },
    )
    for (const name of worker.queues) {
      made.addEventSource(
        new SqsEventSource(queues.get(name)?.queue as Queue, {
          batchSize: worker.batchSize,
          reportBatchItemFailures: true,
          maxConcurrency: worker.concurrency / (worker.queues.length * worker.batchSize),
        }),
      )
    }
  }
  const dead = lambda('DeadLetters', 'index.deadLetters', workers, {}, { timeout: Duration.seconds(60) })
  for (const { deadLetters } of queues.values()) {
    dead.addEventSource(new SqsEventSource(deadLetters, { reportBatchItemFailures: true, maxConcurrency: 2 }))
  }
  const web = bundle("export { handler } from './kitchen/web.ts'", join(folder, 'web'))
  lambda('Web', 'index.handler', web, {}, { timeout: Duration.seconds(10), memorySize: 256 })
  cdk.synth()
  return { folder: join(folder, 'cdk.out'), remove: () => rmSync(folder, { recursive: true, force: true }) }
}
