/**
 * Lines of JSON on the process's outputs, which tasks write to as well: a line that begins where another's text stopped
 * is no JSON any more, and whoever reads the log loses it.
 * @module
 */

/** The outputs of a process. */
export type Output = 'stdout' | 'stderr'

/** Those whose last text has no end of line. */
const unfinished = new Set<Output>()

/** Whether the last text of all has none: where both lead to one pipe, it is in the way of either. */
let isLastUnfinished = false

let watches = false

/**
 * From now on lines begin on a line of their own. Only for a process whose outputs are read as a log, since it takes
 * note of all that is written by `process.stdout` and `process.stderr`; what goes to their descriptors is not seen.
 */
export function watchOutputs(): void {
  if (watches) return
  watches = true
  for (const output of ['stdout', 'stderr'] as const) {
    const stream = process[output]
    const write = stream.write as (...args: unknown[]) => boolean
    stream.write = (...args: unknown[]) => {
      note(output, args[0])
      return write.apply(stream, args)
    }
  }
}

/** Writes a line, whose end it brings. */
export function writeLine(output: Output, line: string): void {
  const start = unfinished.has(output) || isLastUnfinished ? '\n' : ''
  process[output].write(start + line)
}

function note(output: Output, chunk: unknown): void {
  const last =
    typeof chunk === 'string' ? chunk.at(-1) : chunk instanceof Uint8Array ? chunk.at(-1) : undefined
  if (last === undefined) return
  isLastUnfinished = last !== '\n' && last !== NEWLINE
  if (isLastUnfinished) unfinished.add(output)
  else unfinished.delete(output)
}

const NEWLINE = 10
