/**
 * JSON.parse without its defect: once an object had a key with a backslash in it, V8 takes other keys that are written
 * with an escape for that one (`{"\"":1}` gives the key `\`), in Node 22 to 26: nodejs/node#63785.
 * @module
 */

/** A key that is written with an escape: from its first quote to behind its last. */
interface EscapedKey {
  readonly from: number
  readonly to: number
}

const BACKSLASH = 92
const COLON = 58
const SPACE = 32

/** By hand, and not by a regular expression: those of V8 overflow their stack on a string of 12 MB. */
function* escapedKeysOf(text: string): Generator<EscapedKey, void, undefined> {
  for (let from = text.indexOf('"'); from !== -1; ) {
    const to = endOfString(text, from)
    if (to === -1) return
    let after = to
    while (text.charCodeAt(after) <= SPACE) after += 1
    if (text.charCodeAt(after) === COLON && text.slice(from, to).includes('\\')) yield { from, to }
    from = text.indexOf('"', to)
  }
}

/** Where the string that begins at `from` has ended; -1 where it does not end. */
function endOfString(text: string, from: number): number {
  for (let quote = text.indexOf('"', from + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1
    if (backslashes % 2 === 0) return quote + 1
  }
  return -1
}

/** The value of JSON text; throws SyntaxError as JSON.parse does. */
export function parseJson(text: string): unknown {
  // First as it is: nearly all texts have no escaped key, and what is replaced below stands in text that is sound.
  const value: unknown = JSON.parse(text)
  if (typeof text !== 'string' || !text.includes('\\')) return value
  const names: string[] = []
  const parts: string[] = []
  let mark = 'key'
  while (text.includes(`"${mark}`)) mark += '_'
  let copied = 0
  for (const { from, to } of escapedKeysOf(text)) {
    parts.push(text.slice(copied, from), `"${mark}${names.length}"`)
    names.push(JSON.parse(text.slice(from, to)) as string)
    copied = to
  }
  if (names.length === 0) return value
  const marked = parts.join('') + text.slice(copied)
  return JSON.parse(marked, (_, part: unknown) => renamed(part, mark, names))
}

/** `value`, its marked keys under their own names, in their places. */
function renamed(value: unknown, mark: string, names: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const keys = Object.keys(value)
  if (!keys.some((key) => key.startsWith(mark))) return value
  const entries = keys.map((key) => {
    const name = key.startsWith(mark) ? names[Number(key.slice(mark.length))] : key
    return [name, Reflect.get(value, key)] as const
  })
  return Object.fromEntries(entries)
}
