import {
  createExecutor,
  defineConfig,
  InvalidOptionError,
  InvalidTaskError,
  task,
  UnregisteredTaskError,
} from 'errand'
import { describe, expect, test } from 'vitest'
import * as names from '../../src/runtime/config/name-pattern.ts'
import { createRegistry, type Registry, type TaskTree } from '../../src/runtime/registry.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import type { AnyFunction, TaskSender } from '../../src/runtime/task.ts'

const unused = () => expect.unreachable()
const sender: TaskSender = { submit: unused, map: unused }
const config = resolveConfig({ name: 'registry', taskOptions: { 'reports.*': { maxAttempts: 5 } } })

const registryOf = (tasks: TaskTree, from = config): Registry => createRegistry(from, tasks, sender)

function refusal(work: () => unknown): Error & { code?: string } {
  try {
    work()
  } catch (error) {
    return error as Error
  }
  throw new Error('it was not refused')
}

/** A module as `import * as` gives it. */
function moduleOf(exports: Record<string, unknown>): TaskTree {
  const namespace: Record<string | symbol, unknown> = Object.assign(Object.create(null), exports)
  Object.defineProperty(namespace, Symbol.toStringTag, { value: 'Module' })
  return namespace
}

describe('names', () => {
  test('are the keys of the tree', () => {
    const add = () => 1
    const build = () => 2
    const registry = registryOf({ add, reports: { build, deep: { er: () => 3 } } })
    expect(registry.names()).toEqual(['add', 'reports.build', 'reports.deep.er'])
    expect(registry.taskOf(build)).toMatchObject({ name: 'reports.build', options: { maxAttempts: 5 } })
    expect(registry.find('add')?.run()).toBe(1)
  })

  test('are found where they were registered, and nowhere else', () => {
    const registry = registryOf({ add: () => 1 })
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', '', 'add.', 'ADD']) {
      expect(registry.find(name)).toBeUndefined()
    }
  })

  test.each(['ok', 'x'.repeat(128), 'über', '日本', 'a-b', 'a:b/c', '$x', '1', 'then'])(
    '%s is one',
    (name) => {
      expect(registryOf({ [name]: () => 1 }).names()).toEqual([name])
    },
  )

  const refused: readonly (readonly [string, string])[] = [
    ['', '1–128 characters'],
    ['x'.repeat(129), 'it has 129 characters, at most 128'],
    ['constructor', 'every object has a `constructor`; use another word'],
    ['toString', 'every object has a `toString`'],
    ['hasOwnProperty', 'every object has a `hasOwnProperty`'],
    ['valueOf', 'every object has a `valueOf`'],
    ['__proto__', 'every object has a `__proto__`'],
    ['../x', 'use letters, digits'],
    ['a..b', 'in parts separated by dots'],
    ['a.', 'in parts separated by dots'],
    ['a b', 'use letters, digits'],
    ['*', 'use letters, digits'],
    ['a\n', 'use letters, digits'],
    ['\u0000', 'use letters, digits'],
  ]
  test.each(refused)('%j is none', (name, rule) => {
    const error = refusal(() =>
      registryOf({ ['__proto__' === name ? '["__proto__"]' : name]: () => 1 }).names(),
    )
    const own = refusal(() =>
      registryOf(Object.defineProperty({}, name, { value: () => 1, enumerable: true })).names(),
    )
    for (const each of name === '__proto__' ? [own] : [error, own]) {
      expect(InvalidTaskError.is(each)).toBe(true)
      expect(each.message).toContain('a task cannot have the name')
      expect(each.message).toContain(rule)
    }
  })

  test('that are inherited are refused within a group too', () => {
    expect(refusal(() => registryOf({ reports: { toString: () => '' } }).names()).message).toContain(
      '`toString`',
    )
  })

  test('of a megabyte are shown cut', () => {
    expect(
      refusal(() => registryOf({ ['x'.repeat(1_000_000)]: () => 1 }).names()).message.length,
    ).toBeLessThan(300)
  })
})

describe('what is registered (F-40)', () => {
  test('two tasks of one name are refused', () => {
    const registry = registryOf({ add: () => 1 })
    registry.names()
    expect(refusal(() => registry.add('add', () => 2)).message).toBe(
      'two tasks have the name "add"; rename one',
    )
    const dotted = refusal(() => registryOf({ 'a.b': () => 1, a: { b: () => 2 } }).names())
    expect([InvalidTaskError.is(dotted), dotted.message]).toEqual([
      true,
      'two tasks have the name "a.b"; rename one',
    ])
  })

  test('and the refusal comes again at each use: there is no registry of half of the tasks', () => {
    const first = () => 1
    const registry = registryOf({ first, second: 5 })
    for (let use = 0; use < 3; use++) {
      expect(refusal(() => registry.taskOf(first)).message).toContain('task "second" is 5')
      expect(refusal(() => registry.find('first')).message).toContain('task "second" is 5')
    }
  })

  test('one function under two names is refused', () => {
    const add = () => 1
    const error = refusal(() => registryOf({ add, plus: add }).names())
    expect(InvalidTaskError.is(error)).toBe(true)
    expect(error.message).toContain('two names, "add" and "plus"')
    expect(error.message).toContain('keep one')
  })

  test.each([
    [5, 'task "x" is 5'],
    [null, 'task "x" is null'],
    ['text', 'task "x" is "text"'],
    [[() => 1], 'task "x" is an array of 1'],
    [new Map(), 'task "x" is an object'],
    [undefined, 'task "x" is undefined'],
  ])('%s is refused', (value, part) => {
    const error = refusal(() => registryOf({ x: value }).names())
    expect(InvalidTaskError.is(error)).toBe(true)
    expect(error.message).toContain(part)
    expect(error.message).toContain('expected a function, a task, or a group of them')
  })

  test.each([
    ['a class', class Report {}, 'Report'],
    ['a class that extends', class extends Error {}, ''],
    ['a built-in class', Map, 'Map'],
    ['an error class', RangeError, 'RangeError'],
  ])('%s is refused', (_, value, name) => {
    const error = refusal(() => registryOf({ Report: value }).names())
    expect(InvalidTaskError.is(error)).toBe(true)
    expect(error.message).toContain(`task "Report" is the class ${name}`)
    expect(error.message).toContain('register a function that uses it')
  })

  test('a method whose name begins with class is a function', () => {
    const tasks = {
      class() {
        return 1
      },
      class$room() {
        return 2
      },
    }
    expect(registryOf(tasks).names()).toEqual(['class', 'class$room'])
  })

  test('a tree that refers to itself is refused', () => {
    const tasks: Record<string, unknown> = { add: () => 1 }
    tasks.self = tasks
    expect(refusal(() => registryOf(tasks).names()).message).toMatch(/nested over 8 deep|two names/)
  })

  test('a task for which a route or options are declared must be there', () => {
    const from = resolveConfig({ name: 'r', queues: ['q'], routes: { bild: 'q' } })
    const error = refusal(() => registryOf({ build: () => 1 }, from).names())
    expect(InvalidOptionError.is(error)).toBe(true)
    expect(error.message).toContain('config `routes` names a task "bild" that is not registered')
    expect(error.message).toContain('did you mean "build"?')
  })

  test('with an option that is unknown, or a limit over the worker, is refused', () => {
    const run = () => 1
    const typo: object = { run, maxAttemps: 3 }
    const wrong = refusal(() => registryOf({ x: task(typo as { run: typeof run }) }).names())
    expect(wrong.message).toContain(
      'task "x" has an unknown option `maxAttemps`; did you mean "maxAttempts"?',
    )
    const long = refusal(() => registryOf({ x: task({ run, timeoutSeconds: 56 }) }).names())
    expect(long.message).toContain('task "x": `timeoutSeconds` is 56, expected a number from 0.001 to 55')
  })
})

describe('a module', () => {
  test('may export classes and constants beside its functions', () => {
    class Declined extends Error {}
    const build = () => 1
    const values = { LIMIT: 5, Declined, build, list: [1], map: new Map(), none: undefined }
    const registry = registryOf({
      reports: moduleOf({ ...values, options: { retries: 3, nested: { x: null } } }),
    })
    expect(registry.names()).toEqual(['reports.build'])
    const error = refusal(() => registry.taskOf(Declined))
    expect(InvalidTaskError.is(error)).toBe(true)
    expect(error.message).toContain('the class Declined, which cannot be called')
  })

  test('is read only when first needed', () => {
    const late: Record<string, unknown> = {}
    const registry = registryOf({ late: moduleOf({}), ...late, group: late })
    late.build = () => 1
    expect(registry.names()).toEqual(['group.build'])
  })

  test('as it is imported', () => {
    expect(registryOf({ names }).names()).toEqual(['names.longestMatch'])
  })
})

describe('a function that is not registered', () => {
  const registry = registryOf({ add: () => 1 })
  const rows: readonly (readonly [string, unknown, readonly string[]])[] = [
    ['by name', { resize: () => 1 }.resize, ['the function resize', '{ tasks: { resize } }']],
    [
      'without a name',
      (
        () => () =>
          1
      )(),
      ['(without a name)', '{ name: theFunction }'],
    ],
    ['of an odd name', { 'a-b': () => 1 }['a-b'], ['the function a-b', '{ name: a-b }']],
    ['its twin', { add: () => 1 }.add, ['not the one registered as "add"', 'loaded twice']],
    ['a text', 'add', ['submit was given "add"', 'by name, use createClient']],
  ]
  test.each(rows)('%s', (_, target, parts) => {
    const error = refusal(() => registry.taskOf(target))
    expect(UnregisteredTaskError.is(error)).toBe(true)
    for (const part of parts) expect(error.message).toContain(part)
  })
})

test('a broken executor does not break the tasks of another', async () => {
  const broken = createExecutor(defineConfig({ name: 'broken' }), { tasks: { x: 5 }, backend: 'eager' })
  const mail = task(() => 'sent')
  const sound = createExecutor(defineConfig({ name: 'sound' }), { tasks: { mail }, backend: 'eager' })
  try {
    expect(await (await mail.submit()).result()).toBe('sent')
  } finally {
    await Promise.all([broken.close(), sound.close()])
  }
})

test('a task says the same of a broken executor each time it is submitted', async () => {
  const mail = task(() => 'sent') as ReturnType<typeof task<() => string>>
  const tasks = { first: 5 as unknown as AnyFunction, mail }
  const broken = createExecutor(defineConfig({ name: 'broken-too' }), { tasks, backend: 'eager' })
  for (let use = 0; use < 2; use++) await expect(mail.submit()).rejects.toThrow('task "first" is 5')
  await broken.close()
})
