/**
 * Routes by which a web client follows, takes and stops calls. They submit nothing: what may be asked for, by whom, and
 * with which arguments, is a route of the app's own.
 * @module
 */
import { type Context, type Env, Hono, type TypedResponse } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import { validator } from 'hono/validator'
import type { CallStatus, GroupStatus } from '../browser/call-status.ts'
import { createGate, type Gate } from './call-gate.ts'
import { callResult, groupResult, type TaskGroupResult, type TaskResult } from './call-results.ts'
import { eventIdOf, eventStream, type Watch } from './event-stream.ts'
import { answerError } from './refusals.ts'
import {
  type CallSource,
  checkRouteOptions,
  type RouteSettings,
  type TaskRoutesOptions,
} from './route-options.ts'
import { groupStatusOf, hasEnded, statusOf } from './status-of.ts'
import { streamLimitMs } from './stream-limit.ts'
import { watchCall, watchGroup } from './watch.ts'

/** All that may be said with a cancel or an abort, with room to spare. */
const MAX_BODY_BYTES = 4096
/** What the record keeps of a reason. */
const MAX_REASON_LENGTH = 200

/**
 * Routes for the calls of an executor or a client, to be mounted anywhere:
 *
 * - `GET /calls/:id` its status, `GET /calls/:id/progress`, `GET /calls/:id/result`
 * - `GET /calls/:id/events` its status as server-sent events, until it has ended
 * - `POST /calls/:id/cancel`, `POST /calls/:id/abort` with `{ reason }`
 * - the same for `/groups/:id`, but for `progress`, which its status holds
 *
 * @example
 * app.route('/tasks', taskRoutes(client, { authorize: ({ tenant }, c) => tenant === c.var.user.tenant }))
 * @throws InvalidOptionError
 */
export function taskRoutes<Source extends CallSource, E extends Env = Env>(
  source: Source,
  options: TaskRoutesOptions<E>,
) {
  const checked = checkRouteOptions(source, options)
  const gate = createGate(source, checked)
  const onError = (error: Error, c: Context) => checked.onError(error, c as unknown as Context<E>)
  const settings: Settings = { ...checked, onError }
  const routes = new Hono<E>()
  routes.use(async (c, next) => {
    await next()
    c.header('cache-control', 'no-store')
    c.header('x-content-type-options', 'nosniff')
  })
  routes.onError((error, c) => answerError(error, c, onError))
  const streams = { open: 0 }
  return routes
    .route('/calls', callRoutes<Source>(gate, settings, streams))
    .route('/groups', groupRoutes<Source>(gate, settings, streams))
}

/** The settings, whatever the app keeps on its context. */
type Settings = Omit<RouteSettings<Env>, 'authorize' | 'onError'> & {
  readonly onError: (error: Error, c: Context) => unknown
}

interface Streams {
  open: number
}

function callRoutes<Source>(gate: Gate, settings: Settings, streams: Streams) {
  return new Hono()
    .get('/:id', async (c) => json<CallStatus>(c, statusOf((await gate.call(c, 'read')).snapshot)))
    .get('/:id/progress', async (c) => {
      const { id, state, progress } = statusOf((await gate.call(c, 'read')).snapshot)
      return json<Pick<CallStatus, 'id' | 'state' | 'progress'>>(c, { id, state, progress })
    })
    .get('/:id/result', async (c) => {
      const opened = await gate.call(c, 'read')
      if (!hasEnded(opened.snapshot)) return unfinished<CallStatus>(c, statusOf(opened.snapshot))
      return text<TaskResult<Source>>(c, await callResult(opened, settings.describeError))
    })
    .get('/:id/events', async (c) => {
      const opened = await gate.call(c, 'read')
      return events(c, settings, streams, {
        first: statusOf(opened.snapshot),
        watch: watchCall(opened),
      })
    })
    .post('/:id/cancel', ...instruction(), async (c) => {
      const { future } = await gate.call(c, 'cancel')
      return json<{ id: string; cancelled: boolean }>(c, { id: future.id, cancelled: await future.cancel() })
    })
    .post('/:id/abort', ...instruction(), async (c) => {
      const { future } = await gate.call(c, 'abort')
      const { reason } = c.req.valid('json')
      return json<{ id: string; aborted: boolean }>(c, { id: future.id, aborted: await future.abort(reason) })
    })
}

function groupRoutes<Source>(gate: Gate, settings: Settings, streams: Streams) {
  return new Hono()
    .get('/:id', async (c) => {
      const { group, snapshots } = await gate.group(c, 'read')
      return json<GroupStatus>(c, groupStatusOf(group.id, snapshots))
    })
    .get('/:id/result', async (c) => {
      const opened = await gate.group(c, 'read')
      const status = groupStatusOf(opened.group.id, opened.snapshots)
      if (!hasEnded(status)) return unfinished<GroupStatus>(c, status)
      return text<TaskGroupResult<Source>>(c, await groupResult(opened, settings.describeError))
    })
    .get('/:id/events', async (c) => {
      const opened = await gate.group(c, 'read')
      return events(c, settings, streams, {
        first: groupStatusOf(opened.group.id, opened.snapshots),
        watch: watchGroup(opened, settings.clock),
      })
    })
    .post('/:id/cancel', ...instruction(), async (c) => {
      const { group } = await gate.group(c, 'cancel')
      return json<{ id: string; cancelled: boolean }>(c, { id: group.id, cancelled: await group.cancel() })
    })
    .post('/:id/abort', ...instruction(), async (c) => {
      const { group } = await gate.group(c, 'abort')
      await group.abort(c.req.valid('json').reason)
      return json<{ id: string }>(c, { id: group.id })
    })
}

/** The body of a cancel or an abort: small, and JSON, which the page of another site cannot send unasked. */
function instruction() {
  const tooLarge = () => {
    throw new HTTPException(413, { message: `the body has over ${MAX_BODY_BYTES} bytes` })
  }
  const read = validator('json', (body: unknown, c): { reason?: string } => {
    if (!/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')) {
      throw new HTTPException(415, { message: 'send a body of content-type application/json, as {}' })
    }
    return { ...reasonOf(body) }
  })
  return [bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge }), read] as const
}

function reasonOf(body: unknown): { readonly reason: string } | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new HTTPException(400, { message: 'the body is not an object; send one, as {}' })
  }
  if (!Object.hasOwn(body, 'reason')) return undefined
  const { reason } = body as { readonly reason: unknown }
  if (typeof reason === 'string' && reason.length <= MAX_REASON_LENGTH) return { reason }
  throw new HTTPException(400, { message: `reason is a text of at most ${MAX_REASON_LENGTH} characters` })
}

type Json<T, Status extends 200 | 202> = Response & TypedResponse<T, Status, 'json'>

function text<T>(c: Context, body: string): Json<T, 200> {
  return c.body(body, 200, { 'content-type': 'application/json' }) as unknown as Json<T, 200>
}

function json<T>(c: Context, value: T): Json<T, 200> {
  return text(c, JSON.stringify(value))
}

function unfinished<T>(c: Context, status: T): Json<T, 202> {
  const headers = { 'content-type': 'application/json', 'retry-after': '1' }
  return c.body(JSON.stringify(status), 202, headers) as unknown as Json<T, 202>
}

function events(
  c: Context,
  { clock, maxStreamSeconds, maxStreams, onError }: Settings,
  streams: Streams,
  { first, watch }: { readonly first: CallStatus | GroupStatus; readonly watch: Watch },
): Response {
  const status = JSON.stringify(first)
  const seen = c.req.header('last-event-id')
  // Nothing will follow: to a browser's EventSource this is the one answer after which it does not ask again.
  if (hasEnded(first) && seen === eventIdOf(status)) return c.body(null, 204)
  const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' }
  // Its body would be dropped unread, and the stream would never learn of it.
  if (c.req.method === 'HEAD') return c.body(null, 200, headers)
  if (streams.open >= maxStreams) {
    throw new HTTPException(503, { message: 'too many streams are open; try again, or poll the status' })
  }
  streams.open += 1
  const onEnd = (error?: Error) => {
    streams.open -= 1
    if (error !== undefined) onError(error, c)
  }
  const maxMs = hasEnded(first) ? 0 : streamLimitMs(c, maxStreamSeconds * 1000)
  return c.body(eventStream({ clock, maxMs, first: status, watch, seen, onEnd }), 200, headers)
}
