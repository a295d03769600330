import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { NonRetryableError } from 'errand'
import { afterAll, describe, expect, test } from 'vitest'
import { app } from '../../examples/flights/src/app.ts'
import { executor } from '../../examples/flights/src/errand.ts'
import type { ReportStatus } from '../../examples/flights/src/report-status.ts'
import type { Chunk } from '../../examples/flights/src/reports.ts'
import { type ExpectedFigures, expectedReport } from './expected-report.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

function post(body: unknown, contentType = 'application/json') {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return app.request('/reports', { method: 'POST', headers: { 'content-type': contentType }, body: text })
}

async function follow(path: string): Promise<ReportStatus[]> {
  const seen: ReportStatus[] = []
  for (;;) {
    const response = await app.request(path)
    expect(response.status).toBe(200)
    const status = (await response.json()) as ReportStatus
    seen.push(status)
    if (status.state !== 'pending' && status.state !== 'running') return seen
    await sleep(5)
  }
}

async function refusal(response: Response | Promise<Response>) {
  const { status, headers } = await response
  expect(headers.get('content-type')).toMatch(/^application\/json/)
  return [status, ((await (await response).json()) as { error: string }).error]
}

afterAll(() => executor.close())

test('the nightly report is that of all flights', async () => {
  const future = await executor.schedules.run('nightly')
  expect(await future.result()).toEqual(expectedReport(0, 5000))
  const [nightly] = await executor.inspect.schedules()
  expect(nightly).toMatchObject({ name: 'nightly', state: 'enabled', next: expect.any(Date) })
})

describe('a report', () => {
  test.each([
    { minDistance: 0, maxDistance: 5000, chunks: 16 },
    { minDistance: 491, maxDistance: 1452, chunks: 7 },
    { minDistance: 4000, maxDistance: 4500, chunks: 64 },
    { minDistance: 5000, maxDistance: 5000, chunks: 1 },
  ])(
    'of $minDistance to $maxDistance miles in $chunks chunks equals an independent computation',
    async (request) => {
      const accepted = await post(request)
      expect(accepted.status).toBe(202)
      const seen = await follow(accepted.headers.get('location') ?? '')
      const last = seen.at(-1)
      expect(last).toMatchObject({ state: 'succeeded', progress: 1, counts: { succeeded: request.chunks } })
      expect(last?.report).toEqual(expectedReport(request.minDistance, request.maxDistance))
    },
  )

  test('shows progress that only grows', async () => {
    const accepted = await post({ chunks: 4, pauseMs: 10 })
    const progress = (await follow(accepted.headers.get('location') ?? '')).map((status) => status.progress)
    expect(progress).toEqual(progress.toSorted((a, b) => a - b))
    expect(progress.filter((part) => part > 0 && part < 1).length).toBeGreaterThan(2)
  })

  test('is cancelled when its calls are', async () => {
    const { id } = (await (await post({ chunks: 64, pauseMs: 50 })).json()) as { id: string }
    await executor.group(id).abort('test')
    const last = (await follow(`/reports/${id}`)).at(-1)
    expect(last?.state).toBe('cancelled')
    expect(last).not.toHaveProperty('report')
  })
})

test('a report whose chunk fails says so, and nothing that was thrown', async () => {
  executor.use({
    run: (call, next) => {
      const [chunk] = call.args as [Chunk]
      if (chunk.filter.maxDistance === 1234 && chunk.from === 0)
        throw new NonRetryableError('the password is 1')
      return next()
    },
  })
  const accepted = await post({ maxDistance: 1234, chunks: 4 })
  const last = (await follow(accepted.headers.get('location') ?? '')).at(-1)
  expect(last).toMatchObject({ state: 'failed', counts: { failed: 1, succeeded: 3 } })
  expect(last?.error).toBe('1 of 4 chunks failed (threw); ask for the report again')
  expect(last).not.toHaveProperty('report')
})

describe('the contract with programs', () => {
  test('POST answers 202 with the place of the report', async () => {
    const response = await post({ minDistance: 4900 })
    const { id } = (await response.json()) as { id: string }
    expect(response.status).toBe(202)
    expect(response.headers.get('location')).toBe(`/reports/${id}`)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(executor.group(id)).toHaveLength(16)
    const seen = await follow(`/reports/${id}`)
    expect(seen.map((status) => status.id)).toEqual(seen.map(() => id))
  })

  test('a report is never cached', async () => {
    const { headers } = await app.request((await post({ chunks: 1 })).headers.get('location') ?? '')
    expect(headers.get('cache-control')).toBe('no-store')
  })

  test.each([
    ['{', 'the body is not JSON; send an object, as {"minDistance": 500}'],
    ['', 'the body is not JSON; send an object, as {"minDistance": 500}'],
    [[1], 'the body is not an object; send one, as {"minDistance": 500}'],
    [{ chunks: 0 }, 'chunks is 0, expected a whole number from 1 to 64'],
    [{ chunks: 1.5 }, 'chunks is 1.5, expected a whole number from 1 to 64'],
    [{ chunks: null }, 'chunks is null, expected a whole number from 1 to 64'],
    [{ minDistance: '500' }, 'minDistance is "500", expected a whole number from 0 to 5000'],
    [{ pauseMs: 501 }, 'pauseMs is 501, expected a whole number from 0 to 500'],
    [{ minDistance: 9, maxDistance: 8 }, 'minDistance (9) is over maxDistance (8)'],
    [{ chunk: 4 }, 'unknown field "chunk"; the fields are minDistance, maxDistance, chunks, pauseMs'],
    [
      '{"__proto__": 1}',
      'unknown field "__proto__"; the fields are minDistance, maxDistance, chunks, pauseMs',
    ],
  ])('%j is refused', async (body, message) => {
    expect(await refusal(post(body))).toEqual([400, message])
  })

  test('what another site could send unasked is refused', async () => {
    expect((await refusal(post({}, 'text/plain')))[0]).toBe(415)
    expect((await refusal(post({}, 'application/jsonp')))[0]).toBe(415)
    expect((await refusal(post(`{"chunks":1${' '.repeat(5000)}}`)))[0]).toBe(413)
  })

  test.each([
    'nonsense',
    '..%2f..%2fpackage.json',
    '0191e0a0-0000-7000-8000-000000000000-of-16',
    '0191e0a0-0000-7000-8000-000000000000-of-0',
    '0191e0a0-0000-7000-8000-000000000000-of-65',
    '0191e0a0-0000-7000-8000-000000000000-of-1000000',
  ])('there is no report %s', async (id) => {
    expect(await refusal(app.request(`/reports/${id}`))).toEqual([
      404,
      'nobody knows this report (any more); ask for a new one',
    ])
  })

  test('a group whose id claims another size is no report', async () => {
    const { id } = (await (await post({ chunks: 2 })).json()) as { id: string }
    expect((await app.request(`/reports/${id.replace(/2$/, '1')}`)).status).toBe(404)
  })

  test('other paths are not found', async () => {
    expect(await refusal(app.request('/page/page.html'))).toEqual([
      404,
      'there is nothing at /page/page.html',
    ])
  })
})

describe('the page', () => {
  test.each([
    ['/', 'text/html; charset=utf-8'],
    ['/page.js', 'text/javascript; charset=utf-8'],
    ['/chart.js', 'text/javascript; charset=utf-8'],
    ['/follow.js', 'text/javascript; charset=utf-8'],
    ['/page.css', 'text/css; charset=utf-8'],
  ])('%s comes with a strict policy', async (path, contentType) => {
    const response = await app.request(path)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(contentType)
    const policy = response.headers.get('content-security-policy')
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(response.headers.get('x-frame-options')).toBe('DENY')
    expect(response.headers.get('referrer-policy')).toBe('no-referrer')
  })

  test('keeps to its policy: no inline scripts or styles, no markup made of data', async () => {
    const html = await (await app.request('/')).text()
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/i)
    for (const path of ['/page.js', '/chart.js', '/follow.js']) {
      expect(await (await app.request(path)).text()).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML/)
    }
  })
})

interface Run {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs a script of the example; `onOutput` is told what it has printed so far. */
function runScript(
  script: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
  stopAt?: RegExp,
): Promise<Run> {
  const clean = { ...process.env, ...env }
  for (const name of ['VITEST', 'NODE_OPTIONS', 'FORCE_COLOR']) delete clean[name]
  const child = spawn(process.execPath, [`examples/flights/${script}`, ...args], { cwd: root, env: clean })
  const run: Run = { code: null, stdout: '', stderr: '' }
  child.stdout.on('data', (text) => {
    run.stdout += text
    if (stopAt?.test(run.stdout)) child.kill('SIGINT')
  })
  child.stderr.on('data', (text) => {
    run.stderr += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ ...run, code }))
  })
}

// The scripts import the built package by its name; `npm test` builds it first.
describe.skipIf(!existsSync(`${root}/dist/src/index.js`))('the demo', () => {
  test('--once prints the right table and ends', async () => {
    const { code, stdout, stderr } = await runScript('demo.ts', ['--once'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^progress 100%$/m)
    expect(stdout).toMatch(/http:\/\/127\.0\.0\.1:\d+\/\?report=[0-9a-f-]+-of-16/)
    const { overall, byHour, byDistance } = expectedReport(0, 5000)
    const rows = stdout.split('\n').map((line) => line.trim().split(/ {2,}/))
    const rowOf = (label: string) => rows.find(([first]) => first === label)?.slice(1)
    for (const { hour, ...figures } of byHour) {
      expect(rowOf(`${String(hour).padStart(2, '0')}:00`)).toEqual(printed(figures))
    }
    const labels = ['0-249', '250-499', '500-999', '1,000-1,999', '2,000+']
    for (const [band, label] of labels.entries()) expect(rowOf(label)).toEqual(printed(byDistance[band]))
    expect(rowOf('all')).toEqual(printed(overall))
  })

  test('without --once it serves until it is interrupted', async () => {
    const { code, stdout } = await runScript('demo.ts', [], {}, /Serving until/)
    expect(code).toBe(0)
    expect(stdout).toContain('Serving until Ctrl-C')
  })

  test('is interrupted while it waits for the report, and says what is lost', async () => {
    const { code, stdout, stderr } = await runScript('demo.ts', [], {}, /^progress/m)
    expect(code).toBe(0)
    // Nothing but what errand itself must say: the calls of the report are lost.
    expect(stderr).toMatch(/^(errand: \d+ calls? (is|are) lost: [^\n]+\n)?$/)
    expect(stdout).not.toContain('miles')
  })

  test('needs no cloud, whatever the environment says', async () => {
    const env = { NODE_ENV: 'production', ERRAND_BACKEND: 'aws', ERRAND_TABLE: 't', ERRAND_QUEUE_URLS: '{}' }
    expect(await runScript('demo.ts', ['--once'], env)).toMatchObject({ code: 0, stderr: '' })
  })

  test('says how it is used', async () => {
    const unknown = await runScript('demo.ts', ['--twice'])
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toContain('Usage: npm run demo')
    const help = await runScript('demo.ts', ['--help'])
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('--once')])
    expect((await runScript('demo.ts', ['extra'])).code).toBe(2)
  })
})

describe.skipIf(!existsSync(`${root}/dist/src/index.js`))('the server', () => {
  test('says when its port is in use, or is no port', async () => {
    const { createServer } = await import('node:http')
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as { port: number }
    const taken = await runScript('server.ts', [], { PORT: String(port) })
    other.close()
    expect([taken.code, taken.stderr]).toEqual([1, expect.stringContaining(`port ${port} is in use`)])
    const wrong = await runScript('server.ts', [], { PORT: 'http' })
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('PORT is "http"')])
  })

  test('serves until it is interrupted', async () => {
    const { code, stdout } = await runScript('server.ts', [], {}, /Ctrl-C/)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^Flights: http:\/\/127\.0\.0\.1:\d+/)])
  })
})

/** The figures as the terminal shows them. */
function printed(figures: ExpectedFigures | undefined) {
  const { flights: count = 0, lateShare, meanDelay, medianDelay, p90Delay } = figures ?? {}
  return [
    count.toLocaleString('en-US'),
    `${(100 * (lateShare ?? 0)).toFixed(1)}%`,
    (meanDelay ?? 0).toFixed(1),
    (medianDelay ?? 0).toFixed(1),
    String(p90Delay),
  ]
}
