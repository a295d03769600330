/**
 * Cron expressions: five fields, as cron has them, or six, as AWS has them. Both become AWS's, in one canonical form
 * that EventBridge documents, so that what runs on a laptop is the very expression that is deployed.
 *
 * Six fields: minute, hour, day of month, month, day of week (1–7 from Sunday), year. Exactly one of the two days is `?`.
 * Five fields: day of week 0–7 (both ends are Sunday), no year, and no `?`, `L`, `W` or `#`.
 * @module
 */

import { showValue } from '../config/nearest-name.ts'
import { InvalidOptionError } from '../errors.ts'

/** One field of an expression: its name in messages, its bounds, its names. */
interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  /** Names of the values, from `min` on. */
  readonly names?: readonly string[]
}

const monthNames = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']
const dayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']

const minute: Field = { name: 'minute', min: 0, max: 59 }
const hour: Field = { name: 'hour', min: 0, max: 23 }
const dayOfMonth: Field = { name: 'day of month', min: 1, max: 31 }
const month: Field = { name: 'month', min: 1, max: 12, names: monthNames }
const dayOfWeek: Field = { name: 'day of week', min: 0, max: 7, names: dayNames }
const awsDayOfWeek: Field = { name: 'day of week', min: 1, max: 7, names: dayNames }
/** EventBridge's bounds. */
const year: Field = { name: 'year', min: 1970, max: 2199 }

/** Refuses, with what to do instead. */
type Refuse = (why: string) => InvalidOptionError

/**
 * The six fields of an expression, as EventBridge takes them inside `cron(…)`.
 * @param where what to call the expression in a message
 * @throws InvalidOptionError where it breaks a rule, fires more than once a minute, or names days that do not exist
 */
export function awsCron(where: string, expression: unknown): string {
  const refuse: Refuse = (why) => new InvalidOptionError(`${where} is ${showValue(expression)}: ${why}`)
  if (typeof expression !== 'string') {
    throw refuse("expected a text of five fields, as '0 2 * * *', or AWS's six, as '0 2 * * ? *'")
  }
  const fields = expression.trim().split(/\s+/)
  if (fields.length === 5) return ofFive(fields, refuse)
  if (fields.length === 6) return ofSix(fields, refuse)
  throw refuse(
    `it has ${fields.length} field${fields.length === 1 ? '' : 's'}, expected five (minute, hour, day of month, month, day of week) or AWS's six (a year behind them). There are no seconds: a schedule fires once a minute at most`,
  )
}

function ofFive(fields: readonly string[], refuse: Refuse): string {
  const special = fields.find((text) => /[?#]|^l$|^\d+[lw]$|^[a-z]{3}l$/i.test(text))
  if (special !== undefined) {
    throw refuse(
      `${special} is of AWS's form: write all six of its fields, as '0 2 L * ? *' (days of the week are then 1–7 from Sunday)`,
    )
  }
  const [minutes, hours, days, months, weekdays] = fields as [string, string, string, string, string]
  const daySet = valuesOf(dayOfMonth, days, refuse)
  // Cron counts Sunday as 0 and as 7, AWS as 1.
  const weekdaySet = new Set([...valuesOf(dayOfWeek, weekdays, refuse)].map((day) => (day % 7) + 1))
  const everyDay = daySet.size === 31
  const everyWeekday = weekdaySet.size === 7
  if (!everyDay && !everyWeekday) {
    throw refuse(
      `it names days of the month (${days}) and of the week (${weekdays}); cron runs on either, and AWS has no expression for that. Declare two schedules, one with each`,
    )
  }
  const monthSet = valuesOf(month, months, refuse)
  checkDays(daySet, monthSet, refuse)
  return [
    textOf(minute, valuesOf(minute, minutes, refuse)),
    textOf(hour, valuesOf(hour, hours, refuse)),
    everyWeekday ? textOf(dayOfMonth, daySet) : '?',
    textOf(month, monthSet),
    everyWeekday ? '?' : textOf(awsDayOfWeek, weekdaySet),
    '*',
  ].join(' ')
}

function ofSix(fields: readonly string[], refuse: Refuse): string {
  const [minutes, hours, days, months, weekdays, years] = fields as [
    ...[string, string, string],
    ...[string, string, string],
  ]
  if ((days === '?') === (weekdays === '?')) {
    throw refuse(
      `of AWS's six fields (minute, hour, day of month, month, day of week, year; no seconds) exactly one of the two days is '?'; these are ${days} and ${weekdays}. In cron's five fields there is no '?'`,
    )
  }
  const monthSet = valuesOf(month, months, refuse)
  return [
    textOf(minute, valuesOf(minute, minutes, refuse)),
    textOf(hour, valuesOf(hour, hours, refuse)),
    days === '?' ? '?' : dayOfMonthOf(days, monthSet, refuse),
    textOf(month, monthSet),
    weekdays === '?' ? '?' : dayOfWeekOf(weekdays, refuse),
    textOf(year, valuesOf(year, years, refuse)),
  ].join(' ')
}

/** `L`, `15W`, or values. */
function dayOfMonthOf(text: string, months: ReadonlySet<number>, refuse: Refuse): string {
  if (/^l$/i.test(text)) return 'L'
  const nearest = /^(\d{1,2})w$/i.exec(text)?.[1]
  if (nearest !== undefined) {
    checkDays(valuesOf(dayOfMonth, nearest, refuse), months, refuse)
    return `${Number(nearest)}W`
  }
  const days = valuesOf(dayOfMonth, text, refuse)
  checkDays(days, months, refuse)
  return textOf(dayOfMonth, days)
}

/** `L`, `6L`, `6#3`, or values. */
function dayOfWeekOf(text: string, refuse: Refuse): string {
  if (/^l$/i.test(text)) return '7'
  const [, last] = /^([a-z\d]+)l$/i.exec(text) ?? []
  if (last !== undefined) return `${numberOf(awsDayOfWeek, last, refuse)}L`
  const [, day, count] = /^([a-z\d]+)#(\d+)$/i.exec(text) ?? []
  if (day === undefined) return textOf(awsDayOfWeek, valuesOf(awsDayOfWeek, text, refuse))
  if (Number(count) < 1 || Number(count) > 5)
    throw refuse(`${text} is of week ${count} of a month, expected 1–5`)
  return `${numberOf(awsDayOfWeek, day, refuse)}#${Number(count)}`
}

/** A list of `*`, values, ranges and steps. */
function valuesOf(field: Field, text: string, refuse: Refuse): Set<number> {
  const values = new Set<number>()
  for (const part of text.split(',')) {
    const [, range = '', step] = /^([^/]+)(?:\/(\d+))?$/.exec(part) ?? []
    const { from, to } = boundsOf(field, range, step !== undefined, refuse)
    const every = step === undefined ? 1 : Number(step)
    if (every < 1 || every > field.max) {
      throw refuse(`the ${field.name} ${part} has a step of ${step}, expected 1–${field.max}`)
    }
    for (let value = from; value <= to; value += every) values.add(value)
  }
  return values
}

function boundsOf(field: Field, range: string, hasStep: boolean, refuse: Refuse) {
  if (range === '*') return { from: field.min, to: field === dayOfWeek ? 6 : field.max }
  const [first = '', last, ...rest] = range.split('-')
  if (rest.length > 0) throw refuse(`the ${field.name} has ${showValue(range)}, expected a range as 1-5`)
  const from = numberOf(field, first, refuse)
  if (last === undefined) return { from, to: hasStep ? field.max : from }
  const to = numberOf(field, last, refuse)
  if (to >= from) return { from, to }
  throw refuse(`the ${field.name} ${range} ends before it begins; write the two parts, as 22-23,0-3`)
}

function numberOf(field: Field, text: string, refuse: Refuse): number {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1
  if (named >= 0) return field.min + named
  const value = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN
  if (value >= field.min && value <= field.max) return value
  const names = field.names === undefined ? '' : `, or a name as ${field.names[1]}`
  throw refuse(`the ${field.name} has ${showValue(text)}, expected ${field.min}–${field.max}${names}`)
}

/** The last day that a month has in any year. */
const lastDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** Refuses days that none of the months has: February 30. */
function checkDays(days: ReadonlySet<number>, months: ReadonlySet<number>, refuse: Refuse): void {
  const last = Math.max(...[...months].map((each) => lastDays[each - 1] as number))
  const first = Math.min(...days)
  if (first <= last) return
  const named = [...months].map((each) => monthNames[each - 1]).join(', ')
  throw refuse(
    `it never fires: ${named} ${months.size === 1 ? 'has' : 'have'} no day ${first}; AWS's 'L' is the last day of a month`,
  )
}

/** Values as EventBridge documents them: `*`, `0/15`, `1-5`, `1,3`. */
function textOf(field: Field, values: ReadonlySet<number>): string {
  const sorted = [...values].sort((one, other) => one - other)
  const [first = field.min, second = first] = sorted
  if (sorted.length === field.max - field.min + 1) return '*'
  const step = second - first
  const isStepped =
    step > 1 && sorted.length > 2 && sorted.every((value, index) => value === first + index * step)
  if (isStepped && (sorted.at(-1) as number) + step > field.max) return `${first}/${step}`
  const parts: string[] = []
  for (let at = 0; at < sorted.length; at++) {
    const from = sorted[at] as number
    while (sorted[at + 1] === (sorted[at] as number) + 1) at += 1
    const to = sorted[at] as number
    parts.push(from === to ? `${from}` : to === from + 1 ? `${from},${to}` : `${from}-${to}`)
  }
  return parts.join(',')
}
