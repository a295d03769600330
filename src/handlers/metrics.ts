/**
 * Metrics in CloudWatch's embedded metric format: lines on standard output, which CloudWatch Logs makes metrics of. No
 * request, no permission, and no dimension that grows with the calls: a metric costs by its dimensions' values.
 *
 * One line holds one value, or a list of them, of each metric; so each task of each queue has a line of its own, and
 * CloudWatch adds them up by the fewer dimensions.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 * @module
 */
import type { App } from '../runtime/app.ts'
import type { AttemptReport } from '../runtime/attempt/attempt-report.ts'
import type { Clock } from '../runtime/clock.ts'
import { METRICS_NAMESPACE, totalDimensions } from '../runtime/config/metric-names.ts'
import { timestampOf } from '../runtime/log.ts'

/** Where the lines go. */
export interface MetricLines {
  /** Writes one line, its end included. */
  write(line: string): void
  /**
   * The level that the lines have. Lambda drops lines below the function's own level, also those that are metrics, so
   * it is never below that. https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
   */
  readonly level: string
  /** The fleet's name, a dimension. Absent: nobody gave it one. */
  readonly fleet?: string
}

/** The metrics of one environment. */
export interface Metrics {
  /** Adds an attempt. */
  count(report: AttemptReport): void
  /** Writes what was added since the last time; nothing where there is nothing. Never throws. */
  flush(): void
}

/** Stands for the tasks and queues that only a message names: whoever sends it must not make dimensions. */
const UNKNOWN = '(unknown)'

/** The specification: values of one metric in one line. */
const MAX_VALUES = 100

/** `GetMetricData`: characters of a dimension's value. */
const MAX_DIMENSION_LENGTH = 1024

type Counter = 'Calls' | 'Failures' | 'Retries' | 'Kills' | 'Undeliverable'

const DISTRIBUTIONS = ['DurationMilliseconds', 'QueueWaitMilliseconds'] as const

/** A number, or a list of them, of each metric. */
type Line = Record<string, number | readonly number[]>

/** What a task of a queue has come to since the last line. */
interface Tally {
  readonly queue: string
  readonly task: string
  readonly counts: Map<Counter, number>
  readonly DurationMilliseconds: number[]
  readonly QueueWaitMilliseconds: number[]
}

/** Makes the metrics of one environment. */
export function createMetrics(app: App, clock: Pick<Clock, 'now'>, lines: MetricLines): Metrics {
  let tallies = new Map<string, Tally>()
  const tallyOf = (report: AttemptReport): Tally => {
    const queue = app.config.queues.has(report.queue) ? report.queue : UNKNOWN
    const task = dimensionOf(app.registry.find(report.task)?.name ?? UNKNOWN)
    // No name holds a space.
    const key = `${queue} ${task}`
    const tally = tallies.get(key) ?? emptyTally(queue, task)
    tallies.set(key, tally)
    return tally
  }
  return {
    count(report) {
      const { counts, DurationMilliseconds, QueueWaitMilliseconds } = tallyOf(report)
      for (const counter of countersOf(report)) counts.set(counter, (counts.get(counter) ?? 0) + 1)
      const { durationMilliseconds, queueWaitMilliseconds } = report
      if (durationMilliseconds !== undefined) DurationMilliseconds.push(durationMilliseconds)
      if (queueWaitMilliseconds !== undefined) QueueWaitMilliseconds.push(queueWaitMilliseconds)
    },
    flush() {
      const leaving = tallies
      tallies = new Map()
      try {
        for (const tally of leaving.values()) {
          for (const metrics of linesOf(tally)) {
            lines.write(embed(app.config.name, tally, metrics, clock, lines))
          }
        }
      } catch {
        // A pipe that is closed costs the metrics, and no call.
      }
    },
  }
}

function emptyTally(queue: string, task: string): Tally {
  return { queue, task, counts: new Map(), DurationMilliseconds: [], QueueWaitMilliseconds: [] }
}

/** CloudWatch takes ASCII alone, and names of tasks are of any language. No name holds a `%`, so none becomes another. */
function dimensionOf(task: string): string {
  return encodeURI(task).slice(0, MAX_DIMENSION_LENGTH)
}

/**
 * What an attempt counts as. Whose end nobody wrote is no call: the claim after it counts it as a kill, so that calls
 * and kills are all attempts. A dead letter is no attempt.
 */
function countersOf({ outcome, reason }: AttemptReport): readonly Counter[] {
  switch (outcome) {
    case 'succeeded':
    case 'cancelled':
      return ['Calls']
    case 'retrying':
      return ['Calls', 'Retries']
    case 'failed':
      return reason === 'undeliverable' ? ['Failures', 'Undeliverable'] : ['Calls', 'Failures']
    case 'killed':
      return ['Kills']
    case 'lost':
    case 'unwritten':
      return []
  }
}

/** What each line holds: the counts once, the values as far as they fit. Zeros are left out: a metric costs. */
function linesOf(tally: Tally): Line[] {
  const lines: Line[] = []
  const longest = Math.max(...DISTRIBUTIONS.map((name) => tally[name].length))
  for (let from = 0; from === 0 || from < longest; from += MAX_VALUES) {
    const line: Line = from === 0 ? Object.fromEntries(tally.counts) : {}
    for (const name of DISTRIBUTIONS) {
      const values = tally[name].slice(from, from + MAX_VALUES)
      if (values.length > 0) line[name] = values
    }
    if (Object.keys(line).length > 0) lines.push(line)
  }
  return lines
}

function embed(
  app: string,
  { queue, task }: Tally,
  metrics: Line,
  clock: Pick<Clock, 'now'>,
  { level, fleet }: MetricLines,
): string {
  const total = totalDimensions(app, fleet)
  const ofTotal = Object.keys(total)
  const Dimensions = [[...ofTotal, 'Queue', 'Task'], [...ofTotal, 'Queue'], ofTotal]
  const Metrics = Object.keys(metrics).map((Name) => ({
    Name,
    Unit: Name.endsWith('Milliseconds') ? 'Milliseconds' : 'Count',
  }))
  const line = {
    _aws: {
      Timestamp: Math.round(clock.now()),
      CloudWatchMetrics: [{ Namespace: METRICS_NAMESPACE, Dimensions, Metrics }],
    },
    timestamp: timestampOf(clock),
    level,
    ...total,
    Queue: queue,
    Task: task,
    ...metrics,
  }
  return `${JSON.stringify(line)}\n`
}
