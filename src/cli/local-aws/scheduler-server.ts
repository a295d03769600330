/**
 * EventBridge Scheduler's wire protocol on this machine's loopback address, as far as one-time schedules that send to SQS
 * need it: schedules are made, looked at, deleted, and fire. It refuses what AWS documents as refused, and holds
 * everything in memory.
 * @module
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Clock, Timer } from '../../runtime/clock.ts'
import { checkSchedule, type RequestedSchedule, SchedulerRefusal } from './schedule-request.ts'
import type { WireServer } from './wire-servers.ts'

/** The parameters of SQS's `SendMessage`. */
export interface SentMessage {
  readonly QueueUrl: string
  readonly MessageBody: string
  readonly DelaySeconds?: number
  readonly MessageGroupId?: string
}

/** What the server needs. */
export interface SchedulerServerOptions {
  readonly clock: Clock
  /** Sends what a schedule says. */
  send(message: SentMessage): Promise<void>
  /** Told what came of a schedule whose message could not be sent. */
  onUnsent(name: string, error: unknown): void
}

/** The server, listening. */
export interface SchedulerServer extends WireServer {
  /** The schedules that have not fired, as they were asked for, in the order in which they were made. */
  schedules(): readonly RequestedSchedule[]
}

interface Kept {
  readonly request: RequestedSchedule
  readonly timer: Timer
}

const HOST = '127.0.0.1'

/** What the ARNs of schedules begin with here. */
const ARN = 'arn:aws:scheduler:us-east-1:000000000000:schedule'

/** Starts it on a free port. */
export async function startSchedulerServer(options: SchedulerServerOptions): Promise<SchedulerServer> {
  const kept = new Map<string, Kept>()
  const server = createServer((request, response) => {
    answer(options, kept, request).then(
      (body) => reply(response, 200, body),
      (error: unknown) => {
        const { status, type } = error instanceof SchedulerRefusal ? error : INTERNAL
        reply(response, status, { Message: String(error) }, type)
      },
    )
  })
  server.listen(0, HOST)
  await once(server, 'listening')
  return {
    endpoint: `http://${HOST}:${(server.address() as AddressInfo).port}`,
    schedules: () => [...kept.values()].map(({ request }) => request),
    async close() {
      for (const { timer } of kept.values()) timer.cancel()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const INTERNAL = { status: 500, type: 'InternalServerException' }

function reply(response: ServerResponse, status: number, body: unknown, type?: string): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(type !== undefined && { 'x-amzn-errortype': type }),
  })
  response.end(JSON.stringify(body))
}

async function answer(
  options: SchedulerServerOptions,
  kept: Map<string, Kept>,
  request: IncomingMessage,
): Promise<unknown> {
  const url = new URL(request.url ?? '', 'http://scheduler')
  const [, kind, segment = '', rest] = url.pathname.split('/')
  if (kind !== 'schedules' || segment === '' || rest !== undefined) {
    throw new SchedulerRefusal(404, 'ResourceNotFoundException', `no ${request.method} ${url.pathname}`)
  }
  const name = decodeURIComponent(segment)
  const group = url.searchParams.get('groupName') ?? 'default'
  switch (request.method) {
    case 'POST':
      return create(options, kept, name, JSON.parse(await text(request)))
    case 'GET':
      return { Arn: arnOf(group, name), ...keptOf(kept, group, name).request }
    case 'DELETE':
      keptOf(kept, group, name).timer.cancel()
      kept.delete(keyOf(group, name))
      return {}
    default:
      throw new SchedulerRefusal(400, 'ValidationException', `no ${request.method} of a schedule here`)
  }
}

function keyOf(group: string, name: string): string {
  return `${group}/${name}`
}

function arnOf(group: string, name: string): string {
  return `${ARN}/${keyOf(group, name)}`
}

function keptOf(kept: Map<string, Kept>, group: string, name: string): Kept {
  const found = kept.get(keyOf(group, name))
  if (found !== undefined) return found
  throw new SchedulerRefusal(404, 'ResourceNotFoundException', `Schedule ${name} does not exist.`)
}

function create(
  options: SchedulerServerOptions,
  kept: Map<string, Kept>,
  name: string,
  body: unknown,
): { readonly ScheduleArn: string } {
  const { request, atMs } = checkSchedule(name, body)
  const group = request.GroupName
  const ScheduleArn = arnOf(group, name)
  const existing = kept.get(keyOf(group, name))
  if (existing !== undefined) {
    // The same request once more, by its token.
    if (existing.request.ClientToken === request.ClientToken) return { ScheduleArn }
    throw new SchedulerRefusal(409, 'ConflictException', `Schedule ${name} already exists.`)
  }
  const fire = () => {
    kept.delete(keyOf(group, name))
    const input = JSON.parse(withContext(request, atMs)) as SentMessage
    options.send(input).catch((error: unknown) => options.onUnsent(name, error))
  }
  const delayMs = Math.max(atMs - options.clock.now(), 0)
  const timer = options.clock.setTimer(fire, delayMs, { background: true })
  kept.set(keyOf(group, name), { request, timer })
  return { ScheduleArn }
}

/** The input with the context attributes that AWS replaces in it, wherever they stand. */
function withContext({ Name, GroupName, Target }: RequestedSchedule, atMs: number): string {
  return Target.Input.replaceAll('<aws.scheduler.schedule-arn>', arnOf(GroupName, Name))
    .replaceAll('<aws.scheduler.scheduled-time>', `${new Date(atMs).toISOString().slice(0, 19)}Z`)
    .replaceAll('<aws.scheduler.execution-id>', 'd32c5kddcf5bb8c3')
    .replaceAll('<aws.scheduler.attempt-number>', '1')
}
