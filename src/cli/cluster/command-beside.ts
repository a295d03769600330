/**
 * The command that runs beside the workers: it has the terminal, and the variables that lead to the queues.
 * @module
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UsageError } from '../exit-codes.ts'
import type { BesideMessage } from './beside-child.ts'

/** A command that runs. */
export interface CommandBeside {
  /** What it exits with: its own code, or 128 + the signal's number as a shell says it. */
  readonly ended: Promise<number>
  kill(signal: NodeJS.Signals): void
}

const program = fileURLToPath(new URL(`./beside-child${extname(import.meta.url)}`, import.meta.url))

/**
 * Starts it.
 * @throws UsageError where there is no such command
 */
export async function startBeside(words: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandBeside> {
  const child = fork(program, [JSON.stringify(words)], { env, execArgv: ['--no-warnings'], stdio: 'inherit' })
  const ended = once(child, 'exit').then(([code]) => (code as number | null) ?? 1)
  const told = once(child, 'message').then(([message]) => message as BesideMessage)
  // What ends at once may end before its word is here.
  const answer = await Promise.race([told, ended])
  if (typeof answer === 'object') {
    throw new UsageError(`the command ${JSON.stringify(words[0])} cannot be started: ${answer.failed}`)
  }
  return {
    ended,
    kill: (signal) => {
      // It may have ended meanwhile; then there is nobody to tell.
      if (child.connected) child.send(signal, () => {})
    },
  }
}
