/**
 * Checks of what users declare. Each throws `InvalidOptionError`: what failed, the value, the rule, the fix.
 * @module
 */
import { InvalidOptionError } from '../errors.ts'
import { showValue, suggestName } from './nearest-name.ts'

/** The bounds of a number. */
export interface NumberRule {
  readonly min: number
  readonly max: number
  /** Refuse fractions. */
  readonly whole?: boolean
  /** Where the bounds come from, and what to do instead: the end of the message. */
  readonly why?: string
}

/** An object with none but the known keys. */
export function checkKeys(where: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidOptionError(`${where} is ${showValue(value)}, expected an object with options`)
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) {
      throw new InvalidOptionError(`${where} has an unknown option \`${key}\`; ${suggestName(key, known)}`)
    }
  }
  return value as Record<string, unknown>
}

/** A number within its bounds, or `fallback` where it is absent. */
export function checkNumber<Fallback>(
  where: string,
  value: unknown,
  rule: NumberRule,
  fallback: Fallback,
): number | Fallback {
  if (value === undefined) return fallback
  const fits = typeof value === 'number' && value >= rule.min && value <= rule.max
  if (fits && (!rule.whole || Number.isInteger(value))) return value
  const kind = rule.whole ? 'a whole number' : 'a number'
  const why = rule.why === undefined ? '' : ` (${rule.why})`
  throw new InvalidOptionError(
    `${where} is ${showValue(value)}, expected ${kind} from ${rule.min} to ${rule.max}${why}`,
  )
}

/** One of a few words, or `fallback` where it is absent. */
export function checkWord<Word extends string>(
  where: string,
  value: unknown,
  words: readonly Word[],
  fallback: Word,
): Word {
  if (value === undefined) return fallback
  if (words.includes(value as Word)) return value as Word
  throw new InvalidOptionError(`${where} is ${showValue(value)}; ${suggestName(String(value), words)}`)
}

/** `true` or `false`, or `fallback` where it is absent. */
export function checkFlag(where: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value === 'boolean') return value
  throw new InvalidOptionError(`${where} is ${showValue(value)}, expected true or false`)
}

/** A name of the given form. */
export function checkName(where: string, value: unknown, form: RegExp, rule: string): string {
  if (typeof value === 'string' && value in Object.prototype) {
    throw new InvalidOptionError(`${where} is ${showValue(value)}, which every object has; use another word`)
  }
  if (typeof value === 'string' && form.test(value)) return value
  throw new InvalidOptionError(`${where} is ${showValue(value)}, expected ${rule}`)
}

/** Texts, each of them once. */
export function checkTexts(where: string, value: unknown): readonly string[] {
  if (!Array.isArray(value))
    throw new InvalidOptionError(`${where} is ${showValue(value)}, expected a list of names`)
  for (const [index, text] of value.entries()) {
    if (typeof text !== 'string') {
      throw new InvalidOptionError(`${where} holds ${showValue(text)}, expected names`)
    }
    if (value.indexOf(text) !== index) throw new InvalidOptionError(`${where} names ${showValue(text)} twice`)
  }
  return value
}

/** A function. */
export function checkFunction<F>(where: string, value: F): F {
  if (typeof value === 'function') return value
  throw new InvalidOptionError(`${where} is ${showValue(value)}, expected a function`)
}
