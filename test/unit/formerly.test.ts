import {
  createClient,
  createExecutor,
  currentTask,
  defineConfig,
  InvalidOptionError,
  InvalidTaskError,
  task,
} from 'errand'
import { testExecutor } from 'errand/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createRegistry, type TaskTree } from '../../src/runtime/registry.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import type { TaskSender } from '../../src/runtime/task.ts'

// A renamed task: what its former names lead to, and which are refused.

const unused = () => expect.unreachable()
const sender: TaskSender = { submit: unused, map: unused }
const registryOf = (tasks: TaskTree, config = resolveConfig({ name: 'formerly' })) =>
  createRegistry(config, tasks, sender)
const named = (...formerly: string[]) => task({ run: () => 1, formerly })

function refusal(work: () => unknown): Error {
  try {
    work()
  } catch (error) {
    return error as Error
  }
  throw new Error('it was not refused')
}

describe('a former name', () => {
  test('finds the task of today, and is no name of one', () => {
    const build = named('reports.make', 'make')
    const registry = registryOf({ reports: { build } })
    for (const name of ['reports.build', 'reports.make', 'make']) {
      expect(registry.find(name)?.name).toBe('reports.build')
    }
    expect(registry.names()).toEqual(['reports.build'])
    expect(registry.taskOf(build).formerly).toEqual(['reports.make', 'make'])
  })

  test('is found where it was given, and nowhere else', () => {
    const registry = registryOf({ build: named('make') })
    for (const name of ['constructor', '__proto__', 'toString', 'mak', 'make.', '']) {
      expect(registry.find(name)).toBeUndefined()
    }
  })

  test('of the config counts beside those of the task itself', () => {
    const config = resolveConfig({
      name: 'formerly',
      taskOptions: { build: { formerly: ['make', 'old'] }, plain: { formerly: ['simple'] } },
    })
    const registry = registryOf({ build: named('make', 'older'), plain: () => 2 }, config)
    expect(registry.find('build')?.formerly).toEqual(['make', 'older', 'old'])
    expect(registry.find('simple')?.name).toBe('plain')
  })

  test('of a task that is added counts at once', () => {
    const registry = registryOf({ add: () => 1 })
    registry.add('build', named('make'))
    expect(registry.find('make')?.name).toBe('build')
  })

  test('is there again after tasks that could not be read', () => {
    const tasks: Record<string, unknown> = { broken: 5 }
    const registry = registryOf(tasks)
    registry.add('build', named('make'))
    expect(() => registry.names()).toThrow(InvalidTaskError)
    delete tasks.broken
    expect(registry.find('make')?.name).toBe('build')
  })
})

describe('refused is', () => {
  const rows: readonly (readonly [string, TaskTree, string])[] = [
    ['the name of another task', { build: named('make'), make: () => 2 }, 'name the new task otherwise'],
    [
      'the same, the other way around',
      { make: () => 2, build: named('make') },
      'name the new task otherwise',
    ],
    ['one of two tasks', { build: named('make'), forge: named('make') }, 'two tasks, "build" and "forge"'],
    ["the task's own name", { build: named('build') }, '"build" was `formerly` itself'],
    ['an empty one', { build: named('') }, 'cannot have the name ""'],
    ['one with a space', { build: named('re make') }, 'cannot have the name "re make"'],
    ['one that every object has', { build: named('constructor') }, 'every object has a `constructor`'],
    ['one that is too long', { build: named('x'.repeat(129)) }, '129 characters, at most 128'],
  ]
  test.each(rows)('%s', (_, tasks, part) => {
    const error = refusal(() => registryOf(tasks).names())
    expect(InvalidTaskError.is(error)).toBe(true)
    expect(error.message).toContain(part)
  })

  test.each([
    ['a text', 'make', '`formerly` is "make", expected a list of names'],
    ['a number in the list', [5], '`formerly` holds 5, expected names'],
    ['a name twice', ['make', 'make'], '`formerly` names "make" twice'],
  ])('%s for a list of names', (_, formerly, part) => {
    const declared = formerly as unknown as string[]
    const errors = [
      refusal(() => registryOf({ build: task({ run: () => 1, formerly: declared }) }).names()),
      refusal(() => defineConfig({ name: 'formerly', taskOptions: { build: { formerly: declared } } })),
    ]
    for (const error of errors) {
      expect(InvalidOptionError.is(error)).toBe(true)
      expect(error.message).toContain(part)
    }
  })

  test('a list under a pattern of the config', () => {
    const error = refusal(() =>
      defineConfig({ name: 'formerly', taskOptions: { 'reports.*': { formerly: ['make'] } } }),
    )
    expect(error.message).toContain('`taskOptions` "reports.*": `formerly` is given for a pattern')
  })

  test.each(['routes', 'taskOptions'] as const)('a former name in `%s`', (option) => {
    const config = resolveConfig({
      name: 'formerly',
      [option]: { make: option === 'routes' ? 'default' : {} },
    })
    const error = refusal(() => registryOf({ build: named('make') }, config).names())
    expect(error.message).toContain(`\`${option}\` names a task "make", which is "build" now`)
  })
})

describe('a call under a former name', () => {
  type Old = ReturnType<typeof createExecutor<{ name: string }, { make: (month: string) => string }>>

  function renamed() {
    const config = defineConfig({ name: 'renamed', taskOptions: { build: { formerly: ['make'] } } })
    let fails = false
    const build = (month: string) => {
      if (fails) throw new Error('no paper')
      return `${currentTask.task} ${month}`
    }
    const executor = createExecutor(config, { tasks: { build } })
    const t = testExecutor(executor)
    onTestFinished(() => t.close())
    const old = createClient<Old>(config, { backend: t.backend })
    return { executor, t, old, build, fail: (isFailing: boolean) => (fails = isFailing) }
  }

  test('runs as the task of today; its record keeps the name', async () => {
    const { t, old, build } = renamed()
    const future = await old.submit('make', '2026-10')
    await t.drain()
    expect(await future.result()).toBe('build 2026-10')
    expect((await future.snapshot()).task).toBe('make')
    expect(t.submitted(build)).toMatchObject([{ id: future.id, task: 'make', args: ['2026-10'] }])
    expect(t.submitted('build')).toHaveLength(1)
  })

  test.each(['failNext', 'killNext', 'duplicateNext'] as const)(
    'is met by %s of the task',
    async (method) => {
      const { t, old, build } = renamed()
      if (method === 'failNext') t.failNext(build, new Error('once'))
      else t[method](build)
      const future = await old.submit('make', '2026-10')
      await t.drain()
      expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts: 2 })
    },
  )

  test('is retried by hand with all that failed of the task, and by the name alone', async () => {
    const { executor, t, old, build, fail } = renamed()
    fail(true)
    const sent = [await old.submit('make', 'a'), await executor.submit(build, 'b')]
    await t.drain()
    await t.advance({ seconds: 5 })
    const ids = async (filter: unknown) => [...(await t.run(executor.retryAll({ task: filter }))).ids].sort()
    const all = sent.map(({ id }) => id).sort()
    expect(await ids(build)).toEqual(all)
    await t.drain()
    await t.advance({ seconds: 5 })
    expect(await ids('make')).toEqual([sent[0]?.id])
    fail(false)
    await t.drain()
    expect(await sent[0]?.result()).toBe('build a')
  })

  test('may be a follow-up: it runs, on the queue of the name of today', async () => {
    const config = defineConfig({
      name: 'renamed-follow-up',
      queues: ['default', 'slow'],
      routes: { publish: 'slow' },
      taskOptions: { publish: { formerly: ['announce'] } },
    })
    const executor = createExecutor(config, {
      tasks: { build: () => 'built', publish: (text: string) => text },
    })
    const t = testExecutor(executor)
    onTestFinished(() => t.close())
    const old = createClient<typeof executor>(config, { backend: t.backend })
    const future = await old.with({ then: 'announce' }).submit('build')
    await t.drain()
    const followUp = await executor.future(`${future.id}:then`).snapshot()
    expect(followUp).toMatchObject({ state: 'succeeded', task: 'announce', queue: 'slow' })
  })
})
