/**
 * What all pages read from: the executor, and what is shared between viewers.
 * @module
 */

import type { CallRecord } from '../runtime/call/record.ts'
import { type Executor, internalsOf } from '../runtime/executor.ts'
import { type Calls, createCalls } from '../runtime/future/calls.ts'
import { type InspectedCall, inspectedOf } from '../runtime/operations/call-listing.ts'
import type { QueueStats, WorkerStats } from '../runtime/operations/fleet-status.ts'
import type { Backend } from '../runtime/ports/backend.ts'
import type { InspectedSchedule } from '../runtime/schedules/schedule-control.ts'
import { type Reading, type Shared, shared } from './cached.ts'
import { type CallRow, callRow } from './call-row.ts'
import { type CallWindow, createWindowReader } from './call-window.ts'
import type { ResolvedMonitorOptions } from './monitor-options.ts'
import { createRedactor, type Redactor } from './redaction.ts'
import { createSeriesSource, type SeriesSource } from './series-source.ts'

/** What a monitor asks of its executor, whatever its tasks are. */
export type MonitoredExecutor = Pick<
  Executor,
  'config' | 'inspect' | 'queues' | 'schedules' | 'future' | 'retry' | 'retryAll'
>

/** What pages read from. */
export interface Sources {
  readonly executor: MonitoredExecutor
  readonly options: ResolvedMonitorOptions
  readonly redactor: Redactor
  readonly calls: Calls
  readonly backend: () => Backend | Promise<Backend>
  /** The names of the tasks that are registered here. */
  readonly taskNames: () => readonly string[]
  readonly row: (call: InspectedCall) => CallRow
  /** The same of a record. */
  readonly rowOf: (record: CallRecord) => CallRow
  /** What the queues hold. */
  readonly queues: () => Promise<Reading<Readonly<Record<string, QueueStats>>>>
  /** What the workers say. */
  readonly workers: () => Promise<Reading<Readonly<Record<string, WorkerStats>>>>
  /** The schedules. */
  readonly schedules: () => Promise<Reading<readonly InspectedSchedule[]>>
  /** Whether there are any. */
  readonly hasSchedules: () => boolean
  /** The newest calls. */
  readonly window: () => Promise<Reading<CallWindow>>
  /** What charts show, by the workers' metrics where they are to be had. */
  readonly series: SeriesSource
  /** How often anything is read again, in seconds. */
  readonly refreshSeconds: () => Promise<number>
  /** Somebody acted: what is shown next is read anew. */
  readonly forget: () => void
}

/** How often workers and schedules are asked for on AWS, in seconds: each worker's answer is an invocation. */
const WORKERS_SECONDS = 60

/** Makes the sources of a monitor. */
export function createSources(executor: MonitoredExecutor, options: ResolvedMonitorOptions): Sources {
  const { app, connect } = internalsOf(executor)
  const { config, codec } = app
  const calls = createCalls(config, codec, connect)
  const redactor = createRedactor(options)
  const windowReader = createWindowReader(config, options.lookAt)
  const queues = shared(() => executor.inspect.queues())
  const workers = shared(async () => (await executor.inspect.stats()).workers)
  const schedules = shared(() => executor.inspect.schedules())
  const window = shared(async () => windowReader.read(await connect()))
  const refreshOf = ({ kind }: Backend) => options.refreshSeconds ?? (kind === 'aws' ? 10 : 2)
  const read = async <Value>(from: Shared<Value>, leastSeconds = 0) => {
    const backend = await connect()
    const seconds = Math.max(refreshOf(backend), backend.kind === 'aws' ? leastSeconds : 0)
    return from.get(backend.clock.now(), seconds * 1000)
  }
  const readWindow = () => read(window)
  return {
    ...{ executor, options, redactor, calls, backend: connect },
    taskNames: () => app.registry.names(),
    row: (call) => callRow(call, redactor),
    rowOf: (record) => callRow(inspectedOf(calls, record), redactor),
    queues: () => read(queues),
    workers: () => read(workers, WORKERS_SECONDS),
    schedules: () => read(schedules, WORKERS_SECONDS),
    hasSchedules() {
      try {
        return executor.schedules.names().length > 0
      } catch {
        // Their page says which of them breaks a rule.
        return true
      }
    },
    window: readWindow,
    series: createSeriesSource(connect, readWindow),
    refreshSeconds: async () => refreshOf(await connect()),
    forget() {
      for (const each of [queues, workers, schedules, window]) each.forget()
    },
  }
}
