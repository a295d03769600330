/**
 * The monitor: an app of Hono that shows what runs, what waits, what failed and why, and where it is granted, does
 * something about it. It is mounted in any other app.
 *
 * It reads what is there anyway: records, queues, notices. No worker sends it anything, and it keeps nothing but what it
 * has read in the last seconds, which all its viewers share.
 * @module
 */
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import { basePath } from 'hono/route'
import { CallNotFoundError, InvalidOptionError, RetryRefusedError } from '../runtime/errors.ts'
import { giveFormToken, type MonitorContext, type MonitorEnv, requireGrant, secureHeaders } from './access.ts'
import { addActions } from './actions.ts'
import { answer } from './answer.ts'
import { readCallDetail } from './call-detail.ts'
import { callPage } from './call-page.ts'
import { callsPage, dateOf, readCallList } from './calls-page.ts'
import { type FailedCalls, readFailedCalls } from './failed-calls.ts'
import { failedPage, retryAllPage } from './failed-page.ts'
import { RANGES, type Range } from './figures.ts'
import { callAddress, type Frame, type PageContent } from './layout.ts'
import { addLogOut, type LogIn } from './log-out.ts'
import { messagePage } from './message-page.ts'
import { type MonitorOptions, resolveMonitorOptions } from './monitor-options.ts'
import { overviewPage, readOverview } from './overview-page.ts'
import { queuePage, readQueue } from './queue-page.ts'
import { readSchedules, schedulesPage } from './schedules-page.ts'
import { createSources, type MonitoredExecutor, type Sources } from './sources.ts'
import { staticFile } from './static-files.ts'
import { readTaskList, tasksPage } from './tasks-page.ts'

/** What a form may take; an id and a reason are short. */
const FORM_BYTES = 16 * 1024

/**
 * Makes a monitor of an executor.
 *
 * @example
 * app.route('/errand', monitor(executor, { authorize: (c) => (c.get('user')?.isAdmin ? 'manage' : false) }))
 * @throws InvalidOptionError where `authorize` is missing, or another option breaks a rule
 */
export function monitor(executor: MonitoredExecutor, options: MonitorOptions): Hono<MonitorEnv> {
  return createMonitor(executor, options)
}

/**
 * The same, where its pages may offer to log out.
 * @throws InvalidOptionError
 */
export function createMonitor(
  executor: MonitoredExecutor,
  options: MonitorOptions,
  logIn?: LogIn,
): Hono<MonitorEnv> {
  const resolved = resolveMonitorOptions(options)
  const sources = createSources(executor, resolved)
  const app = new Hono<MonitorEnv>()
  app.onError((error, c) => refuse(c, sources, error))
  app.use(secureHeaders)
  app.use(async (c, next) => {
    c.set('base', (resolved.basePath ?? basePath(c)).replace(/\/$/, ''))
    c.set('canLogOut', logIn !== undefined)
    await next()
  })
  app.use(requireGrant(resolved))
  app.use(giveFormToken)
  app.use(bodyLimit({ maxSize: FORM_BYTES, onError: tooLong }))
  addStaticFiles(app)
  addPages(app, sources)
  addActions(app, sources)
  if (logIn !== undefined) addLogOut(app, logIn)
  app.all('*', (c) => {
    // Under its mount path with a slash at the end it is the overview as well.
    if (c.req.method === 'GET' && c.req.path === `${basePath(c)}/`)
      return c.redirect(c.get('base') + new URL(c.req.url).search, 301)
    throw new HTTPException(404, { message: 'there is no such page' })
  })
  return app
}

function tooLong(): never {
  throw new HTTPException(413, { message: `a form has at most ${FORM_BYTES} bytes` })
}

function addStaticFiles(app: Hono<MonitorEnv>): void {
  app.get('/assets/:name', (c) => {
    const file = staticFile(c.req.param('name'))
    if (file === undefined) throw new HTTPException(404, { message: 'there is no such file' })
    c.header('cache-control', 'private, max-age=300')
    c.header('etag', file.etag)
    if (c.req.header('if-none-match') === file.etag) return c.body(null, 304)
    return c.body(file.body, 200, { 'content-type': file.type })
  })
}

function addPages(app: Hono<MonitorEnv>, sources: Sources): void {
  const page = <Data>(
    path: string,
    read: (c: MonitorContext) => Promise<Data>,
    view: (frame: Frame, data: Data) => PageContent,
  ) => app.get(path, async (c) => answer(c, sources, await read(c), view))
  const queryOf = (c: MonitorContext) => new URL(c.req.url).searchParams

  page('/', (c) => readOverview(sources, rangeOf(c)), overviewPage)
  app.get('/calls', async (c, next) => {
    const id = c.req.query('id')?.trim()
    return id ? c.redirect(callAddress({ base: c.get('base') }, id), 303) : next()
  })
  page('/calls', (c) => readCallList(sources, queryOf(c)), callsPage)
  page('/calls/:id', (c) => readCallDetail(sources, c.req.param('id') ?? ''), callPage)
  const failed = (c: MonitorContext): Promise<FailedCalls> => {
    const [queue, task] = [c.req.query('queue')?.trim(), c.req.query('task')?.trim()]
    const since = dateOf('since', c.req.query('since') || undefined)
    return readFailedCalls(sources, {
      ...(queue && { queue }),
      ...(task && { task }),
      ...(since && { since }),
    })
  }
  const queues = [...sources.executor.config.queues.keys()]
  const withChoices = async (c: MonitorContext) => ({
    ...(await failed(c)),
    ...{ queues, tasks: sources.taskNames() },
  })
  page('/failed', withChoices, failedPage)
  page('/failed/retry', failed, retryAllPage)
  page('/tasks', (c) => readTaskList(sources, rangeOf(c)), tasksPage)
  page('/schedules', () => readSchedules(sources), schedulesPage)
  page('/queues/:name', (c) => readQueue(sources, c.req.param('name') ?? ''), queuePage)
}

/** @throws InvalidOptionError */
function rangeOf(c: MonitorContext): Range {
  const range = c.req.query('range') || '1h'
  if (Object.hasOwn(RANGES, range)) return range as Range
  throw new InvalidOptionError(`\`range\` is none of ${Object.keys(RANGES).join(', ')}`)
}

/** What went wrong, for whoever was let in; who was not learns nothing. */
async function refuse(c: MonitorContext, sources: Sources, error: Error): Promise<Response> {
  const isLetIn = c.get('grant') !== undefined
  if (error instanceof HTTPException && (!isLetIn || error.res !== undefined)) {
    return error.res ?? c.text(error.status === 401 ? 'Not logged in.' : 'Not allowed.', error.status)
  }
  // `authorize` itself failed: that grants nothing, and its message is for the log, not for whoever asked.
  if (!isLetIn) {
    console.error(error)
    return c.text('Not allowed: it could not be found out who asks.', 500)
  }
  const { status, title } = kindOf(error)
  const data = { error: error.message || error.name }
  return answer(c, sources, data, (frame) => messagePage(frame, title, data.error), status)
}

function kindOf(error: Error): { readonly status: 400 | 403 | 404 | 413 | 503; readonly title: string } {
  if (error instanceof HTTPException) {
    const { status } = error
    if (status === 413) return { status, title: 'That is too long' }
    if (status === 404) return { status, title: 'Not found' }
    return status === 403 ? { status, title: 'Not allowed' } : { status: 400, title: 'That cannot be done' }
  }
  if (CallNotFoundError.is(error)) return { status: 404, title: 'No such call' }
  if (InvalidOptionError.is(error) || RetryRefusedError.is(error)) {
    return { status: 400, title: 'That cannot be done' }
  }
  return { status: 503, title: 'It cannot be read now' }
}
