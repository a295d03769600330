/**
 * Lambda's API on the wire, for tests: as much of it as asks for workers and pauses queues. It answers the real SDK.
 * @module
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { WireServer } from './loopback-connection.ts'

/** A function that is deployed. */
export interface DeployedFunction {
  /** What it returns is what it answers; what it throws fails the invocation. */
  handler(event: unknown): unknown
  /** The ARNs of the queues that are mapped to it. */
  readonly sources: readonly string[]
}

/** A refusal, as AWS says it. */
export interface Refusal {
  readonly status: number
  /** The exception's name. */
  readonly type: string
}

/** The API, listening. */
export interface LambdaApi extends WireServer {
  /** What was asked, in its order: `Invoke shop-foo`. */
  readonly requests: string[]
  /** The state of every mapping, by `<function> <queue>`; its id is `<function>-<place of the queue>`. */
  states(): Record<string, string>
  /** What a request is refused with from now on: `Invoke shop-foo`, or an action alone. */
  refuse(request: string, refusal: Refusal | undefined): void
}

interface Mapping {
  readonly UUID: string
  readonly EventSourceArn: string
  readonly functionName: string
  State: string
}

interface Api {
  readonly functions: Readonly<Record<string, DeployedFunction>>
  readonly mappings: readonly Mapping[]
  readonly requests: string[]
  readonly refusals: Map<string, Refusal>
}

/** Starts it on a free port of the loopback address. */
export async function startLambdaApi(
  functions: Readonly<Record<string, DeployedFunction>>,
): Promise<LambdaApi> {
  const mappings = Object.entries(functions).flatMap(([functionName, { sources }]) =>
    sources.map((EventSourceArn, index) => ({
      UUID: `${functionName}-${index}`,
      EventSourceArn,
      functionName,
      State: 'Enabled',
    })),
  )
  const api: Api = { functions, mappings, requests: [], refusals: new Map() }
  const server = createServer((request, response) => {
    answer(api, request, response).catch((error: unknown) => send(response, 500, { message: String(error) }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: api.requests,
    states: () =>
      Object.fromEntries(
        mappings.map(({ functionName, EventSourceArn, State }) => [
          `${functionName} ${EventSourceArn.split(':').at(-1)}`,
          State,
        ]),
      ),
    refuse(request, refusal) {
      if (refusal === undefined) api.refusals.delete(request)
      else api.refusals.set(request, refusal)
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(body === undefined ? '' : JSON.stringify(body))
}

/** Whether the request is refused, and says so then. */
function isRefused(api: Api, action: string, name: string, response: ServerResponse): boolean {
  api.requests.push(`${action} ${name}`)
  const refusal = api.refusals.get(`${action} ${name}`) ?? api.refusals.get(action)
  if (refusal === undefined) return false
  send(response, refusal.status, { message: 'refused' }, { 'x-amzn-errortype': refusal.type })
  return true
}

async function answer(api: Api, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'http://lambda')
  const body = await text(request)
  const [, , kind, id = '', verb] = url.pathname.split('/')
  if (kind === 'functions' && verb === 'invocations')
    await invoke(api, decodeURIComponent(id), body, response)
  else if (kind === 'event-source-mappings' && id !== '')
    answerMapping(api, request.method, id, body, response)
  else send(response, 404, { message: `no ${request.method} ${url.pathname}` })
}

async function invoke(api: Api, name: string, body: string, response: ServerResponse): Promise<void> {
  if (isRefused(api, 'Invoke', name, response)) return
  const found = functionOf(api, name, response)
  if (found === undefined) return
  try {
    // As the runtime does: what cannot be JSON fails, what is nothing is null.
    send(response, 200, JSON.parse(JSON.stringify((await found.handler(JSON.parse(body))) ?? null)))
  } catch (error) {
    const { name: errorType, message } = error as Error
    send(response, 200, { errorType, errorMessage: message }, { 'x-amz-function-error': 'Unhandled' })
  }
}

/** The function of this name; where there is none, says so. */
function functionOf(api: Api, name: string, response: ServerResponse): DeployedFunction | undefined {
  const found = api.functions[name]
  if (found !== undefined) return found
  const type = { 'x-amzn-errortype': 'ResourceNotFoundException' }
  send(response, 404, { Message: `Function not found: ${name}` }, type)
  return undefined
}

function answerMapping(
  api: Api,
  method: string | undefined,
  id: string,
  body: string,
  response: ServerResponse,
): void {
  if (isRefused(api, method === 'PUT' ? 'Update' : 'Get', id, response)) return
  const mapping = api.mappings.find(({ UUID }) => UUID === id)
  if (mapping === undefined) {
    const type = { 'x-amzn-errortype': 'ResourceNotFoundException' }
    send(response, 404, { Message: 'The resource you requested does not exist.' }, type)
  } else if (method === 'PUT') {
    mapping.State = (JSON.parse(body) as { Enabled: boolean }).Enabled ? 'Enabling' : 'Disabling'
    send(response, 202, mapping)
  } else send(response, 200, mapping)
}
