/**
 * What the newest calls amount to: throughput, times and failures, by stretch of time and by task.
 * @module
 */

import type { CallRecord, CallState } from '../runtime/call/record.ts'
import type { Percentiles } from '../runtime/ports/call-metrics.ts'
import type { CallWindow } from './call-window.ts'

/** How far back a page looks, by the word in its address. */
export const RANGES = {
  '15m': { label: '15 min', milliseconds: 15 * 60_000 },
  '1h': { label: '1 hour', milliseconds: 3_600_000 },
  '6h': { label: '6 hours', milliseconds: 6 * 3_600_000 },
  '24h': { label: '24 hours', milliseconds: 24 * 3_600_000 },
} as const

/** A word of `RANGES`. */
export type Range = keyof typeof RANGES

export type { Percentiles }

/** One stretch of time. */
export interface Bucket {
  /** Its begin, epoch milliseconds. */
  readonly at: number
  /** Absent: the workers' metrics do not tell. */
  readonly submitted?: number
  readonly succeeded: number
  readonly failed: number
  /** The last attempt's run, of calls that ended in it. Absent: none did. */
  readonly run?: Percentiles
  /** From due to begun, of calls whose last attempt began in it. */
  readonly wait?: Percentiles
}

/** Charts' data. */
export interface Series {
  /** How long each stretch is. */
  readonly bucketMs: number
  /** The oldest first, without holes. */
  readonly buckets: readonly Bucket[]
  /** How many calls they are made of. */
  readonly calls: number
  /** Since when every call is among them, epoch milliseconds. */
  readonly since: number
  /** Whether there were more within the range than were looked at. */
  readonly isCut: boolean
  /** What they are made of: the records of the newest calls, or what the workers counted. */
  readonly source: 'calls' | 'metrics'
  /** Why they are not made of the workers' metrics, though those were looked for. */
  readonly problem?: string
}

/** How long a stretch may be: what people count in. */
const steps = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * 1000),
  ...[1, 2, 5, 10, 15, 30, 60].map((minutes) => minutes * 60_000),
]

const MOST_BUCKETS = 32

/** Cuts the window to a range and into stretches. Where the window does not reach back as far, nor do they. */
export function seriesOf(window: CallWindow, range: Range, now: number): Series {
  const { records, since, isCut, bucketMs } = withinRange(window, range, now)
  const first = Math.floor(since / bucketMs) * bucketMs
  const slots = Array.from({ length: Math.floor((now - first) / bucketMs) + 1 }, (_, index) => ({
    ...{ at: first + index * bucketMs, submitted: 0, succeeded: 0, failed: 0 },
    ...{ runs: [] as number[], waits: [] as number[] },
  }))
  const slotAt = (time: number | undefined) =>
    time === undefined ? undefined : slots[Math.floor((time - first) / bucketMs)]
  for (const record of records) {
    const submitted = slotAt(record.createdAt)
    if (submitted !== undefined) submitted.submitted += 1
    const begun = slotAt(record.startedAt)
    const wait = waitOf(record)
    if (begun !== undefined && wait !== undefined) begun.waits.push(wait)
    const ended = slotAt(record.finishedAt)
    if (ended === undefined || (record.state !== 'succeeded' && record.state !== 'failed')) continue
    ended[record.state] += 1
    const run = runOf(record)
    if (run !== undefined) ended.runs.push(run)
  }
  const buckets = slots.map(({ runs, waits, ...bucket }) => {
    const [run, wait] = [percentiles(runs), percentiles(waits)]
    return { ...bucket, ...(run && { run }), ...(wait && { wait }) }
  })
  return { bucketMs, buckets, calls: records.length, since, isCut, source: 'calls' }
}

/** How long the stretches of so long a time are, in milliseconds. */
export function bucketMsOf(milliseconds: number): number {
  return steps.find((step) => milliseconds / step <= MOST_BUCKETS) ?? 3_600_000
}

function withinRange(window: CallWindow, range: Range, now: number) {
  const wanted = now - RANGES[range].milliseconds
  const isCut = window.since > wanted
  const since = Math.min(Math.max(wanted, window.since), now)
  const bucketMs = bucketMsOf(now - since)
  return { records: window.records.filter(({ createdAt }) => createdAt >= since), since, isCut, bucketMs }
}

/** What of a call tells its times, in epoch milliseconds. */
interface Times {
  readonly state: CallState
  readonly dueAt: number
  readonly startedAt?: number | undefined
  readonly finishedAt?: number | undefined
}

/** How long the last attempt ran, in milliseconds, where its end was seen. */
export function runOf({ state, startedAt, finishedAt }: Omit<Times, 'dueAt'>): number | undefined {
  if (startedAt === undefined || finishedAt === undefined || state === 'cancelled') return undefined
  return Math.max(finishedAt - startedAt, 0)
}

/** How long the last attempt waited once it was due, in milliseconds. */
export function waitOf({ state, startedAt, dueAt }: Omit<Times, 'finishedAt'>): number | undefined {
  // A call that waits to be tried again has a due time after its last begin.
  if (startedAt === undefined || state === 'retrying' || state === 'pending') return undefined
  return Math.max(startedAt - dueAt, 0)
}

/** By the nearest rank; `undefined` of nothing. */
export function percentiles(values: readonly number[]): Percentiles | undefined {
  if (values.length === 0) return undefined
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] as number
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

/** What one task's calls amount to. */
export interface TaskFigures {
  readonly task: string
  readonly calls: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  /** Those that have not ended. */
  readonly open: number
  /** Attempts beyond each call's first. */
  readonly retries: number
  readonly kills: number
  readonly callsPerMinute: number
  readonly run?: Percentiles
  readonly wait?: Percentiles
  /** How often a call failed, or waits after a failure, by the error's name; the most frequent first. */
  readonly errors: readonly { readonly name: string; readonly count: number }[]
}

/** What the calls of a range amount to, the busiest task first. */
export function taskFigures(window: CallWindow, range: Range, now: number): readonly TaskFigures[] {
  const { records, since } = withinRange(window, range, now)
  const byTask = Map.groupBy(records, ({ task }) => task)
  const minutes = Math.max(now - since, 1000) / 60_000
  return [...byTask]
    .map(([task, calls]) => figuresOf(task, calls, minutes))
    .sort((a, b) => b.calls - a.calls || (a.task < b.task ? -1 : 1))
}

function figuresOf(task: string, calls: readonly CallRecord[], minutes: number): TaskFigures {
  const having = (state: CallRecord['state']) => calls.filter((record) => record.state === state).length
  const [succeeded, failed, cancelled] = [having('succeeded'), having('failed'), having('cancelled')]
  const timesOf = (time: (record: CallRecord) => number | undefined) =>
    percentiles(calls.map(time).filter((value) => value !== undefined))
  const [run, wait] = [timesOf(runOf), timesOf(waitOf)]
  const sum = (amount: (record: CallRecord) => number) =>
    calls.reduce((total, record) => total + amount(record), 0)
  const names = Map.groupBy(
    calls.map(errorNameOf).filter((name) => name !== undefined),
    (name) => name,
  )
  return {
    ...{ task, calls: calls.length, succeeded, failed, cancelled },
    open: calls.length - succeeded - failed - cancelled,
    retries: sum(({ attempts }) => Math.max(attempts - 1, 0)),
    kills: sum((record) => (record.reason === 'killed' ? 1 : 0)),
    callsPerMinute: calls.length / minutes,
    ...(run && { run }),
    ...(wait && { wait }),
    errors: [...names]
      .map(([name, each]) => ({ name, count: each.length }))
      .sort((a, b) => b.count - a.count),
  }
}

/** What classes of errors are called; anything else that stands before the colon may be data. */
const className = /^([A-Za-z_$][\w$.]{0,99})(?::|$)/

/** The name of the error that a call failed with, or failed with last. */
export function errorNameOf({ lastError, reason, state }: CallRecord): string | undefined {
  if (state !== 'failed' && lastError === undefined) return undefined
  return className.exec(lastError ?? '')?.[1] ?? reason ?? 'Error'
}
