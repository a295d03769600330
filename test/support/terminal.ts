/**
 * Commands on a terminal: in a pseudo-terminal that `script` (util-linux) opens, as Node has none of its own.
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type CommandPlace, cleanEnvironment, main } from './command-line.ts'

/** What a terminal was sent. */
export interface TerminalRun {
  readonly code: number
  /** As it came, escape sequences and all; a line ends in CR LF. */
  readonly output: string
}

/** How a command is run on a terminal. */
export interface TerminalPlace extends CommandPlace {
  /** How wide it is. @default 80 */
  readonly columns?: number
  /** What is typed, once this has been printed. */
  readonly types?: { readonly after: string; readonly text: string }
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`

/** Runs a command of the command line on a terminal, to its end. */
export async function runOnTerminal(
  words: readonly string[],
  { cwd, env, columns = 80, types }: TerminalPlace,
): Promise<TerminalRun> {
  const command = [process.execPath, main, ...words].map(quoted).join(' ')
  const line = `stty cols ${columns} rows 24; exec ${command}`
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', line, '/dev/null'], {
    cwd,
    env: { ...cleanEnvironment, TERM: 'xterm-256color', ...env },
  })
  let output = ''
  let hasTyped = types === undefined
  child.stdout.on('data', (chunk) => {
    output += chunk
    if (hasTyped || types === undefined || !output.includes(types.after)) return
    hasTyped = true
    child.stdin.write(types.text)
  })
  const [code] = await once(child, 'close')
  return { code, output }
}
