import {
  createClient,
  createExecutor,
  currentTask,
  defineConfig,
  type ErrandError,
  InvalidInputError,
  InvalidOptionError,
  InvalidTaskError,
  NoCurrentTaskError,
  NotWiredError,
  PayloadTooLargeError,
  task,
  UnregisteredTaskError,
  UnsupportedValueError,
} from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import type { CallOptions } from '../../src/runtime/submit/call-options.ts'

// What a user can get wrong: each gives a typed error that says what failed, the value, the rule and the fix.

const config = defineConfig({
  name: 'bad-input',
  queues: { default: {}, 'high-priority': {}, ordered: { fifo: true } },
  workers: { main: { logLevel: 'error', concurrency: 60, batchSize: 10 } },
  taskOptions: { '*': { maxAttempts: 1 } },
})
const clock = virtualClock()
const mail = task({
  input: z.object({ to: z.email(), copies: z.number().max(3).default(1) }),
  run: ({ to, copies }) => `${copies} to ${to}`,
})
const tasks = {
  add: (a: number, b: number) => a + b,
  echo: (value: unknown) => value,
  length: (text: string) => text.length,
  forever: () => new Promise<never>(() => {}),
  throwText: () => {
    throw 'only text'
  },
  throwFrozen: () => {
    throw Object.freeze(new RangeError('frozen'))
  },
  throwChain: () => {
    throw new Error('outer', { cause: new TypeError('middle', { cause: new RangeError('inner') }) })
  },
  mail,
}
const executor = createExecutor(config, { tasks, backend: 'local', local: { clock } })

afterAll(() => clock.runUntil(executor.close()))
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

type ErrorClass<E> = { is(value: unknown): value is E }

/** The error of a submit: of this class, and with every one of these parts in its message. */
async function refusal<E extends ErrandError>(
  kind: ErrorClass<E> & { readonly code: string },
  work: Promise<unknown>,
  parts: readonly string[],
): Promise<E> {
  const error: unknown = await work.then(
    () => expect.unreachable('it was not refused'),
    (reason: unknown) => reason,
  )
  if (!kind.is(error)) throw error
  expect(error).toMatchObject({ code: kind.code })
  for (const part of parts) expect(error.message).toContain(part)
  return error
}

describe('what is submitted', () => {
  test('a function that nobody registered: the line to add', async () => {
    const resize = () => 1
    const parts = ['the function resize is not registered', 'createExecutor(config, { tasks: { resize } })']
    await refusal(UnregisteredTaskError, executor.submit(resize), parts)
    await refusal(UnregisteredTaskError, executor.map(resize, [[]]), parts)
    await refusal(
      UnregisteredTaskError,
      executor.submit(() => 1),
      ['(without a name)', '{ name: theFunction }'],
    )
  })

  test('a function of a module that is loaded twice', async () => {
    const twin = { add: (a: number, b: number) => a + b }
    const parts = ['the function add', 'registered as "add"', 'loaded twice', "as the executor's module does"]
    await refusal(UnregisteredTaskError, executor.submit(twin.add, 1, 2), parts)
  })

  test.each([undefined, null, 5, 'add', {}])('%j instead of a function', async (target) => {
    const work = executor.submit(target as unknown as () => void)
    await refusal(UnregisteredTaskError, work, ['expected a registered function', 'use createClient'])
  })

  test('a class', async () => {
    class Report {}
    const work = executor.submit(Report as unknown as () => void)
    await refusal(InvalidTaskError, work, ['the class Report', 'cannot be called', 'submit a function'])
  })

  const names: readonly (readonly [unknown, string])[] = [
    ['', '1–128'],
    ['x'.repeat(129), '129 characters'],
    ['constructor', 'every object has a `constructor`'],
    ['__proto__', 'every object has a `__proto__`'],
    ['reports.toString', 'every object has a `toString`'],
    ['hasOwnProperty', 'every object has a `hasOwnProperty`'],
    ['../x', 'letters, digits'],
    [5, 'by name'],
    [undefined, 'by name'],
  ]
  test.each(names)('by a client, under the name %j', async (name, rule) => {
    const client = createClient<typeof executor>(config, { backend: await internalsOf(executor).connect() })
    await refusal(InvalidTaskError, client.submit(name as 'add', 1, 2), [rule])
  })
})

describe('arguments', () => {
  const values: readonly (readonly [string, unknown, string, string])[] = [
    ['a function', { a: [() => 1] }, 'arguments[0].a[0]', 'code cannot be sent'],
    ['a symbol', [Symbol('s')], 'arguments[0][0]', 'send a string'],
    ['an instance', { user: new (class User {})() }, 'arguments[0].user', 'User'],
    ['a promise', { later: Promise.resolve(1) }, 'arguments[0].later', 'a promise'],
    ['a subclass of Array', new (class List extends Array {})(), 'arguments[0]', 'Array.from'],
    ['an array with properties', Object.assign([1], { extra: 1 }), 'arguments[0]', 'extra properties'],
    ['a symbol key', { [Symbol('s')]: 1 }, 'arguments[0]', 'symbol key'],
    ['a hidden property', Object.defineProperty({}, 'x', { value: 1 }), 'arguments[0]', 'non-enumerable'],
    ['an own __proto__', JSON.parse('{"a":{"__proto__":1}}'), 'arguments[0].a', '__proto__'],
    [
      'a getter that throws',
      Object.defineProperty({}, 'x', { enumerable: true, get: () => expect.unreachable() }),
      'arguments[0].x',
      'reading it threw',
    ],
    ['a weak map', new Map([['k', new WeakMap()]]), 'arguments[0].get("k")', 'WeakMap'],
  ]
  test.each(values)('that would not come back as they are: %s', async (_, value, path, part) => {
    const error = await refusal(UnsupportedValueError, executor.submit(tasks.echo, value), [path, part])
    expect(error.path.startsWith(path)).toBe(true)
    await refusal(UnsupportedValueError, executor.map(tasks.echo, [[1], [value]]), [path, part])
  })

  /** The longest text of this unit whose message is of `bytes` bytes at the most, and the size of that message. */
  async function fill(unit: string, bytes: number): Promise<{ count: number; rest: number }> {
    const { queue } = await internalsOf(executor).connect()
    const send = vi.spyOn(queue, 'send')
    const sizes: number[] = []
    for (const text of ['', unit]) {
      await executor.submit(tasks.length, text)
      const body = send.mock.lastCall?.[1][0]?.body ?? ''
      sizes.push(Buffer.byteLength(body))
    }
    send.mockRestore()
    const [empty = 0, one = 0] = sizes
    const perUnit = one - empty
    return { count: Math.floor((bytes - empty) / perUnit), rest: (bytes - empty) % perUnit }
  }

  test.each(['x', 'é', '日', '😀', '\ud800', '"', '\n', '\uffff'])(
    'of %j up to the limit run; one byte more is refused',
    async (unit) => {
      const limit = 1_048_576
      const { count, rest } = await fill(unit, limit)
      const full = unit.repeat(count) + 'x'.repeat(rest)
      for (const text of [full.slice(0, -1), full]) {
        const future = await executor.submit(tasks.length, text)
        expect(await clock.runUntil(future.result())).toBe(text.length)
      }
      const parts = ['"length"', `${limit + 1} bytes`, `at most ${limit}`, 'store the data and pass its key']
      await refusal(PayloadTooLargeError, executor.submit(tasks.length, `${full}x`), parts)
      await refusal(PayloadTooLargeError, executor.map(tasks.length, [['x'], [`${full}x`]]), parts.slice(2))
    },
  )

  test('that the schema refuses, at submit', async () => {
    const work = executor.submit(mail, { to: 'nobody', copies: 9 })
    const error = await refusal(InvalidInputError, work, [
      'task "mail" refused its input',
      'to: ',
      'copies: ',
    ])
    expect(error.issues.map(({ path }: { path: string }) => path)).toEqual(['to', 'copies'])
    const parts = ['task "mail" refused its input']
    await refusal(InvalidInputError, executor.map(mail, [[{ to: 'a@b.co' }], [{ to: '' }]]), parts)
    await refusal(InvalidInputError, mail({ to: '' }), ['refused its input', 'to: '])
  })

  test('that the schema refuses, in the worker: no second attempt', async () => {
    const client = createClient<typeof executor>(config, { backend: await internalsOf(executor).connect() })
    const future = await client.submit('mail', { to: 'nobody' })
    const error = await clock.runUntil(future.exception())
    expect(InvalidInputError.is(error)).toBe(true)
    expect(error?.message).toContain('task "mail" refused its input: to: ')
    expect(await future.snapshot()).toMatchObject({ state: 'failed', reason: 'threw', attempts: 1 })
  })

  test('more than one for a task with a schema', async () => {
    const two = mail as unknown as (a: unknown, b: unknown) => void
    const parts = ['"mail" was given 2 arguments', 'takes one']
    await refusal(InvalidInputError, executor.submit(two, { to: 'a@b.co' }, 2), parts)
  })

  test.each([5, undefined, null, 'ab', {}])('map of %j', async (lists) => {
    const work = executor.map(tasks.echo, lists as unknown as [unknown][])
    const rule = lists === 'ab' ? 'map was given "ab"' : 'expected an iterable of argument lists'
    await refusal(InvalidOptionError, work, [rule])
  })

  test('map of items that are no lists', async () => {
    const work = executor.map(tasks.echo, [[1], 2] as unknown as [unknown][])
    await refusal(InvalidOptionError, work, ['map: item 1 is 2', 'a list of arguments', 'wrap it: [item]'])
  })
})

describe('the options of a call', () => {
  const rows: readonly (readonly [unknown, readonly string[]])[] = [
    [{ queue: 'high' }, ['queue "high" is not declared', 'known: "default", "high-priority"']],
    [{ queue: 'high-prioritee' }, ['did you mean "high-priority"?']],
    [{ queue: 'constructor' }, ['queue "constructor" is not declared']],
    [{ queue: 5 }, ['queue 5 is not declared']],
    [{ delay: 5 }, ['unknown option `delay`', 'known: "queue", "delaySeconds"']],
    [{ delaySecond: 5 }, ['unknown option `delaySecond`', 'did you mean "delaySeconds"?']],
    [{ delaySeconds: -1 }, ['`delaySeconds` is -1, expected a number from 0 to 900', "SQS's limit"]],
    [{ delaySeconds: 900.5 }, ['`delaySeconds` is 900.5', 'from 0 to 900']],
    [{ delaySeconds: Number.NaN }, ['`delaySeconds` is NaN']],
    [{ delaySeconds: Number.POSITIVE_INFINITY }, ['`delaySeconds` is Infinity']],
    [{ delaySeconds: '5' }, ['`delaySeconds` is "5"', 'expected a number']],
    [{ delaySeconds: null }, ['`delaySeconds` is null']],
    [{ delaySeconds: 5, queue: 'ordered' }, ['is 5', 'the queue "ordered" is FIFO', 'use a standard queue']],
    [{ tenant: '' }, ['`tenant` is ""', '1–128']],
    [{ tenant: 'a b' }, ['`tenant` is "a b"', "SQS's MessageGroupId"]],
    [{ tenant: 'é' }, ['ASCII punctuation']],
    [{ tenant: 5 }, ['`tenant` is 5']],
    [{ id: '' }, ['`id` is ""', 'the id of an earlier submit']],
    [{ id: '../x' }, ['`id` is "../x"']],
    [{ id: 'x'.repeat(1_000_000) }, ['`id` is "xxx', 'the id of an earlier submit']],
    [null, ['the options of a call is null', 'expected an object']],
    [undefined, ['the options of a call is undefined', 'expected an object']],
    [5, ['the options of a call is 5']],
  ]
  test.each(rows)('%o', async (options, parts) => {
    const by = executor.with(options as CallOptions<'default'>)
    await refusal(InvalidOptionError, by.submit(tasks.add, 1, 2), parts)
    const mapParts = parts.some((part) => part.startsWith('`id`')) ? ['all its calls would be one'] : parts
    await refusal(InvalidOptionError, by.map(tasks.add, [[1, 2]]), mapParts)
  })

  test('how long to wait', async () => {
    const future = await executor.submit(tasks.add, 1, 2)
    for (const timeoutSeconds of [-1, Number.NaN, '5' as unknown as number, null as unknown as number]) {
      const parts = ['`timeoutSeconds` is', 'expected a number from 0', 'leave it out to wait without limit']
      await refusal(InvalidOptionError, future.result({ timeoutSeconds }), parts)
    }
    const typo: object = { timeoutSecond: 5 }
    await refusal(InvalidOptionError, future.result(typo), [
      '`timeoutSecond`',
      'did you mean "timeoutSeconds"?',
    ])
  })

  test.each(['', 5, null, undefined])('a future of the id %j', (id) => {
    const make = () => executor.future(id as string)
    expect(make).toThrow('expected the `id` of a future')
    expect(() => executor.group(id as string)).toThrow('expected the `id` of what map returned')
  })
})

test.each(['id', 'task', 'attempt', 'tenant', 'signal', 'context'] as const)(
  'currentTask.%s outside a task',
  async (member) => {
    const read = async () => currentTask[member]
    const parts = [`currentTask.${member}`, 'where no task runs', 'ask currentTask.active first']
    await refusal(NoCurrentTaskError, read(), parts)
  },
)

test('production without wiring: the submit is refused', async () => {
  for (const name of ['VITEST', 'JEST_WORKER_ID', 'NODE_TEST_CONTEXT', 'ERRAND_BACKEND'])
    vi.stubEnv(name, undefined)
  vi.stubEnv('NODE_ENV', 'production')
  const production = createExecutor(config, { tasks })
  const parts = ['"bad-input"', 'NODE_ENV=production', 'ERRAND_TABLE', 'ERRAND_BACKEND=local']
  await refusal(NotWiredError, production.submit(tasks.add, 1, 2), parts)
})

describe('a task that throws', () => {
  test('a text', async () => {
    const future = await executor.submit(tasks.throwText)
    const error = await clock.runUntil(future.exception())
    expect(error).toMatchObject({ name: 'NonErrorThrownError', code: 'non-error-thrown', value: 'only text' })
    for (const part of ['"throwText"', 'a string: "only text"', 'throw an Error']) {
      expect(error?.message).toContain(part)
    }
  })

  test('a frozen error', async () => {
    const future = await executor.submit(tasks.throwFrozen)
    await expect(clock.runUntil(future.result())).rejects.toThrow(new RangeError('frozen'))
  })

  test('an error with a chain of causes', async () => {
    const future = await executor.submit(tasks.throwChain)
    const error = await clock.runUntil(future.exception())
    expect(error).toMatchObject({
      message: 'outer',
      cause: { message: 'middle', cause: { message: 'inner' } },
    })
    const middle = error?.cause as Error
    expect([middle instanceof TypeError, middle.cause instanceof RangeError]).toEqual([true, true])
    expect(error?.stack).toContain('bad-input.test.ts')
  })

  test('nothing, and never settles', async () => {
    const future = await executor.submit(tasks.forever)
    expect(await clock.runUntil(future.outcome())).toMatchObject({ state: 'failed', reason: 'timed-out' })
  })
})

describe('a poison message among nine good ones', () => {
  const whole = {
    v: 1,
    id: 'poison',
    task: 'add',
    queue: 'default',
    payloadHash: 'x',
    createdAt: clock.now(),
    dueAt: clock.now(),
    args: { json: [1, 2] },
  }
  const poison: Readonly<Record<string, string>> = {
    'not JSON': 'poison',
    truncated: JSON.stringify(whole).slice(0, -5),
    'a space': ' ',
    'a list': '[]',
    null: 'null',
    'a number': '5',
    'of another shape': '{"Records":[]}',
    'of no version': JSON.stringify({ ...whole, v: undefined }),
    'of a newer version': JSON.stringify({ ...whole, v: 2 }),
    'of the task constructor': JSON.stringify({ ...whole, task: 'constructor' }),
    'of the task __proto__': JSON.stringify({ ...whole, task: '__proto__' }),
    'of a task that is a list': JSON.stringify({ ...whole, task: ['add'] }),
    'with an own __proto__': `{"__proto__":${JSON.stringify(whole)}}`,
    'without arguments': JSON.stringify({ ...whole, args: undefined }),
    'with a text for arguments': JSON.stringify({ ...whole, id: 'p1', args: 'x' }),
    'with an object for arguments': JSON.stringify({ ...whole, id: 'p2', args: { json: { length: 1 } } }),
    'with a table that leads nowhere': JSON.stringify({ ...whole, id: 'p3', args: [[5]] }),
    'with an id of a megabyte': JSON.stringify({ ...whole, id: 'x'.repeat(1_000_000) }),
    'due at no time': JSON.stringify({ ...whole, dueAt: '2026' }),
    'due long ago': JSON.stringify({ ...whole, id: 'p4', createdAt: 0, dueAt: 0 }),
    'of a queue that is not there': JSON.stringify({ ...whole, id: 'p5', queue: 'toString' }),
  }
  test.each(Object.keys(poison))('%s: the nine finish at once', async (name) => {
    vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const { queue } = (await internalsOf(executor).connect()) as Backend
    const before = Object.getOwnPropertyNames(Object.prototype)
    const lists = Array.from({ length: 9 }, (_, index) => [index, 1] as const)
    const group = await executor.map(tasks.add, lists.slice(0, 4))
    await queue.send('default', [{ body: poison[name] ?? '' }])
    const rest = await executor.map(tasks.add, lists.slice(4))
    await clock.advance({ seconds: 1 })
    expect([...(await group.results()), ...(await rest.results())]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before)
  })
})
