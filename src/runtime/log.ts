/**
 * The worker's log: one JSON line an entry, never with arguments or results.
 *
 * Where a function logs as JSON, Lambda takes a line that is a JSON object as it is, and drops it by its `level`;
 * a line without a valid `timestamp` counts as INFO, so each has one.
 * https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
 * @module
 */
import { inspect } from 'node:util'
import type { Clock } from './clock.ts'
import type { LogLevel } from './config/config.ts'
import { writeLine } from './output-lines.ts'

/** Writes one entry. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

/** A log that writes entries from `level` up to standard error. It never throws: a call is worth more than its log. */
export function createLog(
  level: LogLevel,
  source: Readonly<Record<string, string>>,
  clock: Pick<Clock, 'now'>,
): Log {
  return (entryLevel, message, fields = {}) => {
    if (ranks[entryLevel] < ranks[level]) return
    try {
      const timestamp = timestampOf(clock)
      const line = JSON.stringify({ timestamp, level: entryLevel, message, ...source, ...plain(fields) })
      writeLine('stderr', `${line.replace(unescaped, escaped)}\n`)
    } catch {
      // Nowhere is left to say it.
    }
  }
}

/** The time as Lambda reads it from a line of a log: RFC 3339. */
export function timestampOf(clock: Pick<Clock, 'now'>): string {
  return new Date(clock.now()).toISOString()
}

/** What JSON leaves as it is and a terminal obeys: C1 controls, and what turns the direction of writing. */
const unescaped = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Errors as text. A stack may hold paths but no arguments; JSON escapes what a terminal would obey. */
function plain(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    known.map(([name, value]) => [
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
