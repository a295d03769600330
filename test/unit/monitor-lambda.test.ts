import { createHmac } from 'node:crypto'
import { createExecutor, defineConfig } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { deployedOptions, type MonitorAuth, type MonitorHandlerOptions, monitorHandler } from 'errand/monitor'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { MonitorEnv } from '../../src/monitor/access.ts'
import { createMonitor } from '../../src/monitor/monitor.ts'
import { tokenAccess } from '../../src/monitor/token-access.ts'
import { loopbackRegion } from '../support/loopback-connection.ts'
import { type SecretsApi, startSecretsApi } from '../support/secrets-api.ts'

// The monitor as a function behind a function URL: who is let in, and what they may do.

const TOKEN = 'a-token-that-nobody-guesses-0123'
const secretArn = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:monitor-AbCdEf'
const signer = { iam: { userArn: 'arn:aws:iam::000000000000:user/ada', accountId: '000000000000' } }

let secrets: SecretsApi
beforeEach(async () => {
  secrets = await startSecretsApi()
  secrets.secrets.set(secretArn, TOKEN)
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', secrets.endpoint)
  vi.stubEnv('AWS_REGION', loopbackRegion)
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await secrets.close()
})

interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly cookies?: readonly string[]
  readonly body?: string
  readonly query?: string
  readonly authorizer?: object
}

interface Answer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly cookies?: readonly string[]
  readonly body: string
}

/** A monitor on Lambda, asked by the events that a function URL makes. */
function lambdaMonitor(options: MonitorHandlerOptions) {
  const add = (a: number, b: number) => a + b
  const config = defineConfig({ name: 'shop' })
  const executor = createExecutor(config, {
    tasks: { add },
    backend: 'local',
    local: { startWorkers: false },
  })
  onTestFinished(() => executor.close())
  const handler = monitorHandler(executor, options)
  const ask = async (path: string, asked: Asked = {}) => {
    const { method = 'GET', headers = {}, cookies = [], body, query = '', authorizer } = asked
    const host = 'abc.lambda-url.us-east-1.on.aws'
    const event = {
      ...{ version: '2.0', routeKey: '$default', rawPath: path, rawQueryString: query, cookies },
      headers: { host, accept: 'text/html', ...headers },
      requestContext: { domainName: host, http: { method, path }, ...(authorizer && { authorizer }) },
      ...(body !== undefined && { body }),
      isBase64Encoded: false,
    }
    const answer = await handler(event as never, {} as never)
    return answer as unknown as Answer
  }
  const form = (path: string, fields: Record<string, string>, asked: Asked = {}) =>
    ask(path, {
      ...asked,
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'sec-fetch-site': 'same-origin',
        ...asked.headers,
      },
      body: new URLSearchParams(fields).toString(),
    })
  return { ask, form, executor, add }
}

const json = { accept: 'application/json' }
const act = { method: 'POST', headers: { ...json, 'x-errand-monitor': '1' } }

describe("with auth 'iam'", () => {
  test('only a request that AWS says was signed is let in', async () => {
    const { ask } = lambdaMonitor({ auth: 'iam' })
    expect((await ask('/', { authorizer: signer })).statusCode).toBe(200)
    for (const authorizer of [undefined, {}, { iam: {} }, { jwt: { claims: { sub: 'ada' } } }]) {
      const refused = await ask('/', authorizer && { authorizer })
      expect(refused).toMatchObject({ statusCode: 403, body: 'Not allowed.' })
    }
  })

  test('a monitor is read-only unless it manages', async () => {
    for (const manage of [false, true]) {
      const { ask, executor, add } = lambdaMonitor({ auth: 'iam', manage })
      const { id } = await executor.submit(add, 1, 2)
      const answer = await ask(`/calls/${id}/cancel`, { ...act, authorizer: signer })
      expect(answer.statusCode).toBe(manage ? 200 : 403)
      expect(await executor.future(id).state()).toBe(manage ? 'cancelled' : 'pending')
      await executor.future(id).cancel()
    }
  })
})

test("with auth 'none' anybody is let in, and read-only still holds", async () => {
  const { ask } = lambdaMonitor({ auth: 'none' })
  const { statusCode, headers } = await ask('/')
  expect(statusCode).toBe(200)
  expect(headers['content-security-policy']).toContain("default-src 'none'")
  expect((await ask('/queues/default/pause', act)).statusCode).toBe(403)
})

describe('with a function of the app', () => {
  test('it decides, but gives no more than the function may', async () => {
    const grants = ['manage', 'read', false] as const
    const statuses = grants.map(async (grant) => {
      const { ask } = lambdaMonitor({ auth: () => grant })
      return [(await ask('/')).statusCode, (await ask('/queues/default/pause', act)).statusCode]
    })
    expect(await Promise.all(statuses)).toEqual([
      [200, 403],
      [200, 403],
      [403, 403],
    ])
  })
})

describe('with a token', () => {
  test('a program is let in by it as a bearer, and by no other', async () => {
    const { ask } = lambdaMonitor({ auth: { secretArn } })
    const bearer = (token: string) => ask('/', { headers: { ...json, authorization: token } })
    expect((await bearer(`Bearer ${TOKEN}`)).statusCode).toBe(200)
    expect(secrets.requests).toEqual([secretArn])
    for (const wrong of [
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Basic ${TOKEN}`,
      'Bearer ',
      TOKEN,
    ]) {
      const { statusCode, headers, body } = await bearer(wrong)
      expect(statusCode, wrong).toBe(401)
      expect(headers['www-authenticate']).toBe('Bearer')
      expect(body).toBe('Not logged in.')
    }
    // Read once for all of them.
    expect(secrets.requests).toHaveLength(1)
  })

  test('a person logs in, lands where they wanted to go, and acts', async () => {
    const { ask, form, executor, add } = lambdaMonitor({ auth: { secretArn }, manage: true })
    const { id } = await executor.submit(add, 1, 2)
    const sent = await ask(`/calls/${id}`)
    expect(sent).toMatchObject({ statusCode: 303, headers: { location: `/log-in?to=%2Fcalls%2F${id}` } })
    const page = await ask('/log-in', { query: `to=%2Fcalls%2F${id}` })
    expect(page).toMatchObject({ statusCode: 200, body: expect.stringContaining(`value="/calls/${id}"`) })
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    expect((await ask('/assets/monitor.css')).statusCode).toBe(200)
    const wrong = await form('/log-in', { token: 'guess', to: `/calls/${id}` })
    expect(wrong).toMatchObject({ statusCode: 401, body: expect.stringContaining('That is not the token.') })
    expect(wrong.cookies).toBeUndefined()
    const right = await form('/log-in', { token: TOKEN, to: `/calls/${id}` })
    expect(right).toMatchObject({ statusCode: 303, headers: { location: `/calls/${id}` } })
    const [cookie = ''] = right.cookies ?? []
    expect(cookie).toMatch(/^__Host-errand-monitor=.*; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
    const cookies = [cookie.split(';')[0] ?? '']
    const opened = await ask(`/calls/${id}`, { cookies })
    expect(opened.statusCode).toBe(200)
    const [formCookie = ''] = opened.cookies ?? []
    const [, token = ''] = /name="token" value="([^"]+)"/.exec(opened.body) ?? []
    const both = [...cookies, formCookie.split(';')[0] ?? '']
    expect((await form(`/calls/${id}/cancel`, {}, { cookies: both })).statusCode).toBe(403)
    expect((await form(`/calls/${id}/cancel`, { token }, { cookies: both })).statusCode).toBe(303)
    expect(await executor.future(id).state()).toBe('cancelled')
  })

  test('a person logs out, and nobody else does it for them', async () => {
    const { ask, form } = lambdaMonitor({ auth: { secretArn } })
    const [given = ''] = (await form('/log-in', { token: TOKEN })).cookies ?? []
    const session = given.split(';')[0] ?? ''
    const page = await ask('/', { cookies: [session] })
    expect(page.body).toContain('action="/log-out"')
    const [, token = ''] = /name="token" value="([^"]+)"/.exec(page.body) ?? []
    const cookies = [session, page.cookies?.[0]?.split(';')[0] ?? '']
    expect((await form('/log-out', {}, { cookies })).statusCode).toBe(403)
    const headers = { 'sec-fetch-site': 'cross-site' }
    expect((await form('/log-out', { token }, { cookies, headers })).statusCode).toBe(403)
    const left = await form('/log-out', { token }, { cookies })
    expect(left).toMatchObject({ statusCode: 303, headers: { location: '/log-in' } })
    expect(left.cookies).toEqual([
      '__Host-errand-monitor=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax',
    ])
    // Once more, from a page that was open in another tab.
    const again = await form('/log-out', { token }, { cookies: cookies.slice(1) })
    expect(again).toMatchObject({ statusCode: 303, headers: { location: '/log-in' } })
    // What its browser sends from then on.
    expect((await ask('/')).headers.location).toBe('/log-in?to=%2F')
  })

  test.each(['iam', 'none', () => 'manage' as const])(
    'who was let in otherwise is not offered to log out: %s',
    async (auth) => {
      const { ask } = lambdaMonitor({ auth: auth as MonitorAuth, manage: true })
      expect((await ask('/', { authorizer: signer })).body).not.toContain('log-out')
      expect((await ask('/log-out', { ...act, authorizer: signer })).statusCode).toBe(404)
    },
  )

  test.each(['//evil.test', '/\\evil.test', 'https://evil.test', 'javascript:x', '', '/a\nb'])(
    'a log-in leads to no other site: %j',
    async (to) => {
      const { form } = lambdaMonitor({ auth: { secretArn } })
      expect((await form('/log-in', { token: TOKEN, to })).headers.location).toBe('/')
    },
  )

  test('every route but the log-in and its style is behind it: without, with a wrong and with an expired log-in', async () => {
    const { ask, executor } = lambdaMonitor({ auth: { secretArn }, manage: true })
    const logIn = { leadsTo: '/', end: () => {} }
    const { routes } = createMonitor(executor, { authorize: () => false }, logIn)
    const known = routes.map(({ method, path }) => [
      method === 'ALL' ? 'GET' : method,
      path.replace('/assets/:name', '/assets/monitor.js').replace(/:\w+|\*/, 'x'),
    ])
    const distinct = new Map(known.map(([method = '', path = '']) => [`${method} ${path}`, { method, path }]))
    expect(distinct.size).toBeGreaterThanOrEqual(17)
    expect([...distinct.keys()]).toContain('POST /log-out')
    const until = Date.now() - 1000
    const mac = createHmac('sha256', TOKEN).update(`errand-monitor ${until}`).digest('base64url')
    const credentials: Asked[] = [
      {},
      { headers: { authorization: 'Bearer of-something-else-entirely' } },
      { cookies: [`__Host-errand-monitor=${until}.${mac}`] },
    ]
    for (const { method, path } of distinct.values()) {
      for (const given of credentials) {
        const asked = { ...given, method, headers: { ...json, 'x-errand-monitor': '1', ...given.headers } }
        const { statusCode, body } = await ask(path, asked)
        expect([statusCode, body], `${method} ${path} ${JSON.stringify(given)}`).toEqual([
          401,
          'Not logged in.',
        ])
      }
    }
  })

  test('a secret that is short, or gone, lets nobody in, and says nothing to them', async () => {
    const log = vi.spyOn(console, 'error').mockReturnValue()
    onTestFinished(() => log.mockRestore())
    for (const text of ['', 'short', TOKEN.slice(1), undefined]) {
      if (text === undefined) secrets.secrets.delete(secretArn)
      else secrets.secrets.set(secretArn, text)
      const { ask } = lambdaMonitor({ auth: { secretArn } })
      const { statusCode, body } = await ask('/', { headers: { ...json, authorization: `Bearer ${text}` } })
      expect(statusCode).toBe(text === '' ? 401 : 500)
      expect(body).not.toContain(secretArn)
    }
    // Whoever owns it finds why in the log.
    expect(log.mock.calls.map(([error]) => String(error)).join()).toContain(
      "the monitor's secret has 31 characters, expected its text to be a token of 32 or more",
    )
  })
})

describe('a log-in', () => {
  const gateWith = () => {
    const clock = virtualClock()
    const state = { token: TOKEN, problem: undefined as Error | undefined, reads: 0 }
    const readToken = async () => {
      state.reads += 1
      if (state.problem !== undefined) throw state.problem
      return state.token
    }
    const { routes, authorize } = tokenAccess({ app: 'shop', grant: 'read', readToken, clock })
    const app = new Hono<MonitorEnv>()
    app.route('/', routes)
    app.get('/', async (c) => {
      const grant = await authorize(c)
      return grant instanceof Response ? grant : c.text(String(grant))
    })
    const send = async (token: string) => {
      const body = new URLSearchParams({ token })
      return app.request('https://m.test/log-in', { method: 'POST', body })
    }
    const logIn = async () => {
      const answer = await send(state.token)
      return answer.headers.get('set-cookie')?.split(';')[0] ?? ''
    }
    const open = async (cookie: string) =>
      (await app.request('https://m.test/', { headers: { cookie, ...json } })).status
    return { clock, state, send, logIn, open }
  }

  test('lasts twelve hours', async () => {
    const { clock, logIn, open } = gateWith()
    const cookie = await logIn()
    await clock.advance({ hours: 11.9 })
    expect(await open(cookie)).toBe(200)
    await clock.advance({ hours: 0.2 })
    expect(await open(cookie)).toBe(401)
  })

  test('ends when the token is another', async () => {
    const { clock, state, logIn, open } = gateWith()
    const cookie = await logIn()
    state.token = 'another-token-of-32-characters-x'
    expect(await open(cookie)).toBe(200)
    await clock.advance({ minutes: 5 })
    expect(await open(cookie)).toBe(401)
    expect(await open(await logIn())).toBe(200)
  })

  test('is possible again soon after the secret could not be read, and the log says why it was not', async () => {
    const log = vi.spyOn(console, 'error').mockReturnValue()
    onTestFinished(() => log.mockRestore())
    const { clock, state, send, open } = gateWith()
    state.problem = new Error('Secrets Manager is away')
    const refused = await send(TOKEN)
    expect(refused.status).toBe(503)
    expect(refused.headers.get('set-cookie')).toBeNull()
    expect(refused.headers.get('content-security-policy')).toContain("default-src 'none'")
    const page = await refused.text()
    expect(page).toContain('cannot be checked now')
    expect(page).not.toContain('Secrets Manager')
    expect(log).toHaveBeenCalledWith(state.problem)
    await send(TOKEN)
    expect(state.reads).toBe(1)
    state.problem = undefined
    await clock.advance({ seconds: 11 })
    const answer = await send(TOKEN)
    expect(answer.status).toBe(303)
    expect(await open(answer.headers.get('set-cookie')?.split(';')[0] ?? '')).toBe(200)
    await clock.advance({ minutes: 4 })
    expect((await send(TOKEN)).status).toBe(303)
    expect(state.reads).toBe(2)
  })

  test('takes a token whose secret ends with a line', async () => {
    const { state, send } = gateWith()
    state.token = `${TOKEN}\n`
    expect((await send(TOKEN)).status).toBe(303)
    expect((await send(`${TOKEN}x`)).status).toBe(401)
  })

  test('cannot be made longer, nor out of nothing', async () => {
    const { clock, logIn, open } = gateWith()
    const [name = '', value = ''] = (await logIn()).split('=')
    const [until, mac] = value.split('.')
    for (const forged of [
      `${Number(until) + 1}.${mac}`,
      `${until}.`,
      `${until}.${mac?.slice(1)}A`,
      `.${mac}`,
      'x',
    ]) {
      expect(await open(`${name}=${forged}`), forged).toBe(401)
    }
    expect(await open(`${name}=${clock.now() + 1000}.${'A'.repeat(43)}`)).toBe(401)
  })
})

describe('the options of a deployment', () => {
  const settings = { auth: 'iam', manage: true, logGroups: ['/aws/lambda/shop-foo'], lookAt: 500 }

  test('come from the variable, log links among them', () => {
    vi.stubEnv('AWS_REGION', 'eu-west-1')
    const { logs, ...rest } = deployedOptions({ ERRAND_MONITOR: JSON.stringify(settings) })
    expect(rest).toEqual({ auth: 'iam', manage: true, lookAt: 500 })
    const call = { id: 'one', task: 'add', queue: 'low', createdAt: new Date(0) }
    expect(logs?.(call)).toContain('https://eu-west-1.console.aws.amazon.com/')
    const authorize = () => 'read' as const
    const ofApp = { ERRAND_MONITOR: JSON.stringify({ ...settings, auth: 'authorize' }) }
    expect(deployedOptions(ofApp, authorize).auth).toBe(authorize)
  })

  test.each([undefined, '', 'null', '{', '{"auth":"iam"}'])('are refused where it is %j', (text) => {
    expect(() => deployedOptions({ ERRAND_MONITOR: text })).toThrow('ERRAND_MONITOR is')
  })

  test.each([[undefined], [null], [true], ['public'], [{}], [{ secretArn: 1 }]])(
    'auth %j is refused',
    (auth) => {
      expect(() => lambdaMonitor({ auth: auth as never })).toThrow('`auth` of monitorHandler is')
    },
  )
})
