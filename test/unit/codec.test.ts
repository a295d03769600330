import { isDeepStrictEqual } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { createCodec, maxTextBytes } from '../../src/runtime/codec/codec.ts'
import { MalformedMessageError, UnsupportedValueError } from '../../src/runtime/errors.ts'

const codec = createCodec()
const roundTrip = (value: unknown) => codec.decode(codec.encode(value, 'result'))

function refusal(value: unknown, what = 'result'): UnsupportedValueError {
  try {
    codec.encode(value, what)
  } catch (error) {
    if (error instanceof UnsupportedValueError) return error
    throw error
  }
  throw new Error('it was not refused')
}

const holes = (length: number, elements: object) => Object.assign(new Array(length), elements)

function nested(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = wrap(value)
  return value
}

const wraps: Record<string, (inner: unknown) => unknown> = {
  arrays: (inner) => [inner],
  objects: (inner) => ({ a: inner }),
  maps: (inner) => new Map([['a', inner]]),
  'map keys': (inner) => new Map([[inner, 1]]),
  sets: (inner) => new Set([inner]),
  causes: (inner) => new Error('x', { cause: inner }),
  'rich objects': (inner) => ({ a: inner, b: undefined }),
}

describe('text', () => {
  it.each([
    [[1, 'a', null, true], '{"json":[1,"a",null,true]}'],
    [5, '{"json":5}'],
    [{ json: [] }, '{"json":{"json":[]}}'],
    [undefined, '-1'],
    [Number.NaN, '-3'],
    [-0, '-6'],
    [[undefined], '[[-1]]'],
    [new Date(0), '[["Date","1970-01-01T00:00:00.000Z"]]'],
  ])('of %j is %s', (value, text) => {
    expect(codec.encode(value, 'result')).toBe(text)
  })

  it('has none of the characters that SQS refuses', () => {
    const texts = ['\ufffe', '\uffff', '\ud800', 'a\udc00b', '\u0000\u001f', '😀']
    for (const value of [texts, Object.fromEntries(texts.map((text) => [text, text])), new Set(texts)]) {
      const text = codec.encode(value, 'result')
      expect(text).not.toMatch(/[\ufffe\uffff]|[^\n\r\t\u0020-\u{10ffff}]/u)
      expect(text.isWellFormed()).toBe(true)
      expect(codec.decode(text)).toEqual(value)
    }
  })
})

describe('keeps', () => {
  const shared = { a: 1 }
  const sparse = new Array(1000)
  sparse[500] = 'x'
  it.each<[string, unknown]>([
    ['undefined in objects and arrays', { a: undefined, b: [undefined, 1] }],
    ['numbers that JSON lacks', [Number.NaN, Infinity, -Infinity, -0, 0]],
    ['bigints', [1n, -(10n ** 40n)]],
    ['dates', [new Date(5), new Date(Number.NaN), new Date(-8.64e15)]],
    ['maps and sets', new Map<unknown, unknown>([[{ a: 1 }, new Set([1, 'a'])]])],
    ['regular expressions', [/a\/b/giu, /\n/, /(?:)/]],
    ['URLs', [new URL('http://a.b/c?d=é#f'), new URLSearchParams('?a=1&a=2&b=%20')]],
    ['buffers', [new ArrayBuffer(3), new Uint8Array([1, 2]).buffer]],
    [
      'views',
      [new Float64Array([Number.NaN, -0]), new BigInt64Array([1n]), new DataView(new ArrayBuffer(2))],
    ],
    ['large views', new Uint8Array(1000).fill(7)],
    ['Buffers', [Buffer.from('abc'), Buffer.alloc(0), Buffer.alloc(500, 1)]],
    ['objects without a prototype', Object.assign(Object.create(null), { a: 1 })],
    ['holes', [holes(3, { 1: 1 }), new Array(3), sparse]],
    ['shared references', [shared, shared]],
    ['what looks like a table', [['Date', 'x'], [-7, 4294967295], { __errand: 1 }, ['Error', 1], -1]],
    [
      'names of methods as keys',
      { ...JSON.parse('{"then":1}'), constructor: 2, toString: 3, hasOwnProperty: 4, toJSON: 5 },
    ],
    ['text that looks hostile', { 'a"b': '</script>\u2028', '': '__proto__' }],
  ])('%s', (_, value) => {
    expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true)
    expect(isDeepStrictEqual(codec.revive(JSON.parse(codec.encode(value, 'result'))), value)).toBe(true)
  })

  it('identity of shared values, and cycles', () => {
    const node: Record<string, unknown> = { name: 'a' }
    node.self = node
    node.map = new Map([[node, [node]]])
    const back = roundTrip(node) as { self: unknown; map: Map<unknown, unknown[]> }
    expect(back.self).toBe(back)
    expect(back.map.get(back)?.[0]).toBe(back)
    const [a, b] = roundTrip([shared, shared]) as unknown[]
    expect(a).toBe(b)
    const buffer = new ArrayBuffer(8)
    const views = roundTrip([new Uint8Array(buffer), new Uint16Array(buffer)]) as Uint8Array[]
    expect(views[0]?.buffer).toBe(views[1]?.buffer)
  })

  it('no more bytes than a view shows', () => {
    const megabyte = new Uint8Array(1 << 20).fill(9)
    for (const view of [megabyte.subarray(4, 7), Buffer.from(megabyte.buffer, 4, 3)]) {
      const text = codec.encode(view, 'result')
      expect(text.length).toBeLessThan(100)
      expect(isDeepStrictEqual(codec.decode(text), view)).toBe(true)
    }
    const view = codec.decode(codec.encode(new DataView(megabyte.buffer, 8, 2), 'result')) as DataView
    expect([view.byteLength, view.buffer.byteLength]).toEqual([2, 2])
    expect(Buffer.isBuffer(roundTrip(Buffer.from('x')))).toBe(true)
  })

  it('plain values of another realm, as values of this one', () => {
    const value = runInContext(
      '({ a: [1, [2]], m: new Map([[1, { b: 2 }]]), d: new Date(0), u: new Uint8Array(300), r: /x/g })',
      createContext(),
    )
    expect(roundTrip(value)).toStrictEqual({
      ...{ a: [1, [2]], m: new Map([[1, { b: 2 }]]), d: new Date(0), u: new Uint8Array(300), r: /x/g },
    })
  })

  it.each(Object.entries(wraps))('500 levels of %s, and refuses 501', (_, wrap) => {
    expect(isDeepStrictEqual(roundTrip(nested(500, wrap)), nested(500, wrap))).toBe(true)
    expect(refusal(nested(501, wrap)).message).toMatch(/nested more than 500 levels/)
    expect(refusal(nested(20_000, wrap)).message).toMatch(/nested more than 500 levels/)
  })

  it('large arrays of numbers', () => {
    const numbers = Array.from({ length: 100_000 }, (_, i) => i)
    expect(roundTrip(numbers)).toEqual(numbers)
  })

  it('what a getter or a proxy gives', () => {
    expect(
      roundTrip({
        get a() {
          return 1
        },
      }),
    ).toEqual({ a: 1 })
    expect(roundTrip(new Proxy({ a: [1] }, {}))).toEqual({ a: [1] })
  })
})

class User {}
class Names extends Map {}
const withExtra = (value: object) => Object.assign(value, { extra: 1 })
const hidden = (value: object) => Object.defineProperty(value, 'hidden', { value: 1 })
const thrower = {
  get a() {
    throw new Error('no')
  },
}

const selfish: Record<string, unknown> = {}
selfish.self = selfish
selfish.bad = User

describe('refuses', () => {
  it.each<[string, unknown, RegExp]>([
    ['functions', () => 1, /a function/],
    ['symbols', Symbol('a'), /a symbol/],
    ['symbol keys', { [Symbol('a')]: 1 }, /symbol key/],
    ['instances', new User(), /instance of class User/],
    ['subclasses', new Names(), /instance of class Names/],
    ['subclasses of Array', new (class List extends Array {})(), /class List/],
    ['subclasses of typed arrays', new (class Bytes extends Uint8Array {})(2), /class Bytes/],
    ['subclasses of Date', new (class Day extends Date {})(), /class Day/],
    ['promises', Promise.resolve(1), /await it/],
    ['weak maps', new WeakMap(), /WeakMap/],
    ['boxed primitives', Object(1), /boxed/],
    ['generators', (function* () {})(), /collect it into an array/],
    ['iterators', new Map().entries(), /collect it into an array/],
    ['responses', new Response('x'), /read its body first/],
    ['streams', new ReadableStream(), /a stream/],
    ['array properties', withExtra([1]), /extra properties/],
    ['array properties behind a hole', withExtra(holes(2, { 1: 1 })), /extra properties/],
    ['properties of large arrays', withExtra(new Array(500).fill(0)), /extra properties/],
    ['hidden properties of large arrays', hidden(new Array(500).fill(0)), /extra properties/],
    ['properties of large views', withExtra(new Uint8Array(500)), /extra properties/],
    ['properties of large Buffers', withExtra(Buffer.alloc(500)), /extra properties/],
    ['properties of small views', withExtra(new Uint8Array(5)), /extra properties/],
    ['properties of data views', withExtra(new DataView(new ArrayBuffer(1))), /extra properties/],
    ['Map properties', withExtra(new Map()), /extra properties/],
    ['Date properties', withExtra(new Date()), /extra properties/],
    ['RegExp properties', withExtra(/a/), /extra properties/],
    ['hidden properties', hidden({}), /non-enumerable/],
    ['a RegExp in use', Object.assign(/a/g, { lastIndex: 1 }), /lastIndex/],
    ['own __proto__ keys', JSON.parse('{"__proto__":1}'), /__proto__/],
    ['shared memory', new SharedArrayBuffer(2), /SharedArrayBuffer/],
    ['views of shared memory', new Uint8Array(new SharedArrayBuffer(2)), /SharedArrayBuffer/],
    ['resizable buffers', new ArrayBuffer(1, { maxByteLength: 2 }), /resizable/],
    [
      'detached buffers',
      (() => {
        const b = new ArrayBuffer(1)
        b.transfer()
        return b
      })(),
      /detached/,
    ],
    ['borrowed prototypes', Object.create(Map.prototype), /class Map/],
    ['grandchildren of null', Object.create(Object.create(null)), /unnamed class/],
    ['borrowed URL prototypes', Object.create(URL.prototype), /cannot be read/],
    ['long arrays with holes', new Array(1_048_577), /1048576 places/],
    ['module-like objects', Math, /symbol key/],
    ['thenables', Object.fromEntries([['then', () => 1]]), /a function/],
    ['values that only toJSON describes', { toJSON: () => 1 }, /a function/],
    [
      'changing values',
      {
        get a() {
          return calls++ % 2 === 0 ? undefined : () => 1
        },
      },
      /cannot be encoded/,
    ],
  ])('%s', (_, value, message) => {
    const error = refusal(value)
    expect(error.path).toMatch(/^result/)
    expect(error.message).toMatch(message)
    expect(refusal([1, { a: value }]).path).toMatch(/^result\[1\]\.a/)
  })

  it.each<[unknown, string]>([
    [[{ user: { 'first name': { avatar: () => 1 } } }], 'arguments[0].user["first name"].avatar'],
    [[0, [new Map([['k', [Symbol('a')]]])]], 'arguments[1][0].get("k")[0]'],
    [[new Map([[1n, () => 1]])], 'arguments[0].get(1)'],
    [[new Map([[{}, () => 1]])], 'arguments[0].get(keys()[0])'],
    [[new Map([[User, 1]])], 'arguments[0].keys()[0]'],
    [[new Set([1, User])], 'arguments[0].values()[1]'],
    [[holes(3, { 2: User })], 'arguments[0][2]'],
    [[{ a: [[1, 2], 3], b: thrower }], 'arguments[0].b.a'],
    [[new Error('x', { cause: { a: User } })], 'arguments[0].cause.a'],
    [[new AggregateError([User])], 'arguments[0].errors[0]'],
    [[Object.assign(new Error('x'), { a: { b: User } })], 'arguments[0].a.b'],
    [Object.assign([1], { length: 1_048_577 }), 'arguments'],
    [[selfish], 'arguments[0].bad'],
    [selfish, 'arguments.bad'],
    [User, 'arguments'],
  ])('%# with the exact path', (value, path) => {
    const error = refusal(value, 'arguments')
    expect(error.path).toBe(path)
    expect(error.message.startsWith(path)).toBe(true)
  })
})
let calls = 0

describe('decode refuses', () => {
  const plainDeep = `{"json":${'['.repeat(600)}${']'.repeat(600)}}`
  const tableDeep = JSON.stringify([...Array.from({ length: 600 }, (_, i) => [i + 1]), 1])
  it.each([
    ...['', '{', 'null', '"a"', '1', '-2', '-7', '[]', '{}', '{"a":1}', '{"json":1,"a":1}'],
    ...[
      '[1]x',
      '[[1]]',
      '[[-8]]',
      '[[0.5],1]',
      '[[-8],1]',
      '[[7],1]',
      '[["a"]]',
      '[[1],2,3]',
      '[{"__proto__":1},2]',
      '[["null","__proto__",1],2]',
    ],
    ...['{"json":{"__proto__":1}}', '{"json":[{"a":{"\\u005f_proto__":1}}]}', plainDeep, tableDeep],
    ...[
      '[[-7,4294967295]]',
      '[[-7,1048577]]',
      '[[-7,-1]]',
      '[[-7,3,5,1],1]',
      '[[-7,3,0]]',
      '[["Object",1],1]',
    ],
    ...[
      '[["Function","x"]]',
      '[["constructor",1],1]',
      '[["Temporal.Instant","2020-01-01T00:00Z"]]',
      '[["toString",1],1]',
    ],
    ...[
      '[["Date","yesterday"]]',
      '[["Date",1]]',
      '[["BigInt","0x1"]]',
      '[["BigInt",""]]',
      '[["RegExp","("]]',
      '[["RegExp","a","gg"]]',
    ],
    ...[
      '[["URL","x"]]',
      '[["URL",1]]',
      '[["ArrayBuffer","$"]]',
      '[["Uint8Array",1],4]',
      '[["Uint8Array",1],["ArrayBuffer","AA=="],3]',
    ],
    ...[
      '[["Uint8Array",1,0,1],["ArrayBuffer","AA=="]]',
      '[["Float64Array",1],["ArrayBuffer","AA=="]]',
      '[["Buffer",1],"AA=="]',
    ],
    ...[
      '[["Map",1],1]',
      '[["null","a"]]',
      '[["Error",0]]',
      '[["Error",1],[]]',
      '[["Error",1],{"message":2},[]]',
      '[["Error",1,1],{}]',
    ],
    ...[
      '[["Error",1],{"errors":2},1]',
      '[["Error",1],{"props":2},[]]',
      '[["Error","a"]]',
      '[["Date","","x"]]',
      '[["null",1,1],1]',
    ],
  ])('%s', (text) => {
    expect(() => codec.decode(text)).toThrow(MalformedMessageError)
    let parsed: unknown
    try {
      parsed = JSON.parse(text)
    } catch {
      return
    }
    expect(() => codec.revive(parsed)).toThrow(MalformedMessageError)
  })

  it('text that is too long, and what is not text', () => {
    const text = (length: number) => `{"json":"${'a'.repeat(length - 11)}"}`
    expect(codec.decode(text(maxTextBytes))).toHaveLength(maxTextBytes - 11)
    expect(() => codec.decode(text(maxTextBytes + 1))).toThrow(/more than 2097152 bytes/)
    expect(() => codec.decode(`{"json":"${'é'.repeat(maxTextBytes / 2)}"}`)).toThrow(/bytes/)
    expect(() => codec.decode(undefined as unknown as string)).toThrow(MalformedMessageError)
    expect(() => codec.decode(`${'['.repeat(1_000_000)}`)).toThrow(MalformedMessageError)
    expect(() => codec.decode(`${'['.repeat(500_000)}${']'.repeat(500_000)}`)).toThrow(MalformedMessageError)
  })
})
