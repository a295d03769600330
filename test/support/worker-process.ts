/**
 * Processes that are killed and started again: a fleet of one program.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'

/** A program that was bundled into one file, so that a process of it starts in a quarter of the time. */
export interface Program {
  readonly path: string
  readonly folder: string
  /** Deletes the file. */
  remove(): void
}

/** Bundles a TypeScript file. */
export async function bundleProgram(entry: string): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'errand-program-'))
  const path = join(folder, 'program.cjs')
  await build({
    entryPoints: [entry],
    outfile: path,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    external: ['errand/local-emulator'],
    logLevel: 'error',
  })
  return { path, folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** So many processes of one program; one that ends is started again at once. */
export interface Fleet {
  /** The process that says (by a message) that it is busy, as the so-manieth from now on that says so. */
  busyAfter(messages: number): Promise<ChildProcess>
  /** How many ended by themselves, or by what they ran; those killed by `kill` are not among them. */
  exits(): number
  /** Kills one, and resolves when it is gone; `false` where it had ended before. */
  kill(child: ChildProcess): Promise<boolean>
  /** Kills all, and starts none again. */
  stop(): Promise<void>
}

/** Starts a fleet; every process gets `env` on top of the parent's. */
export function startFleet(program: Program, size: number, env: Readonly<Record<string, string>>): Fleet {
  const children = new Set<ChildProcess>()
  const killed = new Set<ChildProcess>()
  let onMessage = (_child: ChildProcess) => {}
  let exits = 0
  let stopping = false
  const start = () => {
    const child = fork(program.path, [], {
      env: { ...process.env, NODE_COMPILE_CACHE: join(program.folder, 'cache'), ...env },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    children.add(child)
    child.on('message', () => onMessage(child))
    child.on('exit', () => {
      children.delete(child)
      if (!killed.has(child)) exits += 1
      if (!stopping) start()
    })
  }
  const kill = async (child: ChildProcess) => {
    if (child.exitCode !== null || child.signalCode !== null) return false
    const gone = once(child, 'exit')
    killed.add(child)
    child.kill('SIGKILL')
    await gone
    return child.signalCode === 'SIGKILL'
  }
  for (let count = 0; count < size; count++) start()
  return {
    busyAfter(messages) {
      let left = messages
      return new Promise((resolve) => {
        onMessage = (child) => {
          left -= 1
          if (left === 0) resolve(child)
        }
      })
    },
    exits: () => exits,
    kill,
    async stop() {
      stopping = true
      await Promise.all([...children].map(kill))
    },
  }
}
