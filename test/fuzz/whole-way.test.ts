import { createExecutor, defineConfig, UnsupportedValueError } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { errorLimits } from '../../src/runtime/codec/error-codec.ts'
import { LIMITS } from '../../src/runtime/config/config.ts'
import { buildValue, RegisteredError } from './build-value.ts'
import { recipes } from './recipe.ts'
import { makeRefused } from './refused-values.ts'
import { differenceOf } from './same-value.ts'

// Values, results and errors from submit to the future: what the codec promises holds of the whole way.

const config = defineConfig({
  name: 'whole-way',
  workers: { main: { logLevel: 'error' } },
  taskOptions: { '*': { maxAttempts: 1 } },
})
const clock = virtualClock()

function app(backend: 'local' | 'eager') {
  let make: () => unknown = () => undefined
  const tasks = {
    echo: (value: unknown) => value,
    give: () => make(),
    fail: () => {
      throw make()
    },
  }
  const options = { tasks, backend, errors: { registered: RegisteredError } }
  const executor = createExecutor(
    { ...config, name: `whole-way-${backend}` },
    { ...options, local: { clock } },
  )
  /** The future of a task that returns or throws what `made` makes in the worker. */
  const submit = (task: 'give' | 'fail', made: () => unknown) => {
    make = made
    return executor.submit(tasks[task])
  }
  return { backend, executor, tasks, submit }
}

const apps = [app('local'), app('eager')]

afterAll(() => clock.runUntil(Promise.all(apps.map(({ executor }) => executor.close()))))

describe.each(apps)('on $backend', ({ executor, tasks, submit }) => {
  it('any value that is taken comes back as it was, twice over the wire (I11)', async () => {
    const property = fc.asyncProperty(recipes({ refused: 0 }), async (recipe) => {
      const { sent, expected, tooDeep } = buildValue(recipe)
      fc.pre(!tooDeep)
      const future = await executor.submit(tasks.echo, sent)
      expect(differenceOf(expected, await clock.runUntil(future.result()))).toBeUndefined()
    })
    await fc.assert(property, { numRuns: 500, seed: 1 })
  })

  const thenables: readonly (readonly [string, object])[] = [
    ['a text', withThen({}, 'x')],
    ['an object', withThen({}, withThen({}, null))],
    ['nothing', withThen({}, undefined)],
    ['the result itself', cycleThrough('then')],
    ['a property of an error', withThen(new Error('x'), 1)],
    ['an entry of an object without a prototype', withThen(Object.create(null), 1)],
  ]
  it.each(thenables)('a result whose `then` is %s does not hang its future (F-29)', async (_, value) => {
    const future = await submit('give', () => value)
    const result = await clock.runUntil(future.result())
    expect(Object.hasOwn(result as object, 'then')).toBe(true)
    expect(await future.outcome()).toMatchObject({ state: 'succeeded' })
    const group = await executor.map(tasks.echo, [[value], [[value]]])
    expect(await clock.runUntil(group.results())).toHaveLength(2)
  })

  const returned: readonly (readonly [string, () => unknown, unknown])[] = [
    ['undefined', () => undefined, undefined],
    ['null', () => null, null],
    ['a promise', () => Promise.resolve(new Map([[1, 2]])), new Map([[1, 2]])],
    ['minus zero', () => -0, -0],
  ]
  it.each(returned)('a task may return %s (F-31)', async (_, make, value) => {
    const future = await submit('give', make)
    expect(await clock.runUntil(future.result())).toStrictEqual(value)
  })

  const unsendable = [
    ...[
      'a response',
      'a stream',
      'a generator',
      'an arrow function',
      'a symbol',
      'an instance',
      'the global object',
    ],
    ...['a proxy that was revoked', 'a getter that throws', 'a weak map', 'a detached buffer'],
  ]
  it.each(unsendable)('a task that returns %s fails, and says where it is (F-31)', async (name) => {
    const future = await submit('give', () => ({ deep: [makeRefused(name)] }))
    const error = await clock.runUntil(future.exception())
    expect(await future.outcome()).toMatchObject({ state: 'failed', reason: 'threw', attempts: 1 })
    expect(UnsupportedValueError.is(error)).toBe(true)
    expect((error as UnsupportedValueError).path.startsWith('result.deep[0]')).toBe(true)
  })

  it('a result at the limit is kept, one byte more is a failure, whatever its characters (F-27)', async () => {
    const frame = Buffer.byteLength('{"json":""}')
    for (const unit of ['x', 'é', '日', '😀']) {
      const room = LIMITS.resultBytes - frame
      const text = unit.repeat(room / Buffer.byteLength(unit))
      const full = text + 'x'.repeat(room - Buffer.byteLength(text))
      for (const extra of ['', 'x']) {
        const future = await submit('give', () => full + extra)
        const outcome = await clock.runUntil(future.outcome())
        if (extra === '') expect(outcome).toEqual({ state: 'succeeded', value: full })
        else expect(outcome).toMatchObject({ state: 'failed', reason: 'result-too-large', attempts: 1 })
      }
    }
  })

  it.each(Object.entries(thrown))('a task that throws %s (F-31)', async (_, { make, expected }) => {
    const future = await submit('fail', make)
    const error = await clock.runUntil(future.exception())
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject(expected)
    expect(await future.outcome()).toMatchObject({ state: 'failed', reason: 'threw', attempts: 1 })
    await expect(clock.runUntil(future.result())).rejects.toMatchObject(expected)
    const texts: readonly (readonly [string, number])[] = [
      [error?.message ?? '', errorLimits.messageBytes],
      [error?.stack ?? '', errorLimits.stackBytes],
    ]
    for (const [text, limit] of texts) {
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limit)
      expect(text.isWellFormed(), 'cut between code points').toBe(true)
    }
  })
})

/** Set by its name, since a linter takes an object that has one for a promise. */
function withThen<T extends object>(target: T, value: unknown): T {
  return Object.assign(target, Object.fromEntries([['then', value]]))
}

function cycleThrough(key: string): object {
  const value: Record<string, unknown> = {}
  value[key] = value
  return value
}

interface Thrown {
  readonly make: () => unknown
  /** What the future rejects with, as data. */
  readonly expected: object
}

class OrderError extends Error {
  override name = 'OrderError'
  readonly order = { id: 7, placed: new Date(0) }
  readonly #secret = 1
  get secret() {
    return this.#secret
  }
}

function cyclicCause(): Error {
  const [first, second] = [new Error('first'), new RangeError('second')]
  first.cause = second
  second.cause = first
  return first
}

const megabytes = '😀é'.repeat(500_000)
const cut = expect.stringMatching(/… \(\d+ more bytes\)$/)
const notAnError = (value: unknown) => ({ name: 'NonErrorThrownError', code: 'non-error-thrown', value })

const thrown: Readonly<Record<string, Thrown>> = {
  undefined: { make: () => undefined, expected: notAnError(undefined) },
  null: { make: () => null, expected: notAnError(null) },
  'a bigint': { make: () => 5n, expected: notAnError(5n) },
  'a symbol': { make: () => Symbol('s'), expected: notAnError(undefined) },
  'a function': { make: () => () => 1, expected: notAnError(undefined) },
  'a response': { make: () => new Response('x'), expected: notAnError(undefined) },
  'an object that looks like an error': {
    make: () => ({ name: 'Error', message: 'fake', stack: 'fake' }),
    expected: notAnError({ name: 'Error', message: 'fake', stack: 'fake' }),
  },
  'megabytes of text': { make: () => megabytes, expected: notAnError(undefined) },
  'a frozen error': {
    make: () => Object.freeze(new TypeError('frozen')),
    expected: { name: 'TypeError', message: 'frozen', stack: expect.stringContaining('whole-way.test.ts') },
  },
  'an error whose message throws': {
    make: () => makeRefused('an error whose message throws'),
    expected: { name: 'Error' },
  },
  'a proxy of an error': {
    make: () => new Proxy(new RangeError('behind'), {}),
    expected: { name: 'RangeError', message: 'behind' },
  },
  'a proxy that was revoked': {
    make: () => makeRefused('a proxy that was revoked'),
    expected: { name: 'NonErrorThrownError' },
  },
  'an AggregateError': {
    make: () => new AggregateError([new TypeError('a'), 'b', { c: 1 }], 'all', { cause: 'why' }),
    expected: {
      name: 'AggregateError',
      message: 'all',
      cause: 'why',
      errors: [{ name: 'TypeError' }, 'b', { c: 1 }],
    },
  },
  'a DOMException': {
    make: () => new DOMException('stop', 'AbortError'),
    expected: { name: 'AbortError', message: 'stop' },
  },
  'a subclass with fields': {
    make: () => new OrderError('declined'),
    expected: { name: 'OrderError', message: 'declined', order: { id: 7, placed: new Date(0) } },
  },
  'a registered class': {
    make: () => new RegisteredError('mine'),
    expected: { name: 'RegisteredError', message: 'mine', constructor: RegisteredError },
  },
  'an error whose causes are a cycle': {
    make: cyclicCause,
    expected: { message: 'first', cause: { name: 'RangeError', message: 'second' } },
  },
  'megabytes of message, stack, cause and properties': {
    make: () => {
      const error = new Error(megabytes, { cause: new Error(megabytes) })
      error.stack = megabytes
      return Object.assign(error, { huge: megabytes, small: 1 })
    },
    expected: { message: cut, stack: cut, small: 1, cause: { message: cut } },
  },
}
