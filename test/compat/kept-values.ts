/**
 * What the fixtures mean, by name. A name is for ever: fixtures of every version refer to it, so a value may be added
 * and never changed or taken out.
 * @module
 */
import { NonRetryableError } from '../../src/index.ts'
import { createCodec } from '../../src/runtime/codec/codec.ts'

/** An error class of an app, registered as `payment`. */
export class PaymentError extends Error {
  override name = 'PaymentError'
  declare order: string
}

/** The codec of an app that registers an error class. */
export const codec = createCodec({ errors: { payment: PaymentError } })

/** An error whose stack is the same on every machine. */
function withStack<E extends Error>(error: E, more: object = {}): E {
  error.stack = `${error.name}: ${error.message}\n    at charge (shop.js:1:1)`
  return Object.assign(error, more)
}

function cyclic(): unknown {
  const self: Record<string, unknown> = { name: 'self' }
  self.self = self
  return self
}

function shared(): unknown {
  const one = { n: 1 }
  return [one, one]
}

/** One value of every kind that the codec keeps. */
export const values: Readonly<Record<string, () => unknown>> = {
  null: () => null,
  true: () => true,
  number: () => -1.5,
  text: () => 'é 😀 \u0000 \uffff "quoted"',
  'lone surrogate': () => 'a\ud800b',
  'plain object': () => ({ a: 1, b: [true, null, 'x'], '': {} }),
  'data like the table form': () => [['Date', '2026-01-01T00:00:00.000Z']],
  undefined: () => undefined,
  'undefined in a list': () => [undefined, 1],
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-Infinity': () => Number.NEGATIVE_INFINITY,
  '-0': () => -0,
  BigInt: () => 2n ** 80n,
  Date: () => new Date(1_767_225_600_123),
  'invalid Date': () => new Date(Number.NaN),
  RegExp: () => /a+\/b/giu,
  URL: () => new URL('https://example.com/a?b=c#d'),
  URLSearchParams: () => new URLSearchParams('a=1&b=2'),
  Map: () =>
    new Map<unknown, unknown>([
      ['a', new Set([1, 'two'])],
      [{ key: 1 }, undefined],
    ]),
  Set: () => new Set([1n, 'x', null]),
  Buffer: () => Buffer.from([0, 1, 254, 255]),
  ArrayBuffer: () => new Uint8Array([1, 2, 3]).buffer,
  Uint8Array: () => new Uint8Array([1, 2, 3]),
  Float64Array: () => new Float64Array([0.5, -1, Number.NaN]),
  BigInt64Array: () => new BigInt64Array([-1n, 2n]),
  DataView: () => new DataView(new Uint8Array([9, 8]).buffer),
  'sparse list': () => Object.assign(new Array(5), { 1: 'one', 4: 'four' }),
  'object without prototype': () => Object.assign(Object.create(null), { a: 1 }),
  'key that every object has': () => JSON.parse('{"constructor":1,"toString":"x"}') as unknown,
  cycle: cyclic,
  'shared object': shared,
  error: () => withStack(new TypeError('no card')),
  'error with a cause': () => withStack(new Error('outer', { cause: withStack(new RangeError('inner')) })),
  'error with properties': () => withStack(new Error('declined'), { code: 'E1', tries: new Map([[1, 2n]]) }),
  AggregateError: () => withStack(new AggregateError([withStack(new Error('one')), 'two'], 'both')),
  'registered error': () => withStack(new PaymentError('declined'), { order: 'o-17' }),
  'error of another class': () => withStack(Object.assign(new Error('x'), { name: 'CardError' })),
  'error of errand': () => withStack(new NonRetryableError('never again')),
}

/** Lists of arguments. The large one makes no message, and goes to a blob. */
export const argumentLists: Readonly<Record<string, () => unknown[]>> = {
  none: () => [],
  plain: () => [1, 'two', { three: [3] }],
  table: () => [new Map([['when', new Date(1_767_225_600_000)]]), undefined, 2n],
  large: () => ['x'.repeat(1_100_000)],
}
