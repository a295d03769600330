/**
 * Where output goes: data to standard output, what is said about it to standard error. Tables and colours on a terminal
 * only; JSON where it is asked for.
 * @module
 */
import { styleText } from 'node:util'
import { plainLine, plainText } from './plain-text.ts'

/** How a text is shown on a terminal. */
export type Style = Parameters<typeof styleText>[0]

/** Standard output, or standard error. */
export interface Stream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Writes for people, or for programs. */
export interface Screen {
  readonly isTerminal: boolean
  /** A line of data. */
  line(text: string): void
  /** A value as JSON. */
  json(value: unknown): void
  /** Rows below headings. */
  table(headings: readonly string[], rows: readonly Row[]): Promise<void>
  /** A line about what is done, to standard error. */
  say(text: string): void
  /** A line on a terminal that takes the place of the one before, `''` none; nothing where either output is none. */
  over(text: (columns: number) => string): void
  /** A text of ours in a style, on a terminal. */
  paint(style: Style, text: string): string
}

/** Cells; those that are absent are shown as nothing. */
export type Row = readonly (string | number | boolean | undefined)[]

/** Makes the screen of a process. */
export function createScreen(out: Stream = process.stdout, error: Stream = process.stderr): Screen {
  const isTerminal = out.isTTY === true
  const hasColours = (stream: Stream) =>
    stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
  return {
    isTerminal,
    line: (text) => {
      out.write(`${text}\n`)
    },
    json: (value) => {
      out.write(`${jsonOf(value)}\n`)
    },
    async table(headings, rows) {
      const cells = rows.map((row) => row.map((cell) => plainLine(String(cell ?? ''))))
      if (!isTerminal) {
        for (const row of [headings, ...cells]) out.write(`${row.join('\t').trimEnd()}\n`)
        return
      }
      const { tableText } = await import('./table-text.ts')
      out.write(`${tableText(headings, cells, hasColours(out))}\n`)
    },
    say: (text) => {
      error.write(`${text}\n`)
    },
    over: (text) => {
      if (isTerminal && isRewritable(error)) error.write(`\r\u001b[K${text(error.columns || 80)}`)
    },
    paint: (style, text) => (hasColours(out) ? styleText(style, text, { validateStream: false }) : text),
  }
}

function isRewritable(stream: Stream): boolean {
  return stream.isTTY === true && process.env.TERM !== 'dumb'
}

/** JSON in which a terminal finds nothing to obey: what JSON itself leaves unescaped is escaped. */
export function jsonOf(value: unknown): string {
  const text = JSON.stringify(value, undefined, 2) ?? 'null'
  return text.replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** An error as it is shown: its message, and what caused it; never arguments or results. */
export function errorText(error: unknown): string {
  const lines: string[] = []
  let at: unknown = error
  for (let depth = 0; at !== undefined && depth < 3; depth++) {
    const text = at instanceof Error ? at.message || at.name : String(at)
    lines.push(depth === 0 ? text : `caused by: ${text}`)
    at = at instanceof Error ? at.cause : undefined
  }
  return plainText(lines.join('\n'))
}
