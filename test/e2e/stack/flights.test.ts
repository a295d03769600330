/**
 * The flights example as it is deployed: its stack synthesised whole, its web app asked, its workers at work.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { FlightsStack } from '../../../cdk/flights-stack.ts'
import type { ReportStatus } from '../../../examples/flights/src/report-status.ts'
import { expectedReport } from '../expected-report.ts'
import { askFunctionUrl, callFunctionUrl, requestFunctionUrl, type UrlRequest } from './function-url.ts'
import type { StackFunction } from './lambda-function.ts'
import { type RunningStack, runStack } from './run-stack.ts'

const folder = mkdtempSync(join(tmpdir(), 'errand-flights-'))
let stack: RunningStack
let web: StackFunction
let monitor: StackFunction

beforeAll(async () => {
  const outdir = join(folder, 'cdk.out')
  const app = new App({ outdir, analyticsReporting: false })
  new FlightsStack(app, 'Flights')
  app.synth()
  stack = await runStack(outdir)
  web = stack.function(({ logicalId }) => logicalId.startsWith('Web'))
  monitor = stack.function(({ logicalId }) => logicalId.startsWith('FleetMonitor'))
})
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(stack.report())
})
afterAll(async () => {
  await stack?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Asks for a report until it is there or has failed. */
async function reportOf(id: string): Promise<ReportStatus> {
  const status = (await askFunctionUrl(web, 'GET', `/reports/${id}`)) as ReportStatus
  return status.state === 'pending' || status.state === 'running' ? reportOf(id) : status
}

test('a report that the web app is asked for is made by the workers, and is right', async () => {
  const request = { minDistance: 0, maxDistance: 5000, chunks: 64 }
  const { id } = (await askFunctionUrl(web, 'POST', '/reports', request)) as { id: string }
  const status = await reportOf(id)
  expect(status).toMatchObject({ state: 'succeeded', counts: { succeeded: 64 } })
  expect(status.report).toEqual(expectedReport(request.minDistance, request.maxDistance))
  expect(stack.failures).toEqual([])
})

test.each([
  ['/', 'text/html', '<!doctype html>'],
  ['/page.js', 'text/javascript', '/reports'],
  ['/chart.js', 'text/javascript', 'export'],
  ['/page.css', 'text/css', '{'],
])('%s is served from the bundle', async (path, type, part) => {
  const { headers, body } = await requestFunctionUrl(web, 'GET', path)
  expect(headers['content-type']).toContain(type)
  expect(body).toContain(part)
})

/** A report that is asked for while nobody polls the queue; `resume` has the workers go on. */
async function waitingReport(chunks: number) {
  const urls = JSON.parse(web.settings().variables.ERRAND_QUEUE_URLS ?? '{}') as Record<string, string>
  const [queueUrl = ''] = Object.values(urls)
  const resume = await stack.pause(queueUrl)
  const { id } = (await askFunctionUrl(web, 'POST', '/reports', { chunks })) as { id: string }
  return { id, resume }
}

interface GroupEvent {
  readonly id: string
  readonly state: string
}

/** The statuses of an event stream, as far as their text has come. */
function eventsOf(text: string): GroupEvent[] {
  return [...text.matchAll(/^id: (\S+)\ndata: (.*)\n\n/gm)].map(([, id = '', data = '']) => ({
    id,
    state: JSON.parse(data).state,
  }))
}

describe('an event stream', () => {
  const open = (id: string, request: UrlRequest = {}) =>
    callFunctionUrl(web, 'GET', `/tasks/groups/${id}/events`, request)

  test('comes piece by piece, while the function runs', async () => {
    const { id, resume } = await waitingReport(4)
    const first = Promise.withResolvers<void>()
    let text = ''
    const answer = open(id, {
      onText(part) {
        text += part
        if (eventsOf(text).length > 0) first.resolve()
      },
    })
    await first.promise
    // Nobody has begun it, so what has come has come before the end.
    expect(eventsOf(text).map(({ state }) => state)).toEqual(['pending'])
    resume()
    const { statusCode, headers, body } = await answer
    expect(statusCode).toBe(200)
    expect(headers['content-type']).toBe('text/event-stream')
    expect(body).toBe(text)
    expect(eventsOf(body).at(-1)?.state).toBe('succeeded')
  })

  test('ends before the function does, and goes on by the id of what was seen', async () => {
    const { id, resume } = await waitingReport(2)
    const settings = web.settings()
    await web.update({ ...settings, timeoutSeconds: 4 })
    const { statusCode, body } = await open(id)
    expect(statusCode).toBe(200)
    const [seen, ...others] = eventsOf(body)
    expect(seen?.state).toBe('pending')
    expect(others).toEqual([])
    await web.update(settings)
    resume()
    expect((await reportOf(id)).state).toBe('succeeded')
    const later = eventsOf((await open(id, { headers: { 'last-event-id': seen?.id ?? '' } })).body)
    expect(later.map(({ state }) => state)).toEqual(['succeeded'])
    const known = await open(id, { headers: { 'last-event-id': later[0]?.id ?? '' } })
    expect(known.statusCode).toBe(204)
  })
})

test("the page's Cancel button cancels a report that waits", async () => {
  const { id, resume } = await waitingReport(3)
  const body = { reason: 'cancelled on the page' }
  expect((await callFunctionUrl(web, 'POST', `/tasks/groups/${id}/abort`, { body })).statusCode).toBe(200)
  resume()
  expect((await reportOf(id)).state).toBe('cancelled')
})

describe('the monitor', () => {
  const authorizer = { iam: { userArn: 'arn:aws:iam::000000000000:user/ada' } }
  const json = { accept: 'application/json' }
  const look = (path: string, request: UrlRequest = {}) =>
    callFunctionUrl(monitor, 'GET', path, { authorizer, headers: json, ...request })

  test('lets in whom AWS let in, and nobody else', async () => {
    const page = await look('/', { headers: { accept: 'text/html' } })
    expect(page).toMatchObject({
      statusCode: 200,
      body: expect.stringContaining('<h2 id="queues">Queues</h2>'),
    })
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    expect(await callFunctionUrl(monitor, 'GET', '/')).toMatchObject({
      statusCode: 403,
      body: 'Not allowed.',
    })
    for (const name of ['monitor.js', 'monitor.css', 'uPlot.iife.min.js', 'uPlot.min.css', 'icon.svg']) {
      expect((await look(`/assets/${name}`)).statusCode, name).toBe(200)
    }
  })

  test('shows queues, workers that were pinged, calls, and what the workers counted', async () => {
    const { id } = (await askFunctionUrl(web, 'POST', '/reports', { chunks: 8 })) as { id: string }
    expect((await reportOf(id)).state).toBe('succeeded')
    const workers = ['foo', 'bar'].map((name) =>
      stack.function(({ variables }) => variables.ERRAND_WORKER === name),
    )
    const lines = workers.flatMap((worker) => worker.lines)
    stack.cloudwatch.take(lines.filter((line) => line.startsWith('{"_aws"')))
    const { queues, workers: said, series } = JSON.parse((await look('/?range=6h')).body)
    const [held] = Object.values(queues.value) as { dead: number }[]
    expect(held).toMatchObject({ visible: 0, dead: 0 })
    expect(said.value).toMatchObject({ foo: { state: 'OK' }, bar: { state: 'OK' } })
    expect(series.value).toMatchObject({ source: 'metrics' })
    expect(series.value.problem).toBeUndefined()
    expect(series.value.calls).toBeGreaterThanOrEqual(8)
    const call = JSON.parse((await look(`/calls/${id}-0`)).body)
    expect(call).toMatchObject({
      task: 'reports.summarise',
      state: 'succeeded',
      result: { text: expect.any(String) },
    })
    expect(call.log).toContain('logs-insights')
  })

  test('cancels a call that waits', async () => {
    const { id, resume } = await waitingReport(2)
    const act = (authorized: object) =>
      callFunctionUrl(monitor, 'POST', `/calls/${id}-1/cancel`, {
        headers: { ...json, 'x-errand-monitor': '1' },
        body: {},
        ...authorized,
      })
    expect((await act({})).statusCode).toBe(403)
    expect(JSON.parse((await act({ authorizer })).body)).toEqual({ cancelled: true })
    resume()
    expect(await reportOf(id)).toMatchObject({ state: 'cancelled', counts: { succeeded: 1, cancelled: 1 } })
  })
})
