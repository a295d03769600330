/**
 * `errand cluster`: AWS on this machine, and a process for each declared worker.
 * @module
 */
import type { DiscoveredApp } from '../../app-discovery/index.ts'
import { type Cluster, startCluster } from '../cluster/cluster.ts'
import { type MonitorBeside, startMonitorBeside } from '../cluster/monitor-beside.ts'
import { createPrefixes } from '../cluster/prefixed-lines.ts'
import { takeStopSignals } from '../cluster/stop-signals.ts'
import { findApp, refuseStack, type SharedOptions } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import type { Variables } from '../local-aws/local-aws.ts'
import type { Screen } from '../output/screen.ts'
import { readPorts } from '../typed-values.ts'
import { buildForWorkers, makeBuildFolder } from '../worker/built-app.ts'

/** What is typed. */
export interface ClusterCommandOptions extends SharedOptions {
  readonly sqsPort?: string
  readonly dynamodbPort?: string
  readonly monitorPort?: string
  /** False by `--no-monitor`. */
  readonly monitor?: boolean
}

/** Runs until it is told to end. */
export async function cluster(screen: Screen, options: ClusterCommandOptions): Promise<number> {
  refuseStack('cluster', options)
  const ports = readPorts(options)
  const app = findApp(options)
  const folder = makeBuildFolder()
  let running: Cluster | undefined
  let monitor: MonitorBeside | undefined
  const signals = takeStopSignals(() => {
    running?.kill()
    folder.remove()
  })
  try {
    const built = await buildForWorkers(app, folder)
    running = await startCluster({ app, built, prefix: createPrefixes(screen), ...ports })
    tellVariables(screen, options, app.config.name, running.variables())
    monitor = monitorOf(screen, options, app, running.variables())
    void running.ready.then((all) => screen.say(readiness(app.config.name, all)))
    await signals.first
    screen.say('errand: draining; Ctrl-C again ends it at once')
    await running.drain()
    return EXIT.ok
  } finally {
    await monitor?.close()
    folder.remove()
    signals.release()
  }
}

/** The monitor that a cluster has, unless it is not wanted. */
export function monitorOf(
  { say }: Screen,
  { monitor, ...options }: ClusterCommandOptions,
  app: DiscoveredApp,
  variables: Variables,
): MonitorBeside | undefined {
  if (monitor === false) return undefined
  const { monitorPort: port } = readPorts(options)
  return startMonitorBeside({ app, variables, port, say })
}

/** How other processes find it. */
export function tellVariables(
  screen: Screen,
  { json }: SharedOptions,
  name: string,
  variables: Variables,
): void {
  if (json) {
    screen.json({ app: name, pid: process.pid, variables })
    return
  }
  screen.line(
    `# ${name} runs here, in memory. Other terminals of this folder need nothing; other programs need:`,
  )
  for (const [variable, value] of Object.entries(variables))
    screen.line(`export ${variable}=${quoted(value)}`)
}

function quoted(value: string): string {
  return /^[\w:/.-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`
}

/** Whether all workers came to work. */
export function readiness(name: string, all: boolean): string {
  return all
    ? `errand: every worker of ${name} works; Ctrl-C ends them`
    : `errand: not every worker of ${name} works: see above`
}
