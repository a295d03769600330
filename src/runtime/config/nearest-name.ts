/**
 * "Did you mean": every refusal of a name says which known one is nearest.
 * @module
 */
import { distance } from 'fastest-levenshtein'

/**
 * The end of a refusal's message: the nearest of `known` where one is near, and all of them where they are few.
 */
export function suggestName(name: string, known: Iterable<string>): string {
  const names = [...known]
  const near = names
    .map((candidate) => ({ candidate, edits: distance(name.slice(0, 128), candidate) }))
    .filter(({ candidate, edits }) => edits <= Math.max(2, candidate.length / 3) || extend(name, candidate))
    .sort((a, b) => a.edits - b.edits)[0]
  const listed = names.length === 0 ? 'none is known' : `known: ${quoteNames(names)}`
  return near === undefined ? listed : `did you mean ${JSON.stringify(near.candidate)}? ${listed}`
}

/** Whether one is the other with an ending: `warning` and `warn`. */
function extend(name: string, candidate: string): boolean {
  return name !== '' && (name.startsWith(candidate) || candidate.startsWith(name))
}

/** Names in quotes, the first ten of them. */
export function quoteNames(names: readonly string[]): string {
  const shown = names.slice(0, 10).map((name) => JSON.stringify(name))
  return names.length > 10 ? `${shown.join(', ')} and ${names.length - 10} more` : shown.join(', ')
}

/** A value as a message shows it: short, and never with an object's content. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'function') return `the function ${value.name || '(without a name)'}`
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  return typeof value === 'symbol' ? 'a symbol' : String(value)
}
