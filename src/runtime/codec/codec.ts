/**
 * Values as JSON text and back. Plain JSON travels as `{"json": …}`, everything else as devalue's table (an
 * array, or a negative number), so one look at the first character tells them apart and data that looks like
 * either is only data. What encoding accepts is decided by `codec-guard.ts`; what is decoded comes from a queue
 * that others can write to, so it is checked to be exactly what encoding can have written.
 *
 * Not kept: that two views (or Buffers) look at the same memory where one of them shows a part only, for views
 * are copied so that no more than what they show leaves; that an object is frozen; and realms.
 * @module
 */
import { hash } from 'node:crypto'
import { types } from 'node:util'
import { stringify, unflatten } from 'devalue'
import { MalformedMessageError, UnsupportedValueError } from '../errors.ts'
import { maxDepth, maxSparseLength, survey, viewNames } from './codec-guard.ts'
import {
  type Captured,
  captureThrown,
  type ErrorClass,
  type ErrorClasses,
  type ErrorFields,
  errorClasses,
  foreignKind,
  reviveError,
  unreadable,
} from './error-codec.ts'
import { parseJson } from './parse-json.ts'

export type { ErrorClass } from './error-codec.ts'

/** JSON text: what encode returns. */
export type Encoded = string

/** Encodes and decodes arguments, results, progress and errors. */
export interface Codec {
  /** JSON text of `value`, or throws UnsupportedValueError whose path starts with `what` ('arguments', 'result', 'progress'). */
  encode(value: unknown, what: string): Encoded
  /** The value of JSON text; throws MalformedMessageError, also where it has over `maxBytes`. @default maxTextBytes */
  decode(text: Encoded, maxBytes?: number): unknown
  /**
   * The same for text that JSON.parse has already read (arguments travel inside the message's own JSON). Plain
   * JSON is not copied: what is returned is part of `parsed`.
   */
  revive(parsed: unknown): unknown
  /** What a task threw, as data that decode gives back as an Error; never throws, whatever was thrown. */
  encodeThrown(thrown: unknown, task: string): Encoded
}

/** Bytes of the longest text that is decoded, but from a blob: SQS carries 1 MiB, a DynamoDB item 400 KB. */
export const maxTextBytes = 2 * 1024 * 1024

/** Levels beyond `maxDepth` that a captured error may add around a value, and that decoding allows. */
const wrapperLevels = 32

/** Makes a codec; `errors` are the classes that come back as themselves, by the name to send them under. */
export function createCodec(options: { errors?: Readonly<Record<string, ErrorClass>> } = {}): Codec {
  const classes = errorClasses(options.errors)
  return {
    encode: (value, what) => encodeValue(value, what, classes),
    decode: (text, maxBytes) => decodeText(text, classes, maxBytes),
    revive: (parsed) => reviveParsed(parsed, classes),
    encodeThrown: (thrown, task) => encodeAnyThrown(thrown, task, classes),
  }
}

function encodeValue(value: unknown, what: string, classes: ErrorClasses, captured?: Captured): Encoded {
  const found = survey(value, what, {
    classOf: classes.classOf,
    ...(captured && { errors: captured.errors, limit: maxDepth + wrapperLevels }),
  })
  try {
    const text = found.plain ? plainText(value) : tableText(value, found)
    return escapeForSqs(text)
  } catch (error) {
    // The survey found nothing wrong: the value answered differently the second time, or is out of all bounds.
    const path = what + (error instanceof Error && 'path' in error ? String(error.path) : '')
    throw new UnsupportedValueError(
      `${path} cannot be encoded (see cause): it changed while it was read, or is too large; send plain data`,
      path,
      { cause: error },
    )
  }
}

function plainText(value: unknown): Encoded {
  return `{"json":${JSON.stringify(value)}}`
}

/** What devalue needs to write errors and Buffers: what the survey made of them. */
interface Replacements {
  readonly errors: ReadonlyMap<object, ErrorFields> | undefined
  readonly buffers: ReadonlyMap<object, ArrayBuffer> | undefined
}

function tableText(value: unknown, { errors, buffers }: Replacements): Encoded {
  const reducers: Record<string, (value: object) => unknown> = {}
  if (errors) reducers.Error = (thing) => errors.get(thing)
  if (buffers) reducers.Buffer = (thing) => buffers.get(thing)
  return stringify(value, reducers, { operations: { viewInfo } })
}

/** What devalue is told about a view: part of a buffer becomes a buffer of its own. */
function viewInfo(view: NodeJS.ArrayBufferView) {
  const { byteLength } = view
  const isPart = byteLength !== view.buffer.byteLength
  const buffer = isPart ? copyOfPart(view) : view.buffer
  const length = types.isTypedArray(view) ? view.length : byteLength
  return { buffer, byteOffset: 0, byteLength, length, bufferByteLength: byteLength }
}

function copyOfPart(view: NodeJS.ArrayBufferView): ArrayBuffer {
  return new Uint8Array(new Uint8Array(view.buffer, view.byteOffset, view.byteLength)).buffer
}

/** SQS refuses a message with U+FFFE or U+FFFF in it; JSON writes lone surrogates as escapes, but not these. */
function escapeForSqs(text: string): string {
  if (!/[\ufffe\uffff]/.test(text)) return text
  return text.replaceAll('\ufffe', '\\ufffe').replaceAll('\uffff', '\\uffff')
}

function encodeAnyThrown(thrown: unknown, task: string, classes: ErrorClasses): Encoded {
  const encodeCaptured = (captured: Captured) => encodeValue(captured.root, 'error', classes, captured)
  try {
    const copy = (value: unknown) => {
      const text = encodeValue(value, 'property', classes)
      return { value: decodeText(text, classes), bytes: Buffer.byteLength(text) }
    }
    return encodeCaptured(captureThrown(thrown, task, { classOf: classes.classOf, copy }))
  } catch {
    return encodeCaptured(unreadable())
  }
}

function malformed(why: string, cause?: unknown): never {
  const message = `the text is not what errand's codec writes: ${why}; was it changed, or sent by something else?`
  throw new MalformedMessageError(message, cause === undefined ? undefined : { cause })
}

function decodeText(text: Encoded, classes: ErrorClasses, maxBytes: number = maxTextBytes): unknown {
  if (typeof text !== 'string') malformed(`it is of type ${typeof text}`)
  if (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes) {
    malformed(`it has more than ${maxBytes} bytes`)
  }
  let parsed: unknown
  try {
    parsed = parseJson(text)
  } catch (error) {
    malformed('it is not JSON', error)
  }
  return reviveParsed(parsed, classes)
}

function reviveParsed(parsed: unknown, classes: ErrorClasses): unknown {
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
    let fields = 0
    for (const _ in parsed) fields++
    if (fields !== 1 || !Object.hasOwn(parsed, 'json')) malformed('it is an object without "json" alone')
    const value = (parsed as { json: unknown }).json
    if (typeof value === 'object' && value !== null) checkPlain(value, 0)
    return value
  }
  if (typeof parsed === 'number') {
    if (!constants.has(parsed)) malformed('it is a number that stands for nothing')
  } else if (Array.isArray(parsed)) checkTable(parsed)
  else malformed('it is neither an object nor a table')
  const revived = new Map<object, Error>()
  try {
    return unflatten(parsed, {
      Error: (fields: unknown) => reviveError(fields, classes, revived),
      Buffer: (bytes: ArrayBuffer) => Buffer.from(bytes),
    })
  } catch (error) {
    malformed('a part of it cannot be read back', error)
  }
}

function checkPlain(value: object, depth: number): void {
  if (depth >= maxDepth + wrapperLevels) malformed(`it is nested more than ${maxDepth} levels deep`)
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const element: unknown = value[i]
      if (typeof element === 'object' && element !== null) checkPlain(element, depth + 1)
    }
    return
  }
  for (const key in value) {
    if (key === '__proto__') malformed('it has a key named __proto__')
    const member: unknown = (value as Record<string, unknown>)[key]
    if (typeof member === 'object' && member !== null) checkPlain(member, depth + 1)
  }
}

/** devalue's numbers for undefined, NaN, Infinity, -Infinity and -0; -2 is a hole, -7 begins a sparse array. */
const constants: ReadonlySet<unknown> = new Set([-1, -3, -4, -5, -6])
const hole = -2
const sparse = -7

interface Table {
  readonly entries: readonly unknown[]
  readonly reached: Uint8Array
  count: number
}

/**
 * Checks devalue's table before devalue reads it: every reference leads to an entry, every entry is reached and
 * is of a type that encoding writes, and neither depth nor sparse arrays are out of bounds. devalue itself would
 * follow any depth, make arrays of four billion, and read references outside the table as undefined.
 */
function checkTable(entries: readonly unknown[]): void {
  const table: Table = { entries, reached: new Uint8Array(entries.length), count: 0 }
  follow(table, 0, 0)
  if (table.count !== entries.length) malformed('an entry of its table is not used')
}

function follow(table: Table, reference: unknown, depth: number): void {
  if (constants.has(reference)) return
  // A Uint8Array has nothing outside its bounds, at fractions or at negative numbers.
  const seen = typeof reference === 'number' ? table.reached[reference] : undefined
  if (typeof reference !== 'number' || seen === undefined) malformed('a reference leads nowhere')
  if (seen === 1) return
  table.reached[reference] = 1
  table.count++
  const entry = table.entries[reference]
  if (typeof entry !== 'object' || entry === null) return
  if (depth >= maxDepth + wrapperLevels) malformed(`it is nested more than ${maxDepth} levels deep`)
  if (!Array.isArray(entry)) followProperties(table, entry as Record<string, unknown>, depth)
  else if (typeof entry[0] === 'string') followTagged(table, entry as [string, ...unknown[]], depth)
  else if (entry[0] === sparse) followSparse(table, entry, depth)
  else for (const element of entry) if (element !== hole) follow(table, element, depth + 1)
}

function followProperties(table: Table, entry: Record<string, unknown>, depth: number): void {
  for (const key of Object.keys(entry)) {
    if (key === '__proto__') malformed('it has a key named __proto__')
    follow(table, entry[key], depth + 1)
  }
}

function followSparse(table: Table, entry: readonly unknown[], depth: number): void {
  const length = entry[1]
  if (!Number.isInteger(length) || !((length as number) <= maxSparseLength) || entry.length % 2 !== 0) {
    malformed(`it has an array with holes that is longer than ${maxSparseLength}`)
  }
  for (let i = 2; i < entry.length; i += 2) follow(table, entry[i + 1], depth + 1)
}

function followTagged(table: Table, entry: readonly [string, ...unknown[]], depth: number): void {
  const [tag, first] = entry
  if (tag === 'Set') {
    for (let i = 1; i < entry.length; i++) follow(table, entry[i], depth + 1)
  } else if (tag === 'Map') {
    if (entry.length % 2 === 0) malformed('a Map has a key without a value')
    for (let i = 1; i < entry.length; i++) follow(table, entry[i], depth + 1)
  } else if (tag === 'null') {
    if (entry.length % 2 === 0) malformed('an object has a key without a value')
    for (let i = 2; i < entry.length; i += 2) follow(table, entry[i], depth + 1)
  } else if (tag === 'Error') {
    if (entry.length !== 2) malformed('an Error has parts too many')
    followError(table, first, depth)
  } else if (tag === 'Buffer' || viewNames.has(tag)) {
    const buffer: unknown = typeof first === 'number' ? table.entries[first] : undefined
    if (entry.length !== 2 || !Array.isArray(buffer) || buffer[0] !== 'ArrayBuffer') {
      malformed(`a ${tag} is without its bytes`)
    }
    follow(table, first, depth + 1)
  } else if (!Object.hasOwn(textPatterns, tag))
    malformed(`it has a type that is not known: ${tag.slice(0, 40)}`)
  else if (!entry.every((part) => typeof part === 'string') || entry.length > (tag === 'RegExp' ? 3 : 2)) {
    malformed(`a ${tag} has parts that are not text`)
  } else if (!textPatterns[tag]?.test(String(first))) malformed(`the text of a ${tag} is not one`)
}

/**
 * The fields of an error, and the properties among them, are objects of that error alone: errors that lead to errors
 * would be followed without end, and properties that many share be copied into each.
 */
function followError(table: Table, reference: unknown, depth: number): void {
  const fields = ownObject(table, reference)
  if (Object.hasOwn(fields, 'props')) {
    if (fields.props === reference) malformed('an Error has itself for properties')
    ownObject(table, fields.props)
    // Before the other fields, so that no error among them finds it unreached.
    follow(table, fields.props, depth + 1)
  }
  follow(table, reference, depth)
}

/** The plain object that a reference leads to, if no other did before. */
function ownObject(table: Table, reference: unknown): Readonly<Record<string, unknown>> {
  const isFresh = typeof reference === 'number' && table.reached[reference] === 0
  const entry = isFresh ? table.entries[reference] : undefined
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    malformed('an Error is without fields of its own')
  }
  return entry as Readonly<Record<string, unknown>>
}

const textPatterns: Readonly<Record<string, RegExp>> = {
  Date: /^(?:(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)?$/,
  RegExp: /^/,
  BigInt: /^-?\d+$/,
  ArrayBuffer: /^[\w+/]*={0,2}$/,
  URL: /^/,
  URLSearchParams: /^/,
}

const hashing = createCodec()

/**
 * 22 base64url characters (132 bits) of SHA-256 over the task's name and the canonical form of its arguments:
 * the order of keys, and undefined against absent, do not matter in plain objects. `encoded` is the text of
 * `args`. What is inside an error is taken as it is.
 */
export function payloadHash(task: string, args: readonly unknown[], encoded: Encoded): string {
  const text = args.every(isPrimitive) ? encoded : canonicalText(args, encoded)
  // A JSON string ends where it ends: no other name and text give the same characters.
  return hash('sha256', `${JSON.stringify(task)}${text}`, 'base64url').slice(0, 22)
}

function isPrimitive(value: unknown): boolean {
  return typeof value !== 'object' || value === null
}

function canonicalText(args: readonly unknown[], encoded: Encoded): string {
  const canonical = canonicalOf(args, new Map())
  // Text of plain JSON says that its value is a tree, which needs no guard, and stays one when it is sorted.
  return encoded.startsWith('{') ? escapeForSqs(plainText(canonical)) : hashing.encode(canonical, 'arguments')
}

function canonicalOf(value: unknown, copies: Map<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null) return value
  const known = copies.get(value)
  if (known !== undefined) return known
  if (Array.isArray(value)) {
    const copy: unknown[] = new Array(value.length)
    copies.set(value, copy)
    for (const index of Object.keys(value)) copy[Number(index)] = canonicalOf(value[Number(index)], copies)
    return copy
  }
  if (types.isMap(value)) {
    const copy = new Map<unknown, unknown>()
    copies.set(value, copy)
    for (const [key, item] of value) copy.set(canonicalOf(key, copies), canonicalOf(item, copies))
    return copy
  }
  if (types.isSet(value)) {
    const copy = new Set<unknown>()
    copies.set(value, copy)
    for (const item of value) copy.add(canonicalOf(item, copies))
    return copy
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = prototype === Object.prototype || prototype === null || foreignKind(prototype) === 'Object'
  return isPlain ? canonicalObject(value as Record<string, unknown>, copies) : value
}

function canonicalObject(value: Record<string, unknown>, copies: Map<object, unknown>): object {
  const copy: Record<string, unknown> = Object.getPrototypeOf(value) === null ? Object.create(null) : {}
  copies.set(value, copy)
  for (const key of Object.keys(value).sort()) {
    if (value[key] !== undefined) copy[key] = canonicalOf(value[key], copies)
  }
  return copy
}
