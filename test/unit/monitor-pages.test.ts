import { defineConfig } from 'errand'
import { describe, expect, test } from 'vitest'
import type { CallDetail } from '../../src/monitor/call-detail.ts'
import type { CallList } from '../../src/monitor/calls-page.ts'
import type { FailedCalls } from '../../src/monitor/failed-calls.ts'
import type { Series } from '../../src/monitor/figures.ts'
import type { Overview } from '../../src/monitor/overview-page.ts'
import type { QueueStats, WorkerStats } from '../../src/runtime/operations/fleet-status.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import { encoded, monitorStage } from '../support/monitor-stage.ts'

const failure = (message: string) => ({
  ...{ state: 'failed' as const, reason: 'threw' as const, failedIn: 'low', failures: 1 },
  lastError: `TypeError: ${message}`,
})

/** An overview of which all parts could be read. */
interface OverviewData extends Omit<Overview, 'queues' | 'workers' | 'series'> {
  readonly queues: { readonly value: Readonly<Record<string, QueueStats>> }
  readonly workers: { readonly value: Readonly<Record<string, WorkerStats>> }
  readonly series: { readonly value: Series }
}

describe('each page has its data at the same address', () => {
  test('the overview', async () => {
    const { executor, tasks, clock, json, put } = await monitorStage()
    await put({ id: 'bad', ...failure('no'), startedAt: clock.now() - 250 })
    await executor.submit(tasks.add, 1, 2)
    const { queues, workers, series, failed, ...rest } = await json<OverviewData>('/?range=15m')
    expect(rest).toEqual({ app: 'shop', range: '15m', backend: 'local' })
    expect(queues.value.low).toMatchObject({ visible: 1, inFlight: 0, delayed: 0, dead: 0, paused: false })
    expect(workers.value.foo).toMatchObject({ state: 'no answer', queues: ['low', 'high'] })
    expect(series.value).toMatchObject({ bucketMs: 30_000, calls: 2, isCut: false })
    expect(series.value.buckets.at(-1)).toMatchObject({
      ...{ submitted: 2, succeeded: 0, failed: 1, run: { p50: 250, p95: 250, p99: 250 } },
    })
    expect(failed).toMatchObject([{ id: 'bad', runMilliseconds: 250 }])
  })

  test('calls, filtered and paged', async () => {
    const { clock, json, put } = await monitorStage()
    for (let index = 0; index < 60; index++) {
      await put({ id: `call-${index}`, ...(index % 2 === 1 && { queue: 'high', tenant: 'acme' }) })
      await clock.advance({ seconds: 1 })
    }
    const first = await json<CallList>('/calls')
    expect(first).toMatchObject({
      lookedAt: 50,
      complete: false,
      queues: ['low', 'high'],
      tasks: ['add', 'mail.send'],
    })
    expect(first.calls[0]).toEqual({
      ...{ id: 'call-59', task: 'add', queue: 'high', state: 'succeeded', tenant: 'acme' },
      ...{ attempts: 1, failures: 0, kills: 0, waitMilliseconds: 0, runMilliseconds: 0 },
      ...{ createdAt: '2026-01-01T00:00:59.000Z', dueAt: '2026-01-01T00:00:59.000Z' },
      ...{ startedAt: '2026-01-01T00:00:59.000Z', finishedAt: '2026-01-01T00:00:59.000Z' },
    })
    const second = await json<CallList>(`/calls?after=${first.next}`)
    expect(second).toMatchObject({ complete: true, lookedAt: 10 })
    expect(second.calls.map(({ id }) => id).at(-1)).toBe('call-0')
    const idsOf = async (query: string) => (await json<CallList>(`/calls?${query}`)).calls.map(({ id }) => id)
    expect(await idsOf('queue=low&since=2026-01-01T00:00:56')).toEqual(['call-58', 'call-56'])
    expect(await idsOf('tenant=acme&until=2026-01-01T00:00:04Z')).toEqual(['call-3', 'call-1'])
    expect(await idsOf('state=failed&state=running')).toEqual([])
    expect(await idsOf('queue=&task=&state=&since=&until=&tenant=acme&task=')).toHaveLength(30)
  })

  test('one call, with its error’s causes, its arguments and what it submitted', async () => {
    const { json, put, keep } = await monitorStage()
    const error = new TypeError('no', { cause: new RangeError('because', { cause: 'of that' }) })
    await put({ id: 'bad', ...failure('no'), result: encoded(error) })
    await put({ id: 'child', parent: 'bad' })
    await keep('bad', 'add', [1, new Map([['a', 2n]])], { onFailed: 'mail.send' })
    const call = await json<CallDetail>('/calls/bad')
    expect(call.errors).toMatchObject([
      { name: 'TypeError', message: 'no', stack: expect.stringContaining('monitor-pages.test.ts') },
      { name: 'RangeError', message: 'because' },
      { name: 'string', message: "'of that'" },
    ])
    expect(call.arguments).toEqual(['1', "Map(1) { 'a' => 2n }"])
    expect(call.followUps).toEqual({ catch: 'mail.send' })
    expect(call.submitted).toMatchObject([{ id: 'child' }])
    expect(await json<CallDetail>('/calls/child')).toMatchObject({ parent: 'bad', submitted: [] })
  })

  test('the attempts of a call, and the arguments of one that succeeded where they are kept', async () => {
    const { json, html, put, keep, clock } = await monitorStage()
    const at = clock.now()
    await put({ id: 'kept', attempts: 3, failures: 1, history: '1:0:rs:TypeError', finishedAt: at + 250 })
    await keep('kept', 'add', [1, 2], { headers: { 'x-request': 'r-1' } })
    const call = await json<CallDetail>('/calls/kept')
    expect(call).toMatchObject({ arguments: ['1', '2'], headers: "{ 'x-request': 'r-1' }", kills: 1 })
    expect(call.history).toEqual([
      {
        ...{ attempt: 1, ended: 'failed', startedAt: new Date(at).toISOString() },
        ...{ runMilliseconds: 1000, error: 'TypeError' },
      },
      { attempt: 2, ended: 'killed' },
      { attempt: 3, ended: 'succeeded', startedAt: new Date(at).toISOString(), runMilliseconds: 250 },
    ])
    expect(await html('/calls/kept')).toContain('3 attempts: 1 failed, 1 killed.')
    await put({ id: 'plain' })
    expect(await html('/calls/plain')).toContain('tasks that say so by keepArguments')
    await put({ id: 'waits', attempts: 0, state: 'pending' })
    expect(await json<CallDetail>('/calls/waits')).toMatchObject({ history: [] })
  })

  test('a result, also one that looks like a promise', async () => {
    const { json, put } = await monitorStage()
    await put({ id: 'good', result: encoded({ then: 'no promise', at: new Date(0) }) })
    expect((await json<CallDetail>('/calls/good')).result).toEqual({
      text: "{ then: 'no promise', at: 1970-01-01T00:00:00.000Z }",
    })
    await put({ id: 'broken', result: '{"not":' })
    expect((await json<CallDetail>('/calls/broken')).result).toEqual({
      absent: expect.stringContaining('JSON'),
    })
    await put({ id: 'large', resultBytes: 40_000_000, resultIn: 'blob' })
    expect((await json<CallDetail>('/calls/large')).result).toEqual({
      absent: 'it has 40000000 bytes, too many to be shown',
    })
  })

  test('a call that had no attempt has none yet, or none where it is over', async () => {
    const { html, put } = await monitorStage()
    const waiting = { state: 'pending', attempts: 0, startedAt: undefined, finishedAt: undefined } as object
    await put({ id: 'waiting', ...waiting })
    await put({ id: 'late', ...failure('no'), reason: 'expired', attempts: 0, startedAt: undefined as never })
    expect(await html('/calls/waiting')).toContain('<dt>Attempts</dt><dd>none yet</dd>')
    const late = await html('/calls/late')
    expect(late).toContain('<dt>Attempts</dt><dd>none</dd>')
    expect(late).toContain('<dt>Reason</dt><dd>expired</dd>')
  })

  test('what failed, by error, without a listing', async () => {
    const config = defineConfig({ name: 'shop', queues: ['low', 'high'], listing: false })
    const { clock, json, html, put } = await monitorStage({ config })
    for (const index of [1, 2, 3]) {
      await put({ id: `bad-${index}`, ...failure(`no ${index}`) })
      await clock.advance({ seconds: 1 })
    }
    await put({ id: 'other', ...failure('x'), task: 'mail.send', lastError: 'RangeError: x' })
    const failed = await json<FailedCalls>('/failed')
    expect(failed).toMatchObject({ count: 4, lookedAt: 4, isComplete: true })
    expect(failed.groups).toMatchObject([
      { task: 'add', error: 'TypeError', count: 3 },
      { task: 'mail.send', error: 'RangeError', count: 1 },
    ])
    expect((await json<FailedCalls>('/failed?task=add&since=2026-01-01T00:00:01Z')).calls).toMatchObject([
      ...[{ id: 'bad-3' }, { id: 'bad-2' }],
    ])
    expect(await html('/failed/retry?task=add')).not.toContain('method="post"')
    expect(await html('/calls')).toContain('listing: false')
  })

  test('tasks and queues', async () => {
    const { json, put } = await monitorStage()
    await put({ id: 'good' })
    await put({ id: 'bad', ...failure('no') })
    expect(await json('/tasks')).toMatchObject({
      ...{ range: '1h', calls: 2, isCut: false, idle: ['mail.send'] },
      tasks: [{ task: 'add', calls: 2, succeeded: 1, failed: 1, errors: [{ name: 'TypeError', count: 1 }] }],
    })
    expect(await json('/queues/high')).toMatchObject({ name: 'high', visible: 0, workers: ['foo', 'bar'] })
  })

  test('is data by `?format=json` as well, and else a page', async () => {
    const { request } = await monitorStage()
    const typeOf = async (path: string, accept: string) =>
      (await request(path, { headers: { accept } })).headers.get('content-type')
    expect(await typeOf('/tasks?format=json', 'text/html')).toMatch(/json/)
    expect(await typeOf('/tasks', 'application/json')).toMatch(/json/)
    expect(await typeOf('/tasks', 'text/html,application/json')).toMatch(/html/)
    expect(await typeOf('/tasks', '*/*')).toMatch(/html/)
  })
})

describe('what cannot be', () => {
  test.each([
    ['/calls/unknown', 404],
    ['/calls/%3Cb%3E', 404],
    [`/calls/${'x'.repeat(5000)}`, 404],
    ['/calls/%ff%fe', 404],
    ['/queues/nope', 400],
    ['/queues/__proto__', 400],
    ['/calls?queue=nope', 400],
    ['/calls?state=nope', 400],
    ['/calls?since=yesterday', 400],
    ['/calls?after=forged', 400],
    ['/calls?after=eyJhdCI6MSwiaWQiOiJ4Iiwib2YiOiJ4In0', 400],
    ['/failed?since=x', 400],
    ['/failed?queue=nope', 400],
    ['/?range=99y', 400],
    ['/?range=__proto__', 400],
    ['/assets/..%2fmonitor.ts', 404],
    ['/assets/%2e%2e%2f%2e%2e%2fpackage.json', 404],
    ['/assets/constructor', 404],
    ['/nowhere', 404],
  ])('%s is refused', async (path, status) => {
    const { request } = await monitorStage()
    const page = await request(path)
    expect(page.status).toBe(status)
    expect(await page.text()).toMatch(/class="note note-error" role="alert"/)
    const data = await request(path, { headers: { accept: 'application/json' } })
    expect(data.status).toBe(status)
    expect(Object.keys((await data.json()) as object)).toEqual(['error'])
  })

  test('a store that is down: the page says so, and recovers', async () => {
    let isDown = true
    const refuse = () => Promise.reject(new Error('connect ECONNREFUSED'))
    const wrap = (backend: Backend): Backend => ({
      ...backend,
      store: new Proxy(backend.store, {
        get: (store, key: keyof Backend['store']) => (isDown ? refuse : Reflect.get(store, key)),
      }),
    })
    const { request, html, clock, put } = await monitorStage({ wrap })
    const overview = await request('/')
    expect(overview.status).toBe(200)
    expect(await overview.text()).toContain('This cannot be read now: connect ECONNREFUSED')
    for (const path of ['/calls', '/calls/x', '/tasks']) expect((await request(path)).status, path).toBe(503)
    isDown = false
    await put({ id: 'good' })
    await clock.advance({ seconds: 2 })
    expect(await html('/')).not.toContain('cannot be read')
    expect((await request('/calls/good')).status).toBe(200)
  })
})

test('an open page is sent only what has changed', async () => {
  const { request, put, clock } = await monitorStage()
  const first = await request('/tasks')
  const tag = { 'if-none-match': first.headers.get('etag') ?? '' }
  await clock.advance({ seconds: 1 })
  const second = await request('/tasks', { headers: tag })
  expect([second.status, await second.text()]).toEqual([304, ''])
  await put({ id: 'new' })
  await clock.advance({ seconds: 1 })
  expect((await request('/tasks', { headers: tag })).status).toBe(200)
})

test('it is mounted anywhere, and its links lead there', async () => {
  const { app, html } = await monitorStage()
  const page = await html('/')
  const links = [...page.matchAll(/(?:href|src|action)="([^"#]+)"/g)].map(([, link]) => link ?? '')
  expect(links.length).toBeGreaterThan(10)
  expect(links.filter((link) => !/^\/jobs(\/|$|\?)/.test(link))).toEqual([])
  const own = { headers: { who: 'read' } }
  for (const link of links) expect((await app.request(link, own)).status, link).toBeLessThan(400)
  const behind = await monitorStage({ basePath: '/tools/jobs' })
  expect(await behind.html('/')).toContain('href="/tools/jobs/calls"')
})
