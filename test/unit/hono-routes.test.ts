import { createClient, InvalidOptionError } from 'errand'
import { accepted, type CallSource, provide, taskRoutes } from 'errand/hono'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { openShop } from '../support/open-shop.ts'

const shop = openShop()
const { executor, clock, tasks } = shop

/** The caller's tenant is what the header says: a stand-in for a session. */
const authorize = (
  { tenant }: { tenant: string | undefined },
  c: { req: { header(name: string): unknown } },
) => tenant === c.req.header('x-tenant')

const reported: Error[] = []
const app = new Hono().route(
  '/tasks',
  taskRoutes(executor, { authorize, clock, maxGroupCalls: 10, onError: (error) => reported.push(error) }),
)
const acme = executor.with({ tenant: 'acme' })
const asAcme = { headers: { 'x-tenant': 'acme' } }

/** A request that uses the clock: time goes on until it is answered. */
async function ask(path: string, init: RequestInit = asAcme) {
  const response = await clock.runUntil(Promise.resolve(app.request(path, init)))
  const text = await clock.runUntil(response.text())
  return { status: response.status, text, headers: Object.fromEntries(response.headers) }
}

async function askJson(path: string, init: RequestInit = asAcme) {
  const { status, text } = await ask(path, init)
  return [status, JSON.parse(text)]
}

const post = (body: unknown = {}, headers: Record<string, string> = { 'x-tenant': 'acme' }): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

const ended = async (call: Promise<{ id: string; outcome(): Promise<unknown> }>) => {
  const future = await call
  await clock.runUntil(future.outcome())
  return future.id
}

afterEach(() => {
  expect(reported.splice(0)).toEqual([])
})

describe('a call', () => {
  test('tells its state and its result', async () => {
    const id = await ended(acme.submit(tasks.add, 1, 2))
    const [status, body] = await askJson(`/tasks/calls/${id}`)
    expect(status).toBe(200)
    expect(body).toMatchObject({ id, task: 'add', state: 'succeeded', progress: null, attempts: 1 })
    expect(new Date(body.createdAt).toISOString()).toBe(body.createdAt)
    expect(body).not.toHaveProperty('tenant')
    expect(await askJson(`/tasks/calls/${id}/result`)).toEqual([
      200,
      { id, task: 'add', state: 'succeeded', value: 3 },
    ])
  })

  test('that runs tells its progress, and has no result yet', async () => {
    const { id } = await acme.submit(tasks.wait, 'progress')
    await clock.advance({ seconds: 1 })
    expect(await askJson(`/tasks/calls/${id}/progress`)).toEqual([
      200,
      { id, state: 'running', progress: { done: 1, total: 4 } },
    ])
    const { status, headers } = await ask(`/tasks/calls/${id}/result`)
    expect([status, headers['retry-after']]).toEqual([202, '1'])
    shop.open('progress', 'done')
    await clock.advance({ seconds: 3 })
    expect((await askJson(`/tasks/calls/${id}/result`))[1]).toMatchObject({ value: 'done' })
  })

  test('that failed tells its reason, and nothing of what was thrown', async () => {
    const id = await ended(acme.submit(tasks.fail))
    const { text } = await ask(`/tasks/calls/${id}/result`)
    expect(JSON.parse(text)).toEqual({ id, task: 'fail', state: 'failed', reason: 'threw', attempts: 1 })
    for (const route of ['', '/progress', '/events']) {
      expect((await ask(`/tasks/calls/${id}${route}`)).text).not.toMatch(/arn:|secret|stack/)
    }
  })

  test('that failed tells what the app says of its error', async () => {
    const describeError = (error: Error) => (error.message.startsWith('arn') ? 'no right' : undefined)
    const routes = taskRoutes(executor, { authorize, clock, describeError })
    const id = await ended(acme.submit(tasks.fail))
    const response = await routes.request(`/calls/${id}/result`, asAcme)
    expect(await response.json()).toMatchObject({ reason: 'threw', message: 'no right' })
  })

  test('is cancelled, and aborted while it runs', async () => {
    const waiting = await acme.submit(tasks.wait, 'never')
    expect(await askJson(`/tasks/calls/${waiting.id}/cancel`, post())).toEqual([
      200,
      { id: waiting.id, cancelled: true },
    ])
    expect((await askJson(`/tasks/calls/${waiting.id}/result`))[1]).toMatchObject({ state: 'cancelled' })
    const running = await acme.submit(tasks.wait, 'never')
    await clock.advance({ seconds: 1 })
    expect((await askJson(`/tasks/calls/${running.id}/cancel`, post()))[1]).toMatchObject({
      cancelled: false,
    })
    const abort = post({ reason: 'enough' })
    expect((await askJson(`/tasks/calls/${running.id}/abort`, abort))[1]).toMatchObject({ aborted: true })
    await clock.advance({ seconds: 20 })
    expect((await askJson(`/tasks/calls/${running.id}`))[1]).toMatchObject({ state: 'cancelled' })
  })

  test('whose result is what JSON cannot hold comes as stated, and a cycle is refused', async () => {
    const id = await ended(acme.submit(tasks.dates))
    expect((await askJson(`/tasks/calls/${id}/result`))[1].value).toEqual({
      at: '1970-01-01T00:00:00.000Z',
      big: '10',
      tags: ['a'],
      by: [[1, 'one']],
    })
    const cycle = await ended(acme.submit(tasks.cycle))
    expect(await askJson(`/tasks/calls/${cycle}/result`)).toEqual([
      422,
      { error: 'value["self"] holds itself, which JSON cannot say' },
    ])
  })

  test.each([[{ then: 'x' }], [{ then: { then: 1 } }], [{ toJSON: 'x' }], ['\u2028</script>']])(
    'whose result is %j gives it back as it is',
    async (value) => {
      const id = await ended(acme.submit(tasks.echo, value))
      const { text } = await ask(`/tasks/calls/${id}/result`)
      expect(text).toContain(`"value":${JSON.stringify(value)}`)
    },
  )
})

describe('a group', () => {
  test('tells how far it is and how it ended, is cancelled and aborted', async () => {
    const group = await acme.map(tasks.wait, [['one'], ['two']])
    await clock.advance({ seconds: 1 })
    expect((await askJson(`/tasks/groups/${group.id}`))[1]).toEqual({
      id: group.id,
      state: 'running',
      progress: 0.25,
      calls: 2,
      counts: { running: 2 },
    })
    expect((await ask(`/tasks/groups/${group.id}/result`)).status).toBe(202)
    expect((await askJson(`/tasks/groups/${group.id}/cancel`, post()))[1]).toMatchObject({ cancelled: false })
    shop.open('one', new Date(0))
    await clock.advance({ seconds: 3 })
    expect((await askJson(`/tasks/groups/${group.id}/abort`, post()))[0]).toBe(200)
    await clock.advance({ seconds: 20 })
    expect((await askJson(`/tasks/groups/${group.id}`))[1]).toMatchObject({ state: 'cancelled', progress: 1 })
    expect((await askJson(`/tasks/groups/${group.id}/result`))[1]).toEqual({
      id: group.id,
      calls: [
        { id: `${group.id}-0`, task: 'wait', state: 'succeeded', value: '1970-01-01T00:00:00.000Z' },
        { id: `${group.id}-1`, task: 'wait', state: 'cancelled' },
      ],
    })
  })

  test.each([
    ['another tenant', 'other'],
    ['no tenant', undefined],
  ])('with a forged call of %s is no group', async (_, tenant) => {
    const id = `${(await acme.submit(tasks.add, 1, 2)).id}-of-2`
    await executor.with({ tenant: 'acme', id: `${id}-0` }).submit(tasks.wait, 'forged')
    await executor.with({ ...(tenant && { tenant }), id: `${id}-1` }).submit(tasks.wait, 'forged')
    const open = taskRoutes(executor, { authorize: () => true, clock })
    expect((await open.request(`/groups/${id}`)).status).toBe(404)
    shop.open('forged', 1)
    await clock.advance({ seconds: 5 })
  })

  test('that is made up, or of somebody else, is not read beyond its first call', async () => {
    const theirs = await executor.with({ tenant: 'other' }).map(tasks.add, [
      [1, 2],
      [3, 4],
    ])
    let whole = 0
    const source: CallSource = {
      future: (id: string) => executor.future(id),
      group: <T>(id: string) => {
        const group = executor.group<T>(id)
        const snapshots = group.snapshots.bind(group)
        return Object.assign(group, {
          snapshots: () => {
            whole += 1
            return snapshots()
          },
        })
      },
    }
    const routes = taskRoutes(source, { authorize, clock })
    for (const id of [theirs.id, '0191e0a0-0000-7000-8000-000000000000-of-1000']) {
      expect((await routes.request(`/groups/${id}`, asAcme)).status).toBe(404)
    }
    expect(whole).toBe(0)
    const ours = await acme.map(tasks.add, [[1, 2]])
    expect((await routes.request(`/groups/${ours.id}`, asAcme)).status).toBe(200)
    expect(whole).toBe(1)
    await clock.runUntil(Promise.all([theirs.outcomes(), ours.outcomes()]))
  })

  test('that is too large is refused before it is read, whosoever it is', async () => {
    const id = '0191e0a0-0000-7000-8000-000000000000-of-11'
    expect(await askJson(`/tasks/groups/${id}`)).toEqual([
      400,
      { error: expect.stringContaining('at most 10') },
    ])
  })

  test('whose results are too large together is refused', async () => {
    const text = 'x'.repeat(380 * 1024)
    const group = await acme.map(
      tasks.echo,
      Array.from({ length: 10 }, () => [text] as const),
    )
    await clock.runUntil(group.outcomes())
    expect((await ask(`/tasks/groups/${group.id}/result`)).status).toBe(200)
    const wide = taskRoutes(executor, { authorize: () => true, clock })
    const large = await acme.map(
      tasks.echo,
      Array.from({ length: 14 }, () => [text] as const),
    )
    await clock.runUntil(large.outcomes())
    expect((await wide.request(`/groups/${large.id}/result`)).status).toBe(422)
  })
})

/** Every route that there is, with an id in it. */
const routes = taskRoutes(executor, { authorize })
  .routes.filter(({ method }) => method !== 'ALL')
  .map(({ method, path }) => `${method} ${path}`)
const distinct = [...new Set(routes)]

test('the routes are these', () => {
  expect(distinct.sort()).toEqual([
    'GET /calls/:id',
    'GET /calls/:id/events',
    'GET /calls/:id/progress',
    'GET /calls/:id/result',
    'GET /groups/:id',
    'GET /groups/:id/events',
    'GET /groups/:id/result',
    'POST /calls/:id/abort',
    'POST /calls/:id/cancel',
    'POST /groups/:id/abort',
    'POST /groups/:id/cancel',
  ])
})

describe.each(distinct)('%s', (route) => {
  const [method = '', path = ''] = route.split(' ')
  const request = (id: string, tenant: string | undefined, on = app) => {
    const headers: Record<string, string> = tenant === undefined ? {} : { 'x-tenant': tenant }
    const init = method === 'POST' ? post({}, headers) : { method, headers }
    return Promise.resolve(on.request(`/tasks${path.replace(':id', id)}`, init))
  }
  const whole = async (response: Response) => ({
    status: response.status,
    text: await response.text(),
    headers: Object.fromEntries(response.headers),
  })
  const own = async () => {
    if (path.startsWith('/calls')) return ended(acme.submit(tasks.add, 1, 2))
    const group = await acme.map(tasks.add, [[1, 2]])
    await clock.runUntil(group.outcomes())
    return group.id
  }
  const unknown = path.startsWith('/calls')
    ? '0191e0a0-0000-7000-8000-000000000000'
    : '0191e0a0-0000-7000-8000-000000000000-of-1'

  test('answers alike what is absent, malformed, and not for this caller', async () => {
    const id = await own()
    expect((await request(id, 'acme')).status).toBe(200)
    const absent = await whole(await request(unknown, 'acme'))
    expect(absent).toMatchObject({
      status: 404,
      text: '{"error":"there is no such call, or not any more"}',
      headers: { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
    })
    for (const tenant of [undefined, '', 'other', 'acme2']) {
      expect(await whole(await request(id, tenant)), `tenant ${tenant}`).toEqual(absent)
    }
    for (const malformed of ['x'.repeat(2000), '%00', '..%2f..', '%F0%9F%92%A9', '__proto__', '-1', '%20']) {
      expect(await whole(await request(malformed, 'acme')), malformed).toEqual(absent)
    }
  })

  test.each([
    ['no answer', () => undefined],
    ['a truthy answer', () => 'yes'],
    ['a refusal that is thrown', () => Promise.reject(new HTTPException(401))],
  ])('takes %s of authorize for a no', async (_, answer) => {
    const careless = new Hono().route('/tasks', taskRoutes(executor, { authorize: answer as never, clock }))
    expect((await request(await own(), 'acme', careless)).status).toBe(404)
  })

  test('answers a broken authorize without its words', async () => {
    const broken = () => Promise.reject(new Error('password 1 at arn:aws:rds'))
    const onError = vi.fn()
    const careless = new Hono().route('/tasks', taskRoutes(executor, { authorize: broken, clock, onError }))
    const { status, text, headers } = await whole(await request(await own(), 'acme', careless))
    expect([status, text]).toEqual([503, '{"error":"this cannot be answered now; try again"}'])
    expect(headers['retry-after']).toBe('2')
    expect(onError).toHaveBeenCalledWith(
      expect.objectContaining({ message: expect.any(String) }),
      expect.anything(),
    )
  })

  test('tells authorize whose call it is and what is asked of it', async () => {
    const seen = vi.fn(() => true)
    const open = new Hono().route('/tasks', taskRoutes(executor, { authorize: seen, clock }))
    const id = await own()
    await request(id, 'acme', open)
    const action = method === 'GET' ? 'read' : path.split('/').at(-1)
    expect(seen).toHaveBeenCalledExactlyOnceWith(
      { action, id, task: 'add', tenant: 'acme' },
      expect.anything(),
    )
  })
})

describe('a body', () => {
  const id = '0191e0a0-0000-7000-8000-000000000000'
  test.each([
    ['over the limit', post(JSON.stringify({ reason: 'x'.repeat(5000) })), 413],
    ['over the limit, and no JSON', post('x'.repeat(5000)), 413],
    ['of another type', post('{}', { 'content-type': 'text/plain' }), 415],
    ['of no type', { method: 'POST' }, 415],
    ['of a form', post('a=1', { 'content-type': 'application/x-www-form-urlencoded' }), 415],
    ['that is not JSON', post('{'), 400],
    ['that is no object', post('[]'), 400],
    ['that is null', post('null'), 400],
    ['with a reason that is no text', post({ reason: 1 }), 400],
    ['with a long reason', post({ reason: 'x'.repeat(201) }), 400],
  ])('%s is refused', async (_, init, status) => {
    for (const action of ['cancel', 'abort']) {
      expect((await ask(`/tasks/calls/${id}/${action}`, init)).status).toBe(status)
    }
  })
})

describe('without authorize', () => {
  test.each([[undefined], [{}], [{ authorize: true }], [{ authorise: () => true }]])(
    'routes of %j are refused',
    (options) => {
      expect(() => taskRoutes(executor, options as never)).toThrow(InvalidOptionError)
    },
  )

  test('the refusal says how to mean it', () => {
    expect(() => taskRoutes(executor, {} as never)).toThrow(
      /`authorize` is undefined.*authorize: \(\) => true/,
    )
    // @ts-expect-error it is required
    expect(() => taskRoutes(executor, { clock })).toThrow(InvalidOptionError)
    expect(() => taskRoutes({} as never, { authorize })).toThrow(
      /takes an executor or a client, got an object/,
    )
    expect(() => provide('client', undefined as never)).toThrow(/takes an executor or a client/)
  })
})

test('a call that nobody has claimed is nobody’s, where records are written on claim', async () => {
  const { createExecutor, defineConfig } = await import('errand')
  const young = createExecutor(defineConfig({ name: 'web-young', record: 'on-claim' }), {
    tasks: { add: tasks.add },
    local: { clock },
  })
  const { id } = await young.submit(tasks.add, 1, 2)
  const routes = taskRoutes(young, { authorize: () => true, clock })
  expect((await routes.request(`/calls/${id}`)).status).toBe(404)
  await clock.advance({ seconds: 3 })
  expect((await clock.runUntil(Promise.resolve(routes.request(`/calls/${id}`)))).status).toBe(200)
})

test('a route that submits finds its client on the context, and answers 202 with the place', async () => {
  const client = createClient<typeof executor>({ name: executor.config.name } as never)
  const web = new Hono().use(provide('shop', executor)).post('/sums', async (c) => {
    expect(c.var.shop).toBe(executor)
    return accepted(c, await c.var.shop.submit(tasks.add, 1, 2), '/tasks/calls/')
  })
  const response = await web.request('/sums', { method: 'POST' })
  const { id } = (await response.json()) as { id: string }
  expect([response.status, response.headers.get('location')]).toEqual([202, `/tasks/calls/${id}`])
  expect(provide('client', client)).toBeTypeOf('function')
})
