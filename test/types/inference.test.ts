import {
  createClient,
  createExecutor,
  currentTask,
  defineConfig,
  type Future,
  type FutureGroup,
  type Outcome,
  type Task,
  task,
} from 'errand'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import * as pattern from '../../src/runtime/config/name-pattern.ts'
import * as names from '../../src/runtime/config/nearest-name.ts'
import * as futures from '../../src/runtime/future/future.ts'

// What TypeScript knows of a submit: everything, from the function itself. `tsc` is the test; running it only
// shows that the file is one. What must be refused stands in `refused`, which is never called.

const config = defineConfig({
  name: 'types',
  queues: ['low-priority', 'high-priority'],
  workers: { foo: { queues: ['low-priority', 'high-priority'] } },
})

const add = (a: number, b: number) => a + b
const later = async (a: number, b: number) => a + b
const nothing = () => {}
const greet = (name: string, greeting?: string) => `${greeting ?? 'Hello'} ${name}`
const greetWith = (name: string, greeting = 'Hello') => `${greeting} ${name}`
const sum = (first: number, ...rest: number[]) => rest.reduce((a, b) => a + b, first)
const first = <T>(list: readonly T[]): T | undefined => list[0]
const either = async (flag: boolean): Promise<{ ok: true; value: number } | { ok: false }> =>
  flag ? { ok: true, value: 1 } : { ok: false }
const nested = async () => Promise.resolve(Promise.resolve(new Map<string, Date>()))
const never = (): never => {
  throw new Error('never')
}

const plain = task((key: string) => key.length)
const tuned = task({ run: async (key: string, width?: number) => ({ key, width }), maxAttempts: 5 })
const mail = task({
  input: z.object({ to: z.string(), copies: z.coerce.number().default(1) }),
  run: async ({ to, copies }) => {
    expectTypeOf(to).toEqualTypeOf<string>()
    expectTypeOf(copies).toEqualTypeOf<number>()
    return `${copies} to ${to}`
  },
  maxAttempts: 5,
})

class Report {
  readonly month = '2026-10'
}
const reports = {
  build: async (month: string, year?: number) => ({ month, pages: year ?? 1 }),
  mail,
  deep: { er: (flag: boolean) => flag },
}

const executor = createExecutor(config, {
  tasks: { add, later, greet, sum, plain, tuned, reports, pattern, names, futures },
})
const shrink = executor.task('shrink', async (key: string) => key.length)
const shrinkTuned = executor.task('shrinkTuned', { run: (key: string) => key, timeoutSeconds: 5 })
const shrinkInput = executor.task('shrinkInput', { input: z.object({ n: z.number() }), run: ({ n }) => n })

const client = createClient<typeof executor>(config)

type Sent<T> = Promise<Future<T>>
type SentGroup<T> = Promise<FutureGroup<T>>

/** Never called: what it says is said by its types. */
const submits = () => ({
  add: executor.submit(add, 1, 2),
  later: executor.submit(later, 1, 2),
  nothing: executor.submit(nothing),
  greet: [
    executor.submit(greet, 'a'),
    executor.submit(greet, 'a', 'b'),
    executor.submit(greetWith, 'a'),
  ] as const,
  sum: [executor.submit(sum, 1), executor.submit(sum, 1, 2, 3)] as const,
  first: executor.submit(first, ['a']),
  either: executor.submit(either, true),
  nested: executor.submit(nested),
  never: executor.submit(never),
  with: executor.with({ queue: 'high-priority', delaySeconds: 5 }).submit(later, 1, 2),
  map: executor.map(add, [
    [1, 2],
    [3, 4],
  ]),
  mapOfIterable: executor.with({ tenant: 'acme' }).map(greet, new Set([['a'] as const])),
  mapOfSum: executor.map(sum, [[1], [1, 2], [1, 2, 3]]),
  current: currentTask.submit(later, 1, 2),
  future: executor.future<number>('id'),
})

const tasksOfForms = () => ({
  plain: [plain.submit('k'), plain.delay('k'), plain.with({ queue: 'x' }).submit('k')] as const,
  plainMap: plain.map([['a'], ['b']]),
  tuned: tuned.submit('k', 1),
  tunedShort: executor.submit(tuned, 'k'),
  mail: mail.submit({ to: 'a' }),
  mailFull: executor.submit(mail, { to: 'a', copies: '2' }),
  mailMap: mail.map([[{ to: 'a' }]]),
  shrink: [shrink.submit('k'), executor.submit(shrink, 'k')] as const,
  shrinkTuned: shrinkTuned.delay('k'),
  shrinkInput: shrinkInput.submit({ n: 1 }),
  called: [plain('k'), tuned('k'), mail({ to: 'a' })] as const,
})

const named = () => ({
  add: client.submit('add', 1, 2),
  build: client.submit('reports.build', '2026-10'),
  buildWith: client.with({ queue: 'high-priority' }).submit('reports.build', '2026-10', 2026),
  mail: client.submit('reports.mail', { to: 'a' }),
  deep: client.submit('reports.deep.er', true),
  map: client.map('greet', [['a'], ['a', 'b']]),
  module: client.submit('pattern.longestMatch', { 'a.*': 1 }, 'a.b'),
  beside: client.submit('names.showValue', 1),
})

/** Never called: each line must be an error. */
const refused = () => [
  // @ts-expect-error an argument too few
  executor.submit(add, 1),
  // @ts-expect-error an argument too many
  executor.submit(add, 1, 2, 3),
  // @ts-expect-error of another type
  executor.submit(add, 1, '2'),
  // @ts-expect-error of a rest of another type
  executor.submit(sum, 1, 2, '3'),
  // @ts-expect-error no function
  executor.submit('add', 1, 2),
  // @ts-expect-error a class
  executor.submit(Report),
  // @ts-expect-error a list of one argument where two are needed
  executor.map(add, [[1, 2], [3]]),
  // @ts-expect-error items that are no lists
  executor.map(plain, ['a', 'b']),
  // @ts-expect-error an unknown queue
  executor.with({ queue: 'hihg-priority' }),
  // @ts-expect-error an unknown option
  executor.with({ delay: 5 }),
  // @ts-expect-error what the schema does not take
  mail.submit({ to: 5 }),
  // @ts-expect-error no input
  executor.submit(mail),
  // @ts-expect-error two inputs
  mail.submit({ to: 'a' }, 2),
  // @ts-expect-error of another type, in a task with options
  tuned.submit(5),
  // @ts-expect-error an unknown name
  client.submit('reports.bild', '2026-10'),
  // @ts-expect-error the name of a group
  client.submit('reports', '2026-10'),
  // @ts-expect-error a class among a module's exports
  client.submit('futures.Future'),
  // @ts-expect-error an argument too few
  client.submit('reports.build'),
  // @ts-expect-error of another type
  client.submit('reports.deep.er', 'yes'),
  // @ts-expect-error an unknown queue, by name
  client.with({ queue: 'hihg-priority' }),
  // @ts-expect-error an unknown name, in a map
  client.map('ad', [[1, 2]]),
  // @ts-expect-error of another type, below a task
  currentTask.submit(add, '1', 2),
  // @ts-expect-error an unknown option of a task
  task({ run: add, retries: 3 }),
  // @ts-expect-error `run` takes what the schema gives
  task({ input: z.object({ n: z.number() }), run: ({ n }: { n: string }) => n }),
  // @ts-expect-error an unknown option of the executor
  createExecutor(config, { tsks: { add } }),
  // @ts-expect-error an unknown option of a worker
  defineConfig({ name: 'x', workers: { w: { timeout: 5 } } }),
]

describe('a future is of what its function returns', () => {
  type Submits = ReturnType<typeof submits>

  test('sync, async, nested promises, unions, nothing', () => {
    expectTypeOf<Submits['add']>().toEqualTypeOf<Sent<number>>()
    expectTypeOf<Submits['later']>().toEqualTypeOf<Sent<number>>()
    expectTypeOf<Submits['nothing']>().toEqualTypeOf<Sent<void>>()
    expectTypeOf<Submits['either']>().toEqualTypeOf<Sent<{ ok: true; value: number } | { ok: false }>>()
    expectTypeOf<Submits['nested']>().toEqualTypeOf<Sent<Map<string, Date>>>()
    expectTypeOf<Submits['never']>().toEqualTypeOf<Sent<never>>()
  })

  test('with optional parameters, defaults, a rest, and a type parameter', () => {
    expectTypeOf<Submits['greet'][number]>().toEqualTypeOf<Sent<string>>()
    expectTypeOf<Submits['sum'][number]>().toEqualTypeOf<Sent<number>>()
    expectTypeOf<Submits['first']>().toEqualTypeOf<Sent<unknown>>()
  })

  test('through with, map and currentTask', () => {
    expectTypeOf<Submits['with']>().toEqualTypeOf<Sent<number>>()
    expectTypeOf<Submits['map']>().toEqualTypeOf<SentGroup<number>>()
    expectTypeOf<Submits['mapOfIterable']>().toEqualTypeOf<SentGroup<string>>()
    expectTypeOf<Submits['mapOfSum']>().toEqualTypeOf<SentGroup<number>>()
    expectTypeOf<Submits['current']>().toEqualTypeOf<Sent<number>>()
  })

  test('and so is what it gives', () => {
    expectTypeOf<Submits['future']>().toEqualTypeOf<Future<number>>()
    expectTypeOf<Future<number>['result']>().returns.resolves.toEqualTypeOf<number>()
    expectTypeOf<Future<number>['outcome']>().returns.resolves.toEqualTypeOf<Outcome<number>>()
    expectTypeOf<FutureGroup<number>['results']>().returns.resolves.toEqualTypeOf<number[]>()
  })
})

describe('a declared task', () => {
  type Forms = ReturnType<typeof tasksOfForms>

  test('in each of its forms', () => {
    expectTypeOf<Forms['plain'][number]>().toEqualTypeOf<Sent<number>>()
    expectTypeOf<Forms['plainMap']>().toEqualTypeOf<SentGroup<number>>()
    expectTypeOf<Forms['tuned']>().toEqualTypeOf<Sent<{ key: string; width: number | undefined }>>()
    expectTypeOf<Forms['tunedShort']>().toEqualTypeOf<Forms['tuned']>()
    expectTypeOf<Forms['mail']>().toEqualTypeOf<Sent<string>>()
    expectTypeOf<Forms['mailFull']>().toEqualTypeOf<Sent<string>>()
    expectTypeOf<Forms['mailMap']>().toEqualTypeOf<SentGroup<string>>()
  })

  test('by executor.task', () => {
    expectTypeOf<Forms['shrink'][number]>().toEqualTypeOf<Sent<number>>()
    expectTypeOf<Forms['shrinkTuned']>().toEqualTypeOf<Sent<string>>()
    expectTypeOf<Forms['shrinkInput']>().toEqualTypeOf<Sent<number>>()
  })

  test('is still the function that it was made of', () => {
    expectTypeOf<Forms['called'][0]>().toEqualTypeOf<number>()
    expectTypeOf<Forms['called'][2]>().toEqualTypeOf<Promise<string>>()
    expectTypeOf(plain).toEqualTypeOf<Task<(key: string) => number>>()
    expectTypeOf<Parameters<typeof tuned>>().toEqualTypeOf<[key: string, width?: number | undefined]>()
  })
})

describe('by name', () => {
  type Named = ReturnType<typeof named>

  test('the types are those of the function', () => {
    expectTypeOf<Named['add']>().toEqualTypeOf<Sent<number>>()
    expectTypeOf<Named['build']>().toEqualTypeOf<Sent<{ month: string; pages: number }>>()
    expectTypeOf<Named['buildWith']>().toEqualTypeOf<Named['build']>()
    expectTypeOf<Named['mail']>().toEqualTypeOf<Sent<string>>()
    expectTypeOf<Named['deep']>().toEqualTypeOf<Sent<boolean>>()
    expectTypeOf<Named['map']>().toEqualTypeOf<SentGroup<string>>()
    expectTypeOf<Named['module']>().toEqualTypeOf<Sent<unknown>>()
    expectTypeOf<Named['beside']>().toEqualTypeOf<Sent<string>>()
  })

  test('the names are those of the functions, dotted', () => {
    type Name = Parameters<typeof client.submit>[0]
    type Own = 'add' | 'later' | 'greet' | 'sum' | 'plain' | 'tuned'
    type OfReports = 'reports.build' | 'reports.mail' | 'reports.deep.er'
    expectTypeOf<Own | OfReports>().toExtend<Name>()
    expectTypeOf<Extract<Name, 'futures.Future' | 'reports' | 'reports.deep' | 'nope'>>().toBeNever()
  })
})

test('what the types promise is what runs', async () => {
  expect(typeof refused).toBe('function')
  const eager = createExecutor(config, { tasks: { add, reports }, backend: 'eager' })
  expectTypeOf(await (await eager.submit(add, 1, 2)).result()).toEqualTypeOf<number>()
  expect(await (await eager.submit(reports.build, '2026-10')).result()).toEqual({
    month: '2026-10',
    pages: 1,
  })
  await eager.close()
  await executor.close()
})

test('what the compiler refuses is compiled, and never called', () => {
  expect(refused).toBeTypeOf('function')
})
