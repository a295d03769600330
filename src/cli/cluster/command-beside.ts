/**
 * The command that runs beside the workers: it has the terminal, and the variables that lead to the queues.
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { UsageError } from '../exit-codes.ts'

/** A command that runs. */
export interface CommandBeside {
  /** What it exits with: its own code, or 128 + the signal's number as a shell says it. */
  readonly ended: Promise<number>
  kill(signal: NodeJS.Signals): void
}

/** What shells add to the number of a signal. */
const SIGNALLED = 128
const signalNumbers: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGINT: 2,
  SIGKILL: 9,
  SIGTERM: 15,
}

/**
 * Starts it.
 * @throws UsageError where there is no such command
 */
export async function startBeside(words: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandBeside> {
  const [command = '', ...args] = words
  const child = spawn(command, args, { env, stdio: 'inherit' })
  const exited = once(child, 'exit')
  // Waited for later; where it could not be started there is none.
  exited.catch(() => {})
  try {
    await once(child, 'spawn')
  } catch (cause) {
    throw new UsageError(
      `the command ${JSON.stringify(command)} cannot be started: ${(cause as Error).message}`,
    )
  }
  return {
    ended: exited.then(
      ([code, signal]) => code ?? SIGNALLED + (signalNumbers[signal as NodeJS.Signals] ?? 0),
    ),
    kill: (signal) => {
      child.kill(signal)
    },
  }
}
