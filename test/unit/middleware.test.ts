import { createExecutor, currentTask, defineConfig, ErrandError, type Middleware } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { afterEach, describe, expect, test } from 'vitest'
import { compose, type Next } from '../../src/runtime/middleware.ts'

type Layer = (call: string[], next: Next) => Promise<void>

const note =
  (name: string): Layer =>
  async (call, next) => {
    call.push(`${name} in`)
    await next()
    call.push(`${name} out`)
  }

async function run(layers: readonly Layer[], work: (call: string[]) => Promise<void> = async () => {}) {
  const call: string[] = []
  const error: unknown = await compose(layers, call, () => work(call)).catch((reason: unknown) => reason)
  return { call, error }
}

describe('compose', () => {
  test('runs the work inside the layers, the first outermost', async () => {
    const { call } = await run([note('a'), note('b')], async (log) => void log.push('work'))
    expect(call).toEqual(['a in', 'b in', 'work', 'b out', 'a out'])
  })

  test('runs the work alone where there are no layers', async () => {
    expect((await run([], async (log) => void log.push('work'))).call).toEqual(['work'])
  })

  test('lets errors out, through the layers', async () => {
    const boom = new Error('boom')
    const { call, error } = await run([note('a')], () => Promise.reject(boom))
    expect([call, error]).toEqual([['a in'], boom])
  })

  test('lets a layer refuse by throwing: the work does not run', async () => {
    const refuse: Layer = async () => {
      throw new Error('refused')
    }
    const { call, error } = await run([refuse, note('b')], () => expect.unreachable())
    expect([call, error]).toEqual([[], new Error('refused')])
  })

  test('refuses a layer that does not call next', async () => {
    const { error } = await run([async () => {}], () => expect.unreachable())
    expect(ErrandError.is(error)).toBe(true)
    expect((error as Error).message).toBe(
      'a middleware returned without calling `next()`; throw to refuse the call',
    )
  })

  test('refuses a layer that calls next twice: the work runs once', async () => {
    let runs = 0
    const twice: Layer = async (_, next) => {
      await next()
      await next()
    }
    const { error } = await run([twice], async () => void runs++)
    expect([runs, (error as Error).message]).toEqual([1, 'a middleware called `next()` twice; call it once'])
  })

  test('refuses a layer that does not wait for next', async () => {
    let open: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const hasty: Layer = async (_, next) => {
      void next()
    }
    const { error } = await run([hasty], () => gate)
    open()
    expect(ErrandError.is(error), 'a call would end before its work').toBe(true)
    expect((error as Error).message).toContain('await next()')
  })

  test('and what it did not wait for may reject: that is no unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const listen = (reason: unknown) => void unhandled.push(reason)
    process.on('unhandledRejection', listen)
    const hasty: Layer = async (_, next) => {
      void next()
    }
    const { error } = await run([hasty], async () => {
      await Promise.resolve()
      throw new Error('late')
    })
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', listen)
    expect(ErrandError.is(error)).toBe(true)
    expect(unhandled).toEqual([])
  })
})

const config = defineConfig({ name: 'middleware', taskOptions: { '*': { maxAttempts: 1 } } })
const closing: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

function stage(...layers: readonly Middleware[]) {
  const clock = virtualClock()
  const tasks = { add: (a: number, b: number) => a + b, attempt: () => currentTask.attempt }
  const executor = createExecutor(config, { tasks, backend: 'local', local: { clock } })
  for (const layer of layers) executor.use(layer)
  closing.push(() => clock.runUntil(executor.close()))
  return { clock, tasks, executor }
}

describe('around a submit', () => {
  test('it sees the call, and may replace the arguments', async () => {
    const seen: unknown[] = []
    const { clock, tasks, executor } = stage({
      submit: async (call, next) => {
        seen.push({ ...call })
        call.args = [10, 20]
        await next()
      },
    })
    const future = await executor.with({ tenant: 'acme' }).submit(tasks.add, 1, 2)
    expect(await clock.runUntil(future.result())).toBe(30)
    expect(seen).toEqual([
      {
        id: future.id,
        headers: {},
        task: 'add',
        args: [1, 2],
        queue: 'default',
        tenant: 'acme',
        parent: undefined,
      },
    ])
  })

  test('what it throws, the submit throws; nothing is sent', async () => {
    const { tasks, executor } = stage({
      submit: async () => {
        throw new RangeError('not you')
      },
    })
    await expect(executor.submit(tasks.add, 1, 2)).rejects.toThrow(RangeError)
    await expect(executor.map(tasks.add, [[1, 2]])).rejects.toThrow('not you')
  })

  test('it cannot turn a failed submit into no future', async () => {
    const { tasks, executor } = stage({
      submit: async (_, next) => {
        await next().catch(() => {})
      },
    })
    const bad = (() => {}) as unknown as number
    const single = await executor.submit(tasks.add, 1, bad).catch((error: unknown) => error)
    expect(single).toBeInstanceOf(Error)
    const group = await executor
      .map(tasks.add, [
        [1, 2],
        [1, bad],
        [3, 4],
      ])
      .catch((error: unknown) => error)
    expect(group, 'a group of which one call was never sent').toBeInstanceOf(Error)
  })

  test('arguments that are no list are refused', async () => {
    const { tasks, executor } = stage({
      submit: async (call, next) => {
        call.args = { length: 1 } as unknown as unknown[]
        await next()
      },
    })
    await expect(executor.submit(tasks.add, 1, 2)).rejects.toSatisfy((error) => ErrandError.is(error))
  })
})

describe('around an attempt', () => {
  test('it sees the attempt and its result, and runs as the task', async () => {
    const seen: unknown[] = []
    const { clock, tasks, executor } = stage({
      run: async (call, next) => {
        await next()
        seen.push([call.task, call.attempt, call.args, call.result, currentTask.id === call.id])
        call.result = 'replaced'
      },
    })
    const future = await executor.submit(tasks.add, 1, 2)
    expect(await clock.runUntil(future.result())).toBe('replaced')
    expect(seen).toEqual([['add', 1, [1, 2], 3, true]])
  })

  test('what it throws fails the call', async () => {
    const { clock, tasks, executor } = stage({
      run: async () => {
        throw new RangeError('no session')
      },
    })
    const future = await executor.submit(tasks.add, 1, 2)
    await expect(clock.runUntil(future.result())).rejects.toThrow(RangeError)
  })

  test('that forgets next fails the call in words', async () => {
    const { clock, tasks, executor } = stage({ run: async () => {} })
    const future = await executor.submit(tasks.add, 1, 2)
    await expect(clock.runUntil(future.result())).rejects.toThrow('without calling `next()`')
  })
})

describe('headers', () => {
  const setting = (headers: Record<string, unknown>) => ({
    submit: async (call: { readonly headers: Record<string, string> }, next: Next) => {
      Object.assign(call.headers, headers)
      await next()
    },
  })

  test('go along with a call, and to what follows it', async () => {
    const seen: unknown[] = []
    const { clock, tasks, executor } = stage(setting({ language: 'de' }), {
      run: async (call, next) => {
        seen.push([call.task, call.attempt, call.headers])
        await next()
      },
    })
    const future = await executor.with({ then: tasks.add }).submit(tasks.attempt)
    await clock.runUntil(future.result())
    await clock.runUntil(executor.future(`${future.id}:then`).result())
    const headers = { language: 'de' }
    expect(seen).toEqual([
      ['attempt', 1, headers],
      ['add', 1, headers],
    ])
  })

  test("are each call's own in a map, and none where nobody sets any", async () => {
    const seen: unknown[] = []
    const { clock, tasks, executor } = stage({
      submit: async (call, next) => {
        if (call.args[0] !== 0) call.headers.first = String(call.args[0])
        await next()
      },
      run: async (call, next) => {
        seen.push([call.id, call.headers])
        await next()
      },
    })
    const group = await executor.map(tasks.add, [
      [0, 1],
      [1, 1],
    ])
    await clock.runUntil(group.results())
    const [none, one] = [...group].map(({ id }) => id)
    expect(Object.fromEntries(seen as [string, unknown][])).toEqual({
      [`${none}`]: {},
      [`${one}`]: { first: '1' },
    })
  })

  test.each([
    [{ Language: 'de' }, 'the header "Language" is no name'],
    [{ language: 'dé' }, 'the header "language" is "dé", expected visible ASCII'],
    [{ language: 1 }, 'the header "language" is 1, expected visible ASCII'],
    [
      { large: 'x'.repeat(1020) },
      "the headers large have 1025 characters, and all of a call's may have 1024",
    ],
  ])('%j are refused, and nothing is sent', async (headers, why) => {
    const { tasks, executor } = stage(setting(headers))
    await expect(executor.submit(tasks.add, 1, 2)).rejects.toThrow(why)
  })
})
