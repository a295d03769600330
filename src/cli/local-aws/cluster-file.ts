/**
 * How other terminals find a cluster that runs here: a file beside the app's package.json, readable by its owner alone,
 * that holds the cluster's variables and the id of its process.
 * @module
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import type { Variables } from './local-aws.ts'

/** A cluster that runs. */
export interface RunningCluster {
  readonly app: string
  /** The process that holds its servers. */
  readonly pid: number
  readonly variables: Variables
}

/** Which app a cluster is of. */
export interface ClusterOwner {
  /** The app's name in the config. */
  readonly name: string
  readonly modulePath: string
}

/** Two modules may declare the same name, and packages may share one node_modules: the path tells them apart. */
export function clusterFile({ name, modulePath }: ClusterOwner): string {
  const digest = createHash('sha256').update(modulePath).digest('hex').slice(0, 8)
  return join(packageFolder(dirname(modulePath)), 'node_modules/.cache/errand', `${name}-${digest}.json`)
}

function packageFolder(folder: string): string {
  let at = folder
  while (!existsSync(join(at, 'package.json'))) {
    const parent = dirname(at)
    if (parent === at) return folder
    at = parent
  }
  return at
}

/** Announces a cluster. Whoever reads meanwhile finds the old file or the new one, never a half. */
export function writeClusterFile(owner: ClusterOwner, cluster: RunningCluster): void {
  const path = clusterFile(owner)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${cluster.pid}`
  writeFileSync(draft, `${JSON.stringify(cluster, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(draft, path)
}

/** The cluster of this app whose process is there. */
export function readClusterFile(owner: ClusterOwner): RunningCluster | undefined {
  try {
    const cluster = JSON.parse(readFileSync(clusterFile(owner), 'utf8')) as RunningCluster
    return cluster.app === owner.name && isAlive(cluster.pid) ? cluster : undefined
  } catch {
    // None, or one that another version wrote.
    return undefined
  }
}

/**
 * The cluster of this app that runs here and listens: after one that was killed, its process's id may be another's, as in
 * a container, whose ids begin anew.
 */
export async function findRunningCluster(owner: ClusterOwner): Promise<RunningCluster | undefined> {
  const cluster = readClusterFile(owner)
  return cluster !== undefined && (await listens(cluster.variables)) ? cluster : undefined
}

async function listens({ AWS_ENDPOINT_URL_DYNAMODB: endpoint = '' }: Variables): Promise<boolean> {
  if (!URL.canParse(endpoint)) return false
  const { hostname, port } = new URL(endpoint)
  const socket = connect({ host: hostname, port: Number(port) })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Takes back what this process announced. */
export function removeClusterFile(owner: ClusterOwner, pid: number): void {
  if (readClusterFile(owner)?.pid === pid) rmSync(clusterFile(owner), { force: true })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
