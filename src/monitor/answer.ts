/**
 * One address, two forms: the page for people, and the data that it is made of for programs. Both carry an ETag, so that
 * an open page is sent only what has changed.
 * @module
 */
import { hash } from 'node:crypto'
import type { Context } from 'hono'
import { systemClock } from '../runtime/clock.ts'
import type { MonitorContext } from './access.ts'
import { type Frame, layout, type PageContent } from './layout.ts'
import type { Sources } from './sources.ts'

/** Whether a request wants data: by `?format=json`, or an `Accept` that names JSON and not HTML. */
export function wantsJson(c: Context): boolean {
  const format = c.req.query('format')
  if (format !== undefined) return format === 'json'
  const accept = c.req.header('accept') ?? ''
  return accept.includes('application/json') && !accept.includes('text/html')
}

/** What a page knows besides its data. */
export async function frameOf(
  c: MonitorContext,
  { executor, backend, hasSchedules, refreshSeconds }: Sources,
): Promise<Frame> {
  // The page that says that the backend cannot be reached needs a frame as well.
  const [now, seconds] = await Promise.all([
    Promise.resolve(backend()).then(
      ({ clock }) => clock.now(),
      () => systemClock.now(),
    ),
    refreshSeconds().catch(() => 10),
  ])
  return {
    ...{ app: executor.config.name, base: c.get('base'), formToken: c.get('formToken') },
    ...{ canManage: c.get('grant') === 'manage', canLogOut: c.get('canLogOut') },
    ...{ now, refreshSeconds: seconds },
    hasSchedules: hasSchedules(),
    query: new URL(c.req.url).searchParams,
  }
}

/** Answers with the page, or with its data. */
export async function answer<Data>(
  c: MonitorContext,
  sources: Sources,
  data: Data,
  view: (frame: Frame, data: Data) => PageContent,
  status: 200 | 400 | 403 | 404 | 413 | 503 = 200,
): Promise<Response> {
  const isJson = wantsJson(c)
  const frame = await frameOf(c, sources)
  const body = isJson ? JSON.stringify(data) : String(await layout(frame, view(frame, data)))
  const etag = `"${hash('sha256', untimed(body), 'base64url').slice(0, 27)}"`
  c.header('vary', 'accept, cookie')
  c.header('etag', etag)
  if (status === 200 && c.req.header('if-none-match') === etag) return c.body(null, 304)
  c.header('content-type', isJson ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8')
  return c.body(body, status)
}

/** What changes while nothing does: the time at the foot of the page. */
function untimed(body: string): string {
  return body.replace(/<footer>.*<\/footer>/s, '')
}
