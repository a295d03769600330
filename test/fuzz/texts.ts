/**
 * Texts that the codec did not write, or that were changed on the way: each decodes to a value in proportion to
 * it, or is malformed.
 * @module
 */
import fc from 'fast-check'
import * as errors from '../../src/runtime/errors.ts'
import { buildValue, RegisteredError } from './build-value.ts'
import { errorKinds, recipes, viewNames } from './recipe.ts'
import { codec } from './values.ts'

/** One change of a text; places and lengths are taken within it. */
export type Edit =
  | { readonly do: 'replace'; readonly at: number; readonly length: number; readonly by: string }
  | { readonly do: 'flip'; readonly at: number; readonly bit: number }
  | { readonly do: 'cut'; readonly at: number }
  | { readonly do: 'repeat'; readonly at: number; readonly length: number; readonly times: number }
  | { readonly do: 'move'; readonly at: number; readonly length: number; readonly to: number }
  /** The number that comes next after `at` becomes this one: a reference, a length or a version. */
  | { readonly do: 'renumber'; readonly at: number; readonly by: string }

const at = fc.nat({ max: 100_000 })
const length = fc.nat({ max: 40 })
const pieces = fc.constantFrom(
  ...['', '0', '-1', '-2', '-7', '1e9', '4294967295', '[', ']', '{', '}', ',', ':', '"', '\\', '\u0000'],
  ...['null', '"__proto__":', '["Error",1]', '["Map",1,2]', '["null","__proto__",1]', '[-7,1048576,5,1]'],
  ...['{"json":', '["constructor",1]', '\\ud800', '["Function","x"]', '["Object",1]', '["Buffer",1]'],
)
const numbers = fc.constantFrom(
  '-1',
  '-2',
  '-7',
  '-8',
  '0',
  '1',
  '2',
  '3',
  '0.5',
  '1e999',
  '4294967295',
  '1048577',
)

/** Changes of texts. */
export const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('replace' as const), at, length: fc.nat({ max: 4 }), by: pieces }),
    { arbitrary: fc.record({ do: fc.constant('renumber' as const), at, by: numbers }), weight: 6 },
    fc.record({ do: fc.constant('flip' as const), at, bit: fc.nat({ max: 7 }) }),
    fc.record({ do: fc.constant('repeat' as const), at, length, times: fc.constantFrom(1, 2, 10, 500) }),
    fc.record({ do: fc.constant('move' as const), at, length, to: at }),
    fc.record({ do: fc.constant('cut' as const), at }),
  ),
  { minLength: 1, maxLength: 3 },
)

/** `text` after these changes. */
export function edited(text: string, changes: readonly Edit[]): string {
  return changes.reduce((changed, edit) => (changed === '' ? changed : apply(changed, edit)), text)
}

function apply(text: string, edit: Edit): string {
  const start = edit.at % text.length
  switch (edit.do) {
    case 'replace':
      return text.slice(0, start) + edit.by + text.slice(start + edit.length)
    case 'renumber':
      return text.slice(0, start) + text.slice(start).replace(/-?\d+/, edit.by)
    case 'flip':
      return (
        text.slice(0, start) +
        String.fromCharCode(text.charCodeAt(start) ^ (1 << edit.bit)) +
        text.slice(start + 1)
      )
    case 'cut':
      return text.slice(0, start)
    case 'repeat':
      return (
        text.slice(0, start) + text.slice(start, start + edit.length).repeat(edit.times) + text.slice(start)
      )
    case 'move': {
      const rest = text.slice(0, start) + text.slice(start + edit.length)
      const to = edit.to % (rest.length + 1)
      return rest.slice(0, to) + text.slice(start, start + edit.length) + rest.slice(to)
    }
  }
}

const references = fc.integer({ min: -8, max: 12 })
const tags = fc.constantFrom(
  ...[
    'Date',
    'Set',
    'Map',
    'RegExp',
    'Object',
    'BigInt',
    'null',
    'Uint8Array',
    'DataView',
    'ArrayBuffer',
    'URL',
  ],
  ...['URLSearchParams', 'Error', 'Buffer', 'Float64Array', 'constructor', '__proto__', 'Temporal.Instant'],
  ...['toString', 'Function', 'Promise', 'Symbol', 'Proxy', '$type'],
)
const fieldNames = fc.constantFrom(
  ...['class', 'name', 'message', 'stack', 'cause', 'errors', 'props', '__proto__', 'then', 'a'],
)
const entries = fc.oneof(
  fc.array(references, { maxLength: 6 }),
  fc.tuple(tags, references),
  fc.tuple(tags, fc.oneof(fc.string(), fc.base64String(), fc.constantFrom('TypeError', 'g', 'registered'))),
  fc.tuple(tags, references, references, references),
  fc.tuple(
    fc.constant(-7),
    fc.constantFrom(0, 3, 1_048_576, 1_048_577, 4_294_967_295),
    references,
    references,
  ),
  fc.dictionary(fieldNames, references, { maxKeys: 5 }),
  fc.oneof(
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom('RangeError', 'registered'),
  ),
)

/** An error that names the class it wants to be. */
const wishfulErrors = fc
  .record({
    name: fc.constantFrom(
      'Map',
      'Function',
      'Promise',
      'constructor',
      '__proto__',
      'Object',
      'ErrandError',
      'registered',
    ),
    fields: fc.dictionary(fieldNames, references, { maxKeys: 3 }),
    others: fc.array(entries, { maxLength: 4 }),
  })
  .map(({ name, fields, others }) => [['Error', 1], { ...fields, class: 2 }, name, ...others])

/** Tables of the codec's form that nothing has checked. */
export const forgedTables = fc
  .oneof(
    { arbitrary: fc.array(entries, { minLength: 1, maxLength: 12 }), weight: 9 },
    { arbitrary: wishfulErrors, weight: 1 },
  )
  .map((table) => JSON.stringify(table))

const sources = fc.oneof(
  {
    arbitrary: fc.record({ from: fc.constant('value' as const), recipe: recipes({ refused: 0 }), edits }),
    weight: 6,
  },
  { arbitrary: fc.record({ from: fc.constant('thrown' as const), recipe: recipes(), edits }), weight: 2 },
  { arbitrary: fc.record({ from: fc.constant('table' as const), text: forgedTables }), weight: 6 },
  {
    arbitrary: fc.record({
      from: fc.constant('text' as const),
      text: fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.json()),
    }),
    weight: 1,
  },
)

function textOf(source: typeof sources extends fc.Arbitrary<infer Source> ? Source : never): string {
  if (!('recipe' in source)) return source.text
  const { sent, tooDeep } = buildValue(source.recipe)
  const isValue = source.from === 'value' && !tooDeep
  const text = isValue ? codec.encode(sent, 'result') : codec.encodeThrown(sent, 'task')
  return edited(text, source.edits)
}

/** Texts that decode, or are malformed: a property for fast-check. Counts which became of them. */
export function textProperty(counts: { decoded: number; malformed: number }) {
  return fc.property(sources, (source) => {
    const text = textOf(source)
    let value: unknown
    try {
      value = codec.decode(text)
    } catch (error) {
      if (!(error instanceof errors.MalformedMessageError)) throw error
      counts.malformed++
      return
    }
    counts.decoded++
    checkBounds(value, text)
    checkSendable(value)
  })
}

/** Parts that one character of text may make: a table's shortest entries make an error of four properties. */
const partsPerCharacter = 4

function checkBounds(value: unknown, text: string): void {
  const parts = countParts(value)
  const most = partsPerCharacter * text.length + 16
  if (parts > most) throw new Error(`${text.length} characters made ${parts} parts, at most ${most}`)
}

/** What a decoded object may be; a prototype that is looked up by a name from outside could be any other. */
const constructors: readonly unknown[] = [
  ...[
    Object,
    Array,
    Map,
    Set,
    Date,
    RegExp,
    ArrayBuffer,
    Buffer,
    URL,
    URLSearchParams,
    Error,
    RegisteredError,
  ],
  ...[...viewNames, ...errorKinds].map((name) => Reflect.get(globalThis, name)),
  ...Object.values(errors),
]
const prototypes: ReadonlySet<unknown> = new Set([
  null,
  ...constructors.filter((known) => typeof known === 'function').map(({ prototype }) => prototype),
])

/** How many objects, properties and bytes a value has. Throws where one of its parts is of no kind that is sent. */
export function countParts(value: unknown): number {
  const seen = new Set<unknown>()
  const waiting: unknown[] = [value]
  let parts = 0
  while (waiting.length > 0) {
    const next = waiting.pop()
    parts++
    if (typeof next === 'function' || typeof next === 'symbol') throw new Error(`a ${typeof next} came of it`)
    if (typeof next !== 'object' || next === null || seen.has(next)) continue
    seen.add(next)
    checkKind(next)
    if (ArrayBuffer.isView(next)) waiting.push(next.buffer)
    else if (next instanceof ArrayBuffer) parts += next.byteLength
    else if (next instanceof Map) waiting.push(...[...next].flat(1))
    else if (next instanceof Set) waiting.push(...next)
    else for (const key of stringKeys(next)) waiting.push(Reflect.get(next, key))
  }
  return parts
}

/** Symbols mark errand's own errors, so that they are known in a second copy of it. */
function stringKeys(value: object): readonly string[] {
  return Reflect.ownKeys(value).filter((key) => typeof key === 'string')
}

function checkKind(value: object): void {
  if (!prototypes.has(Object.getPrototypeOf(value)))
    throw new Error('an object of a strange class came of it')
  if (!(value instanceof Error)) return
  const isText = [value.name, value.message, value.stack].every((text) => typeof text === 'string')
  if (!isText) throw new Error('an error came of it whose name, message or stack is no text')
}

/** What was decoded is of the kind that can be sent: encoding gives text, or the promised refusal. */
function checkSendable(value: unknown): void {
  try {
    codec.decode(codec.encode(value, 'result'))
  } catch (error) {
    if (!(error instanceof errors.UnsupportedValueError)) throw error
  }
}
