/**
 * The web app: a page for people, `202` and `GET /reports/:id` for programs, and the routes by which the page follows
 * the calls of a report and stops them.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { accepted, taskRoutes } from 'errand/hono'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import { secureHeaders } from 'hono/secure-headers'
import { client } from './client.ts'
import { pageFile } from './files.ts'
import { chunksOf, parseReportRequest } from './report-request.ts'
import { readReport } from './report-status.ts'

/** All routes. `app.request(…)` calls them without a server. */
export const app = new Hono()

app.use(
  secureHeaders({
    // Nothing but our own files, and no inline scripts or styles: data that looks like markup can do no harm.
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
    referrerPolicy: 'no-referrer',
    xFrameOptions: 'DENY',
    // Only an https site may promise this; the demo is plain http on this machine.
    strictTransportSecurity: false,
  }),
)

const files = {
  '/': ['page.html', 'text/html; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/chart.js': ['chart.js', 'text/javascript; charset=utf-8'],
  '/follow.js': ['follow.js', 'text/javascript; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
} as const

for (const [path, [file, contentType]] of Object.entries(files)) {
  app.get(path, async (c) => {
    const text = await readFile(pageFile(file), 'utf8')
    return c.body(text, 200, { 'content-type': contentType, 'cache-control': 'no-cache' })
  })
}

app.get('/favicon.ico', (c) => c.body(null, 204))

const tooLarge = () => {
  throw new HTTPException(413, { message: 'the body has over 4 KiB; a report is asked for in less' })
}

app.post('/reports', bodyLimit({ maxSize: 4096, onError: tooLarge }), async (c) => {
  // A form of another site cannot send this type unasked, so a stranger's page cannot start reports.
  if (!/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')) {
    throw new HTTPException(415, { message: 'send the body as content-type: application/json' })
  }
  const chunks = chunksOf(parseReportRequest(await c.req.text()))
  const group = await client.map(
    'reports.summarise',
    chunks.map((chunk) => [chunk] as const),
  )
  return accepted(c, group, '/reports')
})

// Nobody signs in here: whoever holds the link of a report, which cannot be guessed, may follow and stop it.
app.route('/tasks', taskRoutes(client, { authorize: ({ task }) => task === 'reports.summarise' }))

app.get('/reports/:id', async (c) => {
  const status = await readReport(c.req.param('id'))
  if (status === undefined) {
    throw new HTTPException(404, { message: 'nobody knows this report (any more); ask for a new one' })
  }
  c.header('cache-control', 'no-store')
  return c.json(status)
})

app.notFound((c) => c.json({ error: `there is nothing at ${c.req.path}` }, 404))

app.onError((error, c) => {
  if (error instanceof HTTPException) return c.json({ error: error.message }, error.status)
  console.error(error)
  return c.json({ error: 'something went wrong here; try again' }, 500)
})
