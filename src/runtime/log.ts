/**
 * The worker's log: one JSON line an entry, never with arguments or results.
 * @module
 */
import { inspect } from 'node:util'
import type { LogLevel } from './config.ts'

/** Writes one entry. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

/** A log that writes entries from `level` up to standard error. */
export function createLog(level: LogLevel, source: Readonly<Record<string, string>>): Log {
  return (entryLevel, message, fields = {}) => {
    if (ranks[entryLevel] < ranks[level]) return
    const line = JSON.stringify({ level: entryLevel, message, ...source, ...plain(fields) })
    process.stderr.write(`${line.replace(unescaped, escaped)}\n`)
  }
}

/** What JSON leaves as it is and a terminal obeys: C1 controls, and what turns the direction of writing. */
const unescaped = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Errors as text. A stack may hold paths but no arguments; JSON escapes what a terminal would obey. */
function plain(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' || typeof value === 'number' ? value : textOf(value),
    ]),
  )
}

/** Anything may be thrown, also what JSON or its own `toString` refuses. */
function textOf(value: unknown): string {
  try {
    const text = value instanceof Error ? `${value.name}: ${value.message}` : inspect(value, { depth: 1 })
    return text.slice(0, MAX_FIELD_LENGTH)
  } catch {
    return 'a value that cannot be shown'
  }
}

const MAX_FIELD_LENGTH = 2000
