import {
  type CurrentTask,
  createExecutor,
  currentTask,
  defineConfig,
  NoCurrentTaskError,
  PayloadTooLargeError,
  RetryAfterError,
  UnsupportedValueError,
} from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { afterAll, describe, expect, test } from 'vitest'

const config = defineConfig({
  name: 'current-task',
  taskOptions: { '*': { maxAttempts: 1 }, fence: { maxAttempts: 2 } },
})
const clock = virtualClock()
/** What a task reports; not an argument, since some of it cannot travel. */
let toReport: unknown
let reported: unknown

const fences: { readonly owner: string; readonly attempt: number }[] = []

const tasks = {
  fence: () => {
    const { owner, attempt } = currentTask
    fences.push({ owner, attempt })
    if (attempt === 1) throw new RetryAfterError(1)
    return {
      attempts: fences.map((one) => one.attempt),
      owners: new Set(fences.map((one) => one.owner)).size,
    }
  },
  child: () => currentTask.id,
  describe: () => {
    const { active, task, attempt, tenant, context } = currentTask
    return { active, task, attempt, tenant, context, aborted: currentTask.signal.aborted }
  },
  parent: async () => (await currentTask.submit(tasks.child)).id,
  deep: async () => {
    await Promise.resolve()
    return new Promise((resolve) => setImmediate(() => resolve(currentTask.id)))
  },
  report: async () => {
    reported = await currentTask.progress(toReport).catch((error: unknown) => error)
  },
  flood: async () => {
    await Promise.all(Array.from({ length: 100 }, (_, index) => currentTask.progress(index)))
  },
  slow: async (milliseconds: number) => {
    const { id } = currentTask
    await new Promise<void>((resolve) => clock.setTimer(resolve, milliseconds))
    return id === currentTask.id
  },
}
const executor = createExecutor(config, { tasks, backend: 'local', local: { clock } })

afterAll(() => clock.runUntil(executor.close()))

async function run<T>(work: Promise<{ result(): Promise<T> }>): Promise<T> {
  return clock.runUntil((await work).result())
}

describe('outside a task', () => {
  const uses: Readonly<Record<string, (task: CurrentTask) => unknown>> = {
    id: (task) => task.id,
    task: (task) => task.task,
    attempt: (task) => task.attempt,
    owner: (task) => task.owner,
    tenant: (task) => task.tenant,
    signal: (task) => task.signal,
    context: (task) => task.context,
    progress: (task) => task.progress(1),
    updateState: (task) => task.updateState({ state: 'PROGRESS' }),
    submit: (task) => task.submit(tasks.child),
  }
  test.each(Object.entries(uses))('%s throws, and says so', async (member, use) => {
    const error: unknown = await (async () => use(currentTask))().catch((reason: unknown) => reason)
    expect(NoCurrentTaskError.is(error)).toBe(true)
    expect((error as Error).message).toBe(
      `currentTask.${member} was used where no task runs; it works inside a task that a worker runs, ask currentTask.active first`,
    )
  })

  test('active is false, also in a function that is called by hand', () => {
    expect(currentTask.active).toBe(false)
    expect(() => tasks.child()).toThrow(NoCurrentTaskError)
  })

  test('it can be looked at: a debugger or a logger must not trip over it', () => {
    expect(Object.keys(currentTask)).toContain('active')
    expect(() => Promise.resolve(currentTask)).not.toThrow()
  })
})

describe('inside', () => {
  test('it tells of its own call', async () => {
    expect(await run(executor.with({ tenant: 'acme' }).submit(tasks.describe))).toEqual({
      active: true,
      task: 'describe',
      attempt: 1,
      tenant: 'acme',
      context: {},
      aborted: false,
    })
  })

  test('its owner is of one attempt alone, its attempt grows', async () => {
    expect(await run(executor.submit(tasks.fence))).toEqual({ attempts: [1, 2], owners: 2 })
  })

  test('it holds below any await', async () => {
    const future = await executor.submit(tasks.deep)
    expect(await clock.runUntil(future.result())).toBe(future.id)
  })

  test('calls of one batch do not see each other (F-39)', async () => {
    const group = await executor.map(tasks.slow, [[300], [200], [100], [0]])
    expect(await clock.runUntil(group.results())).toEqual([true, true, true, true])
  })

  test('what it submits knows its parent', async () => {
    const parent = await executor.submit(tasks.parent)
    const child = executor.future(await clock.runUntil(parent.result()))
    expect((await child.snapshot()).parent).toBe(parent.id)
  })

  test('the worker does not see the task, or the request, that submitted', async () => {
    const parent = await executor.submit(tasks.parent)
    const child = await clock.runUntil(parent.result())
    expect(await clock.runUntil(executor.future(child).result())).toBe(child)
  })
})

describe('progress', () => {
  const values: readonly (readonly [string, unknown, (new (...args: never[]) => Error) | undefined])[] = [
    ['4096 bytes', 'x'.repeat(4096 - '{"json":""}'.length), undefined],
    ['4097 bytes', 'x'.repeat(4097 - '{"json":""}'.length), PayloadTooLargeError],
    ['undefined', undefined, undefined],
    ['a function', { a: () => 1 }, UnsupportedValueError],
  ]
  test.each(values)('of %s', async (_, value, refused) => {
    toReport = value
    await run(executor.submit(tasks.report))
    if (refused === undefined) expect(reported).toBeUndefined()
    else expect(reported).toBeInstanceOf(refused)
  })

  test('that is too large says the bytes, the limit and the fix', async () => {
    toReport = 'x'.repeat(5000)
    await run(executor.submit(tasks.report))
    const { message } = reported as Error
    for (const part of ['the progress has 5011 bytes', 'at most 4096', 'report numbers']) {
      expect(message).toContain(part)
    }
  })

  test('of a hundred at once ends with the last', async () => {
    const future = await executor.submit(tasks.flood)
    await clock.runUntil(future.result())
    expect(await future.progress()).toBe(99)
  })
})
