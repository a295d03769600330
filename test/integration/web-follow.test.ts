/**
 * A page's side of following a call, against a real server whose connections break.
 * @module
 */
import { createExecutor, currentTask, defineConfig } from 'errand'
import { type CallResult, type CallStatus, FollowError, follow, resultOf } from 'errand/browser'
import { taskRoutes } from 'errand/hono'
import { Hono, type MiddlewareHandler } from 'hono'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { serveHttp } from '../support/http-server.ts'

const steps = new Map<string, PromiseWithResolvers<void>[]>()
/** Reports each step, and goes on when the test says so. */
const walk = async (name: string) => {
  for (const [index, step] of (steps.get(name) ?? []).entries()) {
    await currentTask.progress(index)
    await step.promise
  }
  return new Date(0)
}
const executor = createExecutor(defineConfig({ name: 'follow' }), { tasks: { walk } })
afterAll(() => executor.close())

/** A call of so many steps, behind a server of its own with something in front of its routes. */
async function startWalk(name: string, count: number, before: MiddlewareHandler = (_, next) => next()) {
  const gates = Array.from({ length: count }, () => Promise.withResolvers<void>())
  steps.set(name, gates)
  const routes = taskRoutes(executor, { authorize: () => true })
  const app = new Hono().use(before).route('/', routes)
  const server = await serveHttp(app)
  onTestFinished(() => server.stop())
  const { id } = await executor.submit(walk, name)
  return { server, app, id, url: `${server.url}/calls/${id}`, go: (step: number) => gates[step]?.resolve() }
}

const pollMs = 5

test('shows what happens, and gives the result', async () => {
  const { url, go } = await startWalk('plain', 3)
  const seen: unknown[] = []
  const onStatus = ({ progress, state }: CallStatus) => {
    seen.push(progress)
    if (state === 'running' && typeof progress === 'number') go(progress)
  }
  const result = await resultOf<CallResult<string>, CallStatus>(url, { onStatus, pollMs })
  expect(result).toMatchObject({ task: 'walk', state: 'succeeded', value: '1970-01-01T00:00:00.000Z' })
  expect(seen.filter((each) => each !== null)).toEqual(expect.arrayContaining([0, 1, 2]))
})

test('goes on after the connection is cut, and is not told again what it knows', async () => {
  const lastEventIds: (string | undefined)[] = []
  const { url, go, server } = await startWalk('cut', 3, (c, next) => {
    lastEventIds.push(c.req.header('last-event-id'))
    return next()
  })
  const seen: string[] = []
  const onStatus = ({ progress, state }: CallStatus) => {
    seen.push(`${state} ${progress}`)
    if (state !== 'running' || typeof progress !== 'number') return
    server.cut()
    go(progress)
  }
  expect(await follow(url, { onStatus, pollMs })).toMatchObject({ state: 'succeeded' })
  expect(new Set(seen).size).toBe(seen.length)
  expect(seen).toContain('running 0')
  expect(lastEventIds.length).toBeGreaterThan(1)
  expect(lastEventIds.slice(1).every((id) => id !== undefined)).toBe(true)
})

test('goes on after the server was away', async () => {
  const { id, app, server } = await startWalk('away', 1)
  const back = Promise.withResolvers<void>()
  const onStatus = ({ state }: CallStatus) => {
    if (state === 'running') server.stop().then(back.resolve)
  }
  const following = follow(`${server.url}/calls/${id}`, { onStatus, pollMs })
  await back.promise
  const again = await serveHttp(app, server.port)
  onTestFinished(() => again.stop())
  steps.get('away')?.[0]?.resolve()
  expect(await following).toMatchObject({ state: 'succeeded' })
})

test.each<[string, () => Response]>([
  ['answers of an error', () => new Response('no', { status: 502 })],
  ['answers without an event', () => new Response('', { headers: { 'content-type': 'text/html' } })],
])('polls where streams are %s', async (_, instead) => {
  let polls = 0
  const { url, go } = await startWalk(`polls ${instead}`, 1, async (c, next) => {
    if (c.req.path.endsWith('/events')) return instead()
    polls += 1
    await next()
    if (polls === 3) go(0)
  })
  expect(await follow(url, { pollMs })).toMatchObject({ state: 'succeeded' })
  expect(polls).toBeGreaterThan(3)
})

test('tries again where the server is in trouble, also for the result', async () => {
  let requests = 0
  const { url, go } = await startWalk('trouble', 1, async (_, next) => {
    requests += 1
    if (requests % 2 === 1) return new Response('', { status: requests % 4 === 1 ? 503 : 429 })
    return next()
  })
  go(0)
  expect(await resultOf<CallResult>(url, { pollMs })).toMatchObject({ state: 'succeeded' })
})

describe('ends', () => {
  test.each([401, 403, 404])('with the refusal of a server that answers %i', async (status) => {
    const { url } = await startWalk(`refused ${status}`, 0, async () => new Response('', { status }))
    const refused = await follow(url, { pollMs }).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(FollowError)
    expect(refused).toMatchObject({ status, message: `the server answered ${status}` })
  })

  test('when its caller gives up, at once and in the middle', async () => {
    const { url, go } = await startWalk('given up', 1)
    await expect(follow(url, { signal: AbortSignal.abort(new Error('early')) })).rejects.toThrow('early')
    const giving = new AbortController()
    const onStatus = () => giving.abort(new Error('enough'))
    await expect(follow(url, { signal: giving.signal, onStatus })).rejects.toThrow('enough')
    go(0)
  })

  test('when it is sent to a page to log in at, instead of asking for ever', async () => {
    let asked = 0
    const { url, go } = await startWalk('logged-out', 1, (c, next) => {
      if (c.req.path === '/log-in') return Promise.resolve(c.html('<h1>Log in</h1>'))
      asked += 1
      return asked === 1 ? next() : Promise.resolve(c.redirect('/log-in'))
    })
    const cut = new Error('seen')
    const seenOnce = {
      onStatus: () => {
        throw cut
      },
      pollMs,
    }
    await expect(follow(url, seenOnce)).rejects.toBe(cut)
    await expect(follow(url, { pollMs })).rejects.toMatchObject({ status: 200 })
    await expect(resultOf(url, { pollMs })).rejects.toBeInstanceOf(FollowError)
    expect(asked).toBeLessThan(12)
    go(0)
  })

  test('with what onStatus throws', async () => {
    const { url, go } = await startWalk('thrown', 1)
    const onStatus = () => {
      throw new TypeError('mine')
    }
    await expect(follow(url, { onStatus, pollMs })).rejects.toThrow('mine')
    go(0)
  })
})

test('sends its headers with each request', async () => {
  const seen = new Set<string | undefined>()
  const { url, go } = await startWalk('headers', 1, (c, next) => {
    seen.add(c.req.header('authorization'))
    return next()
  })
  go(0)
  await resultOf(url, { headers: { authorization: 'Bearer 1' }, pollMs })
  expect([...seen]).toEqual(['Bearer 1'])
})
