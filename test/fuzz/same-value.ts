/**
 * Whether two values are the same in every way that a program can see: prototypes, -0, holes, what is shared with
 * what, cycles. Written without the codec, and stricter than a deep-equal of a test runner. The order of keys and
 * whether a property can be written do not count.
 * @module
 */
import { types } from 'node:util'

interface Comparison {
  /** Which object of one side stands for which of the other, both ways: neither side may share more. */
  readonly forth: Map<object, object>
  readonly back: Map<object, object>
}

/** Where `actual` first differs from `expected` and how, or `undefined` where they are the same. */
export function differenceOf(expected: unknown, actual: unknown): string | undefined {
  return compare({ forth: new Map(), back: new Map() }, expected, actual)
}

function compare(state: Comparison, expected: unknown, actual: unknown): string | undefined {
  if (!isObject(expected) || !isObject(actual)) {
    return Object.is(expected, actual) ? undefined : `: ${kindOf(expected)} became ${kindOf(actual)}`
  }
  if (state.forth.has(expected) || state.back.has(actual)) {
    const same = state.forth.get(expected) === actual && state.back.get(actual) === expected
    return same ? undefined : ': other things are shared'
  }
  state.forth.set(expected, actual)
  state.back.set(actual, expected)
  if (Object.getPrototypeOf(expected) !== Object.getPrototypeOf(actual)) return ': another prototype'
  const kind = innerKind(expected)
  if (innerKind(actual) !== kind) return `: ${kind} became ${innerKind(actual)}`
  return compareInside(state, kind, expected, actual) ?? compareProperties(state, kind, expected, actual)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function kindOf(value: unknown): string {
  if (Object.is(value, -0)) return '-0'
  return isObject(value) ? 'an object' : `${typeof value} ${String(value).slice(0, 40)}`
}

/** What an object is inside, whatever its prototype says. */
function innerKind(value: object): string {
  if (Array.isArray(value)) return 'array'
  if (types.isMap(value)) return 'map'
  if (types.isSet(value)) return 'set'
  if (types.isDate(value)) return 'date'
  if (types.isRegExp(value)) return 'regexp'
  if (ArrayBuffer.isView(value)) return 'view'
  if (types.isAnyArrayBuffer(value)) return 'buffer'
  if (types.isNativeError(value)) return 'error'
  if (value instanceof URL || value instanceof URLSearchParams) return 'url'
  return 'object'
}

function compareInside(
  state: Comparison,
  kind: string,
  expected: object,
  actual: object,
): string | undefined {
  switch (kind) {
    case 'map': {
      const [a, b] = [[...(expected as Map<unknown, unknown>)], [...(actual as Map<unknown, unknown>)]]
      return compareLists(state, a.flat(1), b.flat(1), 'entries')
    }
    case 'set':
      return compareLists(state, [...(expected as Set<unknown>)], [...(actual as Set<unknown>)], 'values')
    case 'date':
      return compare(state, (expected as Date).getTime(), (actual as Date).getTime())
    case 'regexp':
    case 'url':
      return String(expected) === String(actual) ? undefined : `: ${expected} became ${actual}`
    case 'error': {
      const [a, b] = [expected as Error, actual as Error]
      return compareLists(state, [a.name, a.stack], [b.name, b.stack], 'texts')
    }
    case 'view':
      return compareViews(state, expected as NodeJS.ArrayBufferView, actual as NodeJS.ArrayBufferView)
    case 'buffer':
      return compareBytes(new Uint8Array(expected as ArrayBuffer), new Uint8Array(actual as ArrayBuffer))
    default:
      return undefined
  }
}

function compareLists(
  state: Comparison,
  expected: readonly unknown[],
  actual: readonly unknown[],
  name: string,
): string | undefined {
  if (expected.length !== actual.length) return `.${name}: ${expected.length} became ${actual.length}`
  for (let index = 0; index < expected.length; index++) {
    const difference = compare(state, expected[index], actual[index])
    if (difference !== undefined) return `.${name}[${index}]${difference}`
  }
  return undefined
}

function compareViews(
  state: Comparison,
  expected: NodeJS.ArrayBufferView,
  actual: NodeJS.ArrayBufferView,
): string | undefined {
  const [a, b] = [expected, actual].map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  )
  const difference = compareBytes(a as Uint8Array, b as Uint8Array)
  // Whose memory a Buffer is part of is nobody's business; of the others, all that they show.
  if (difference !== undefined || Buffer.isBuffer(expected)) return difference
  if (actual.byteLength !== actual.buffer.byteLength) return ': it shows a part only'
  return compare(state, expected.buffer, actual.buffer)
}

function compareBytes(expected: Uint8Array, actual: Uint8Array): string | undefined {
  return Buffer.compare(expected, actual) === 0 ? undefined : ': other bytes'
}

function compareProperties(
  state: Comparison,
  kind: string,
  expected: object,
  actual: object,
): string | undefined {
  const keys = ownKeys(kind, expected)
  const others = ownKeys(kind, actual)
  for (const key of others) if (!Object.hasOwn(expected, key)) return `: a new property ${String(key)}`
  for (const key of keys) {
    const [a, b] = [expected, actual].map((side) => Object.getOwnPropertyDescriptor(side, key))
    if (b === undefined) return `: no property ${String(key)}`
    if (!('value' in b) || a?.enumerable !== b.enumerable) return `.${String(key)}: another kind of property`
    const difference = compare(state, a?.value, b.value)
    if (difference !== undefined) return `.${String(key)}${difference}`
  }
  return undefined
}

/** The own keys that count: a view's elements were compared, and where a text of an error lies is not seen. */
function ownKeys(kind: string, value: object): readonly PropertyKey[] {
  if (kind === 'view') return []
  const keys = Reflect.ownKeys(value)
  if (kind !== 'error') return keys
  const isText = (key: PropertyKey) => key === 'name' || key === 'stack'
  return keys.filter((key) => !isText(key) || Object.prototype.propertyIsEnumerable.call(value, key))
}
