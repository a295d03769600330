/**
 * Redaction: what of arguments, results, progress and errors is not shown to anybody.
 *
 * It is by the names of properties, and by task. Positional arguments have no names: a task that takes a secret as one
 * is named in `redact.tasks`.
 * @module
 */
import { longestMatch } from '../runtime/config/name-pattern.ts'
import type { ResolvedMonitorOptions } from './monitor-options.ts'

/** What stands where something was hidden. */
export const HIDDEN = '[redacted]'

/** Parts of property names that are always hidden, whatever is between their words. */
const secretNames = [
  ...['password', 'passwd', 'passphrase', 'secret', 'token', 'authorization', 'cookie', 'credential'],
  ...['api-key', 'access-key', 'private-key', 'signature', 'session-id', 'otp', 'pin-code', 'cvv'],
  ...['card-number', 'iban', 'ssn'],
]

/** Of these the value has several words and parts: of a text the rest of the line. */
const wholeLine = '(?:authorization|cookie)'

/** Names this short are parts of words that people write: `ssn` of `class name`. */
const SHORT_LENGTH = 4

/** `"a \\" b"`, `'a'`, `\\"of JSON in JSON\\"`; one that was cut has no end. */
const quoted = String.raw`"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|\\+"[^"]*"?`

/** What follows a name in a text: `password=`, `"token": `, `tokenOfUser => `. */
const given = String.raw`\\*["']?\s*(?:=>|[=:])\s*`

/** `postgres://user:password@host`. */
const passwordInUrl = /(:\/\/[^\s:@/]*:)[^\s@/]+(?=@)/g

/** Depths beyond this are cut: nothing below them could be read anyway. */
const MAX_DEPTH = 12

/** Hides what is not to be seen. */
export interface Redactor {
  /** Whether nothing of this task's calls is shown. */
  hidesAll(task: string): boolean
  /** The arguments as they may be shown. */
  args(task: string, args: readonly unknown[]): readonly unknown[]
  /** A result, progress or property as it may be shown. */
  value(task: string, value: unknown): unknown
  /** An error's message or stack as it may be shown. */
  text(task: string, text: string): string
}

/** Makes the redactor of a monitor. */
export function createRedactor({ payloads, redact }: ResolvedMonitorOptions): Redactor {
  const always = [...secretNames, ...redact.keys]
  const rules = new Map<unknown, Rule>([[undefined, ruleOf(always)]])
  const hiddenOf = (task: string) => longestMatch(redact.tasks, task)
  const ruleFor = (task: string): Rule => {
    const hidden = hiddenOf(task)
    const list = Array.isArray(hidden) ? hidden : undefined
    const known = rules.get(list)
    if (known !== undefined) return known
    const rule = ruleOf([...always, ...(list ?? []).filter((each) => typeof each === 'string')])
    rules.set(list, rule)
    return rule
  }
  const hidesAll = (task: string) => !payloads || hiddenOf(task) === true
  return {
    hidesAll,
    args(task, args) {
      if (hidesAll(task)) return args.map(() => HIDDEN)
      const hidden = hiddenOf(task)
      const rule = ruleFor(task)
      return args.map((value, index) =>
        Array.isArray(hidden) && hidden.includes(index) ? HIDDEN : redacted(value, rule, new Map(), 0),
      )
    },
    value: (task, value) => (hidesAll(task) ? HIDDEN : redacted(value, ruleFor(task), new Map(), 0)),
    text: (task, text) => (hidesAll(task) ? HIDDEN : ruleFor(task).text(text)),
  }
}

/** What names hide. */
interface Rule {
  readonly isSecret: (name: unknown) => boolean
  /** A text that nobody took apart, without what follows a name in it. */
  readonly text: (text: string) => string
}

function ruleOf(names: readonly string[]): Rule {
  const plain = names.map((name) => wordsOf(name).join('')).filter((name) => name !== '')
  const patterns = names.map(patternOf).filter((pattern) => pattern !== '')
  const lines = new RegExp(`(${wholeLine}[\\w-]{0,40}${given})(?:${quoted}|[^\\r\\n]*)`, 'gisu')
  const values = new RegExp(
    `((?:${patterns.join('|')})${given})(?:${quoted}|(?:(?:bearer|basic)\\s+)?[^\\s,;}\\])]+)`,
    'gisu',
  )
  const hidden = `$1${HIDDEN}`
  return {
    isSecret: (name) => {
      if (typeof name !== 'string') return false
      const whole = wordsOf(name).join('')
      return plain.some((secret) => whole.includes(secret))
    },
    // The names of whole lines are among the others, and what was hidden must not be found again.
    text: (text) =>
      text
        .split(lines)
        .map((part, index) =>
          index % 2 === 1 ? part + HIDDEN : part.replace(passwordInUrl, hidden).replace(values, hidden),
        )
        .join(''),
  }
}

function wordsOf(name: string): string[] {
  const apart = name.replace(/([\p{Ll}\p{N}])(?=\p{Lu})/gu, '$1-')
  return apart
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
}

/** The part of a pattern that finds a name, and what goes on after it: `secret` in `clientSecretOfUser`. */
function patternOf(name: string): string {
  const words = wordsOf(name)
  const isShort = words.join('').length <= SHORT_LENGTH
  if (words.length === 0) return ''
  const found = words.join('[-_ ]?')
  return isShort ? `(?<![\\p{L}\\p{N}])${found}(?![\\p{L}\\p{N}])` : `${found}[\\w-]{0,40}`
}

/** A copy without what the names hide. What was copied before is that copy: values may hold themselves. */
function redacted(value: unknown, rule: Rule, copies: Map<object, unknown>, depth: number): unknown {
  if (typeof value === 'string') return rule.text(value)
  if (typeof value !== 'object' || value === null) return value
  if (copies.has(value)) return copies.get(value)
  if (depth > MAX_DEPTH) return '…'
  const under = (name: unknown, inner: unknown) =>
    rule.isSecret(name) ? HIDDEN : redacted(inner, rule, copies, depth + 1)
  if (Array.isArray(value)) {
    const copy: unknown[] = []
    copies.set(value, copy)
    for (const inner of value) copy.push(under(undefined, inner))
    return copy
  }
  if (value instanceof Map) {
    const copy = new Map()
    copies.set(value, copy)
    for (const [key, inner] of value) copy.set(under(undefined, key), under(key, inner))
    return copy
  }
  if (value instanceof Set) return new Set([...value].map((inner) => under(undefined, inner)))
  if (value instanceof Error) return rule.text(`${value.name}: ${value.message}`)
  // Its parts are no properties: a password, what is asked for.
  if (value instanceof URL || value instanceof URLSearchParams) return rule.text(String(value))
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  const copy = Object.create(prototype)
  copies.set(value, copy)
  for (const [key, inner] of Object.entries(value)) {
    // Not by assignment: a property may be called `__proto__`.
    Object.defineProperty(copy, key, { value: under(key, inner), enumerable: true, configurable: true })
  }
  return copy
}
