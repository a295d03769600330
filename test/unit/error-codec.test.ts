import { isDeepStrictEqual } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { createCodec, type Encoded } from '../../src/runtime/codec/codec.ts'
import { cutText, errorLimits } from '../../src/runtime/codec/error-codec.ts'
import * as errors from '../../src/runtime/errors.ts'

class PaymentError extends Error {
  static built = 0
  readonly #secret: number
  readonly order: string
  constructor(message: string, order: string) {
    super(message)
    PaymentError.built++
    this.#secret = 1
    this.order = order
  }
  get secret() {
    return this.#secret
  }
  label() {
    return `${this.order}: ${this.message}`
  }
}
class CardError extends PaymentError {
  override name = 'CardError'
}

const codec = createCodec({ errors: { payment: PaymentError } })
const roundTrip = (value: unknown) =>
  codec.decode(codec.encode(value, 'result')) as Error & Record<string, unknown>
const thrown = (value: unknown, task = 'mail') =>
  codec.decode(codec.encodeThrown(value, task)) as Error & Record<string, unknown>
const bytes = (text: Encoded) => Buffer.byteLength(text)

describe('errors among values', () => {
  it.each<[string, Error]>([
    ['plain', new Error('a')],
    ['empty', new Error()],
    ['empty text', new Error('')],
    ['with a cause', new Error('a', { cause: new TypeError('b', { cause: { c: undefined } }) })],
    ['with an undefined cause', new Error('a', { cause: undefined })],
    ['standard classes', new RangeError('a')],
    ['aggregates', new AggregateError([new Error('a'), 1, undefined], 'b')],
    ['with properties', Object.assign(new Error('a'), { code: 'X', data: new Map([[1, Buffer.from('b')]]) })],
    ['with a name', Object.assign(new SyntaxError('a'), { name: 'Other' })],
    [
      'with hostile names',
      Object.assign(new Error('a'), { constructor: 1, toString: 'x', hasOwnProperty: 1 }),
    ],
    ['registered', new PaymentError('declined', 'o-1')],
    ['of errand', new errors.WaitTimeoutError('a', { cause: new errors.InvalidInputError('b', []) })],
  ])('%s', (_, error) => {
    const back = roundTrip(error)
    expect(isDeepStrictEqual(back, error)).toBe(true)
    expect(Object.getPrototypeOf(back)).toBe(Object.getPrototypeOf(error))
    expect([back.name, back.message, back.stack]).toEqual([error.name, error.message, error.stack])
    expect(Object.hasOwn(back, 'cause')).toBe(Object.hasOwn(error, 'cause'))
    expect(Object.keys(back)).toEqual(Object.keys(error))
    expect(String(back.name)).toBe(error.name)
  })

  it('registered classes come back without their constructor', () => {
    const error = new PaymentError('declined', 'o-1')
    const built = PaymentError.built
    const back = roundTrip(error) as unknown as PaymentError
    expect(back).toBeInstanceOf(PaymentError)
    expect(back.label()).toBe('o-1: declined')
    expect(PaymentError.built).toBe(built)
    expect(() => back.secret).toThrow(TypeError)
  })

  it('other classes come back as Error with their name', () => {
    const back = roundTrip(new CardError('declined', 'o-1'))
    expect([Object.getPrototypeOf(back), back.name, back.order]).toEqual([
      Error.prototype,
      'CardError',
      'o-1',
    ])
    const abort = roundTrip(new DOMException('stop', 'AbortError'))
    expect([Object.getPrototypeOf(abort), abort.name, abort.message]).toEqual([
      Error.prototype,
      'AbortError',
      'stop',
    ])
    const unknown = createCodec().decode(codec.encode(new PaymentError('a', 'b'), 'result'))
    expect(Object.getPrototypeOf(unknown)).toBe(Error.prototype)
  })

  it('classes of errand are known by their code, and by `is`', () => {
    for (const error of [
      new errors.RetryAfterError(5),
      new (class Mine extends errors.NonRetryableError {})('a'),
    ]) {
      const back = roundTrip(error)
      expect(errors.ErrandError.is(back)).toBe(true)
      expect(back.code).toBe(error.code)
      expect(back).toBeInstanceOf(
        error.code === 'retry-after' ? errors.RetryAfterError : errors.NonRetryableError,
      )
      expect(Object.keys(back)).not.toContain('name')
    }
  })

  it('standard classes of another realm come back as this one has them', () => {
    expect(roundTrip(runInContext('new TypeError("a")', createContext()))).toBeInstanceOf(TypeError)
  })

  it('cycles and shared errors keep their identity', () => {
    const error = Object.assign(new Error('a'), { list: [] as unknown[], after: 1 })
    error.cause = new Map([['back', error]])
    error.list.push(error)
    const back = roundTrip({ first: error, second: [error] }) as unknown as {
      first: typeof error
      second: unknown[]
    }
    expect(back.first).toBe(back.second[0])
    expect((back.first.cause as Map<string, unknown>).get('back')).toBe(back.first)
    expect([back.first.list[0] === back.first, back.first.after]).toEqual([true, 1])
  })

  it.each<[Error, string, RegExp]>([
    [Object.assign(new Error('a'), { socket: { on: () => 1 } }), 'result.socket.on', /a function/],
    [Object.assign(new Error('a'), { [Symbol('a')]: 1 }), 'result', /symbol key/],
    [Object.defineProperty(new Error('a'), 'message', { value: 5 }), 'result', /not a string/],
    [Object.defineProperty(new Error('a'), 'message', { get: trap }), 'result', /cannot be read/],
    [new Error('a', { cause: new Error('b', { cause: Symbol('c') }) }), 'result.cause.cause', /a symbol/],
  ])('%# is refused with its path', (error, path, message) => {
    const encode = () => codec.encode(error, 'result')
    expect(encode).toThrow(errors.UnsupportedValueError)
    expect(encode).toThrow(message)
    expect(encode).toThrow(expect.objectContaining({ path }))
  })

  it('registration refuses what is not a class of errors, and names that are taken', () => {
    const register = (classes: object) => () =>
      createCodec({ errors: classes as Record<string, typeof Error> })
    expect(register({ a: Map })).toThrow(errors.InvalidOptionError)
    expect(register({ a: 'Error' })).toThrow(/not a class of errors/)
    expect(register({ TypeError: PaymentError })).toThrow(/built-in/)
    expect(register({ TypeError, mine: class extends Error {} })).not.toThrow()
  })

  it('a class is never looked up by a name from outside', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'Function', 'Map', 'ErrandError.prototype']) {
      const back = codec.decode(JSON.stringify([['Error', 1], { class: 2, message: 3 }, name, 'a']))
      expect(Object.getPrototypeOf(back)).toBe(Error.prototype)
    }
  })
})

function trap(): never {
  throw new Error('trap')
}

describe('what a task threw', () => {
  it.each<[unknown, RegExp]>([
    ['boom', /^task "mail" threw a string: "boom"; throw an Error so that its stack is kept$/],
    [undefined, /threw undefined;/],
    [null, /threw null;/],
    [5, /threw a number: 5;/],
    [5n, /threw a bigint: 5n;/],
    [Symbol('s'), /threw a symbol: Symbol\(s\);/],
    [trap, /threw a function: \[Function: trap\];/],
    [{ a: [1] }, /threw an object: \{ a: \[ 1 \] \};/],
    [new Proxy({}, { get: trap, getPrototypeOf: trap, ownKeys: trap }), /threw an object/],
    [Proxy.revocable({}, {}).proxy, /threw an object/],
    ['x'.repeat(5e6), /threw a string: "x+… \(\d+ more bytes\)"/],
    [{ toString: trap, [Symbol.toPrimitive]: trap }, /threw an object/],
  ])('%# is not an error', (value, message) => {
    const back = thrown(value)
    expect(errors.NonErrorThrownError.is(back)).toBe(true)
    expect(back).toBeInstanceOf(errors.NonErrorThrownError)
    expect(back.name).toBe('NonErrorThrownError')
    expect(back.message).toMatch(message)
    expect(bytes(back.message)).toBeLessThan(2000)
  })

  it('keeps the value where it can', () => {
    expect(thrown({ a: new Date(0) }).value).toEqual({ a: new Date(0) })
    expect(thrown('boom').value).toBe('boom')
    expect(thrown({ a: trap }).value).toBeUndefined()
    expect(thrown('x'.repeat(1e6)).value).toBeUndefined()
  })

  it('keeps what an error says, and is', () => {
    const error = new PaymentError('declined', 'o-1')
    error.cause = new TypeError('inner')
    const back = thrown(Object.freeze(error))
    expect(back).toBeInstanceOf(PaymentError)
    expect([back.message, back.stack, back.order]).toEqual(['declined', error.stack, 'o-1'])
    expect(back.cause).toBeInstanceOf(TypeError)
    expect(thrown(new DOMException('stop', 'AbortError')).name).toBe('AbortError')
    expect(thrown(new errors.RetryAfterError(7)).delaySeconds).toBe(7)
    const aggregate = thrown(new AggregateError([new RangeError('a'), 'b', { c: 1 }, trap], 'all'))
    expect(aggregate).toBeInstanceOf(AggregateError)
    expect(aggregate.errors).toEqual([new RangeError('a'), 'b', { c: 1 }])
    expect(thrown(new Error('a', { cause: 'why' })).cause).toBe('why')
    expect(thrown(new Error('a', { cause: { b: 1 } })).cause).toEqual({ b: 1 })
    expect(thrown(new Error('a', { cause: trap }))).not.toHaveProperty('cause')
  })

  it.each(['message', 'stack', 'cause', 'name', 'errors', 'data', 'constructor'])(
    'survives a trap at %s',
    (key) => {
      const error = Object.defineProperty(new Error('a'), key, { get: trap, enumerable: true })
      expect(thrown(error)).toBeInstanceOf(Error)
      expect(thrown(Object.assign(new Error('b', { cause: error }))).message).toBe('b')
    },
  )

  it('survives proxies of errors', () => {
    const traps: ProxyHandler<Error> = { get: trap, ownKeys: trap, has: trap, getOwnPropertyDescriptor: trap }
    expect(thrown(new Proxy(new Error('a'), {})).message).toBe('a')
    expect(thrown(new Proxy(new Error('a'), traps))).toBeInstanceOf(Error)
    expect(thrown(new Proxy(new Error('a'), { ...traps, getPrototypeOf: trap }))).toBeInstanceOf(Error)
  })

  it('cuts texts at a code point and says so', () => {
    const error = new Error('é😀'.repeat(1e6))
    error.stack = `Error: ${'😀'.repeat(1e6)}`
    const back = thrown(error)
    expect(back.message).toMatch(/^(é😀)+é?… \(\d+ more bytes\)$/u)
    expect(back.message.isWellFormed()).toBe(true)
    expect(bytes(back.message)).toBeLessThanOrEqual(errorLimits.messageBytes)
    expect(bytes(back.message)).toBeGreaterThan(errorLimits.messageBytes - 40)
    expect(bytes(back.stack ?? '')).toBeLessThanOrEqual(errorLimits.stackBytes)
    const more = Number(/\((\d+) more/.exec(back.message)?.[1])
    expect(bytes(back.message.replace(/….*/, '')) + more).toBe(6e6)
    for (const size of [-1, 0, 1]) {
      const text = 'a'.repeat(errorLimits.messageBytes + size)
      expect(cutText(text, errorLimits.messageBytes) === text).toBe(size <= 0)
    }
  })

  it.each(['a', 'é', '日', '😀', '\ud800'])(
    'keeps %j up to each limit whole, and cuts what is longer',
    (unit) => {
      const size = bytes(unit)
      for (const [part, limit] of [
        ['message', errorLimits.messageBytes],
        ['stack', errorLimits.stackBytes],
      ] as const) {
        for (const over of [-1, 0, 1]) {
          const fill = (limit + over) % size
          const text = unit.repeat((limit + over - fill) / size) + 'x'.repeat(fill)
          const error = new Error('a', { cause: new Error('b') })
          error[part] = text
          ;(error.cause as Error)[part] = text
          const back = thrown(error)
          for (const found of [back[part], (back.cause as Error)[part]] as string[]) {
            if (over <= 0) {
              expect(found === text).toBe(true)
              continue
            }
            expect(bytes(found)).toBeLessThanOrEqual(limit)
            expect(bytes(found)).toBeGreaterThan(limit - 40)
            const [kept = '', missing] = found.split(/… \((\d+) more bytes\)$/)
            expect(kept === unit.repeat(kept.length / unit.length)).toBe(true)
            expect(bytes(kept) + Number(missing)).toBe(limit + 1)
          }
        }
      }
    },
  )

  it('cuts the chain of causes, and cycles', () => {
    let error = new Error('0')
    for (let i = 1; i <= 50; i++) error = new Error(`${i}`, { cause: error })
    let length = 0
    for (let back: unknown = thrown(error); back instanceof Error; back = back.cause) length++
    expect(length).toBe(1 + errorLimits.causeDepth)
    const [a, b] = [new Error('a'), new Error('b')]
    a.cause = b
    b.cause = a
    expect((thrown(a).cause as Error).message).toBe('b')
    expect((thrown(a).cause as Error).cause).toBeUndefined()
    const self = new AggregateError([], 'self')
    self.errors.push(self, new Error('other'))
    expect((thrown(self).errors as Error[]).map(({ message }) => message)).toEqual(['other'])
  })

  it('leaves out properties that are too large, or cannot be encoded', () => {
    const error = Object.assign(new Error('denied'), {
      $fault: 'client',
      $metadata: { httpStatusCode: 403, requestId: 'r' },
      $response: { body: new ReadableStream() },
      client: trap,
      huge: 'x'.repeat(5e6),
      large: { rows: Array.from({ length: 5000 }, (_, i) => i) },
      last: true,
    })
    const { $fault, $metadata, last, ...others } = { ...thrown(error) }
    expect([$fault, $metadata, last]).toEqual(['client', { httpStatusCode: 403, requestId: 'r' }, true])
    expect(others).toEqual({})
    const many = Object.assign(
      new Error('a'),
      Object.fromEntries(Array.from({ length: 1e4 }, (_, i) => [`k${i}`, i])),
    )
    expect(JSON.stringify({ ...thrown(many) }).length).toBeLessThan(errorLimits.propertiesBytes)
    let deep: unknown = 1
    for (let i = 0; i < 499; i++) deep = [deep]
    expect(
      thrown(Object.assign(new Error('a'), { deep, cause: new Error('b', { cause: deep }) })).deep,
    ).toEqual(deep)
  })

  it('stays under the size of a DynamoDB item, whatever the tree', () => {
    const text = '\u0001'.repeat(1e5)
    const tree = (depth: number): Error =>
      new AggregateError(depth > 2 ? [] : Array.from({ length: 12 }, () => tree(depth + 1)), text, {
        cause: new Error(text),
      })
    const encoded = codec.encodeThrown(tree(0), 'mail')
    expect(bytes(encoded)).toBeLessThan(300_000)
    expect((codec.decode(encoded) as AggregateError).errors.length).toBeLessThanOrEqual(errorLimits.errors)
  })

  it('never throws, whatever the name of the task', () => {
    expect(thrown('x', '"\ud800'.repeat(1e5))).toBeInstanceOf(Error)
    const back = thrown('x', 5 as unknown as string)
    expect(back.message).toBe('a task threw a value that cannot be read')
    expect(errors.NonErrorThrownError.is(back)).toBe(true)
  })
})
