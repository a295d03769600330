/**
 * An HTTP proxy on the loopback address in front of a wire server, which loses, refuses and delays by a plan: what a
 * network and a busy service do, under the real SDK.
 * @module
 */
import { once } from 'node:events'
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ErrorAnswer, Fault, FaultPlan, ProxiedRequest, Service } from './fault-plan.ts'
import type { WireServer } from './loopback-connection.ts'

/** One request that reached the server, and its answer. */
export interface Exchange {
  readonly request: ProxiedRequest
  readonly status: number
  readonly body: string
  /** Whether the answer was passed on; a lost one the server gave all the same. */
  readonly isDelivered: boolean
}

/** What was done, by action and by kind. */
export interface FaultTally {
  /** How many requests, of this action (else all) and kind (`none`: passed; else all). */
  count(of?: { readonly action?: string; readonly kind?: Fault['kind'] | 'none' }): number
  /** Rows for a table: `PutItem lost-response: 12`. */
  lines(): string[]
}

/** A proxy that listens. */
export interface FaultProxy extends WireServer {
  readonly tally: FaultTally
  /** Changes what happens to the requests from now on. */
  setPlan(plan: FaultPlan): void
}

/** What a proxy is made of. */
export interface FaultProxyOptions {
  readonly service: Service
  readonly target: Pick<WireServer, 'endpoint'>
  readonly plan: FaultPlan
  /** Told of every answer that the server gave, delivered or not, before the client can know it. */
  readonly onExchange?: (exchange: Exchange) => void
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

interface Proxying extends FaultProxyOptions {
  plan: FaultPlan
  readonly agent: Agent
  readonly counts: Map<string, number>
}

/** Starts a proxy on a free port. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxying: Proxying = { ...options, agent: new Agent({ keepAlive: true }), counts: new Map() }
  const server = createServer((incoming, outgoing) => {
    // Whatever fails on the way is one more lost request to the client.
    serve(proxying, incoming, outgoing).catch(() => outgoing.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    tally: tallyOf(proxying.counts),
    setPlan(plan) {
      proxying.plan = plan
    },
    async close() {
      server.closeAllConnections()
      proxying.agent.destroy()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

async function serve(proxying: Proxying, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const request = await read(proxying, incoming)
  const fault = proxying.plan(request)
  const key = `${request.action} ${fault?.kind ?? 'none'}`
  proxying.counts.set(key, (proxying.counts.get(key) ?? 0) + 1)
  const isDone = fault === undefined || !('answer' in fault) || (fault.kind === 'error' && fault.isDone)
  if (fault?.kind === 'lost-request') {
    outgoing.destroy()
    return
  }
  const answer = isDone ? await forward(proxying, incoming, request, fault) : undefined
  if (fault?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, fault.delayMs))
  if (fault?.kind === 'lost-response') outgoing.destroy()
  else if (fault !== undefined && 'answer' in fault) refuse(outgoing, fault.answer)
  else if (answer !== undefined) outgoing.writeHead(answer.status, answer.headers).end(answer.body)
}

async function read({ service }: Proxying, incoming: IncomingMessage): Promise<ProxiedRequest> {
  const body = (await bytesOf(incoming)).toString()
  const target = String(incoming.headers['x-amz-target'] ?? '')
  const attempt = Number(/attempt=(\d+)/.exec(String(incoming.headers['amz-sdk-request']))?.[1] ?? 1)
  return { service, action: target.slice(target.lastIndexOf('.') + 1), body, attempt }
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function forward(
  proxying: Proxying,
  incoming: IncomingMessage,
  request: ProxiedRequest,
  fault: Fault | undefined,
): Promise<Answer> {
  const failed = fault?.kind === 'partial' ? fault.failed : []
  const body = failed.length === 0 ? request.body : withoutEntries(request.body, failed)
  const answer = body === undefined ? emptyAnswer : await ask(proxying, incoming.headers, body)
  const merged = failed.length === 0 ? answer : withFailures(answer, failed)
  const isDelivered = fault === undefined || fault.kind === 'slow' || fault.kind === 'partial'
  proxying.onExchange?.({ request, status: merged.status, body: merged.body.toString(), isDelivered })
  return merged
}

async function ask(proxying: Proxying, headers: IncomingHttpHeaders, body: string): Promise<Answer> {
  const asking = httpRequest(proxying.target.endpoint, {
    method: 'POST',
    agent: proxying.agent,
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
  })
  asking.end(body)
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 500, headers: response.headers, body: await bytesOf(response) }
}

function refuse(outgoing: ServerResponse, { status, type, message }: ErrorAnswer): void {
  const name = type.slice(type.indexOf('#') + 1)
  const fault = status < 500 ? 'Sender' : 'Receiver'
  outgoing
    .writeHead(status, {
      'content-type': 'application/x-amz-json-1.0',
      'x-amzn-query-error': `${name};${fault}`,
    })
    .end(JSON.stringify({ __type: type, message }))
}

const emptyAnswer: Answer = {
  status: 200,
  headers: { 'content-type': 'application/x-amz-json-1.0' },
  body: Buffer.from('{"Successful":[]}'),
}

/** The batch without the entries that fail; `undefined` where none is left, which SQS would refuse. */
function withoutEntries(body: string, failed: readonly { readonly id: string }[]): string | undefined {
  const batch = JSON.parse(body) as { Entries: { Id: string }[] }
  const Entries = batch.Entries.filter(({ Id }) => !failed.some(({ id }) => id === Id))
  return Entries.length === 0 ? undefined : JSON.stringify({ ...batch, Entries })
}

function withFailures(answer: Answer, failed: Extract<Fault, { kind: 'partial' }>['failed']): Answer {
  const Failed = failed.map(({ id, senderFault, code }) => ({
    Id: id,
    SenderFault: senderFault,
    Code: code,
    Message: `the proxy failed entry ${id}`,
  }))
  const body = Buffer.from(JSON.stringify({ ...JSON.parse(answer.body.toString()), Failed }))
  return { ...answer, headers: { ...answer.headers, 'content-length': String(body.length) }, body }
}

function tallyOf(counts: ReadonlyMap<string, number>): FaultTally {
  return {
    count({ action, kind } = {}) {
      let sum = 0
      for (const [key, count] of counts) {
        const [ofAction, ofKind] = key.split(' ')
        if ((action ?? ofAction) === ofAction && (kind ?? ofKind) === ofKind) sum += count
      }
      return sum
    },
    lines: () => [...counts].map(([key, count]) => `${key}: ${count}`).sort(),
  }
}
