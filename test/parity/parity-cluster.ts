/**
 * `errand cluster` with the parity app: local AWS and a process for each worker. Other processes find it by the variables
 * that the command prints.
 * @module
 */
import { fileURLToPath } from 'node:url'
import { startCommand } from '../support/command-line.ts'
import { root } from '../support/source-files.ts'

/** A cluster that runs. */
export interface ParityCluster {
  /** What the command prints, once all of its workers work. */
  readonly variables: Promise<Readonly<Record<string, string>>>
  /** Has it drain; resolves with its exit code. */
  stop(): Promise<number | string>
}

/** Starts one. */
export function startParityCluster(): ParityCluster {
  const app = fileURLToPath(new URL('parity-app.ts', import.meta.url))
  const command = startCommand(['cluster', '--json', '--app', `${app}:executor`], { cwd: root })
  const variables = command.prints('every worker of parity works').then(() => {
    return (JSON.parse(command.stdout()) as { variables: Readonly<Record<string, string>> }).variables
  })
  // Awaited later; where the test fails before, nobody does.
  variables.catch(() => {})
  return {
    variables,
    stop() {
      command.child.kill('SIGTERM')
      return command.ended
    },
  }
}
