import {
  createExecutor,
  defineConfig,
  InvalidInputError,
  InvalidTaskError,
  task,
  UnregisteredTaskError,
} from 'errand'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { declarationOf, isClass } from '../../src/runtime/task.ts'

const config = defineConfig({ name: 'task' })
const closing: { close(): Promise<void> }[] = []

afterEach(async () => {
  for (const executor of closing.splice(0)) await executor.close()
})

function executorOf(tasks: Record<string, unknown>, name = 'task') {
  const executor = createExecutor({ ...config, name }, { tasks, backend: 'eager' })
  closing.push(executor)
  return executor
}

describe('a declared task', () => {
  test('is still its function', async () => {
    const add = task((a: number, b: number) => a + b)
    const mail = task({
      input: z.object({ copies: z.coerce.number() }),
      run: async ({ copies }) => copies + 1,
    })
    expect(add(1, 2)).toBe(3)
    expect(await mail({ copies: '1' })).toBe(2)
  })

  test('keeps the name of its function', () => {
    const add = task(function plus() {})
    expect(add.name).toBe('plus')
  })

  test('keeps what it was declared with', () => {
    const run = () => 1
    const declared = task({ run, maxAttempts: 5, backoff: { baseSeconds: 2 } })
    expect(declarationOf(declared)).toMatchObject({
      run,
      options: { maxAttempts: 5, backoff: { baseSeconds: 2 } },
    })
    expect(declarationOf(run)).toBeUndefined()
    expect(declarationOf(5)).toBeUndefined()
  })

  test('is submitted by itself: submit, delay, map, with', async () => {
    const add = task((a: number, b: number) => a + b)
    executorOf({ add })
    expect(await (await add.submit(1, 2)).result()).toBe(3)
    expect(await (await add.delay(3, 4)).result()).toBe(7)
    expect(
      await (
        await add.map([
          [1, 1],
          [2, 2],
        ])
      ).results(),
    ).toEqual([2, 4])
    const future = await add.with({ tenant: 'acme' }).submit(1, 2)
    expect((await future.snapshot()).tenant).toBe('acme')
  })

  test('throws its input error when it is called by hand', async () => {
    const mail = task({ input: z.object({ to: z.email() }), run: ({ to }) => to })
    await expect(mail({ to: 'x' })).rejects.toSatisfy((error) => InvalidInputError.is(error))
  })
})

describe('task() refuses', () => {
  test.each([undefined, null, 5, 'x', {}, { run: 5 }, [], { input: z.string() }])('%j', (value) => {
    const declare = task as (value: unknown) => unknown
    expect(() => declare(value)).toThrow(InvalidTaskError)
    expect(() => declare(value)).toThrow('expected a function, or options with a function `run`')
  })

  test('a class, by itself and as `run`', () => {
    class Report {}
    const run = Report as unknown as () => void
    expect(() => task(run)).toThrow('task() was given the class Report; pass a function')
    expect(() => task({ run })).toThrow(InvalidTaskError)
  })

  test.each([{}, 5, { '~standard': {} }, null])('an input that is no schema: %j', (input) => {
    const declare = task as (value: unknown) => unknown
    expect(() => declare({ input, run: () => 1 })).toThrow(InvalidTaskError)
    expect(() => declare({ input, run: () => 1 })).toThrow('Standard Schema')
  })
})

describe('a task that is submitted by itself', () => {
  test('before it is registered says the line to add', async () => {
    const mail = task(function mail() {})
    await expect(mail.submit()).rejects.toThrow(UnregisteredTaskError)
    await expect(mail.submit()).rejects.toThrow('createExecutor(config, { tasks: { mail } })')
    await expect(mail.map([[]])).rejects.toThrow('mail was submitted before it was registered')
  })

  test('finds its executor though nothing was read yet', async () => {
    const mail = task(() => 'sent')
    executorOf({ group: { mail } })
    expect(await (await mail.submit()).result()).toBe('sent')
  })

  test('on two executors must be told which; closing one of them tells', async () => {
    const mail = task(function mail() {
      return 'sent'
    })
    const one = executorOf({ mail }, 'task-one')
    const other = executorOf({ mail }, 'task-two')
    await one.submit(mail)
    await other.submit(mail)
    await expect(mail.submit()).rejects.toThrow(
      'registered on 2 executors; say which: executor.submit(mail, …)',
    )
    await one.close()
    expect(await (await mail.submit()).result()).toBe('sent')
  })
})

describe('executor.task', () => {
  test('declares and registers in one go, in each of its forms', async () => {
    const executor = executorOf({})
    const plain = executor.task('plain', (a: number) => a + 1)
    const options = executor.task('options', { run: (a: string) => `${a}!`, maxAttempts: 2 })
    const input = executor.task('input', { input: z.object({ a: z.number() }), run: ({ a }) => a * 2 })
    expect(await (await plain.submit(1)).result()).toBe(2)
    expect(await (await options.submit('a')).result()).toBe('a!')
    expect(await (await executor.submit(input, { a: 4 })).result()).toBe(8)
    expect((await (await plain.submit(1)).snapshot()).task).toBe('plain')
  })

  test.each(['', 'constructor', '__proto__', 'a b', 'x'.repeat(129)])('refuses the name %j', (name) => {
    const executor = executorOf({})
    expect(() => executor.task(name, () => 1)).toThrow(InvalidTaskError)
    expect(() => executor.task(name, () => 1)).toThrow('a task cannot have the name')
  })

  test('refuses a second task of a name, and a class', () => {
    const executor = executorOf({})
    executor.task('x', () => 1)
    expect(() => executor.task('x', () => 2)).toThrow('two tasks have the name "x"; rename one')
    const Report = class Report {} as unknown as () => void
    expect(() => executor.task('y', Report)).toThrow('the class Report')
  })
})

test('isClass knows classes, and nothing else', () => {
  const method = { class() {} }.class
  const frozen = Object.freeze(function frozen() {})
  const functions = [
    frozen,
    () => 1,
    async () => 1,
    function* x() {},
    method,
    Math.max,
    new Proxy(() => 1, {}),
  ]
  expect(functions.map(isClass)).toEqual(functions.map(() => false))
  expect(isClass(class {} as unknown as () => void)).toBe(true)
})
