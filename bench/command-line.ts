/**
 * What the command line takes to show its help, beside a Node that does nothing.
 * @module
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Case } from './rounds.ts'
import type { Row } from './table.ts'

const run = promisify(execFile)
const main = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url))

function startCase(name: string, args: readonly string[], prints: string): Case {
  return {
    name,
    async run() {
      const began = performance.now()
      const { stdout } = await run(process.execPath, args)
      const ms = performance.now() - began
      if (!stdout.includes(prints)) throw new Error(`${name} printed ${stdout}`)
      return { 'start ms': ms }
    },
  }
}

/** The cases: each run is a new process. */
export const commandLineCases: readonly Case[] = [
  startCase('node -e 0', ['-e', '0'], ''),
  startCase('errand --help', [main, '--help'], 'Usage: errand'),
]

/** What is shown of them. */
export const commandLineRows: readonly Row[] = [
  { label: 'node -e 0', of: 'node -e 0', metric: 'start ms' },
  {
    label: 'errand --help',
    of: 'errand --help',
    metric: 'start ms',
    floor: 'node -e 0',
    target: { atMost: 3 },
  },
]
