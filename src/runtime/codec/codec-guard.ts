/**
 * The pass that walks a value before it is encoded: it refuses, with the exact path, whatever would not come
 * back as it is, and says whether plain JSON will do.
 *
 * One walk does both, because it runs on every submit. It therefore builds no path until something is refused,
 * and allocates no set of visited objects until an object is met inside another. Properties are read, not
 * inspected: a getter counts as the value it returns, and one that throws is refused.
 * @module
 */
import { inspect, types } from 'node:util'
import { UnsupportedValueError } from '../errors.ts'
import { type ErrorFields, foreignKind, isError, readError } from './error-codec.ts'

/** How deep a value may be nested. */
export const maxDepth = 500

/** How long an array with holes may be: its length is a promise of the sender's, not paid for by its bytes. */
export const maxSparseLength = 1_048_576

/** A step inside a Map or Set, which has no property to name. */
interface EntryStep {
  readonly method: 'get' | 'keys' | 'values'
  readonly key: unknown
  readonly index: number
}

/** `undefined` is a step that does not show: from an error to the object that holds its own properties. */
type Step = string | number | EntryStep | undefined

/** What the walk found, and where it is. */
export interface Survey {
  readonly what: string
  readonly root: unknown
  readonly limit: number
  readonly classOf: (error: object) => string | undefined
  /** Whether JSON alone gives the value back. */
  plain: boolean
  /** The errors met, each with what is sent of it. */
  errors: Map<object, ErrorFields> | undefined
  /** The Buffers met, each with a copy of its bytes. */
  buffers: Map<object, ArrayBuffer> | undefined
  seen: Set<object> | undefined
  readonly trail: Step[]
  /** How many steps of `trail` count. */
  depth: number
}

/** What `survey` needs beside the value. */
export interface SurveyOptions {
  /** The name under which the class of an error is known, if it is. */
  readonly classOf: (error: object) => string | undefined
  /** Errors whose fields are known already. */
  readonly errors?: Map<object, ErrorFields>
  /** @default maxDepth */
  readonly limit?: number
}

/** Walks `value`; throws UnsupportedValueError with a path that starts with `what`. */
export function survey(value: unknown, what: string, options: SurveyOptions): Survey {
  const state: Survey = {
    what,
    root: value,
    limit: options.limit ?? maxDepth,
    classOf: options.classOf,
    plain: true,
    errors: options.errors,
    buffers: undefined,
    seen: undefined,
    trail: [],
    depth: 0,
  }
  try {
    if (typeof value === 'object' && value !== null) visitContents(state, value, 0)
    else visit(state, value, 0)
  } catch (error) {
    if (error instanceof UnsupportedValueError) throw error
    const path = pathOf(state)
    throw new UnsupportedValueError(
      `${path} cannot be read: reading it threw (see cause); send its data as plain values`,
      path,
      { cause: error },
    )
  }
  return state
}

function visit(state: Survey, value: unknown, depth: number): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return
    case 'number':
      if (value === 0 ? 1 / value < 0 : value - value !== 0) state.plain = false
      return
    case 'undefined':
    case 'bigint':
      state.plain = false
      return
    case 'object':
      if (value !== null) visitObject(state, value, depth)
      return
    case 'symbol':
      refuse(state, 'a symbol', 'a symbol exists in one process only; send a string')
      break
    default:
      refuse(state, 'a function', 'code cannot be sent; send data, and call the function in the task')
  }
}

function visitObject(state: Survey, value: object, depth: number): void {
  let seen = state.seen
  if (seen === undefined) {
    seen = new Set()
    if (typeof state.root === 'object' && state.root !== null) seen.add(state.root)
    state.seen = seen
  }
  if (seen.has(value)) {
    state.plain = false
    return
  }
  seen.add(value)
  visitContents(state, value, depth)
}

function visitContents(state: Survey, value: object, depth: number): void {
  if (depth >= state.limit) {
    refuse(
      state,
      `nested more than ${maxDepth} levels deep`,
      'flatten it, or send the id of a stored document',
    )
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype) visitProperties(state, value as Record<string, unknown>, depth)
  else if (Array.isArray(value)) visitArray(state, value, depth)
  else visitExotic(state, value, prototype, depth)
}

function visitProperties(state: Survey, value: Record<string, unknown>, depth: number): void {
  const keys = Object.keys(value)
  if (Object.getOwnPropertySymbols(value).length !== 0) {
    refuse(state, 'an object with a symbol key', 'symbol keys are lost on the way; use string keys')
  }
  if (Object.getOwnPropertyNames(value).length !== keys.length) {
    refuse(state, 'an object with a non-enumerable property', 'such properties are lost; send a plain copy')
  }
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string
    state.trail[depth] = key
    state.depth = depth + 1
    if (key === '__proto__') {
      refuse(state, 'an own property named __proto__', 'it is refused as an attack; use another key')
    }
    visit(state, value[key], depth + 1)
  }
}

function visitArray(state: Survey, value: readonly unknown[], depth: number): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Array.prototype && foreignKind(prototype) !== 'Array') {
    refuse(state, `an instance of ${className(value)}, a subclass of Array`, 'copy it with Array.from')
  }
  // An argument list is spread into the call, so nothing but its elements can reach the task: it need not pay
  // for the look at its keys, which costs more than the rest of the walk together.
  const keysChecked = depth === 0 && state.what === 'arguments'
  if (!keysChecked && hasExtraKeys(value)) {
    refuse(state, 'an array with extra properties', 'only elements are sent; use a plain object')
  }
  const length = value.length
  for (let i = 0; i < length; i++) {
    state.trail[depth] = i
    state.depth = depth + 1
    const element = value[i]
    if (element === undefined && !Object.hasOwn(value, i)) {
      visitSparse(state, value, depth)
      break
    }
    visit(state, element, depth + 1)
  }
}

/** An array with holes, by its keys: its length costs nothing to claim. What was visited before is seen. */
function visitSparse(state: Survey, value: readonly unknown[], depth: number): void {
  state.depth = depth
  state.plain = false
  if (value.length > maxSparseLength) {
    refuse(
      state,
      `an array with holes and length ${value.length}`,
      `such arrays may have up to ${maxSparseLength} places; send a Map from index to value`,
    )
  }
  for (const key of Object.keys(value)) {
    const index = Number(key)
    state.trail[depth] = index
    state.depth = depth + 1
    visit(state, value[index], depth + 1)
  }
}

/** Above this, listing the indices of an array costs more than printing what is not an index (20 ms at 100,000). */
const listableLength = 128

/** Whether an array or view has properties that are neither elements nor its length. */
function hasExtraKeys(value: readonly unknown[] | NodeJS.TypedArray): boolean {
  const isArray = Array.isArray(value)
  const length = value.length
  if (length <= listableLength) {
    let expected = length + (isArray ? 1 : 0)
    // A hole makes the count come out short by one, which a named property could hide.
    for (let i = 0; i < length; i++) if (value[i] === undefined && !Object.hasOwn(value, i)) expected--
    return Reflect.ownKeys(value).length !== expected
  }
  // Node's inspector is the one public way to the properties that are not indices without listing the indices.
  const options = { maxArrayLength: 0, depth: 0, customInspect: false, showHidden: isArray }
  const bareLength = listableLength + 1
  const bare = isArray ? new Array(bareLength) : bareView(value as NodeJS.TypedArray, bareLength)
  return inspect(value, options) !== inspect(bare, options).replaceAll(`${bareLength}`, `${length}`)
}

function bareView(view: NodeJS.TypedArray, length: number): NodeJS.TypedArray {
  if (Buffer.isBuffer(view)) return Buffer.alloc(length)
  const View = Object.getPrototypeOf(view).constructor as new (length: number) => NodeJS.TypedArray
  return new View(length)
}

const typedArrayNames = (
  'Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array ' +
  'Float16Array Float32Array Float64Array BigInt64Array BigUint64Array'
).split(' ')

/** The names of the views that are sent, as they stand in the encoded text too. */
export const viewNames: ReadonlySet<string> = new Set([...typedArrayNames, 'DataView'])

/** A prototype can be borrowed (`Object.create(Map.prototype)`); what an object is inside cannot. */
const isOfKind: Readonly<Record<string, (value: object) => boolean>> = {
  Map: types.isMap,
  Set: types.isSet,
  Date: types.isDate,
  RegExp: types.isRegExp,
  ArrayBuffer: types.isArrayBuffer,
  DataView: types.isDataView,
  Buffer: types.isUint8Array,
  URL: (value) => URL.prototype.toString.call(value) !== '',
  URLSearchParams: (value) => URLSearchParams.prototype.toString.call(value) !== undefined,
  ...Object.fromEntries(typedArrayNames.map((name) => [name, types.isTypedArray])),
}

const kindOfPrototype = new Map<unknown, string>(
  Object.keys(isOfKind)
    .filter((name) => name in globalThis)
    .map((name) => [Reflect.get(globalThis, name).prototype, name]),
)

function visitExotic(state: Survey, value: object, prototype: unknown, depth: number): void {
  state.plain = false
  const kind = kindOfPrototype.get(prototype) ?? foreignKind(prototype)
  if (prototype === null || kind === 'Object') {
    visitProperties(state, value as Record<string, unknown>, depth)
  } else if (state.errors?.has(value) || isError(value)) visitError(state, value, depth)
  else if (kind === undefined || !Object.hasOwn(isOfKind, kind) || !isOfKind[kind]?.(value)) {
    refuseInstance(state, value)
  } else if (ArrayBuffer.isView(value)) visitView(state, value as NodeJS.ArrayBufferView, kind)
  else visitBuiltIn(state, value, kind, depth)
}

function visitBuiltIn(state: Survey, value: object, kind: string, depth: number): void {
  if (Reflect.ownKeys(value).length !== (kind === 'RegExp' ? 1 : 0)) {
    refuse(state, `a ${kind} with extra properties`, 'they are lost on the way; send them beside it')
  }
  if (kind === 'Map') visitMap(state, value as Map<unknown, unknown>, depth)
  else if (kind === 'Set') visitSet(state, value as Set<unknown>, depth)
  else if (kind === 'ArrayBuffer') checkBuffer(state, value as ArrayBuffer)
  else if (kind === 'RegExp' && (value as RegExp).lastIndex !== 0) {
    refuse(state, 'a RegExp whose lastIndex is not 0', 'its position is lost; send the index beside it')
  }
}

function visitMap(state: Survey, value: ReadonlyMap<unknown, unknown>, depth: number): void {
  let index = 0
  for (const [key, item] of value) {
    state.trail[depth] = { method: 'keys', key, index }
    state.depth = depth + 1
    visit(state, key, depth + 1)
    state.trail[depth] = { method: 'get', key, index }
    state.depth = depth + 1
    visit(state, item, depth + 1)
    index++
  }
}

function visitSet(state: Survey, value: ReadonlySet<unknown>, depth: number): void {
  let index = 0
  for (const item of value) {
    state.trail[depth] = { method: 'values', key: undefined, index }
    state.depth = depth + 1
    visit(state, item, depth + 1)
    index++
  }
}

function checkBuffer(state: Survey, buffer: ArrayBufferLike): void {
  if (!types.isArrayBuffer(buffer)) {
    refuse(state, 'backed by a SharedArrayBuffer', 'memory cannot be shared with a task; send a copy')
  }
  // `detached` came with Node 22, but is not in the types of es2024's library.
  if (buffer.resizable || Reflect.get(buffer, 'detached') === true) {
    refuse(
      state,
      `a ${buffer.resizable ? 'resizable' : 'detached'} buffer`,
      'it would come back fixed; send a copy',
    )
  }
}

function visitView(state: Survey, value: NodeJS.ArrayBufferView, kind: string): void {
  checkBuffer(state, value.buffer)
  const isTypedArray = types.isTypedArray(value)
  if (isTypedArray && kind !== 'Buffer' && value[Symbol.toStringTag] !== kind) refuseInstance(state, value)
  if (isTypedArray ? hasExtraKeys(value) : Reflect.ownKeys(value).length !== 0) {
    refuse(state, `a ${kind} with extra properties`, 'they are lost on the way; send them beside it')
  }
  if (kind !== 'Buffer') return
  state.buffers ??= new Map()
  // Small Buffers are windows on a pool that all of the process shares: only a copy may leave.
  state.buffers.set(value, new Uint8Array(value as Buffer).buffer)
}

function visitError(state: Survey, value: object, depth: number): void {
  state.errors ??= new Map()
  let fields = state.errors.get(value)
  if (fields === undefined) {
    fields = readError(value, state.classOf, (found, fix) => refuse(state, found, fix))
    state.errors.set(value, fields)
  }
  for (const key of ['errors', 'cause'] as const) {
    if (!Object.hasOwn(fields, key)) continue
    state.trail[depth] = key
    state.depth = depth + 1
    visit(state, fields[key], depth + 1)
  }
  if (fields.props === undefined) return
  state.trail[depth] = undefined
  state.depth = depth + 1
  visitObject(state, fields.props, depth + 1)
}

function className(value: object): string {
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== '' ? `class ${name}` : 'an unnamed class'
}

function refuseInstance(state: Survey, value: object): never {
  const has = (name: string) => typeof Reflect.get(value, name) === 'function'
  if (types.isPromise(value) || has('then')) refuse(state, 'a promise', 'await it, and send what it gives')
  if (types.isBoxedPrimitive(value)) refuse(state, 'a boxed primitive', 'send the primitive: value.valueOf()')
  if (types.isSharedArrayBuffer(value)) {
    refuse(state, 'a SharedArrayBuffer', 'memory cannot be shared with a task; send a copy')
  }
  const what = `an instance of ${className(value)}`
  if (has('arrayBuffer')) refuse(state, what, 'read its body first (text(), json(), arrayBuffer())')
  if (has('pipe') || has('getReader') || has('pipeTo')) {
    refuse(state, `${what}, a stream`, 'read it first, or store it and send its key')
  }
  if (has('next')) refuse(state, 'an iterator or generator', 'collect it into an array: [...value]')
  refuse(
    state,
    what,
    'only plain data comes back as it is: send a plain object and build the instance in the task',
  )
}

function refuse(state: Survey, found: string, fix: string): never {
  const path = pathOf(state)
  throw new UnsupportedValueError(`${path} is ${found}, which cannot be sent: ${fix}`, path)
}

function pathOf(state: Survey): string {
  return state.what + state.trail.slice(0, state.depth).map(stepText).join('')
}

function stepText(step: Step): string {
  if (step === undefined) return ''
  if (typeof step === 'number') return `[${step}]`
  if (typeof step === 'string')
    return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`
  if (step.method !== 'get') return `.${step.method}()[${step.index}]`
  if (typeof step.key === 'string') return `.get(${JSON.stringify(step.key)})`
  const isNamed =
    typeof step.key !== 'object' && typeof step.key !== 'function' && typeof step.key !== 'symbol'
  return isNamed ? `.get(${String(step.key)})` : `.get(keys()[${step.index}])`
}
