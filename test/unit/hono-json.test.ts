import { UnsupportedValueError } from 'errand'
import { describe, expect, test } from 'vitest'
import { MAX_JSON_LENGTH, toJson } from '../../src/hono/to-json.ts'

describe('toJson', () => {
  const bytes = Uint8Array.of(0, 255)
  test.each([
    ['text', '\u2028"\n', '\u2028"\n'],
    ['a number', -1.5, -1.5],
    ['NaN', [Number.NaN, Number.POSITIVE_INFINITY], [null, null]],
    ['nothing', undefined, null],
    ['a field that is undefined', { a: undefined, b: [undefined] }, { b: [null] }],
    ['a list with holes', new Array(2), [null, null]],
    ['a bigint', 2n ** 70n, '1180591620717411303424'],
    ['a date', new Date(1), '1970-01-01T00:00:00.001Z'],
    ['a date that is none', new Date(Number.NaN), null],
    ['a Map', new Map<unknown, unknown>([[{ a: 1 }, new Date(0)]]), [[{ a: 1 }, '1970-01-01T00:00:00.000Z']]],
    ['a Set', new Set([1n]), ['1']],
    ['bytes', [bytes, Buffer.from(bytes), bytes.buffer, new DataView(bytes.buffer)], Array(4).fill('AP8=')],
    ['part of a buffer', new Uint8Array(Uint8Array.of(1, 0, 255, 1).buffer, 1, 2), 'AP8='],
    ['numbers', Float64Array.of(0.5, Number.NaN), [0.5, null]],
    ['big numbers', BigInt64Array.of(-1n), ['-1']],
    ['an error', new RangeError('no', { cause: 'secret' }), { name: 'RangeError', message: 'no' }],
    ['a RegExp', /a/g, '/a/g'],
    ['a URL', new URL('https://a.example/?b'), 'https://a.example/?b'],
    ['a thenable', { then: 1 }, { then: 1 }],
    ['what looks like a prototype', JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":1}')],
  ])('writes %s', (_, value, json) => {
    expect(JSON.parse(toJson(value, 'value'))).toEqual(json)
  })

  test('writes a part that is there twice twice', () => {
    const part = { a: [1] }
    expect(toJson([part, part], 'value')).toBe('[{"a":[1]},{"a":[1]}]')
  })

  test('refuses a cycle, with its path', () => {
    const value: unknown[] = []
    value.push(new Map([['a', { b: value }]]))
    expect(() => toJson(value, 'value')).toThrow(UnsupportedValueError)
    expect(() => toJson(value, 'value')).toThrow('value[0][0][1]["b"] holds itself')
  })

  test.each([
    ['text', (level: unknown) => [level, level]],
    ['fields', (level: unknown) => ({ a: level, b: level })],
    ['a Map', (level: unknown) => new Map([[level, level]])],
    [
      'fields of nothing',
      (level: unknown) => (level === 'x' ? { a: undefined, b: undefined } : [level, level]),
    ],
  ])('refuses what grows without end as %s', (_, wrap) => {
    let value: unknown = 'x'
    for (let depth = 0; depth < 60; depth++) value = wrap(value)
    expect(() => toJson(value, 'value')).toThrow(/over 5 MiB as JSON/)
  })

  test('takes what just fits', () => {
    expect(toJson('x'.repeat(MAX_JSON_LENGTH - 2), 'value')).toHaveLength(MAX_JSON_LENGTH)
    expect(() => toJson('x'.repeat(MAX_JSON_LENGTH - 1), 'value')).toThrow(UnsupportedValueError)
  })
})
