/**
 * How other terminals find a cluster that runs here: a file beside the app's package.json, readable by its owner alone,
 * that holds the cluster's variables and the id of its process.
 * @module
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
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

/**
 * Takes the right to start a cluster of this app. It is held until the cluster is announced, and no longer: from then on
 * its file says whether it runs, and its servers whether that is true.
 * @returns the process that has it, where that is another
 */
export function takeStart(owner: ClusterOwner, pid: number): number | undefined {
  const path = startFolder(owner)
  // Filled before it stands there: whoever meets it finds its process. A file made with `wx` is empty at first.
  const draft = `${path}.${pid}`
  mkdirSync(draft, { recursive: true, mode: 0o700 })
  writeFileSync(join(draft, String(pid)), '')
  try {
    while (!moves(draft, path)) {
      const holder = startingProcess(path)
      if (holder !== undefined && holder !== pid && isAlive(holder)) return holder
      removeStart(path, holder, pid)
    }
    return undefined
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** Gives it back. */
export function releaseStart(owner: ClusterOwner, pid: number): void {
  const path = startFolder(owner)
  if (startingProcess(path) === pid) removeStart(path, pid, pid)
}

/** The folder that holds the id of the process that starts a cluster: it moves as one, and onto no other. */
export function startFolder(owner: ClusterOwner): string {
  return `${clusterFile(owner)}.start`
}

/** Of several that find one whose process was killed, one removes it; what another has put there since is put back. */
function removeStart(path: string, holder: number | undefined, pid: number): void {
  const left = `${path}.${pid}.left`
  rmSync(left, { recursive: true, force: true })
  if (!moves(path, left)) return
  if (startingProcess(left) !== holder) moves(left, path)
  rmSync(left, { recursive: true, force: true })
}

function startingProcess(path: string): number | undefined {
  try {
    return Number(readdirSync(path)[0]) || undefined
  } catch {
    // Removed meanwhile.
    return undefined
  }
}

/** Whether the folder was there and could be moved to where none is. */
function moves(folder: string, path: string): boolean {
  try {
    renameSync(folder, path)
    return true
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    // Windows has other codes for a folder that is in the way.
    if (/^(ENOENT|EEXIST|ENOTEMPTY)$/.test(code) || existsSync(path)) return false
    throw error
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
