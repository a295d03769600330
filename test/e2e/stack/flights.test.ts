/**
 * The flights example as it is deployed: its stack synthesised whole, its web app asked, its workers at work.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { FlightsStack } from '../../../cdk/flights-stack.ts'
import type { ReportStatus } from '../../../examples/flights/src/report-status.ts'
import { expectedReport } from '../expected-report.ts'
import { askFunctionUrl, requestFunctionUrl } from './function-url.ts'
import type { StackFunction } from './lambda-function.ts'
import { type RunningStack, runStack } from './run-stack.ts'

const folder = mkdtempSync(join(tmpdir(), 'errand-flights-'))
let stack: RunningStack
let web: StackFunction

beforeAll(async () => {
  const outdir = join(folder, 'cdk.out')
  const app = new App({ outdir, analyticsReporting: false })
  new FlightsStack(app, 'Flights')
  app.synth()
  stack = await runStack(outdir)
  web = stack.function(({ logicalId }) => logicalId.startsWith('Web'))
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
