/**
 * JSON.parse without its defect: once an object had a key with a backslash in it, V8 takes other keys that are written
 * with an escape for that one (`{"\"":1}` gives the key `\`), in Node 22 to 26: nodejs/node#63785.
 * @module
 */

/** A string that begins where the last one ended, and whether it is a key. */
const strings = /"((?:[^"\\]|\\.)*)"(\s*:)?/g

/** Whether some key of the text may be written with an escape: texts without one, nearly all, are parsed at once. */
function mayHaveEscapedKey(text: string): boolean {
  if (!text.includes('\\')) return false
  strings.lastIndex = 0
  for (const [, body = '', colon] of text.matchAll(strings)) {
    if (colon !== undefined && body.includes('\\')) return true
  }
  return false
}

/** The value of JSON text; throws SyntaxError as JSON.parse does. */
export function parseJson(text: string): unknown {
  if (typeof text !== 'string' || !mayHaveEscapedKey(text)) return JSON.parse(text)
  // Refused as it is, so that what is replaced below stands in text that is sound.
  JSON.parse(text)
  const names: string[] = []
  let mark = 'key'
  while (text.includes(`"${mark}`)) mark += '_'
  const marked = text.replace(strings, (whole, body: string, colon: string | undefined) => {
    if (colon === undefined || !body.includes('\\')) return whole
    names.push(JSON.parse(`"${body}"`) as string)
    return `"${mark}${names.length - 1}":`
  })
  return JSON.parse(marked, (_, value: unknown) => renamed(value, mark, names))
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
