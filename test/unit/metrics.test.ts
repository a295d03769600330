import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createExecutor, defineConfig } from 'errand'
import { expect, test } from 'vitest'
import { lambdaMetricLines } from '../../src/handlers/lambda-output.ts'
import { createMetrics } from '../../src/handlers/metrics.ts'
import type { AttemptReport } from '../../src/runtime/attempt/attempt-report.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { flawsOfMetricLine, keptMetricLines, metricsOf, sumsOf } from '../support/metric-lines.ts'
import { root } from '../support/source-files.ts'

// What CloudWatch makes of attempts: counts and durations by app, queue and task, and by nothing that grows.

const config = defineConfig({ name: 'shop', queues: { low: {}, high: {} } })
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

function metrics(level?: string) {
  const executor = createExecutor(config, { tasks: { add: () => 1, größe: () => 2 }, backend: 'eager' })
  const kept = keptMetricLines(level)
  return { ...createMetrics(internalsOf(executor).app, { now: () => NOW + 0.4 }, kept), ...kept }
}

const attempt: AttemptReport = {
  id: 'id-of-a-call',
  task: 'add',
  queue: 'low',
  attempt: 1,
  outcome: 'succeeded',
  durationMilliseconds: 12,
  queueWaitMilliseconds: 34,
  requestId: 'id-of-an-invocation',
}

const unrun: AttemptReport = { id: 'x', task: 'add', queue: 'low', attempt: 1, outcome: 'killed' }

test('a line is in the embedded metric format, and is what the documentation shows', () => {
  const { count, flush, lines } = metrics()
  count(attempt)
  count({ ...attempt, outcome: 'retrying', reason: 'threw', durationMilliseconds: 1.5 })
  flush()
  const Metrics = [
    { Name: 'Calls', Unit: 'Count' },
    { Name: 'Retries', Unit: 'Count' },
    { Name: 'DurationMilliseconds', Unit: 'Milliseconds' },
    { Name: 'QueueWaitMilliseconds', Unit: 'Milliseconds' },
  ]
  const Dimensions = [['App', 'Queue', 'Task'], ['App', 'Queue'], ['App']]
  expect(lines.flatMap(flawsOfMetricLine)).toEqual([])
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      _aws: { Timestamp: NOW, CloudWatchMetrics: [{ Namespace: 'errand', Dimensions, Metrics }] },
      timestamp: '2026-01-02T03:04:05.678Z',
      level: 'INFO',
      App: 'shop',
      Queue: 'low',
      Task: 'add',
      Calls: 2,
      Retries: 1,
      DurationMilliseconds: [12, 1.5],
      QueueWaitMilliseconds: [34, 34],
    },
  ])
})

test('the name of a fleet is a dimension of every set, and makes no set more', () => {
  const executor = createExecutor(config, { tasks: { add: () => 1 }, backend: 'eager' })
  const kept = keptMetricLines()
  const made = createMetrics(internalsOf(executor).app, { now: () => NOW }, { ...kept, fleet: 'Live/Jobs' })
  made.count(attempt)
  made.flush()
  const [line = ''] = kept.lines
  expect(flawsOfMetricLine(line)).toEqual([])
  const { _aws, App, Fleet } = JSON.parse(line)
  expect({ App, Fleet }).toEqual({ App: 'shop', Fleet: 'Live/Jobs' })
  const ofTotal = ['App', 'Fleet']
  expect(_aws.CloudWatchMetrics[0].Dimensions).toEqual([
    [...ofTotal, 'Queue', 'Task'],
    [...ofTotal, 'Queue'],
    ofTotal,
  ])
})

test.each([
  ['succeeded', undefined, { Calls: 1 }],
  ['cancelled', undefined, { Calls: 1 }],
  ['retrying', 'threw', { Calls: 1, Retries: 1 }],
  ['failed', 'threw', { Calls: 1, Failures: 1 }],
  ['failed', 'killed', { Calls: 1, Failures: 1 }],
  ['failed', 'undeliverable', { Failures: 1, Undeliverable: 1 }],
  ['killed', undefined, { Kills: 1 }],
  ['lost', undefined, {}],
  ['unwritten', undefined, {}],
] as const)('an attempt that is %s (%s) counts as %o', (outcome, reason, counts) => {
  const { count, flush, lines } = metrics()
  count({ ...unrun, outcome, ...(reason && { reason }) })
  flush()
  expect(sumsOf(lines, 'App=shop')).toEqual(counts)
  // Nothing to say is not said: zeros cost as much as any metric.
  expect(lines).toHaveLength(Object.keys(counts).length === 0 ? 0 : 1)
})

test('what was written once is not written again, and nothing writes nothing', () => {
  const { count, flush, lines } = metrics()
  flush()
  count(attempt)
  flush()
  flush()
  expect(lines).toHaveLength(1)
})

test.each([99, 100, 101, 1000])('%i values are split into lines of 100, and counted once', (attempts) => {
  const { count, flush, lines } = metrics()
  for (let each = 0; each < attempts; each++) count({ ...attempt, durationMilliseconds: each })
  flush()
  expect(lines).toHaveLength(Math.ceil(attempts / 100))
  expect(lines.flatMap(flawsOfMetricLine)).toEqual([])
  const { Calls, DurationMilliseconds } = metricsOf(lines).get('App=shop') ?? {}
  expect(Calls).toEqual([attempts])
  expect(DurationMilliseconds).toEqual(Array.from({ length: attempts }, (_, each) => each))
})

test('each task of each queue has its own line, and the app and its queues their sums', () => {
  const { count, flush, lines } = metrics()
  for (const [queue, task] of [
    ['low', 'add'],
    ['low', 'größe'],
    ['high', 'add'],
    ['high', 'add'],
  ] as const)
    count({ ...attempt, queue, task })
  flush()
  const calls = [...metricsOf(lines)].map(([dimensions, { Calls = [] }]) => [
    dimensions,
    Calls.reduce((a, b) => a + b),
  ])
  expect(Object.fromEntries(calls)).toEqual({
    'App=shop': 4,
    'App=shop Queue=low': 2,
    'App=shop Queue=high': 2,
    'App=shop Queue=low Task=add': 1,
    // CloudWatch takes ASCII.
    'App=shop Queue=low Task=gr%C3%B6%C3%9Fe': 1,
    'App=shop Queue=high Task=add': 2,
  })
  expect(lines.flatMap(flawsOfMetricLine)).toEqual([])
})

test('no id, and nothing that only a message names, becomes a dimension', () => {
  const { count, flush, lines } = metrics()
  for (let each = 0; each < 100; each++) {
    count({ ...attempt, id: `id-${each}`, task: `task-${each}`, queue: `queue-${each}` })
    count({ ...attempt, task: 'toString', queue: 'low' })
  }
  flush()
  expect([...metricsOf(lines).keys()].sort()).toEqual([
    'App=shop',
    'App=shop Queue=(unknown)',
    'App=shop Queue=(unknown) Task=(unknown)',
    'App=shop Queue=low',
    'App=shop Queue=low Task=(unknown)',
  ])
  expect(lines.join('')).not.toMatch(/id-|task-|queue-/)
})

test('a write that throws is survived, and the next lines are written', () => {
  const executor = createExecutor(config, { tasks: { add: () => 1 }, backend: 'eager' })
  const written: string[] = []
  let closed = true
  const write = (line: string) => {
    if (closed) throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
    written.push(line)
  }
  const broken = createMetrics(internalsOf(executor).app, { now: () => NOW }, { write, level: 'INFO' })
  broken.count(attempt)
  expect(broken.flush).not.toThrow()
  closed = false
  broken.count(attempt)
  broken.flush()
  expect(sumsOf(written, 'App=shop')).toEqual({ Calls: 1 })
})

test.each([
  [undefined, 'INFO'],
  ['TRACE', 'INFO'],
  ['DEBUG', 'INFO'],
  ['INFO', 'INFO'],
  ['WARN', 'WARN'],
  ['error', 'ERROR'],
  ['FATAL', 'FATAL'],
  ['nonsense', 'INFO'],
])('in a function that logs from %s, metrics are lines of %s, which it does not drop', (level, expected) => {
  const env = { AWS_LAMBDA_FUNCTION_NAME: 'worker', AWS_LAMBDA_LOG_LEVEL: level }
  expect(lambdaMetricLines(env)?.level).toBe(expected)
})

test('outside of a Lambda function there are none', () => {
  expect(lambdaMetricLines({})).toBeUndefined()
})

test('the documentation lists every metric, and its unit', () => {
  const { count, flush, lines } = metrics()
  for (const outcome of ['succeeded', 'retrying', 'killed'] as const) count({ ...attempt, outcome })
  count({ ...attempt, outcome: 'failed', reason: 'undeliverable' })
  flush()
  const text = readFileSync(join(root, 'docs/observability.md'), 'utf8')
  const listed = [...text.matchAll(/^\| `([A-Z]\w+)` +\| (\w+) /gm)].map(([, Name, Unit]) => ({ Name, Unit }))
  const [line = ''] = lines
  const { Metrics } = JSON.parse(line)._aws.CloudWatchMetrics[0]
  expect(listed).toHaveLength(7)
  expect(listed).toEqual(expect.arrayContaining(Metrics))
  expect(Metrics).toHaveLength(listed.length)
})
