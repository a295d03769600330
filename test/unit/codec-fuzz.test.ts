import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { createCodec, payloadHash } from '../../src/runtime/codec.ts'
import { MalformedMessageError, UnsupportedValueError } from '../../src/runtime/errors.ts'

const codec = createCodec()
const bounded = { interruptAfterTimeLimit: 2500, numRuns: 3000 }

const globals = [Object, Array, Map, Set, Error, Date, RegExp, Function, String, Number, Uint8Array, Buffer]
const shapeOfGlobals = () => globals.map(({ prototype }) => Reflect.ownKeys(prototype).map(String))
const before = shapeOfGlobals()

afterAll(() => {
  expect(shapeOfGlobals()).toEqual(before)
})

const keys = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    'then',
    'constructor',
    'toString',
    'hasOwnProperty',
    '__proto__',
    'json',
    'toJSON',
    'cause',
    '0',
  ),
)
const values = fc.anything({
  key: keys,
  maxDepth: 4,
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
})

/** The text of `value`, or nothing if it was refused in the way that is promised. */
function textOf(value: unknown): string | undefined {
  try {
    return codec.encode(value, 'result')
  } catch (error) {
    if (!(error instanceof UnsupportedValueError)) throw error
    expect(error.path).toMatch(/^result/)
    expect(error.message.length).toBeGreaterThan(error.path.length)
    return undefined
  }
}

function decodesSafely(text: string): void {
  try {
    const value = codec.decode(text)
    // What was decoded is of the kind that can be sent: encoding gives text or the promised refusal.
    const again = textOf(value)
    if (again !== undefined) codec.decode(again)
  } catch (error) {
    if (!(error instanceof MalformedMessageError)) throw error
  }
}

describe('any value', () => {
  it('comes back as it is, or is refused with a path', () => {
    let kept = 0
    fc.assert(
      fc.property(values, (value) => {
        const text = textOf(value)
        if (text === undefined) return
        kept++
        expect(isDeepStrictEqual(codec.decode(text), value)).toBe(true)
        expect(isDeepStrictEqual(codec.revive(JSON.parse(text)), value)).toBe(true)
        expect(codec.encode(codec.decode(text), 'result')).toBe(text)
      }),
      bounded,
    )
    expect(kept).toBeGreaterThan(100)
  })

  it('has one hash, whatever the order of its keys', () => {
    const turn = (value: unknown): unknown => {
      if (typeof value !== 'object' || value === null) return value
      if (Array.isArray(value)) return Object.assign(new Array(value.length), value.map(turn))
      const prototype: object | null = Object.getPrototypeOf(value)
      if (prototype !== Object.prototype && prototype !== null) return value
      const turned = Object.entries(value).reverse()
      return Object.assign(
        Object.create(prototype),
        Object.fromEntries(turned.map(([key, item]) => [key, turn(item)])),
      )
    }
    const hashOf = (value: unknown) => payloadHash('t', [value], codec.encode([value], 'arguments'))
    fc.assert(
      fc.property(values, (value) => {
        if (textOf([value]) !== undefined) expect(hashOf(turn(value))).toBe(hashOf(value))
      }),
      { ...bounded, numRuns: 1000 },
    )
  })

  it('can be thrown, alone or in an error', () => {
    fc.assert(
      fc.property(values, fc.boolean(), (value, inside) => {
        const thrown = inside ? Object.assign(new Error('x', { cause: value }), { data: value }) : value
        expect(codec.decode(codec.encodeThrown(thrown, 'task'))).toBeInstanceOf(Error)
      }),
      { ...bounded, numRuns: 1000 },
    )
  })
})

const references = fc.integer({ min: -8, max: 9 })
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
)
const fieldNames = fc.constantFrom(
  'class',
  'name',
  'message',
  'stack',
  'cause',
  'errors',
  'props',
  '__proto__',
  'a',
)
const entries = fc.oneof(
  fc.array(references, { maxLength: 5 }),
  fc.tuple(tags, references),
  fc.tuple(tags, fc.oneof(fc.string(), fc.base64String(), fc.constantFrom('TypeError', 'g'))),
  fc.tuple(tags, references, references, references),
  fc.tuple(fc.constant(-7), fc.nat(), references, references),
  fc.dictionary(fieldNames, references, { maxKeys: 5 }),
  fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.constant('RangeError')),
)

describe('any text', () => {
  it('decodes, or is malformed', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), decodesSafely), bounded)
    fc.assert(
      fc.property(fc.array(entries, { minLength: 1, maxLength: 10 }), (table) => {
        decodesSafely(JSON.stringify(table))
      }),
      bounded,
    )
  })

  it('that was changed on the way decodes, or is malformed', () => {
    const edits = fc.tuple(
      fc.nat(),
      fc.nat({ max: 3 }),
      fc.constantFrom('', '0', '-1', '-7', '[', ']', ',', '"', '{', '1e9'),
    )
    fc.assert(
      fc.property(values, fc.array(edits, { minLength: 1, maxLength: 4 }), (value, changes) => {
        let text = textOf([value, undefined]) ?? '[[-1]]'
        for (const [at, length, insert] of changes) {
          const start = at % text.length
          text = text.slice(0, start) + insert + text.slice(start + length) || ' '
        }
        decodesSafely(text)
      }),
      bounded,
    )
  })
})

describe('payloadHash', () => {
  const hashOf = (...args: unknown[]) => payloadHash('add', args, codec.encode(args, 'arguments'))

  it('is 22 characters of base64url', () => {
    expect(hashOf(1, 2)).toMatch(/^[\w-]{22}$/)
    expect(hashOf(1, 2)).toBe(hashOf(1, 2))
  })

  it('does not see the order of keys, or undefined against absent', () => {
    const same = [
      [{ a: 1, b: { c: 2, d: 3 } }],
      [{ b: { d: 3, c: 2 }, a: 1 }],
      [{ b: { d: 3, c: 2, e: undefined }, a: 1, f: undefined }],
    ]
    for (const wrap of [
      (value: unknown) => value,
      (value: unknown) => [value, new Date(0)],
      (value: unknown) => new Map([[value, value]]),
      (value: unknown) => new Set([value]),
      (value: unknown) => Object.assign(Object.create(null), { x: value }),
    ]) {
      expect(new Set(same.map(([value]) => hashOf(wrap(value)))).size).toBe(1)
    }
  })

  it('sees cycles as the same wherever keys stand', () => {
    const cycle = (keys: string[]) => {
      const value: Record<string, unknown> = {}
      for (const key of keys) value[key] = key === 'self' ? value : key
      return value
    }
    expect(hashOf(cycle(['a', 'self', 'z']))).toBe(hashOf(cycle(['z', 'self', 'a'])))
  })

  it('sees everything else', () => {
    const payloads: unknown[][] = [
      ...[
        [],
        [undefined],
        [null],
        [0],
        [-0],
        ['0'],
        [0n],
        [Number.NaN],
        [1, 2],
        [2, 1],
        [[1, 2]],
        [[2, 1]],
        [Object.assign(new Array(3), { 0: 1, 2: 2 })],
      ],
      ...[
        [[1, undefined, 2]],
        [{}],
        [{ a: 1 }],
        [{ a: '1' }],
        [{ a: null }],
        [{ b: 1 }],
        [{ a: 1 }, undefined],
      ],
      ...[
        [Object.create(null)],
        [new Map()],
        [new Set()],
        [new Set([1, 2])],
        [new Set([2, 1])],
        [new Date(0)],
        [new Date(1)],
      ],
      ...[
        ['{"json":[1]}'],
        [/a/],
        [/a/g],
        [Buffer.from('a')],
        [new Uint8Array([97])],
        [new Error('a')],
        ['\uffff'],
        [{ a: '\uffff' }],
      ],
    ]
    const hashes = payloads.map((args) => hashOf(...args))
    expect(new Set(hashes).size).toBe(payloads.length)
  })

  it('sees the name of the task, unambiguously', () => {
    const names = ['a', 'b', 'a"', '"a', '', 'a{"json":[1]}', '\ud800', '\ufffd']
    expect(new Set(names.map((name) => payloadHash(name, [1], '{"json":[1]}'))).size).toBe(names.length)
  })
})
