/**
 * A task's value as JSON text. Results travel between processes by a codec that keeps more than JSON can hold; a web
 * client gets plain JSON, and for each kind of value it is stated what it becomes (`JsonOf` says it as a type).
 *
 * What would not end is refused: a cycle, and a value that is small only because it holds the same part many times.
 * @module
 */
import { types } from 'node:util'
import { UnsupportedValueError } from '../runtime/errors.ts'

/** Characters of the longest JSON: a function of Lambda answers at most 6 MB. */
export const MAX_JSON_LENGTH = 5 * 1024 * 1024

/** Characters that each value counts for at least: so many of them as would hold up the process are refused. */
const LEAST_LENGTH = 16

interface Writer {
  readonly what: string
  readonly trail: (string | number)[]
  /** What is being written around this value: to meet one of them again is a cycle. */
  readonly around: Set<object>
  left: number
}

/**
 * The JSON text of a value that a codec gave back.
 * @param what what the path in a refusal starts with
 * @throws UnsupportedValueError where it holds itself, or would have over 5 MiB
 */
export function toJson(value: unknown, what: string): string {
  const writer: Writer = { what, trail: [], around: new Set(), left: MAX_JSON_LENGTH }
  return written(writer, value) ?? 'null'
}

function written(writer: Writer, value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return counted(writer, JSON.stringify(value))
    case 'number':
      return counted(writer, Number.isFinite(value) ? String(value) : 'null')
    case 'boolean':
      return counted(writer, String(value))
    case 'bigint':
      return counted(writer, `"${value}"`)
    case 'object':
      return value === null ? counted(writer, 'null') : writtenObject(writer, value)
    default:
      counted(writer, ' ')
      return undefined
  }
}

function counted(writer: Writer, text: string): string {
  writer.left -= Math.max(text.length, LEAST_LENGTH)
  if (writer.left >= 0) return text
  const limit = `${MAX_JSON_LENGTH / 1024 / 1024} MiB`
  throw refusal(writer, `is over ${limit} as JSON; store what is large, and let the task return its key`)
}

function refusal({ what, trail }: Writer, why: string): UnsupportedValueError {
  const path = what + trail.map((step) => `[${JSON.stringify(step)}]`).join('')
  return new UnsupportedValueError(`${path} ${why}`, path)
}

function writtenObject(writer: Writer, value: object): string {
  const text = textOf(value)
  if (text !== undefined) return counted(writer, JSON.stringify(text))
  if (writer.around.has(value)) throw refusal(writer, 'holds itself, which JSON cannot say')
  writer.around.add(value)
  try {
    return writtenParts(writer, value)
  } finally {
    writer.around.delete(value)
  }
}

/** The text of what becomes one; `null` is a date that is none. */
function textOf(value: object): string | null | undefined {
  if (types.isDate(value)) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (types.isRegExp(value) || value instanceof URL || value instanceof URLSearchParams) return String(value)
  if (types.isUint8Array(value) || types.isUint8ClampedArray(value) || types.isDataView(value)) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  }
  return types.isArrayBuffer(value) ? Buffer.from(value).toString('base64') : undefined
}

function writtenParts(writer: Writer, value: object): string {
  if (types.isMap(value)) {
    return writtenList(writer, [...value], (entry) =>
      writtenList(writer, entry, (each) => written(writer, each)),
    )
  }
  if (types.isSet(value)) return writtenList(writer, [...value], (each) => written(writer, each))
  if (Array.isArray(value)) return writtenList(writer, value, (each) => written(writer, each))
  if (types.isTypedArray(value)) {
    return writtenList(writer, value as unknown as ArrayLike<unknown>, (each) => written(writer, each))
  }
  if (types.isNativeError(value))
    return writtenFields(writer, [
      ['name', value.name],
      ['message', value.message],
    ])
  return writtenFields(writer, Object.entries(value))
}

function writtenList<T>(writer: Writer, list: ArrayLike<T>, write: (each: T) => string | undefined): string {
  counted(writer, '[]')
  const parts: string[] = []
  for (let index = 0; index < list.length; index++) {
    writer.trail.push(index)
    parts.push(write(list[index] as T) ?? 'null')
    writer.trail.pop()
  }
  return `[${parts.join()}]`
}

function writtenFields(writer: Writer, fields: readonly (readonly [string, unknown])[]): string {
  counted(writer, '{}')
  const parts: string[] = []
  for (const [key, value] of fields) {
    writer.trail.push(key)
    const text = written(writer, value)
    if (text !== undefined) parts.push(`${counted(writer, JSON.stringify(key))}:${text}`)
    writer.trail.pop()
  }
  return `{${parts.join()}}`
}
