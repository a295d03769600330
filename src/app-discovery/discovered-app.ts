/**
 * What is known of an app that was read in another process, and the JSON that it crosses in.
 * @module
 */
import type { App } from '../runtime/app.ts'
import type { ResolvedConfig, ResolvedSchedule, ResolvedTaskOptions } from '../runtime/config/config.ts'
import { longestMatch } from '../runtime/config/name-pattern.ts'

/** One task of a discovered app. */
export interface DiscoveredTask {
  readonly name: string
  /** Every default filled in. */
  readonly options: ResolvedTaskOptions
  /** The names it had before, under which calls may yet arrive. */
  readonly formerly: readonly string[]
  /** Where its calls go, unless their sender says otherwise. */
  readonly queue: string
}

/** An app, as its module declares it. */
export interface DiscoveredApp {
  /** The module's absolute path. */
  readonly modulePath: string
  /** Which of its exports: `executor`, `default`, `createApp`, … */
  readonly exportName: string
  /** Whether the export is a function to call, and to wait for, that gives the executor. */
  readonly isFactory: boolean
  /** Checked, with every default filled in. */
  readonly config: ResolvedConfig
  /** What `createExecutor` is told; absent where the backend is chosen. */
  readonly backend?: string
  /** Sorted by name. */
  readonly tasks: readonly DiscoveredTask[]
  /** Those of the config and of the code, sorted by name. */
  readonly schedules: readonly ResolvedSchedule[]
  /** The names of those that nothing is still to come of. */
  readonly schedulesOver: readonly string[]
}

/** What the module itself does not tell: which of its exports it is. */
export type AppPlace = Pick<DiscoveredApp, 'modulePath' | 'exportName' | 'isFactory'>

/** A discovered app as JSON has it: maps are lists of entries. */
export interface DiscoveredJson extends Omit<DiscoveredApp, 'config'> {
  readonly config: Omit<ResolvedConfig, 'queues' | 'workers' | 'schedules'> & {
    readonly queues: readonly EntryOf<ResolvedConfig['queues']>[]
    readonly workers: readonly EntryOf<ResolvedConfig['workers']>[]
    readonly schedules: readonly EntryOf<ResolvedConfig['schedules']>[]
  }
}

type EntryOf<M> = M extends ReadonlyMap<infer Key, infer Value> ? readonly [Key, Value] : never

/**
 * Tells of an app in a form that JSON holds. Reading the names registers the tasks.
 * @throws InvalidTaskError, InvalidOptionError where its tasks cannot be registered
 */
export function describeApp(app: App, place: AppPlace): Omit<DiscoveredJson, 'schedulesOver'> {
  const { config, backend, registry } = app
  const tasks = [...registry.names()].sort(byUnits).map((name): DiscoveredTask => {
    const task = registry.find(name) as { options: ResolvedTaskOptions; formerly?: readonly string[] }
    const queue = longestMatch(config.routes, name) ?? config.defaultQueue
    return { name, options: task.options, formerly: task.formerly ?? [], queue }
  })
  const schedules = [...app.schedules().values()].sort((one, other) => byUnits(one.name, other.name))
  const [queues, workers] = [[...config.queues], [...config.workers]]
  return {
    ...place,
    config: { ...config, queues, workers, schedules: [...config.schedules] },
    ...(backend !== undefined && { backend }),
    tasks,
    schedules,
  }
}

/** The app that `describeApp` told of. */
export function reviveApp({ config, ...app }: DiscoveredJson): DiscoveredApp {
  const { queues, workers, schedules } = config
  const maps = { queues: new Map(queues), workers: new Map(workers), schedules: new Map(schedules) }
  return { ...app, config: { ...config, ...maps } }
}

/** By code units: the same order on every machine, whatever its language. */
function byUnits(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
