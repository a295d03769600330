/**
 * What a process has started, and what that has started in its turn.
 * @module
 */
import { spawnSync } from 'node:child_process'

/** A process of this machine. */
export interface OneProcess {
  readonly pid: number
  readonly parent: number
  /** When it started: an id alone may be another's by now. */
  readonly since: string
}

/** All processes; none where the machine has no `ps` that tells, as in a slim image. */
export function listProcesses(): readonly OneProcess[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,lstart='], { encoding: 'utf8' })
  const lines = (stdout ?? '').matchAll(/^\s*(\d+)\s+(\d+)\s+(\S.*)$/gm)
  return [...lines].map(([, pid, parent, since = '']) => ({
    pid: Number(pid),
    parent: Number(parent),
    since,
  }))
}

/** Those below this one. */
export function processesBelow(pid: number, all: readonly OneProcess[] = listProcesses()) {
  const found: OneProcess[] = []
  const waiting = [pid]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const own = all.filter(({ parent }) => parent === at)
    found.push(...own)
    waiting.push(...own.map((each) => each.pid))
  }
  return found
}

/** Those of them that are there still. */
export function stillThere(before: readonly OneProcess[], all: readonly OneProcess[] = listProcesses()) {
  return before.filter(({ pid, since }) => all.some((each) => each.pid === pid && each.since === since))
}
