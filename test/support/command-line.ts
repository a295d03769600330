/**
 * The command line in real processes, from the sources.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { vi } from 'vitest'
import { PATIENCE } from './patience.ts'
import { root } from './source-files.ts'

/** The program. */
export const main = join(root, 'src/cli/main.ts')

/** What a process gets: nothing of the machine's own AWS; of the test runner, only where temporary files and caches go. */
export const cleanEnvironment: NodeJS.ProcessEnv = {
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  TMPDIR: process.env.TMPDIR,
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
}

/** Where a command runs. */
export interface CommandPlace {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
}

/** A command that runs. */
export interface RunningCommand {
  readonly child: ChildProcess
  /** All that it has printed so far, on both outputs. */
  output(): string
  /** What of it was on standard output. */
  stdout(): string
  /** Resolves once it has printed this. */
  prints(text: string | RegExp): Promise<void>
  /** Resolves with its exit code, or its signal. */
  readonly ended: Promise<number | string>
}

/** Starts a command. */
export function startCommand(words: readonly string[], { cwd, env }: CommandPlace): RunningCommand {
  const child = spawn(process.execPath, [main, ...words], { cwd, env: { ...cleanEnvironment, ...env } })
  let [printed, data] = ['', '']
  child.stdout.on('data', (chunk) => {
    data += chunk
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      printed += chunk
    })
  }
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  const output = () => stripVTControlCharacters(printed)
  const holds = (text: string | RegExp) =>
    typeof text === 'string' ? output().includes(text) : text.test(output())
  const check = (text: string | RegExp) => {
    if (!holds(text)) throw new Error(`"${text}" was not printed, but:\n${output()}`)
  }
  return {
    child,
    output,
    stdout: () => data,
    ended,
    prints: (text) =>
      // What has ended prints nothing any more.
      Promise.race([vi.waitFor(() => check(text), PATIENCE), ended.then(() => check(text))]),
  }
}

/** What came of a command. */
export interface CommandRun {
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end. */
export async function runCommand(words: readonly string[], { cwd, env }: CommandPlace): Promise<CommandRun> {
  const child = spawn(process.execPath, [main, ...words], { cwd, env: { ...cleanEnvironment, ...env } })
  child.stdin.end()
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const [code, signal] = await once(child, 'close')
  return { code: code ?? signal, stdout, stderr }
}

/** Whether a process is there. */
export function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
