/**
 * What a worker says of itself: the answer to a ping, and the text of a heartbeat.
 * @module
 */
import type { App } from '../app.ts'
import { PACKAGE_VERSION } from '../package-version.ts'

/** One environment or process of a worker, as it tells of itself. */
export interface WorkerReport {
  readonly app: string
  readonly worker: string
  /** errand's version. */
  readonly errandVersion: string
  /** The version of the app's code, where it was deployed with one (`ERRAND_VERSION`). */
  readonly codeVersion?: string
  readonly nodeVersion: string
  /** The memory that its process takes up, in bytes. */
  readonly memoryBytes: number
  readonly uptimeSeconds: number
  /** How many messages it was given so far. */
  readonly received: number
  /** How many of them it has in hand. */
  readonly running: number
  /** The names of its tasks, in the order of registration. */
  readonly tasks: readonly string[]
  /** How many more there are: a report is at most 32 KiB. Absent: none. */
  readonly moreTasks?: number
}

/** What a report is made of, beside the process itself. */
export interface ReportSource {
  readonly app: Pick<App, 'config' | 'registry'>
  readonly worker: string
  readonly codeVersion: string | undefined
  readonly uptimeSeconds: number
  readonly received: number
  readonly running: number
}

/** What the names of a report may take, in bytes: the whole then stays below the 32 KiB that readers accept. */
const TASK_BYTES = 30 * 1024

/** The longest text that is read as a report. */
const REPORT_LENGTH = 32 * 1024

/** The report of this process. */
export function reportOf({ app, codeVersion, ...source }: ReportSource): WorkerReport {
  const names = app.registry.names()
  const tasks: string[] = []
  let bytes = 0
  for (const name of names) {
    bytes += Buffer.byteLength(name) + 3
    if (bytes > TASK_BYTES) break
    tasks.push(name)
  }
  return {
    app: app.config.name,
    ...source,
    errandVersion: PACKAGE_VERSION,
    ...(codeVersion && { codeVersion: codeVersion.slice(0, 64) }),
    nodeVersion: process.versions.node,
    memoryBytes: process.memoryUsage.rss(),
    tasks,
    ...(tasks.length < names.length && { moreTasks: names.length - tasks.length }),
  }
}

const texts = ['app', 'worker', 'errandVersion', 'nodeVersion'] as const
const counts = ['memoryBytes', 'uptimeSeconds', 'received', 'running'] as const

/**
 * The report that a worker sent, `undefined` where it is none: another version of errand, or something else, may have
 * answered. Only what is known is taken over.
 */
export function readReport(value: unknown): WorkerReport | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const of = (key: string): unknown => (Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined)
  const isCount = (field: unknown) => typeof field === 'number' && Number.isFinite(field) && field >= 0
  const tasks = of('tasks')
  const [codeVersion, moreTasks] = [of('codeVersion'), of('moreTasks')]
  const isSound =
    texts.every((key) => typeof of(key) === 'string') &&
    counts.every((key) => isCount(of(key))) &&
    Array.isArray(tasks) &&
    tasks.every((name) => typeof name === 'string') &&
    (codeVersion === undefined || typeof codeVersion === 'string') &&
    (moreTasks === undefined || isCount(moreTasks))
  if (!isSound) return undefined
  return {
    ...Object.fromEntries([...texts, ...counts].map((key) => [key, of(key)])),
    tasks: [...tasks],
    ...(codeVersion !== undefined && { codeVersion }),
    ...(moreTasks !== undefined && { moreTasks }),
  } as unknown as WorkerReport
}

/** The value of a report's JSON, `undefined` where it is none or far too long. */
export function parseReport(text: string): unknown {
  if (text.length > REPORT_LENGTH) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
