/**
 * What is written to standard error while a worker is fuzzed, and the rules of a log.
 * @module
 */

/** Standard error, kept instead of shown. */
export interface LogCapture {
  /** What was written since the last time. */
  take(): readonly string[]
  restore(): void
}

/** Keeps what is written to standard error. */
export function captureLog(): LogCapture {
  const { write } = process.stderr
  let lines: string[] = []
  process.stderr.write = ((text: string) => {
    lines.push(text)
    return true
  }) as typeof write
  return {
    take() {
      const taken = lines
      lines = []
      return taken
    },
    restore() {
      process.stderr.write = write
    },
  }
}

/** Characters of the longest line: no message of a megabyte is repeated. */
const maxLineLength = 4096

/**
 * What is wrong with a line of the log, or `undefined`: it is one line of JSON, short, with no character that a
 * terminal obeys, and without what must stay secret.
 */
export function flawOf(line: string, secret: string): string | undefined {
  if (line.length > maxLineLength) return `it has ${line.length} characters`
  if (!line.endsWith('\n')) return 'it does not end'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  if (/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/.test(line.slice(0, -1))) {
    return 'it has a character that a terminal obeys'
  }
  if (line.includes(secret)) return 'it shows arguments'
  try {
    const entry = JSON.parse(line) as unknown
    return typeof entry === 'object' && entry !== null ? undefined : 'it is no entry'
  } catch {
    return 'it is not JSON'
  }
}
