/**
 * Lambda's Runtime API (2018-06-01) for one environment: hands out invocations, and takes answers.
 * @module
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** One invocation, as the runtime is given it. */
export interface Invocation {
  readonly requestId: string
  readonly functionArn: string
  /** When the environment is killed, in epoch milliseconds. */
  readonly deadline: number
  /** JSON. */
  readonly body: string
}

/** What the runtime says. */
export interface RuntimeEvents {
  /** It has asked for the next invocation, and has nothing else to do. */
  onIdle(): void
  onAnswer(requestId: string, kind: 'response' | 'error', body: string): void
  /** A part of an answer that is streamed. */
  onPart(requestId: string, part: Buffer): void
  /** The end of such an answer: where it broke off, the error that the runtime says, as JSON. */
  onStreamed(requestId: string, error: string | undefined): void
  /** The handler's module could not be loaded. */
  onInitError(body: string): void
}

/** The API, listening. */
export interface RuntimeApi {
  /** `host:port`, as AWS_LAMBDA_RUNTIME_API has it. */
  readonly address: string
  /** Gives the runtime that asked its next invocation. */
  hand(invocation: Invocation): void
  close(): void
}

const INVOCATION = /^\/2018-06-01\/runtime\/invocation\/([^/]+)\/(response|error)$/

/** Lambda's headers of an answer that is streamed. */
const RESPONSE_MODE = 'lambda-runtime-function-response-mode'
const ERROR_TRAILER = 'lambda-runtime-function-error-body'

/** Starts it on a free port of the loopback address. */
export async function startRuntimeApi(events: RuntimeEvents): Promise<RuntimeApi> {
  let waiting: ServerResponse | undefined
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? ''
    if (request.method === 'GET' && path.endsWith('/runtime/invocation/next')) {
      waiting = response
      return events.onIdle()
    }
    const [, requestId, kind] = INVOCATION.exec(path) ?? []
    if (requestId !== undefined && request.headers[RESPONSE_MODE] === 'streaming') {
      for await (const part of request) events.onPart(requestId, part as Buffer)
      const { [ERROR_TRAILER]: error } = request.trailers
      response.writeHead(202).end()
      return events.onStreamed(requestId, error && Buffer.from(error, 'base64').toString())
    }
    const body = await text(request)
    const isInitError = path.endsWith('/runtime/init/error')
    response.writeHead(requestId === undefined && !isInitError ? 404 : 202).end()
    if (isInitError) events.onInitError(body)
    else if (requestId !== undefined) events.onAnswer(requestId, kind as 'response' | 'error', body)
  }
  // A runtime that is killed in the middle of a request is what some tests are about.
  const server = createServer((request, response) => void handle(request, response).catch(() => {}))
  // An environment may be frozen for as long as it likes.
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    hand({ requestId, functionArn, deadline, body }) {
      if (waiting === undefined) throw new Error(`the runtime did not ask for invocation ${requestId}`)
      waiting.writeHead(200, {
        'content-type': 'application/json',
        'lambda-runtime-aws-request-id': requestId,
        'lambda-runtime-deadline-ms': String(deadline),
        'lambda-runtime-invoked-function-arn': functionArn,
      })
      waiting.end(body)
      waiting = undefined
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
