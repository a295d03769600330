/**
 * Redaction: what of arguments, results, progress and errors is not shown to anybody.
 *
 * It is by the names of properties, and by task. Positional arguments have no names: a task that takes a secret as one
 * is named in `redact.tasks`.
 * @module
 */
import { longestMatch } from '../runtime/name-pattern.ts'
import type { ResolvedMonitorOptions } from './monitor-options.ts'

/** What stands where something was hidden. */
export const HIDDEN = '[redacted]'

/** Parts of property names that are always hidden, without what is between their words. */
const secretNames = [
  ...['password', 'passwd', 'passphrase', 'secret', 'token', 'authorization', 'cookie', 'credential'],
  ...[
    'apikey',
    'accesskey',
    'privatekey',
    'signature',
    'sessionid',
    'otp',
    'pincode',
    'cvv',
    'cardnumber',
    'iban',
    'ssn',
  ],
]

/** `password=hunter2`, `"token": "a b"`, `Authorization: Bearer x`, inside a text that nobody took apart. */
const secretInText =
  /((?:password|passwd|passphrase|secret|token|authorization|cookie|credential|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|(?:(?:bearer|basic)\s+)?[^\s,;}\])]+)/gi

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
  const always = [...secretNames, ...redact.keys.map(plainName)]
  const hiddenOf = (task: string) => longestMatch(redact.tasks, task)
  const namesOf = (task: string) => {
    const hidden = hiddenOf(task)
    const own = Array.isArray(hidden) ? hidden.filter((each) => typeof each === 'string') : []
    return own.length === 0 ? always : [...always, ...own.map(plainName)]
  }
  const hidesAll = (task: string) => !payloads || hiddenOf(task) === true
  return {
    hidesAll,
    args(task, args) {
      if (hidesAll(task)) return args.map(() => HIDDEN)
      const hidden = hiddenOf(task)
      const names = namesOf(task)
      return args.map((value, index) =>
        Array.isArray(hidden) && hidden.includes(index) ? HIDDEN : redacted(value, names, new Map(), 0),
      )
    },
    value: (task, value) => (hidesAll(task) ? HIDDEN : redacted(value, namesOf(task), new Map(), 0)),
    text: (task, text) => (hidesAll(task) ? HIDDEN : text.replace(secretInText, `$1${HIDDEN}`)),
  }
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')
}

function isSecret(name: unknown, names: readonly string[]): boolean {
  if (typeof name !== 'string') return false
  const plain = plainName(name)
  return names.some((secret) => secret !== '' && plain.includes(secret))
}

/** A copy without what the names hide. What was copied before is that copy: values may hold themselves. */
function redacted(
  value: unknown,
  names: readonly string[],
  copies: Map<object, unknown>,
  depth: number,
): unknown {
  if (typeof value === 'string') return value.replace(secretInText, `$1${HIDDEN}`)
  if (typeof value !== 'object' || value === null) return value
  if (copies.has(value)) return copies.get(value)
  if (depth > MAX_DEPTH) return '…'
  const under = (name: unknown, inner: unknown) =>
    isSecret(name, names) ? HIDDEN : redacted(inner, names, copies, depth + 1)
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
  if (value instanceof Error) return `${value.name}: ${value.message}`.replace(secretInText, `$1${HIDDEN}`)
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
