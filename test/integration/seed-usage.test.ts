import { CancelledError, createExecutor, currentTask, defineConfig, type Executor, type Future } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { afterAll, describe, expect, test } from 'vitest'

// The usage page of the Python design that this project adapts, snippet by snippet and in its order, up to its
// chapter on configuration, in this project's form.

const config = defineConfig({ name: 'seed-usage', taskOptions: { refuse: { maxAttempts: 1 } } })

function add(x: number, y: number): number {
  return x + y
}

/** Keyword arguments are an object's fields here. */
function addFields({ x, y }: { x: number; y: number }): number {
  return x + y
}

function addAndReport(a: number, b: number): Promise<number> {
  return currentTask.updateState({ state: 'PROGRESS' }).then(() => a + b)
}

function refuse(): never {
  throw new TypeError('refused')
}

const tasks = { add, addFields, addAndReport, refuse }

describe.each(['local', 'eager'] as const)('on the %s backend', (backend) => {
  const executor = createExecutor(config, { tasks, backend })

  afterAll(() => executor.close())

  test('submitting a task to workers', async () => {
    const futures: Future<number>[] = [
      await executor.submit(add, 1, 2),
      await executor.submit(addFields, { x: 1, y: 2 }),
    ]
    for (const future of futures) expect(await future.result({ timeoutSeconds: 10 })).toBe(3)
  })

  test('the future of a submitted task', async () => {
    const future = await executor.submit(add, 1, 2)
    const before = { running: await future.running(), done: await future.done() }
    expect(before).toEqual(backend === 'eager' ? { running: false, done: true } : expect.any(Object))
    expect(await future.result({ timeoutSeconds: 10 })).toBe(3)
    expect(await future.running()).toBe(false)
    expect(await future.done()).toBe(true)
  })

  test('map over an iterable', async () => {
    const futures = await executor.map(
      add,
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ].values() as Iterable<[number, number]>,
    )
    const printed: number[] = []
    for (const future of futures) printed.push(await future.result({ timeoutSeconds: 10 }))
    expect(printed).toEqual([3, 7, 11])
  })

  test('the declarative form', async () => {
    const declared = executor.task(`declared-${backend}`, (x: number, y: number) => x + y)
    expect(declared(1, 2)).toBe(3)
    expect(await (await declared.delay(1, 2)).result({ timeoutSeconds: 10 })).toBe(3)
  })

  test('working with futures', async () => {
    const future = await executor.submit(add, 1, 2)
    expect(await future.result({ timeoutSeconds: 10 })).toBe(3)
    expect(await future.exception({ timeoutSeconds: 10 })).toBeUndefined()
    expect(await future.cancel()).toBe(false)
    expect(await future.cancelled()).toBe(false)

    const failing = await executor.with({}).submit(refuse as () => number)
    const exception = await failing.exception()
    expect(exception).toBeInstanceOf(TypeError)
    expect(exception?.message).toBe('refused')
    await expect(failing.result()).rejects.toThrow('refused')
  })

  test('a callback when the task is done', async () => {
    const future = await executor.submit(add, 1, 2)
    const called = new Promise<Future<number>>((resolve) => future.addDoneCallback(resolve))
    expect(await called).toBe(future)
  })

  test('status updates through the current task', async () => {
    const future = await executor.submit(addAndReport, 1, 2)
    expect(await future.result({ timeoutSeconds: 10 })).toBe(3)
    expect(await future.progress()).toEqual({ state: 'PROGRESS' })
    expect(currentTask.active).toBe(false)
  })
})

describe('what only a queue can show', () => {
  const clock = virtualClock()
  const executor: Executor = createExecutor(config, { tasks, backend: 'local', local: { clock } })

  afterAll(() => executor.close())

  test('cancelling a task before it runs', async () => {
    const future = await executor.with({ delaySeconds: 60 }).submit(add, 1, 2)
    expect(await future.state()).toBe('scheduled')
    expect(await future.cancel()).toBe(true)
    expect(await future.cancelled()).toBe(true)
    await clock.advance({ minutes: 2 })
    expect(await future.state()).toBe('cancelled')
    expect((await future.snapshot()).attempts).toBe(0)
    await expect(future.result()).rejects.toThrow(CancelledError)
  })

  test('a task that runs', async () => {
    let release: (value: string) => void = () => {}
    const gate = new Promise<string>((resolve) => {
      release = resolve
    })
    const wait = executor.task('wait', () => gate)
    const future = await wait.submit()
    await clock.advance({ milliseconds: 1 })
    expect(await future.running()).toBe(true)
    expect(await future.done()).toBe(false)
    expect(await future.cancel()).toBe(false)
    release('released')
    expect(await clock.runUntil(future.result())).toBe('released')
  })
})
