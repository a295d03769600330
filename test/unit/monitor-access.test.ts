import { createExecutor, defineConfig, InvalidOptionError } from 'errand'
import { monitor, startMonitor } from 'errand/monitor'
import { HTTPException } from 'hono/http-exception'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createMonitor } from '../../src/monitor/monitor.ts'
import { monitorStage } from '../support/monitor-stage.ts'

/** A path of a route's pattern. */
const pathOf = (pattern: string, id: string) =>
  pattern
    .replace(':id', id)
    .replace('/queues/:name', '/queues/low')
    .replace(':name', 'monitor.css')
    .replace('*', 'x')

/** Every route that a monitor has, its middleware left out: a new one is tested without anybody's doing. */
function routesOf({ routes: all }: Pick<ReturnType<typeof monitor>, 'routes'>, id = 'an-id') {
  const routes = all
    .filter(({ path, method }) => !(method === 'ALL' && path === '/*'))
    .map(({ method, path }) => ({ method, path: pathOf(path, id) }))
  const unique = new Map(routes.map((route) => [`${route.method} ${route.path}`, route]))
  return [...unique.values(), { method: 'GET', path: '/nowhere' }]
}

const form = { 'content-type': 'application/x-www-form-urlencoded' }

describe('who is let in', () => {
  test('every route refuses whoever is granted nothing, and tells nothing', async () => {
    const stage = await monitorStage()
    const id = await stage.put({ id: 'an-id', tenant: 'acme' })
    const routes = routesOf(stage.mounted, id)
    expect(routes.length).toBeGreaterThanOrEqual(16)
    for (const who of [{}, { who: '' }, { who: 'admin' }, { who: 'Manage' }, { who: 'true' }]) {
      for (const { method, path } of routes) {
        const response = await stage.app.request(`http://shop.test/jobs${path}`, {
          method,
          headers: { ...form, ...(who as Record<string, string>) },
        })
        const what = `${method} ${path} as ${JSON.stringify(who)}`
        expect(response.status, what).toBe(403)
        expect(await response.text(), what).toBe('Not allowed.')
        expect(response.headers.get('content-security-policy'), what).toContain("default-src 'none'")
        expect(response.headers.has('set-cookie'), what).toBe(false)
      }
    }
  })

  test('every route answers with the headers that keep a page to itself', async () => {
    const stage = await monitorStage()
    await stage.put({ id: 'an-id' })
    for (const { method, path } of routesOf(stage.mounted)) {
      const { headers } = await stage.request(path, { method, headers: form })
      expect(headers.get('content-security-policy'), path).toContain("frame-ancestors 'none'")
      expect(headers.get('content-security-policy'), path).not.toMatch(/unsafe|http/)
      expect(headers.get('x-content-type-options'), path).toBe('nosniff')
      expect(headers.get('cache-control'), path).toMatch(/no-store|private/)
      expect(headers.has('access-control-allow-origin'), path).toBe(false)
    }
  })

  test('whoever may read can do nothing', async () => {
    const stage = await monitorStage()
    const posts = routesOf(stage.mounted).filter(({ method }) => method === 'POST')
    expect(posts.map(({ path }) => path)).toEqual([
      ...['/calls/an-id/cancel', '/calls/an-id/abort', '/calls/an-id/retry', '/failed/retry'],
      ...['/queues/low/pause', '/queues/low/resume'],
      ...['pause', 'resume', 'run'].map((verb) => `/schedules/monitor.css/${verb}`),
      '/queues/low/purge',
    ])
    for (const { path } of posts) {
      const response = await stage.request(path, { method: 'POST', headers: { 'x-errand-monitor': '1' } })
      expect(response.status, path).toBe(403)
    }
    await stage.put({ id: 'an-id' })
    for (const path of ['/', '/calls/an-id', '/queues/low', '/failed']) {
      expect(await stage.html(path), path).not.toMatch(/method="post"|name="token"/)
    }
  })

  test('`authorize` is asked for, by the type and when it runs', () => {
    const executor = createExecutor(defineConfig({ name: 'shop' }), { tasks: {}, backend: 'local' })
    // @ts-expect-error it is required
    expect(() => monitor(executor, {})).toThrow(/`authorize` of monitor is undefined, expected a function/)
    // @ts-expect-error it is a function
    expect(() => monitor(executor, { authorize: true })).toThrow(InvalidOptionError)
    // @ts-expect-error there is no such option
    expect(() => monitor(executor, { authorize: () => false, readOnly: true })).toThrow(/unknown option/)
  })

  test('what `authorize` throws or answers reaches whoever asks only where it is meant to', async () => {
    const throwing = await monitorStage({
      authorize: () => {
        throw new Error('the password is 1')
      },
    })
    const response = await throwing.request('/')
    expect([response.status, await response.text()]).not.toContain('the password is 1')
    expect(response.status).toBe(500)
    const unknown = await monitorStage({
      authorize: () => {
        throw new HTTPException(401, { message: 'hm' })
      },
    })
    expect((await unknown.request('/calls')).status).toBe(401)
    const redirecting = await monitorStage({ authorize: (c) => c.redirect('/log-in') })
    expect((await redirecting.request('/')).headers.get('location')).toBe('/log-in')
  })
})

describe('actions asked for by others', () => {
  const act = async (headers: Record<string, string>, body = '') => {
    const stage = await monitorStage()
    const first = await stage.request('/queues/low', { headers: { who: 'manage' } })
    const cookie = first.headers.get('set-cookie')?.split(';')[0] ?? ''
    const token = /name="token" value="([^"]+)"/.exec(await first.text())?.[1] ?? ''
    expect(first.headers.get('set-cookie')).toMatch(/HttpOnly; SameSite=Strict/)
    const given = Object.fromEntries(
      Object.entries({ who: 'manage', ...form, ...headers }).map(([name, value]) => [
        name,
        value.replace('COOKIE', cookie),
      ]),
    )
    const response = await stage.request('/queues/low/pause', {
      ...{ method: 'POST', headers: given, body: body.replace('TOKEN', token) },
    })
    const { low } = await stage.executor.inspect.queues()
    expect(low?.paused === true).toBe(response.status < 400)
    return response.status
  }

  test.each([
    ['without a token', { cookie: 'COOKIE' }, '', 403],
    ['with another token', { cookie: 'COOKIE' }, `token=${'x'.repeat(32)}`, 403],
    ['with the token, and no cookie', {}, 'token=TOKEN', 403],
    ['by another site', { cookie: 'COOKIE', 'sec-fetch-site': 'cross-site' }, 'token=TOKEN', 403],
    ['by another subdomain', { cookie: 'COOKIE', 'sec-fetch-site': 'same-site' }, 'token=TOKEN', 403],
    ['by another origin', { cookie: 'COOKIE', origin: 'https://evil.example' }, 'token=TOKEN', 403],
    ['by no origin', { cookie: 'COOKIE', origin: 'null' }, 'token=TOKEN', 403],
    [
      'by another origin with our header',
      { origin: 'https://evil.example', 'x-errand-monitor': '1' },
      '',
      403,
    ],
    ['as text that is JSON', { cookie: 'COOKIE', 'content-type': 'text/plain' }, '{"token":"TOKEN"}', 403],
    ['by our page', { cookie: 'COOKIE', origin: 'http://shop.test' }, 'token=TOKEN', 303],
    [
      'by our page in a new browser',
      { cookie: 'COOKIE', 'sec-fetch-site': 'same-origin' },
      'token=TOKEN',
      303,
    ],
    ['by a program', { 'x-errand-monitor': '1' }, '', 303],
  ])('%s', async (_, headers, body, status) => {
    expect(await act(headers as Record<string, string>, body)).toBe(status)
  })

  test('in a body that is too long, counted or in chunks', async () => {
    const { request } = await monitorStage()
    const headers = { who: 'manage', 'x-errand-monitor': '1', ...form }
    const long = 'x'.repeat(20_000)
    const path = '/queues/low/purge'
    expect((await request(path, { method: 'POST', headers, body: long })).status).toBe(413)
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode(long))
        controller.close()
      },
    })
    const chunked = await request(path, { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
    expect(chunked.status).toBe(413)
  })
})

describe('on a port of its own', () => {
  const start = async (manage = false) => {
    const stage = await monitorStage()
    const running = await startMonitor(stage.executor, { port: 0, manage })
    onTestFinished(() => running.close())
    const logIn = async () => {
      const response = await fetch(running.url, { redirect: 'manual' })
      expect([response.status, response.headers.get('location')]).toEqual([303, '/'])
      return response.headers.get('set-cookie') ?? ''
    }
    return { ...running, logIn }
  }

  test('the printed address lets in, by a cookie that scripts and other sites do not have', async () => {
    const { origin, url, logIn } = await start()
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{32}$/)
    const cookie = await logIn()
    expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/)
    expect(cookie).not.toContain(new URL(url).searchParams.get('token'))
    const page = await fetch(origin, { headers: { cookie: cookie.split(';')[0] ?? '' } })
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('<h1>Overview</h1>')
  })

  test.each(['/', '/calls', '/calls/x', '/assets/monitor.js', '/?token=', '/?token=wrong', '/nowhere'])(
    'without it, %s is refused',
    async (path) => {
      const { origin, port } = await start()
      for (const cookie of ['', `errand-monitor-${port}=wrong`, `errand-monitor-${port}=${'x'.repeat(32)}`]) {
        const response = await fetch(origin + path, { headers: { cookie }, redirect: 'manual' })
        expect(response.status).toBe(401)
        expect(await response.text()).not.toContain('shop')
      }
    },
  )

  test('every route refuses no cookie, a wrong one, and that of an earlier run', async () => {
    const stage = await monitorStage()
    await stage.put({ id: 'an-id' })
    const earlier = await startMonitor(stage.executor, { port: 0, manage: true })
    const opened = await fetch(earlier.url, { redirect: 'manual' })
    const expired = opened.headers.get('set-cookie')?.split(';')[0] ?? ''
    await earlier.close()
    const running = await startMonitor(stage.executor, { port: earlier.port, manage: true })
    onTestFinished(() => running.close())
    const logIn = { leadsTo: '/', end: () => {} }
    const routes = routesOf(createMonitor(stage.executor, { authorize: () => 'read' }, logIn))
    for (const cookie of ['', `errand-monitor-${running.port}=${'x'.repeat(32)}`, expired]) {
      for (const { method, path } of routes) {
        const headers = { ...form, cookie, 'x-errand-monitor': '1' }
        const response = await fetch(running.origin + path, { method, headers, redirect: 'manual' })
        expect(response.status, `${method} ${path} with ${cookie}`).toBe(401)
        expect(await response.text()).not.toContain('shop')
      }
    }
    const posts = routes.filter(({ method }) => method === 'POST').map(({ path }) => path)
    expect(posts).toHaveLength(11)
    expect(posts).toContain('/log-out')
    expect((await fetch(running.url, { redirect: 'manual' })).status).toBe(303)
  })

  test.each([false, true])(
    'a person logs out, whether they may act (%s) or not, by the page alone',
    async (manage) => {
      const { origin, logIn, url } = await start(manage)
      const session = (await logIn()).split(';')[0] ?? ''
      const page = await fetch(origin, { headers: { cookie: session } })
      const text = await page.text()
      const formCookie = page.headers.get('set-cookie') ?? ''
      expect(formCookie).toMatch(/^errand-form=[\w-]{32}; Path=\/; HttpOnly; SameSite=Strict$/)
      expect(text.match(/action="[^"]*\/log-out"/g)).toEqual(['action="/log-out"'])
      const token = /name="token" value="([^"]+)"/.exec(text)?.[1] ?? ''
      const cookie = `${session}; ${formCookie.split(';')[0]}`
      const leave = (headers: Record<string, string>, fields: Record<string, string>) =>
        fetch(`${origin}/log-out`, {
          ...{ method: 'POST', redirect: 'manual', headers: { ...form, ...headers } },
          body: new URLSearchParams(fields),
        })
      for (const [headers, fields, status] of [
        [{ cookie }, {}, 403],
        [{ cookie }, { token: 'x'.repeat(32) }, 403],
        [{ cookie: session }, { token }, 403],
        [{ cookie, 'sec-fetch-site': 'cross-site' }, { token }, 403],
        [{ cookie, origin: 'https://evil.example' }, { token }, 403],
        [{ cookie, origin: 'https://evil.example', 'x-errand-monitor': '1' }, {}, 403],
        [{}, { token }, 401],
      ] as const) {
        const refused = await leave(headers, fields as Record<string, string>)
        expect(refused.status, JSON.stringify([headers, fields])).toBe(status)
        expect(refused.headers.has('set-cookie')).toBe(false)
      }
      const left = await leave({ cookie }, { token })
      expect([left.status, left.headers.get('location')]).toEqual([303, '/'])
      const taken = left.headers.getSetCookie()
      expect(taken).toEqual([`${session.split('=')[0]}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict`])
      expect((await fetch(origin, { headers: { cookie: '' } })).status).toBe(401)
      // The printed address lets in again.
      expect((await fetch(url, { redirect: 'manual' })).status).toBe(303)
      const program = { cookie: session, 'x-errand-monitor': '1', accept: 'application/json' }
      expect(await (await leave(program, {})).json()).toEqual({ loggedOut: true })
    },
  )

  test('another host’s name is refused, with and without the cookie', async () => {
    const { port, logIn } = await start()
    const cookie = (await logIn()).split(';')[0] ?? ''
    const { request } = await import('node:http')
    const ask = (host: string) =>
      new Promise<number>((resolve, reject) => {
        const headers = { host, cookie }
        const sent = request({ host: '127.0.0.1', port, path: '/', headers }, (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        })
        sent.on('error', reject).end()
      })
    expect(
      await Promise.all(['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example'].map(ask)),
    ).toEqual([...[421, 421, 421]])
    expect(await Promise.all([`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`].map(ask))).toEqual([
      ...[200, 200, 200],
    ])
  })

  test('a port that is taken is said to be', async () => {
    const { port } = await start()
    const { executor } = await monitorStage()
    await expect(startMonitor(executor, { port })).rejects.toThrow(
      `the monitor cannot listen at 127.0.0.1:${port}: something else listens there; give another \`port\`, or 0`,
    )
  })
})
