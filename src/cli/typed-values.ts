/**
 * What is typed, read: JSON, numbers, times.
 * @module
 */
import { systemClock } from '../runtime/clock.ts'
import { UsageError } from './exit-codes.ts'

/**
 * An argument of a task.
 * @throws UsageError that shows where it is no JSON
 */
export function readJson(text: string, which: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`${which} is no JSON: ${placeOf(text)}${hintFor(text)}`)
  }
}

const SHOWN_BEFORE = 30
const SHOWN_AFTER = 20

/** The part of the text around the place, with a mark below it. */
function placeOf(text: string): string {
  const at = wrongAt(text)
  const from = Math.max(at - SHOWN_BEFORE, 0)
  // One character each, so that the mark stands below its place.
  const shown = text.slice(from, at + SHOWN_AFTER).replace(/\s/g, ' ')
  const what =
    at >= text.length ? 'it ends too soon' : `unexpected ${JSON.stringify(text[at])} at position ${at}`
  return `${what}\n  ${shown}\n  ${' '.repeat(at - from)}^`
}

/**
 * The first character that cannot stand where it does; the text's length where it only ends too soon. Node names the
 * place in some of its messages alone, so it is asked for ever shorter beginnings: what is wrong stays wrong in longer ones.
 */
function wrongAt(text: string): number {
  let [right, wrong] = [0, text.length + 1]
  while (wrong - right > 1) {
    const middle = (right + wrong) >> 1
    if (isWrong(text.slice(0, middle))) wrong = middle
    else right = middle
  }
  return wrong - 1
}

/** Whether no ending could make JSON of this beginning. */
function isWrong(beginning: string): boolean {
  try {
    JSON.parse(beginning)
    return false
  } catch (error) {
    const { message } = error as Error
    const at = /at position (\d+)/.exec(message)?.[1]
    return at === undefined ? !message.includes('end of JSON') : Number(at) < beginning.length
  }
}

function hintFor(text: string): string {
  return /^[\p{L}][\p{L}\p{N} _.:/-]*$/u.test(text)
    ? `\na text is in double quotes, which a shell takes away: '"${text}"'`
    : ''
}

/**
 * A number within its bounds.
 * @throws UsageError
 */
export function readNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= min && value <= max) return value
  throw new UsageError(`${option} is ${JSON.stringify(text)}, expected a number from ${min} to ${max}`)
}

/**
 * `--wait`, alone or with seconds.
 * @throws UsageError
 */
export function readWait(wait: string | true | undefined): { timeoutSeconds?: number } | undefined {
  if (wait === undefined) return undefined
  return wait === true ? {} : { timeoutSeconds: readNumber('--wait', wait, 0, 1_000_000) }
}

/**
 * A port, or `{}` where none was named.
 * @throws UsageError
 */
export function readPorts(options: {
  readonly sqsPort?: string
  readonly dynamodbPort?: string
  readonly monitorPort?: string
}) {
  const { sqsPort, dynamodbPort, monitorPort } = options
  return {
    ...(sqsPort !== undefined && { sqsPort: readPort('--sqs-port', sqsPort) }),
    ...(dynamodbPort !== undefined && { dynamodbPort: readPort('--dynamodb-port', dynamodbPort) }),
    ...(monitorPort !== undefined && { monitorPort: readPort('--monitor-port', monitorPort) }),
  }
}

function readPort(option: string, text: string): number {
  const port = readNumber(option, text, 0, 65_535)
  if (Number.isInteger(port)) return port
  throw new UsageError(`${option} is ${JSON.stringify(text)}, expected a whole number`)
}

/**
 * `--delay` and `--expires` as a span: seconds, or a number with a unit.
 * @throws UsageError
 */
export function readSeconds(option: string, text: string): number {
  const [, count, unit = 's'] = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(text) ?? []
  if (count !== undefined) return (Number(count) * (unitMs[unit || 's'] ?? 0)) / 1000
  throw new UsageError(
    `${option} is ${JSON.stringify(text)}, expected seconds, or a span with its unit: 90, 90s, 10m, 2h, 3d`,
  )
}

/**
 * A moment.
 * @throws UsageError
 */
export function readMoment(option: string, text: string): Date {
  const date = dateOf(text)
  if (date !== undefined) return date
  throw new UsageError(
    `${option} is ${JSON.stringify(text)}, expected a moment of the calendar: 2026-10-01T12:00:00Z, or 2026-10-01`,
  )
}

const ISO_8601 =
  /^(\d{4}-\d\d-\d\d)(T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,3})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?)?$/

/** A moment of ISO 8601. JavaScript takes far more for one, as `foo 2026`, and February 31 for March 3. */
function dateOf(text: string): Date | undefined {
  const [, day] = ISO_8601.exec(text) ?? []
  if (day === undefined) return undefined
  const midnight = new Date(`${day}T00:00Z`)
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(day)) return undefined
  return new Date(text)
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * `--since`: a date, or how long ago.
 * @throws UsageError
 */
export function readSince(text: string): Date {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? []
  if (count !== undefined) return new Date(systemClock.now() - Number(count) * (unitMs[unit] ?? 0))
  const date = dateOf(text)
  if (date !== undefined) return date
  throw new UsageError(
    `--since is ${JSON.stringify(text)}, expected a date of the calendar (2026-10-01, 2026-10-01T12:00:00Z), or how long ago: 30s, 10m, 2h, 7d`,
  )
}
