import { describe, expect, it } from 'vitest'
import { createCodec } from '../../src/runtime/codec/codec.ts'
import { MalformedMessageError } from '../../src/runtime/errors.ts'

// What the fuzzer and its readers found.

const codec = createCodec()
const error = (fields: number) => ['Error', fields]
const manyKeys = Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`k${index}`, -1]))

describe('a forged table', () => {
  it.each<[string, readonly unknown[]]>([
    [
      'of errors that lead to errors',
      [...Array.from({ length: 60_000 }, (_, index) => error(index + 1)), {}],
    ],
    ['of an error that has its fields for properties', [error(1), { props: 1, stack: -1 }]],
    ['of errors that share their fields', [[1, 2], error(3), error(3), {}]],
    [
      'of errors that share their properties',
      [[1, 2], error(3), error(4), { props: 5 }, { props: 5 }, manyKeys],
    ],
    [
      'of causes that share the properties of their error',
      [error(1), { cause: 3, props: 2 }, manyKeys, error(4), { props: 2 }],
    ],
  ])('%s is malformed, and nothing is copied', (_, table) => {
    expect(() => codec.decode(JSON.stringify(table))).toThrow(MalformedMessageError)
  })
})

it('keys that are written with an escape are not taken for others (nodejs/node#63785)', () => {
  const keys = ['\\', '"', '\u0000', '\n', 'a\\', 'a"', 'a\nb', '\ud800', '"key0', 'key0']
  for (const value of [1, undefined]) {
    for (const first of keys) {
      for (const second of keys) {
        codec.decode(codec.encode({ x: value, [first]: 1 }, 'result'))
        const back = codec.decode(codec.encode({ x: value, [second]: 1 }, 'result'))
        expect(Object.keys(back as object)).toEqual(['x', second])
      }
    }
  }
})

it('texts of many megabytes are read, escapes or none', () => {
  const text = `${'x'.repeat(30_000_000)}\n"`
  const bytes = 64 * 1024 * 1024
  expect(codec.decode(codec.encode([text, { '"': 1 }], 'result'), bytes)).toEqual([text, { '"': 1 }])
})
