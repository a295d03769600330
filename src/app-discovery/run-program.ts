/**
 * A program of ours in a process of its own, waited for: it is given one JSON value and answers with another.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How a program's process went. */
export interface ProgramRun<Answer> {
  /** The last that it answered; `undefined` where it did not come to that. */
  readonly answer: Answer | undefined
  /** The end of what it, and whatever it ran, printed. */
  readonly output: string
  /** How it ended: `exit code 1`, `signal SIGSEGV`, or `undefined` where it was out of time. */
  readonly ending: string | undefined
}

/** How a program is run. */
export interface ProgramOptions {
  readonly cwd: string
  /** The whole environment, not additions to ours. */
  readonly env: NodeJS.ProcessEnv
  readonly timeoutSeconds: number
  /** Flags of Node. */
  readonly flags?: readonly string[]
}

/** Printed beyond this, the process is ended: what is printed is held in memory. */
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024
const SHOWN_LINES = 12

/**
 * Runs the module beside `importer` that has this name, and its ending: `.ts` in the sources, `.js` when built.
 * Answers travel by a file, since whatever is loaded may print, and may leave behind who holds a pipe open.
 */
export function runProgram<Answer>(
  importer: string,
  name: string,
  request: object,
  { cwd, env, timeoutSeconds, flags = [] }: ProgramOptions,
): ProgramRun<Answer> {
  const program = fileURLToPath(new URL(`./${name}${extname(importer)}`, importer))
  // Source maps are relative to where they lie: by its true path.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'errand-')))
  try {
    writeFileSync(join(folder, REQUEST), JSON.stringify(request))
    const { error, status, signal, stdout, stderr } = spawnSync(
      process.execPath,
      [...flags, program, folder],
      {
        cwd,
        env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: timeoutSeconds * 1000,
        killSignal: 'SIGKILL',
        maxBuffer: MAX_OUTPUT_BYTES,
      },
    )
    const outOfTime = (error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT'
    const ending = signal === null ? `exit code ${status}` : `signal ${signal}`
    return {
      answer: readAnswer<Answer>(folder),
      output: endOf(`${stdout ?? ''}\n${stderr ?? ''}`),
      ending: outOfTime ? undefined : ending,
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const REQUEST = 'request.json'
const ANSWER = 'answer.json'

/** For the program: the folder that is its own for as long as it runs, and what it was asked. */
export function readRequest<Request>(): { readonly folder: string; readonly request: Request } {
  const folder = process.argv[2] ?? ''
  return { folder, request: JSON.parse(readFileSync(join(folder, REQUEST), 'utf8')) as Request }
}

/** For the program: answers, or replaces its answer. */
export function writeAnswer(folder: string, answer: object): void {
  writeFileSync(join(folder, ANSWER), JSON.stringify(answer))
}

function readAnswer<Answer>(folder: string): Answer | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, ANSWER), 'utf8')) as Answer
  } catch {
    // None, or it was killed in the middle of writing it.
    return undefined
  }
}

function endOf(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  return lines.slice(-SHOWN_LINES).join('\n')
}
