/**
 * The task routes on a real port: bodies in chunks, a thousand streams, clients that go away; and under Lambda's
 * response streaming.
 * @module
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { PassThrough, type Writable } from 'node:stream'
import { createExecutor, defineConfig } from 'errand'
import { taskRoutes } from 'errand/hono'
import { Hono } from 'hono'
import { streamHandle } from 'hono/aws-lambda'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'
import { type HttpServer, serveHttp } from '../support/http-server.ts'
import { PATIENCE } from '../support/patience.ts'

const gate = Promise.withResolvers<void>()
const wait = async () => {
  await gate.promise
  return 'done'
}
const executor = createExecutor(defineConfig({ name: 'web-server' }), { tasks: { wait } })
afterAll(async () => {
  gate.resolve()
  await executor.close()
})

const appOf = (maxStreams: number) =>
  new Hono().route('/', taskRoutes(executor, { authorize: () => true, maxStreams }))

async function serve(maxStreams = 1000): Promise<HttpServer> {
  const server = await serveHttp(appOf(maxStreams))
  onTestFinished(() => server.stop())
  return server
}

/** Sends a body in chunks, as much of it as the server takes, and gives its answer. */
async function sendChunks({ port }: HttpServer, path: string, chunks: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: localhost',
    'content-type: application/json',
    'transfer-encoding: chunked',
    'connection: close',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  for (let index = 0; index < chunks; index++) socket.write(`400\r\n${'x'.repeat(1024)}\r\n`)
  socket.write('0\r\n\r\n')
  const [answer] = await once(socket, 'data')
  socket.destroy()
  return String(answer)
}

test('a body over the limit is refused though it comes in chunks', async () => {
  const server = await serve()
  const path = '/calls/0191e0a0-0000-7000-8000-000000000000/abort'
  expect(await sendChunks(server, path, 64)).toMatch(/^HTTP\/1\.1 413 /)
  expect(await sendChunks(server, path, 3)).toMatch(/^HTTP\/1\.1 400 /)
})

test('of 1,000 streams more than are allowed the rest is refused, and all others are served', async () => {
  const server = await serve(100)
  const { id } = await executor.submit(wait)
  const leave = new AbortController()
  const open = () => fetch(`${server.url}/calls/${id}/events`, { signal: leave.signal })
  const answers = await Promise.all(Array.from({ length: 1000 }, open))
  const statuses = answers.map(({ status }) => status)
  expect(statuses.filter((status) => status === 200)).toHaveLength(100)
  expect(statuses.filter((status) => status === 503)).toHaveLength(900)
  expect((await fetch(`${server.url}/calls/${id}`)).status).toBe(200)
  leave.abort()
  // The server learns of it in its own time.
  await vi.waitFor(
    async () => expect((await fetch(`${server.url}/calls/${id}/events`)).status).toBe(200),
    PATIENCE,
  )
})

test('streams through Lambda’s response streaming, the first event before the call has ended', async () => {
  const output = new PassThrough()
  const metadata: unknown[] = []
  vi.stubGlobal('awslambda', {
    streamifyResponse: (handler: unknown) => handler,
    HttpResponseStream: {
      from(stream: Writable, head: unknown) {
        metadata.push(head)
        return stream
      },
    },
  })
  onTestFinished(() => {
    vi.unstubAllGlobals()
  })
  const handler = streamHandle(appOf(1)) as unknown as (
    event: unknown,
    stream: Writable,
    context: unknown,
  ) => Promise<void>
  const { id } = await executor.submit(wait)
  const rawPath = `/calls/${id}/events`
  const event = {
    version: '2.0',
    rawPath,
    rawQueryString: '',
    headers: { host: 'a.example' },
    requestContext: { domainName: 'a.example', http: { method: 'GET', path: rawPath } },
    isBase64Encoded: false,
  }
  const answered = handler(event, output, { getRemainingTimeInMillis: () => 29_000 })
  let text = ''
  output.on('data', (chunk) => {
    text += String(chunk)
  })
  await vi.waitFor(() => expect(text).toMatch(/^retry: 1000\n\nid: .*\ndata: .*"state":"(pending|running)"/))
  gate.resolve()
  await answered
  expect(text).toMatch(/"state":"succeeded"/)
  expect(metadata).toMatchObject([{ statusCode: 200, headers: { 'content-type': 'text/event-stream' } }])
})
