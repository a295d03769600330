/**
 * Servers that speak AWS's protocols, on this machine's loopback address and nowhere else: fauxqs for SQS and S3,
 * dynalite for DynamoDB. Both are optional peers, and hold everything in memory.
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { NotWiredError } from '../../runtime/errors.ts'
import { UsageError } from '../exit-codes.ts'

/** A server that listens. */
export interface WireServer {
  readonly endpoint: string
  close(): Promise<void>
}

const HOST = '127.0.0.1'

/**
 * Starts SQS and S3, at one endpoint.
 * @param port 0 for a free one
 * @throws UsageError where the port is in use; NotWiredError where fauxqs is not installed
 */
export async function startSqsServer(port = 0): Promise<WireServer> {
  const { buildApp } = await installed(import('fauxqs'))
  // Its own `startFauxqs` listens on every interface.
  const app = buildApp({ logger: false, host: 'localhost' })
  giveBackUndelivered(app)
  const endpoint = await listening(port, app.listen({ port, host: HOST }))
  return {
    endpoint,
    async close() {
      // Connections that clients keep alive would otherwise be waited for.
      app.server.closeAllConnections()
      await app.close()
    },
  }
}

/** What is needed of fauxqs's server. */
interface HookedServer {
  addHook(
    name: 'onSend',
    hook: (request: ReceivedRequest, reply: unknown, payload: unknown) => Promise<unknown>,
  ): unknown
  inject(request: object): Promise<unknown>
}

/** A request, as a hook sees it. */
interface ReceivedRequest {
  readonly raw: { readonly socket: { readonly destroyed: boolean } }
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: unknown
}

/**
 * A poll of fauxqs waits on when its client has gone, and takes the next message: each worker that ends would cost a call
 * its visibility, a minute and more. What nobody is there to read is made visible again at once.
 */
function giveBackUndelivered(app: unknown): void {
  const server = app as HookedServer
  server.addHook('onSend', async ({ raw, headers, body }, _, payload) => {
    const isReceive = headers['x-amz-target'] === 'AmazonSQS.ReceiveMessage'
    if (!isReceive || !raw.socket.destroyed || typeof payload !== 'string') return payload
    const { QueueUrl } = body as { readonly QueueUrl: string }
    const { Messages = [] } = JSON.parse(payload) as {
      readonly Messages?: readonly { readonly ReceiptHandle: string }[]
    }
    for (const { ReceiptHandle } of Messages) {
      await server.inject({
        method: 'POST',
        url: '/',
        headers: {
          'content-type': 'application/x-amz-json-1.0',
          'x-amz-target': 'AmazonSQS.ChangeMessageVisibility',
        },
        payload: JSON.stringify({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }),
      })
    }
    return payload
  })
}

/**
 * Starts DynamoDB.
 * @param port 0 for a free one
 * @throws UsageError where the port is in use; NotWiredError where dynalite is not installed
 */
export async function startDynamoDbServer(port = 0): Promise<WireServer> {
  const { default: dynalite } = await installed(import('dynalite'))
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 })
  server.listen(port, HOST)
  await listening(port, once(server, 'listening'))
  const { port: own } = server.address() as AddressInfo
  return {
    endpoint: `http://${HOST}:${own}`,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

async function listening<T>(port: number, started: Promise<T>): Promise<T> {
  try {
    return await started
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
    throw new UsageError(
      `port ${port} of ${HOST} is in use by another program; end that, or name another port, or none for a free one`,
      { cause },
    )
  }
}

async function installed<T>(loading: Promise<T>): Promise<T> {
  try {
    return await loading
  } catch (cause) {
    throw new NotWiredError(
      'SQS and DynamoDB on this machine are fauxqs and dynalite, which cannot be loaded (see cause): `npm i -D fauxqs dynalite`',
      { cause },
    )
  }
}
