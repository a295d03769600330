import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCodec, payloadHash } from '../../src/runtime/codec/codec.ts'

const codec = createCodec()

/** The same tree, the keys of its plain objects in the opposite order. */
function turned(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Object.assign(new Array(value.length), value.map(turned))
  const prototype: object | null = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  const entries = Object.entries(value).reverse()
  return Object.assign(
    Object.create(prototype),
    Object.fromEntries(entries.map(([key, item]) => [key, turned(item)])),
  )
}

/** Whether encoding takes the value: an own `__proto__` it refuses. */
function isSendable(value: unknown): boolean {
  try {
    return codec.encode(value, 'arguments') !== ''
  } catch {
    return false
  }
}

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

  it('of any plain value does not see the order of keys', () => {
    const values = fc.anything({
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSparseArray: true,
    })
    fc.assert(
      fc.property(values.filter(isSendable), (value) => {
        expect(hashOf(turned(value))).toBe(hashOf(value))
      }),
      { numRuns: 1000, seed: 1 },
    )
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
