/**
 * Values that must be refused, since they would not come back as they are: each with a name for its recipe.
 * @module
 */

class User {
  id = 1
}
class Names extends Map<string, unknown> {}
class List extends Array {}
class Day extends Date {}
class Bytes extends Uint8Array {}
class Tags extends Set {}
class Link extends URL {}
class Pattern extends RegExp {}

const fail = (): never => {
  throw new Error('trap')
}
const withExtra = (value: object) => Object.assign(value, { extra: 1 })
const hidden = (value: object) => Object.defineProperty(value, 'hidden', { value: 1 })
const symbolKey = (value: object) => Object.assign(value, { [Symbol('key')]: 1 })
const holes = (length: number, elements: object) => Object.assign(new Array(length), elements)
const zeros = (length: number) => new Array(length).fill(0)

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8)
  buffer.transfer()
  return buffer
}

/** Undefined at one read, a function at the next: what was surveyed is not what is encoded. */
function changing(): object {
  let reads = 0
  return Object.defineProperty({}, 'a', {
    enumerable: true,
    get: () => (reads++ % 2 === 0 ? undefined : fail),
  })
}

function argumentsOf(..._: unknown[]): object {
  // biome-ignore lint/complexity/noArguments: an arguments object is the value
  return arguments
}

/** The name of the one that is found out only when it is encoded. */
export const changingName = 'a getter that changes'

const factories: Readonly<Record<string, () => unknown>> = {
  'an arrow function': () => () => 1,
  'an async function': () => async () => 1,
  'a generator function': () => function* () {},
  'a class': () => class {},
  'a built-in function': () => Object,
  'a bound function': () => fail.bind(undefined),
  'a proxy of a function': () => new Proxy(() => 1, {}),
  'a function with properties': () => withExtra(() => 1),
  'a symbol': () => Symbol('a'),
  'a registered symbol': () => Symbol.for('a'),
  'a well-known symbol': () => Symbol.iterator,
  'an instance': () => new User(),
  'an instance with toJSON': () =>
    new (class Money {
      toJSON = () => 1
    })(),
  'a subclass of Map': () => new Names([['a', 1]]),
  'a subclass of Set': () => new Tags(),
  'a subclass of Array': () => List.from([1]),
  'a subclass of Date': () => new Day(0),
  'a subclass of Uint8Array': () => new Bytes(2),
  'a subclass of URL': () => new Link('http://a.b'),
  'a subclass of RegExp': () => new Pattern('a'),
  'a promise': () => Promise.resolve(1),
  'a thenable': () => Object.fromEntries([['then', fail]]),
  'a weak map': () => new WeakMap(),
  'a weak set': () => new WeakSet(),
  'a weak reference': () => new WeakRef({}),
  'a boxed number': () => Object(1),
  'a boxed text': () => Object('a'),
  'a boxed bigint': () => Object(1n),
  'a boxed symbol': () => Object(Symbol('a')),
  'a generator': () => (function* () {})(),
  'an iterator': () => new Map().entries(),
  'a response': () => new Response('x'),
  'a stream': () => new ReadableStream(),
  'an abort signal': () => AbortSignal.abort(),
  'a text decoder': () => new TextDecoder(),
  'a number format': () => new Intl.NumberFormat(),
  'the Math object': () => Math,
  'the global object': () => globalThis,
  'an arguments object': () => argumentsOf(1, 2),
  'an array with a property': () => withExtra([1]),
  'an array with a symbol': () => symbolKey([1]),
  'an array with a hidden property': () => hidden([1]),
  'an array with a negative index': () => Object.assign([1], { '-1': 1 }),
  'an array with holes and a property': () => withExtra(holes(3, { 1: 1 })),
  'a long array with a property': () => withExtra(zeros(200)),
  'a long array with a symbol': () => symbolKey(zeros(200)),
  'a long array with a hidden property': () => hidden(zeros(200)),
  'an array without a prototype': () => Object.setPrototypeOf([1], null),
  'an array as an object': () => Object.setPrototypeOf([1], Object.prototype),
  'a view with a property': () => withExtra(new Uint8Array(5)),
  'a long view with a property': () => withExtra(new Uint16Array(500)),
  'a Buffer with a property': () => withExtra(Buffer.alloc(3)),
  'a data view with a property': () => withExtra(new DataView(new ArrayBuffer(1))),
  'a Map with a property': () => withExtra(new Map()),
  'a Set with a symbol': () => symbolKey(new Set()),
  'a Date with a property': () => withExtra(new Date(0)),
  'a RegExp with a property': () => withExtra(/a/),
  'a RegExp in use': () => Object.assign(/a/g, { lastIndex: 1 }),
  'a buffer with a property': () => withExtra(new ArrayBuffer(1)),
  'an object with a symbol': () => symbolKey({ a: 1 }),
  'an object with a hidden property': () => hidden({ a: 1 }),
  'an own toStringTag': () => ({ [Symbol.toStringTag]: 'Map' }),
  'shared memory': () => new SharedArrayBuffer(8),
  'a view of shared memory': () => new Uint8Array(new SharedArrayBuffer(8)),
  'a resizable buffer': () => new ArrayBuffer(8, { maxByteLength: 16 }),
  'a view of a resizable buffer': () => new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 })),
  'a detached buffer': detached,
  'a borrowed Map prototype': () => Object.create(Map.prototype),
  'a borrowed Date prototype': () => Object.create(Date.prototype),
  'a borrowed array prototype': () => Object.create(Array.prototype),
  'a borrowed URL prototype': () => Object.create(URL.prototype),
  'a typed array of another name': () => Object.setPrototypeOf(new Uint8Array(2), Int8Array.prototype),
  'a grandchild of null': () => Object.create(Object.create(null)),
  'an heir of a plain object': () => Object.create({ a: 1 }),
  'a getter that throws': () => Object.defineProperty({}, 'a', { enumerable: true, get: fail }),
  [changingName]: changing,
  'a proxy whose get throws': () => new Proxy({ a: 1 }, { get: fail }),
  'a proxy whose keys throw': () => new Proxy({ a: 1 }, { ownKeys: fail }),
  'a proxy whose prototype throws': () => new Proxy({}, { getPrototypeOf: fail }),
  'a proxy that was revoked': revoked,
  'a proxy of a Map': () => new Proxy(new Map(), {}),
  'a proxy of a Date': () => new Proxy(new Date(0), {}),
  'a proxy of a view': () => new Proxy(new Uint8Array(2), {}),
  'an error with a symbol': () => symbolKey(new Error('a')),
  'an error whose name is a number': () => Object.assign(new Error('a'), { name: 5 }),
  'an error whose message throws': () => Object.defineProperty(new Error('a'), 'message', { get: fail }),
}

/** The names of all. */
export const refusedNames: readonly string[] = Object.keys(factories)

/** A new one of this name. */
export function makeRefused(name: string): unknown {
  return factories[name]?.()
}
