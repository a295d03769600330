/**
 * Errors as data. Two ways in: `readError` takes an error found among values as it is, or refuses it;
 * `captureThrown` takes whatever a task threw, cuts it to `errorLimits` and never fails. One way back:
 * `reviveError`. A class is never looked up by a name from outside: names are keys of a Map made from the
 * registered classes, JavaScript's own and errand's.
 * @module
 */
import { inspect, types } from 'node:util'
import * as errors from '../errors.ts'

/** A class whose instances may be sent as themselves. */
export type ErrorClass = abstract new (...args: never[]) => Error

/** What is sent of an error. `class` is the name under which its class is known, if it is. */
export interface ErrorFields {
  class?: string
  name?: string
  message?: string
  stack?: string
  errors?: readonly unknown[]
  cause?: unknown
  /** Own enumerable properties. */
  props?: Record<string, unknown>
}

/**
 * What is kept of a thrown error. Texts are cut at a code point and end in "… (N more bytes)"; properties that
 * do not fit, or cannot be encoded, are left out.
 */
export const errorLimits = {
  /** UTF-8 bytes of a message. */
  messageBytes: 4096,
  /** UTF-8 bytes of a stack. */
  stackBytes: 8192,
  /** Errors behind the thrown one, along `cause`. */
  causeDepth: 5,
  /** Encoded bytes of the own properties of one error, together. */
  propertiesBytes: 4096,
  /** Members of `AggregateError.errors`. */
  errors: 10,
  /** Encoded bytes after which no further error of the tree is begun: trees of AggregateErrors grow fast. */
  totalBytes: 131_072,
} as const

/** Which classes are known, by name and by prototype. */
export interface ErrorClasses {
  /** The name under which the class of `error` is known; subclasses of a known class are not. */
  classOf(error: object): string | undefined
  /** The prototype of the class known as `name`. */
  prototypeOf(name: string): object | undefined
}

const standard: Readonly<Record<string, ErrorClass>> = {
  ...{ TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError, AggregateError },
}
const ownClasses = Object.entries(errors).filter((entry) => typeof entry[1] === 'function')
const fixedPrototypes = new Map<string, object>(
  [...Object.entries(standard), ...ownClasses].map(([name, known]) => [name, known.prototype]),
)
/** By code, as `is` compares: an errand that was loaded twice has two of each class. */
const ownNameOfCode = new Map(ownClasses.map(([name, known]) => [known.code, name]))
const errandBrand = Symbol.for('errand.error')

/** The known classes: the registered ones, JavaScript's own and errand's. */
export function errorClasses(registered: Readonly<Record<string, ErrorClass>> = {}): ErrorClasses {
  const prototypes = new Map(fixedPrototypes)
  for (const [name, known] of Object.entries(registered)) {
    const prototype: unknown = typeof known === 'function' ? known.prototype : undefined
    if (typeof prototype !== 'object' || prototype === null || !isError(prototype)) {
      throw new errors.InvalidOptionError(
        `errors: "${name}" is not a class of errors; give classes that extend Error: { ${name} }`,
      )
    }
    if (fixedPrototypes.has(name) && fixedPrototypes.get(name) !== prototype) {
      throw new errors.InvalidOptionError(
        `errors: "${name}" is the name of a built-in class; register yours under another name`,
      )
    }
    prototypes.set(name, prototype)
  }
  // The registered names are last, and so win where a class has two.
  const names = new Map([...prototypes].map(([name, prototype]) => [prototype, name]))
  return {
    classOf(error) {
      const prototype: object | null = Object.getPrototypeOf(error)
      if (prototype === null || prototype === Error.prototype) return undefined
      const known = names.get(prototype)
      if (known !== undefined) return known
      if (errors.ErrandError.is(error)) return ownNameOfCode.get(error.code)
      const foreign = foreignKind(prototype)
      return foreign !== undefined && Object.hasOwn(standard, foreign) ? foreign : undefined
    },
    prototypeOf: (name) => prototypes.get(name),
  }
}

const objectSource = Function.prototype.toString.call(Object)

/**
 * `Object`, `Array`, `Map`… if `prototype` is that class's in another realm (a vm context): known by its native
 * constructor, which no script can forge. Such values come back with this realm's prototype.
 */
export function foreignKind(prototype: unknown): string | undefined {
  if (typeof prototype !== 'object' || prototype === null) return undefined
  const create: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  if (typeof create !== 'function' || create.prototype !== prototype) return undefined
  const name: unknown = Object.getOwnPropertyDescriptor(create, 'name')?.value
  if (typeof name !== 'string') return undefined
  const isNative = Function.prototype.toString.call(create) === objectSource.replace('Object', name)
  return isNative ? name : undefined
}

/** Whether `value` is an error: of this realm or another, a DOMException, or made the old way by prototypes. */
export function isError(value: object): boolean {
  return types.isNativeError(value) || value instanceof Error
}

/** Reads an error that is part of a value. `refuse` throws. */
export function readError(
  error: object,
  classOf: ErrorClasses['classOf'],
  refuse: (found: string, fix: string) => never,
): ErrorFields {
  const source = error as Error & { errors?: unknown }
  const { name, message, stack } = source
  if (typeof name !== 'string' || typeof message !== 'string') {
    refuse('an error whose name or message is not a string', 'give it texts')
  }
  const fields = headOf(source, name, classOf)
  if (message !== '' || Object.hasOwn(source, 'message')) fields.message = message
  if (typeof stack === 'string') fields.stack = stack
  if (Object.hasOwn(source, 'errors') && !isEnumerable(source, 'errors') && Array.isArray(source.errors)) {
    fields.errors = source.errors
  }
  if (Object.hasOwn(source, 'cause')) fields.cause = source.cause
  if (Object.getOwnPropertySymbols(source).some((key) => isEnumerable(source, key))) {
    refuse('an error with a symbol key', 'symbol keys are lost on the way; use string keys')
  }
  const keys = ownKeys(source)
  if (keys.length > 0) fields.props = Object.fromEntries(keys.map((key) => [key, Reflect.get(source, key)]))
  return fields
}

function headOf(error: object, name: string, classOf: ErrorClasses['classOf']): ErrorFields {
  const fields: ErrorFields = {}
  const known = classOf(error)
  if (known !== undefined) fields.class = known
  if (name !== 'Error') fields.name = name
  return fields
}

function isEnumerable(value: object, key: PropertyKey): boolean {
  return Object.prototype.propertyIsEnumerable.call(value, key)
}

/** The own properties that are not sent as fields. Hidden ones belong to the library that hid them. */
function ownKeys(error: object): string[] {
  return Object.keys(error).filter((key) => key !== 'message' && key !== 'stack' && key !== 'cause')
}

/**
 * Gives `fields` back as an error. Called twice with the same fields when an error is part of a cycle (once
 * before the fields are complete), it returns the same error, completed.
 */
export function reviveError(fields: unknown, classes: ErrorClasses, revived: Map<object, Error>): Error {
  if (!isErrorFields(fields)) throw new TypeError('not the fields of an error')
  let error = revived.get(fields)
  if (error === undefined) {
    error = fields.message === undefined ? new Error() : new Error(fields.message)
    const prototype = fields.class === undefined ? undefined : classes.prototypeOf(fields.class)
    if (prototype !== undefined) Object.setPrototypeOf(error, prototype)
    if (error instanceof errors.ErrandError) Object.defineProperty(error, errandBrand, { value: true })
    const name = fields.name ?? 'Error'
    if (error.name !== name || error instanceof errors.ErrandError) hide(error, 'name', name)
    hide(error, 'stack', fields.stack ?? (fields.message ? `${name}: ${fields.message}` : name))
    revived.set(fields, error)
  }
  if (Object.hasOwn(fields, 'cause')) hide(error, 'cause', fields.cause)
  if (fields.errors !== undefined) hide(error, 'errors', fields.errors)
  for (const [key, value] of Object.entries(fields.props ?? {})) {
    Object.defineProperty(error, key, { value, writable: true, enumerable: true, configurable: true })
  }
  return error
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true })
}

function isErrorFields(value: unknown): value is ErrorFields {
  if (!isPlainObject(value)) return false
  const isText = (key: string) => value[key] === undefined || typeof value[key] === 'string'
  if (!['class', 'name', 'message', 'stack'].every(isText)) return false
  if (value.errors !== undefined && !Array.isArray(value.errors)) return false
  return value.props === undefined || isPlainObject(value.props)
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** What `captureThrown` needs of the codec. */
export interface Capture {
  readonly classOf: ErrorClasses['classOf']
  /** An inert copy of a value and the bytes of its text; throws if it cannot be encoded. */
  copy(value: unknown): { readonly value: unknown; readonly bytes: number }
}

/** A thrown value made ready: `root` stands for the error, whose fields (and its causes') are in `errors`. */
export interface Captured {
  readonly root: object
  readonly errors: Map<object, ErrorFields>
}

interface Capturing extends Capture, Captured {
  readonly chain: Set<unknown>
  spent: number
}

/** Takes what a task threw: an error cut to `errorLimits`; anything else inside a NonErrorThrownError. */
export function captureThrown(thrown: unknown, task: string, capture: Capture): Captured {
  const state: Capturing = { ...capture, root: {}, errors: new Map(), chain: new Set(), spent: 0 }
  const root = attempt(() => isObject(thrown) && isError(thrown))
    ? captureError(state, thrown as object, 0)
    : captureOther(state, thrown, task)
  return { root, errors: state.errors }
}

/** What stands for a thrown value that defeated `captureThrown`. It reads nothing, so it cannot fail. */
export function unreadable(): Captured {
  const name = 'NonErrorThrownError'
  const props = { code: errors.NonErrorThrownError.code, value: undefined }
  return standIn(new Map(), { class: name, name, message: 'a task threw a value that cannot be read', props })
}

function standIn(known: Map<object, ErrorFields>, fields: ErrorFields): Captured {
  const root = Object.create(Error.prototype) as object
  known.set(root, fields)
  return { root, errors: known }
}

function captureError(state: Capturing, error: object, depth: number): object {
  const read = (key: string) => attempt(() => Reflect.get(error, key))
  const name = read('name')
  const label = typeof name === 'string' && name !== '' ? cutText(name, 256) : 'Error'
  const fields = attempt(() => headOf(error, label, state.classOf)) ?? { name: label }
  const message = read('message')
  const stack = read('stack')
  if (typeof message === 'string') fields.message = cutText(message, errorLimits.messageBytes)
  if (typeof stack === 'string') fields.stack = cutText(stack, errorLimits.stackBytes)
  const props = captureProperties(state, error, read)
  if (props !== undefined) fields.props = props
  state.spent += Buffer.byteLength(JSON.stringify([fields.message, fields.stack]))
  const { root } = standIn(state.errors, fields)
  state.chain.add(error)
  captureRelated(state, error, fields, depth)
  state.chain.delete(error)
  return root
}

function captureRelated(state: Capturing, error: object, fields: ErrorFields, depth: number): void {
  const cause = attempt(() => ({ value: Reflect.get(error, 'cause') as unknown }))?.value
  if (cause !== undefined) {
    const kept = captureOne(state, cause, depth)
    if (kept !== undefined) fields.cause = kept.value
  }
  const members: unknown = attempt(() => Reflect.get(error, 'errors'))
  if (!attempt(() => Array.isArray(members) && !isEnumerable(error, 'errors'))) return
  const count = Math.min(attempt(() => (members as unknown[]).length) ?? 0, errorLimits.errors)
  const kept: unknown[] = []
  for (let i = 0; i < count; i++) {
    const member = captureOne(
      state,
      attempt(() => (members as unknown[])[i]),
      depth,
    )
    if (member !== undefined) kept.push(member.value)
  }
  fields.errors = kept
}

/** A cause or a member of an AggregateError; nothing if it is beyond the limits or a cycle. */
function captureOne(
  state: Capturing,
  value: unknown,
  depth: number,
): { readonly value: unknown } | undefined {
  if (attempt(() => isObject(value) && isError(value))) {
    const isBeyond = depth >= errorLimits.causeDepth || state.spent >= errorLimits.totalBytes
    if (isBeyond || state.chain.has(value)) return undefined
    return { value: captureError(state, value as object, depth + 1) }
  }
  if (typeof value === 'string') {
    const text = cutText(value, errorLimits.messageBytes)
    state.spent += text.length
    return { value: text }
  }
  return captureValue(state, value, errorLimits.propertiesBytes)
}

function captureValue(state: Capturing, value: unknown, room: number) {
  if (typeof value === 'string' && value.length > room) return undefined
  const copy = attempt(() => state.copy(value))
  if (copy === undefined || copy.bytes > room) return undefined
  state.spent += copy.bytes
  return copy
}

function captureProperties(state: Capturing, error: object, read: (key: string) => unknown) {
  const props: Record<string, unknown> = {}
  let room: number = errorLimits.propertiesBytes
  for (const key of attempt(() => ownKeys(error)) ?? []) {
    if (room <= 0) break
    // An error whose name is no text could not be sent on, as the argument of what follows.
    if (key === 'name' && typeof read(key) !== 'string') continue
    room -= Buffer.byteLength(key) + 4
    const kept = key === '__proto__' ? undefined : captureValue(state, read(key), room)
    if (kept === undefined) continue
    room -= kept.bytes
    props[key] = kept.value
  }
  return Object.keys(props).length > 0 ? props : undefined
}

function captureOther(state: Capturing, thrown: unknown, task: string): object {
  const name = 'NonErrorThrownError'
  const text = `task ${quote(task)} threw ${describe(thrown)}; throw an Error so that its stack is kept`
  const value = captureValue(state, thrown, errorLimits.propertiesBytes)?.value
  const props = { code: errors.NonErrorThrownError.code, value }
  return standIn(state.errors, { class: name, name, message: text, props }).root
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  const options = {
    depth: 1,
    breakLength: Infinity,
    customInspect: false,
    maxStringLength: 200,
    maxArrayLength: 10,
  }
  const text = typeof value === 'string' ? quote(cutText(value, 200)) : attempt(() => inspect(value, options))
  const kind = typeof value === 'object' ? 'an object' : `a ${typeof value}`
  return text === undefined ? kind : `${kind}: ${cutText(text, 400)}`
}

const quote = (text: string) => JSON.stringify(cutText(text, 300))
const isObject = (value: unknown) => typeof value === 'object' && value !== null

/** What `read` gives, or undefined if it throws: anything of a thrown value may be a trap. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

const encoder = new TextEncoder()
const markBytes = 32

/** `text` in at most `limit` UTF-8 bytes, whole code points, with a mark that says what was cut. */
export function cutText(text: string, limit: number): string {
  if (text.length * 3 <= limit) return text
  const total = Buffer.byteLength(text)
  if (total <= limit) return text
  const { read, written } = encoder.encodeInto(text, new Uint8Array(limit - markBytes))
  return `${text.slice(0, read)}… (${total - written} more bytes)`
}
