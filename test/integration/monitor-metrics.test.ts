import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createMetrics } from '../../src/handlers/metrics.ts'
import type { Overview } from '../../src/monitor/overview-page.ts'
import type { AttemptReport } from '../../src/runtime/attempt/attempt-report.ts'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { lazyCloudWatch } from '../../src/runtime/aws/cloudwatch-client.ts'
import { cloudWatchMetrics } from '../../src/runtime/aws/cloudwatch-metrics.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { type CloudWatchApi, startCloudWatchApi } from '../support/cloudwatch-api.ts'
import { connectionTo, loopbackRegion } from '../support/loopback-connection.ts'
import { keptMetricLines } from '../support/metric-lines.ts'
import { monitorStage } from '../support/monitor-stage.ts'

// The overview's charts on AWS: what workers wrote to their logs, as CloudWatch's API tells it to the real SDK.

const fleet = 'Live/Jobs'
let api: CloudWatchApi
beforeAll(() => {
  vi.stubEnv('ERRAND_BACKEND', 'local')
})
beforeEach(async () => {
  api = await startCloudWatchApi()
  return () => api.close()
})
afterAll(() => {
  vi.unstubAllEnvs()
})

const call = { id: 'x', task: 'add', queue: 'low', attempt: 1 }
const ran: AttemptReport = {
  ...call,
  outcome: 'succeeded',
  durationMilliseconds: 10,
  queueWaitMilliseconds: 5,
}
const unrun: AttemptReport = { ...call, outcome: 'failed', reason: 'undeliverable' }

/** A monitor whose fleet's metrics are in CloudWatch; what its workers do, they write there. */
async function metricsStage() {
  const cloudwatch = lazyCloudWatch(connectionTo(api), { AWS_REGION: loopbackRegion })
  const stage = await monitorStage({
    wrap: (backend) => ({
      ...backend,
      kind: 'aws',
      metrics: cloudWatchMetrics({ app: 'shop', fleet, cloudwatch }),
    }),
  })
  const work = (reports: readonly AttemptReport[], name = fleet) => {
    const kept = keptMetricLines()
    const metrics = createMetrics(internalsOf(stage.executor).app, stage.clock, { ...kept, fleet: name })
    for (const report of reports) metrics.count(report)
    metrics.flush()
    api.take(kept.lines)
  }
  const overview = async (range = '15m') => {
    const { series } = await stage.json<Overview>(`/?range=${range}`)
    if ('error' in series) throw new Error(series.error)
    return series.value
  }
  return { ...stage, work, overview }
}

describe('the charts', () => {
  test('show what the workers of this fleet counted, and no other stage', async () => {
    const { work, overview, clock } = await metricsStage()
    work([
      ...Array.from({ length: 98 }, () => ran),
      { ...ran, durationMilliseconds: 500, outcome: 'retrying', reason: 'threw' },
      { ...ran, durationMilliseconds: 900, outcome: 'failed', reason: 'threw', queueWaitMilliseconds: 80 },
    ])
    work(
      Array.from({ length: 50 }, () => ran),
      'Test/Jobs',
    )
    await clock.advance({ minutes: 3 })
    work([unrun])
    const series = await overview()
    const busy = series.buckets.filter(({ succeeded, failed }) => succeeded + failed > 0)
    expect(busy).toMatchObject([
      { succeeded: 98, failed: 1, run: { p50: 10, p95: 10, p99: 500 }, wait: { p50: 5, p95: 5, p99: 5 } },
      { succeeded: 0, failed: 1 },
    ])
    expect((busy[1]?.at ?? 0) - (busy[0]?.at ?? 0)).toBe(180_000)
    expect(series).toMatchObject({ source: 'metrics', calls: 100, bucketMs: 60_000, isCut: false })
    expect(series.problem).toBeUndefined()
  })

  test.each([
    ['15m', 60, 15],
    ['1h', 120, 30],
    ['6h', 900, 24],
    ['24h', 3600, 24],
  ])('of %s have stretches of %i s, without holes', async (range, period, stretches) => {
    const { overview, clock } = await metricsStage()
    const { buckets } = await overview(range)
    expect([stretches, stretches + 1]).toContain(buckets.length)
    const [first] = buckets
    expect(buckets.map(({ at }) => at)).toEqual(
      buckets.map((_, index) => (first?.at ?? 0) + index * period * 1000),
    )
    expect(buckets.at(-1)?.at).toBeLessThanOrEqual(clock.now())
    const [request] = api.requests
    const { Period, Metric } = request?.MetricDataQueries[0]?.MetricStat ?? {}
    expect(Period).toBe(period)
    expect(Metric).toEqual({
      Namespace: 'errand',
      MetricName: 'Calls',
      Dimensions: [
        { Name: 'App', Value: 'shop' },
        { Name: 'Fleet', Value: fleet },
      ],
    })
  })

  test('cost ten statistics of six metrics a minute, whatever the number of viewers', async () => {
    const { request, clock } = await metricsStage()
    for (let turn = 0; turn < 12; turn++) {
      await Promise.all(Array.from({ length: 20 }, () => request('/?range=1h')))
      await clock.advance({ seconds: 5 })
    }
    // Two pages of one reading.
    expect(api.requests.map(({ NextToken }) => NextToken)).toEqual([undefined, '6'])
    const queries = api.requests[0]?.MetricDataQueries ?? []
    expect(queries).toHaveLength(10)
    expect(new Set(queries.map(({ MetricStat }) => MetricStat.Metric.MetricName)).size).toBe(6)
  })
})

describe('without metrics the page says so, and shows the newest calls', () => {
  test.each([
    [
      'AccessDeniedException',
      /AWS denied cloudwatch:GetMetricData on the metrics of fleet &quot;Live\/Jobs&quot;.*addClient\(fn, \{ monitor: true \}\)/,
    ],
    ['ValidationException', /since CloudWatch cannot be asked: refused/],
  ])('%s', async (type, text) => {
    const { html, overview, put, request, clock } = await metricsStage()
    api.refuse(type)
    await put({ id: 'one' })
    expect(await html('/')).toMatch(text)
    expect(await overview('1h')).toMatchObject({ source: 'calls', calls: 1, problem: expect.any(String) })
    const asked = api.requests.length
    // Refused is not asked again at every look.
    await request('/')
    expect(api.requests).toHaveLength(asked)
    api.refuse(undefined)
    await clock.advance({ minutes: 1 })
    expect(await overview('1h')).toMatchObject({ source: 'metrics' })
  })
})

describe('a backend on AWS', () => {
  const aws = { tableName: 't', queueUrls: {} }
  test('has metrics where it knows its fleet', () => {
    const config = resolveConfig({ name: 'shop' })
    expect(awsBackend(config, aws).metrics).toBeUndefined()
    expect(awsBackend(config, { ...aws, fleet }).metrics).toBeDefined()
    vi.stubEnv('ERRAND_FLEET', fleet)
    expect(awsBackend(config, aws).metrics).toBeDefined()
    vi.stubEnv('ERRAND_FLEET', undefined)
  })

  test('has none where some workers are processes, which write none', () => {
    const workers = { foo: {}, bar: { runsOn: 'container' as const } }
    expect(awsBackend(resolveConfig({ name: 'shop', workers }), { ...aws, fleet }).metrics).toBeUndefined()
  })
})
