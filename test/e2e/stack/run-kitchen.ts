/**
 * The kitchen, deployed and running, with its web app to submit through.
 * @module
 */
import { type Client, createClient, type FutureGroup } from 'errand'
import { connectionTo, loopbackRegion } from '../../support/loopback-connection.ts'
import type { FunctionSettings } from './function-settings.ts'
import { askFunctionUrl } from './function-url.ts'
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
  const folders = [synthesiseKitchen('errand.ts')]
  const remove = () => {
    for (const folder of folders) folder.remove()
  }
  const stack = await runStack(folders[0]?.folder ?? '').catch((error: unknown) => {
    remove()
    throw error
  })
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
  return {
    stack,
    web,
    deadLetters,
    client,
    worker: (name) => stack.function(isWorker(name)),
    queueUrl: (name) => urlsOf(deadLetters)[name] ?? '',
    async submit(request) {
      const { id } = (await askFunctionUrl(web, 'POST', '/calls', request)) as { id: string }
      return client.group(id)
    },
    ask: (method, path, body) => askFunctionUrl(web, method, path, body),
    async deployNext() {
      const next = synthesiseKitchen('errand-next.ts')
      folders.push(next)
      await stack.deploy(next.folder)
    },
    async close() {
      await client.close()
      await stack.close()
      remove()
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
