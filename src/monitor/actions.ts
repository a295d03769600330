/**
 * What can be done: to a call, to what failed, to a queue, to a schedule. Each is a POST of a form, and leads back to where it came
 * from, or says as JSON what it did.
 * @module
 */
import type { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { formOf, type MonitorContext, type MonitorEnv, requireManage } from './access.ts'
import { answer, wantsJson } from './answer.ts'
import { dateOf } from './calls-page.ts'
import { address } from './layout.ts'
import { messagePage } from './message-page.ts'
import { count } from './shown-text.ts'
import type { Sources } from './sources.ts'

/** What an action did. */
interface Done {
  /** For programs. */
  readonly data: Readonly<Record<string, unknown>>
  /** Where to go on. */
  readonly path: string
  /** What to say before that, where it went otherwise than asked, or is worth a sentence. */
  readonly message?: string
}

/** Adds the actions. */
export function addActions(app: Hono<MonitorEnv>, sources: Sources): void {
  const { executor } = sources
  const action = (path: string, act: (c: MonitorContext) => Promise<Done>) =>
    app.post(path, requireManage, async (c) => {
      const done = await act(c)
      sources.forget()
      return respond(c, sources, done)
    })
  const callPath = (c: MonitorContext) => `/calls/${encodeURIComponent(idOf(c))}`
  action('/calls/:id/cancel', async (c) => {
    const cancelled = await executor.future(idOf(c)).cancel()
    const message = cancelled
      ? undefined
      : 'It was not cancelled: it runs, or has ended. What runs can be aborted.'
    return { data: { cancelled }, path: callPath(c), ...(message && { message }) }
  })
  action('/calls/:id/abort', async (c) => {
    const { reason } = await formOf(c)
    const aborted = await executor.future(idOf(c)).abort(reason || 'aborted in the monitor')
    const message = aborted ? undefined : 'It was not asked to stop: it has ended.'
    return { data: { aborted }, path: callPath(c), ...(message && { message }) }
  })
  action('/calls/:id/retry', async (c) => {
    const { id } = await executor.retry(idOf(c))
    return { data: { id }, path: callPath(c) }
  })
  action('/failed/retry', async (c) => retryAll(c, sources))
  action('/queues/:name/pause', async (c) => {
    await executor.queues.pause(nameOf(c))
    return { data: { paused: true }, path: queuePath(c) }
  })
  action('/queues/:name/resume', async (c) => {
    await executor.queues.resume(nameOf(c))
    return { data: { paused: false }, path: queuePath(c) }
  })
  for (const verb of ['pause', 'resume'] as const) {
    action(`/schedules/:name/${verb}`, async (c) => {
      await executor.schedules[verb](nameOf(c))
      return { data: { paused: verb === 'pause' }, path: '/schedules' }
    })
  }
  action('/schedules/:name/run', async (c) => {
    const { id } = await executor.schedules.run(nameOf(c))
    return { data: { id }, path: `/calls/${encodeURIComponent(id)}` }
  })
  action('/queues/:name/purge', async (c) => purge(c, sources))
}

function idOf(c: MonitorContext): string {
  return c.req.param('id') ?? ''
}

function nameOf(c: MonitorContext): string {
  return c.req.param('name') ?? ''
}

function queuePath(c: MonitorContext): string {
  return `/queues/${encodeURIComponent(nameOf(c))}`
}

async function respond(c: MonitorContext, sources: Sources, done: Done): Promise<Response> {
  const { data, path, message } = done
  if (wantsJson(c)) return c.json(data)
  const href = address({ base: c.get('base') }, path)
  if (message === undefined) return c.redirect(href, 303)
  return answer(c, sources, data, (frame) =>
    messagePage(frame, 'Done', message, { href, text: 'Go on' }, 'empty'),
  )
}

async function retryAll(c: MonitorContext, { executor }: Sources): Promise<Done> {
  const { queue, task, since } = await formOf(c)
  const from = dateOf('since', since || undefined)
  const { ids, refused } = await executor.retryAll({
    ...(queue && { queue }),
    ...(task && { task }),
    ...(from && { since: from }),
  })
  const [first] = refused
  const failed =
    first === undefined ? '' : ` ${count(refused.length)} were refused; the first: ${first.error.message}`
  return {
    data: { ids, refused: refused.map(({ id, error }) => ({ id, error: error.message })) },
    path: '/failed',
    message: `${count(ids.length)} ${ids.length === 1 ? 'call is' : 'calls are'} tried again.${failed}`,
  }
}

async function purge(c: MonitorContext, { executor }: Sources): Promise<Done> {
  const queue = nameOf(c)
  const { queue: typed } = await formOf(c)
  if (typed !== queue) {
    throw new HTTPException(400, { message: `type the queue's name, ${JSON.stringify(queue)}, to purge it` })
  }
  const purged = await executor.queues.purge(queue)
  const rest = purged.complete
    ? ''
    : ` ${count(purged.lookedAt)} calls were looked at; there may be more that wait.`
  return {
    data: { ...purged },
    path: queuePath(c),
    message: `The queue was purged, and ${count(purged.cancelled)} waiting ${purged.cancelled === 1 ? 'call was' : 'calls were'} cancelled.${rest}`,
  }
}
