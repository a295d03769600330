/**
 * Values that JSON cannot hold, as JSON.
 * @module
 */

/** A map is its entries, a set its members, a large number its digits; a cycle is cut where it closes. */
export function plainValue(value: unknown, above: readonly object[] = []): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (above.includes(value)) return '[circular]'
  const inner = (each: unknown) => plainValue(each, [...above, value])
  if (value instanceof Error) return { name: value.name, message: value.message }
  if (value instanceof Map) return [...value].map((entry) => entry.map(inner))
  if (value instanceof Set || Array.isArray(value)) return [...value].map(inner)
  if (ArrayBuffer.isView(value)) return Array.from(value as Uint8Array, inner)
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, inner(each)]))
}
