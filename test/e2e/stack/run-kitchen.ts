/**
 * The kitchen, deployed and running, with its web app to submit through.
 * @module
 */
import { type Client, createClient, type FutureGroup } from 'errand'
import { connectionTo, loopbackRegion } from '../../support/loopback-connection.ts'
import type { FunctionSettings } from './function-settings.ts'
import { config } from './kitchen/errand.config.ts'
import type { Request } from './kitchen/web.ts'
import { synthesiseKitchen } from './kitchen-stack.ts'
import type { StackFunction } from './lambda-function.ts'
import { type RunningStack, runStack } from './run-stack.ts'

/** The kitchen, running. */
export interface Kitchen {
  readonly stack: RunningStack
  readonly web: StackFunction
  readonly deadLetters: StackFunction
  /** Futures, in this process. */
  readonly client: Client<unknown>
  worker(name: string): StackFunction
  /** Of a queue of the config, or of its dead letters: `main-dead-letters`. */
  queueUrl(name: string): string
  /** Asks the web app to submit, and makes the futures of its answer. */
  submit<T>(request: Request): Promise<FutureGroup<T>>
  /** Asks the web app. */
  ask(method: string, path: string, body?: unknown): Promise<unknown>
  /** Deploys the next version of the app. */
  deployNext(): Promise<void>
  close(): Promise<void>
}

/** Synthesises, deploys and runs it. */
export async function runKitchen(): Promise<Kitchen> {
  const first = synthesiseKitchen('errand.ts')
  const stack = await runStack(first.folder)
  const web = stack.function(({ logicalId }) => logicalId.startsWith('Web'))
  const deadLetters = stack.function(({ handler }) => handler === 'index.deadLetters')
  const aws = {
    tableName: web.settings().variables.ERRAND_TABLE ?? '',
    queueUrls: urlsOf(web),
    region: loopbackRegion,
    sqs: connectionTo(stack.wire.sqs),
    dynamodb: connectionTo(stack.wire.dynamodb),
  }
  const client = createClient(config, { backend: 'aws', aws }) as unknown as Client<unknown>
  const folders = [first]
  return {
    stack,
    web,
    deadLetters,
    client,
    worker: (name) => stack.function(isWorker(name)),
    queueUrl: (name) => urlsOf(deadLetters)[name] ?? '',
    async submit(request) {
      const { id } = (await ask(web, 'POST', '/calls', request)) as { id: string }
      return client.group(id)
    },
    ask: (method, path, body) => ask(web, method, path, body),
    async deployNext() {
      const next = synthesiseKitchen('errand-next.ts')
      folders.push(next)
      await stack.deploy(next.folder)
    },
    async close() {
      await client.close()
      await stack.close()
      for (const folder of folders) folder.remove()
    },
  }
}

/** What the construct tells a function of the queues. */
function urlsOf(wired: StackFunction): Readonly<Record<string, string>> {
  return JSON.parse(wired.settings().variables.ERRAND_QUEUE_URLS ?? '{}')
}

function isWorker(name: string) {
  return ({ variables, handler }: FunctionSettings) =>
    variables.ERRAND_WORKER === name && handler === 'index.handler'
}

/** One request to a function URL, and the answer's body. */
async function ask(web: StackFunction, method: string, path: string, body?: unknown): Promise<unknown> {
  const result = await web.invoke({
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: '',
    headers: { host: 'kitchen.lambda-url.us-east-1.on.aws', 'content-type': 'application/json' },
    requestContext: {
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
      stage: '$default',
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    isBase64Encoded: false,
  })
  if (!result.ok) throw result.error
  const answer = result.payload as { statusCode: number; body: string }
  if (answer.statusCode >= 300)
    throw new Error(`${method} ${path} was answered ${answer.statusCode}: ${answer.body}`)
  return JSON.parse(answer.body)
}
