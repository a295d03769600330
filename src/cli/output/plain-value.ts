/**
 * Values that JSON cannot hold, as JSON.
 * @module
 */
import { LIMITS } from '../../runtime/config/config.ts'
import { UnsupportedValueError } from '../../runtime/errors.ts'

/** Characters that each value counts for at least: so many of them as would fill the memory are refused. */
const LEAST_LENGTH = 16

interface Budget {
  readonly what: string
  left: number
}

/**
 * A map is its entries, a set its members, a large number its digits; a cycle is cut where it closes.
 * @param what what a refusal calls the value
 * @throws UnsupportedValueError where it would have over 64 MiB, which is what a result may have: a value may be small only because it holds the same part
 * many times
 */
export function plainValue(value: unknown, what: string): unknown {
  return plain({ what, left: LIMITS.blobBytes }, value, [])
}

function plain(budget: Budget, value: unknown, above: readonly object[]): unknown {
  if (typeof value === 'bigint') return counted(budget, String(value))
  if (typeof value === 'number' && !Number.isFinite(value)) return counted(budget, String(value))
  if (typeof value !== 'object' || value === null || value instanceof Date) return counted(budget, value)
  if (above.includes(value)) return counted(budget, '[circular]')
  counted(budget, undefined)
  const inner = (each: unknown) => plain(budget, each, [...above, value])
  if (value instanceof Error) return { name: inner(value.name), message: inner(value.message) }
  if (value instanceof Map) return [...value].map((entry) => entry.map(inner))
  if (value instanceof Set || Array.isArray(value)) return [...value].map(inner)
  if (ArrayBuffer.isView(value)) return Array.from(value as Uint8Array, inner)
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [counted(budget, key), inner(each)]))
}

function counted<T>(budget: Budget, value: T): T {
  budget.left -= Math.max(typeof value === 'string' ? value.length : 0, LEAST_LENGTH)
  if (budget.left >= 0) return value
  const limit = `${LIMITS.blobBytes / 1024 / 1024} MiB`
  throw new UnsupportedValueError(
    `${budget.what} is over ${limit} as JSON; leave out --json, or store what is large, and let the task return its key`,
    budget.what,
  )
}
