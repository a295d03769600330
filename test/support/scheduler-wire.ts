/**
 * EventBridge Scheduler's API on the wire, for tests: as much of it as looks at schedules and changes them. It answers
 * the real SDK, and refuses an update that leaves out what AWS requires.
 * @module
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { WireServer } from './loopback-connection.ts'

/** The API, listening. */
export interface SchedulerWire extends WireServer {
  /** What was asked, in its order: `GET nightly`. */
  readonly requests: string[]
  /** The schedules, by group and name: `shop/nightly`. */
  readonly schedules: Map<string, Record<string, unknown>>
  /** What every request is refused with from now on: the exception's name. */
  refusal: string | undefined
}

/** What `UpdateSchedule` requires, by the service's model. */
const required = ['FlexibleTimeWindow', 'ScheduleExpression', 'Target']

/** Starts it on a free port of the loopback address. */
export async function startSchedulerWire(): Promise<SchedulerWire> {
  const [requests, schedules] = [[] as string[], new Map<string, Record<string, unknown>>()]
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://wire')
    const name = decodeURIComponent(url.pathname.split('/').at(-1) ?? '')
    const body = JSON.parse((await text(request)) || '{}') as Record<string, unknown>
    requests.push(`${request.method} ${name}`)
    const key = `${url.searchParams.get('groupName') ?? body.GroupName}/${name}`
    const refuse = (status: number, type: string) => {
      response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': type })
      response.end(JSON.stringify({ Message: type }))
    }
    const existing = schedules.get(key)
    if (wire.refusal !== undefined) return refuse(403, wire.refusal)
    if (existing === undefined) return refuse(404, 'ResourceNotFoundException')
    if (request.method === 'PUT') {
      if (required.some((field) => body[field] === undefined)) return refuse(400, 'ValidationException')
      // An update replaces the whole: what it leaves out is gone.
      schedules.set(key, { Name: name, Arn: existing.Arn, CreationDate: existing.CreationDate, ...body })
    }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(
      JSON.stringify(request.method === 'GET' ? schedules.get(key) : { ScheduleArn: existing.Arn }),
    )
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const wire: SchedulerWire = {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    schedules,
    refusal: undefined,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return wire
}
