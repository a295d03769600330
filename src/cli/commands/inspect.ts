/**
 * `errand inspect`: what runs, what waits, and what workers and queues hold.
 * @module
 */
import type { DiscoveredApp } from '../../app-discovery/index.ts'
import type { CallState } from '../../runtime/call/record.ts'
import { showValue, suggestName } from '../../runtime/config/nearest-name.ts'
import type { CallPage, InspectedCall } from '../../runtime/operations/call-listing.ts'
import type { QueueStats } from '../../runtime/operations/fleet-status.ts'
import type { Inspect, Stats } from '../../runtime/operations/inspection.ts'
import type { InspectedSchedule } from '../../runtime/schedules/schedule-control.ts'
import { connected, type SharedOptions } from '../connection.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import { inspected } from '../inspected.ts'
import { plainValue } from '../output/plain-value.ts'
import type { Row, Screen } from '../output/screen.ts'
import { readNumber, readSince } from '../typed-values.ts'

/** What is typed. */
export interface InspectOptions extends SharedOptions {
  readonly queue?: string
  readonly task?: string
  readonly state?: readonly string[]
  readonly since?: string
  readonly size?: string
  readonly after?: string
}

type What = (typeof inspected)[number]

/** Shows it. */
export async function inspect(screen: Screen, options: InspectOptions, word: string): Promise<number> {
  if (!inspected.includes(word as What)) {
    throw new UsageError(
      `inspect shows nothing that is called ${showValue(word)}; ${suggestName(word, inspected)}`,
    )
  }
  const what = word as What
  refuseUseless(what, options)
  return connected(options, screen.say, async ({ app, inspect: from }) => {
    if (options.json) screen.json(plainValue(await dataOf(from, what, options), 'the answer'))
    else await show(screen, from, what, options)
    sayUnregistered(screen, app, options.task)
    return EXIT.ok
  })
}

/** What a list of calls is narrowed by does nothing elsewhere. */
function refuseUseless(what: What, { queue, task, state, since, size, after }: InspectOptions): void {
  const isList = ['active', 'scheduled', 'revoked', 'calls'].includes(what)
  const given = { queue, task, since, size, after }
  const useless = Object.entries(given).find(([, value]) => value !== undefined && !isList)?.[0]
  if (useless !== undefined) throw new UsageError(`--${useless} narrows lists of calls, and ${what} is none`)
  if (state !== undefined && what !== 'calls') {
    throw new UsageError(`--state is of \`errand inspect calls\`; ${what} has states of its own`)
  }
}

/** What ran before may be of a task that is gone, so a strange name is no error; but it may also be a slip. */
export function sayUnregistered({ say }: Screen, { tasks }: DiscoveredApp, task: string | undefined): void {
  const names = tasks.map(({ name }) => name)
  if (task === undefined || names.includes(task)) return
  say(`errand: task ${JSON.stringify(task)} is not registered; ${suggestName(task, names)}`)
}

function dataOf(from: Inspect, what: What, options: InspectOptions): Promise<unknown> {
  const [filter, page] = [filterOf(options), pageOf(options)]
  switch (what) {
    case 'calls':
      return from.calls(filter, page)
    case 'active':
    case 'scheduled':
    case 'revoked':
      return from[what](filter, page)
    case 'reserved':
    case 'registered':
    case 'stats':
    case 'queues':
    case 'schedules':
      return from[what]()
  }
}

function filterOf({ queue, task, state, since }: InspectOptions) {
  return {
    ...(queue !== undefined && { queue }),
    ...(task !== undefined && { task }),
    ...(state !== undefined && { state: state as readonly CallState[] }),
    ...(since !== undefined && { since: readSince(since) }),
  }
}

function pageOf({ size, after }: InspectOptions) {
  return {
    ...(size !== undefined && { size: readNumber('--size', size, 1, 100) }),
    ...(after !== undefined && { after }),
  }
}

async function show(screen: Screen, from: Inspect, what: What, options: InspectOptions): Promise<void> {
  switch (what) {
    case 'reserved': {
      const { queues, lookedAt, complete } = await from.reserved()
      await screen.table(['queue', 'reserved'], Object.entries(queues))
      if (!complete) screen.say(`errand: counted among the newest ${lookedAt} calls`)
      return
    }
    case 'registered': {
      const rows = Object.entries(await from.registered()).flatMap(([worker, tasks]) =>
        tasks.map((task): Row => [worker, task]),
      )
      return screen.table(['worker', 'task'], rows)
    }
    case 'stats':
      return showStats(screen, await from.stats())
    case 'queues':
      return showQueues(screen, await from.queues())
    case 'schedules':
      return showSchedules(screen, await from.schedules())
    default:
      return showCalls(screen, (await dataOf(from, what, options)) as CallPage)
  }
}

async function showStats(screen: Screen, { workers, queues }: Stats): Promise<void> {
  const rows = Object.entries(workers).map(([name, { state, concurrency, processes }]): Row => {
    const sum = (of: 'running' | 'received') => processes.reduce((total, each) => total + each[of], 0)
    return [name, state, processes.length, sum('running'), sum('received'), concurrency]
  })
  await screen.table(['worker', 'status', 'processes', 'running', 'received', 'concurrency'], rows)
  screen.line('')
  await showQueues(screen, queues)
}

function showQueues(screen: Screen, queues: Readonly<Record<string, QueueStats>>): Promise<void> {
  const rows = Object.entries(queues).map(([name, { visible, inFlight, delayed, dead, paused }]): Row => {
    const polled = paused === undefined ? '' : paused ? 'yes' : 'no'
    return [name, visible, inFlight, delayed, dead, polled]
  })
  return screen.table(['queue', 'waiting', 'in flight', 'delayed', 'dead letters', 'paused'], rows)
}

function showSchedules(screen: Screen, schedules: readonly InspectedSchedule[]): Promise<void> {
  const rows = schedules.map(({ name, task, expression, timezone, state, next, last }): Row => {
    const outcome = last?.reason === undefined ? last?.state : `${last.state} (${last.reason})`
    const times = [next?.toISOString(), last?.dueAt.toISOString()]
    return [name, task, expression, timezone, state, ...times, outcome]
  })
  const heads = ['schedule', 'task', 'due', 'time zone', 'state', 'next run', 'last run', 'outcome']
  return screen.table(heads, rows)
}

async function showCalls(screen: Screen, { calls, lookedAt, complete, next }: CallPage): Promise<void> {
  await screen.table(
    ['id', 'task', 'queue', 'state', 'attempts', 'submitted', 'last error'],
    calls.map(rowOf),
  )
  if (complete) return
  screen.say(`errand: looked at ${lookedAt} calls; go on with --after ${next}`)
}

function rowOf({ id, task, queue, state, reason, attempts, createdAt, lastError }: InspectedCall): Row {
  const shown = reason === undefined ? state : `${state} (${reason})`
  return [id, task, queue, shown, attempts, createdAt.toISOString(), lastError]
}
