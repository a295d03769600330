import {
  createClient,
  createExecutor,
  currentTask,
  defineConfig,
  type Executor,
  IdempotencyConflictError,
  InvalidOptionError,
  SubmitUncertainError,
} from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { afterEach, describe, expect, test } from 'vitest'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { localBackend } from '../../src/local-emulator/local-backend.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import type { Queue } from '../../src/runtime/ports/queue.ts'
import type { Store } from '../../src/runtime/ports/store.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

// One key, one call: whoever submits, however often, and whatever is lost on the way (I10).

const config = defineConfig({
  name: 'idempotency',
  queues: ['default', 'other'],
  taskOptions: { '*': { backoff: { baseSeconds: 60, factor: 1 } } },
})
const closing: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

interface Faults {
  readonly queue?: (queue: Queue) => Partial<Queue>
  readonly store?: (store: Store) => Partial<Store>
}

function stage({ queue = () => ({}), store = () => ({}) }: Faults = {}) {
  const clock = virtualClock()
  const local = localBackend(resolveConfig(config), { makeHandler: createWorkerHandler, clock })
  const backend: Backend = {
    ...local,
    queue: { ...local.queue, ...queue(local.queue) },
    store: { ...local.store, ...store(local.store) },
  }
  const log: unknown[] = []
  const tasks = {
    count: (...args: unknown[]) => {
      log.push(args)
      return log.length
    },
    flaky: () => {
      log.push(currentTask.attempt)
      if (currentTask.attempt === 1) throw new Error('once')
      return currentTask.attempt
    },
    other: (...args: unknown[]) => args,
    hold: () => new Promise<never>(() => {}),
  }
  const executor = createExecutor(config, { tasks, backend })
  closing.push(() => clock.runUntil(executor.close()))
  const settle = () => clock.advance({ milliseconds: 1 })
  const key = (idempotencyKey: string) => executor.with({ idempotencyKey })
  return { clock, local, backend, log, tasks, executor, settle, key }
}

describe('one key', () => {
  test('of 50 submits at once is one call, which runs once', async () => {
    const { tasks, key, settle, log } = stage()
    const futures = await Promise.all(Array.from({ length: 50 }, () => key('k').submit(tasks.count, 1)))
    expect(new Set(futures.map(({ id }) => id)).size).toBe(1)
    await settle()
    expect(log).toEqual([[1]])
    expect(await Promise.all(futures.map((future) => future.result()))).toEqual(Array(50).fill(1))
  })

  test('of executor and client is one call', async () => {
    const { tasks, key, settle, log, backend } = stage()
    const client = createClient<Executor<ReturnType<typeof stage>['tasks']>>(config, { backend })
    const [one, other] = await Promise.all([
      key('k').submit(tasks.count, 1),
      client.with({ idempotencyKey: 'k' }).submit('count', 1),
    ])
    await settle()
    expect([one.id, log]).toEqual([other.id, [[1]]])
  })

  test('does not mind the order of keys, nor undefined against absent', async () => {
    const { tasks, key } = stage()
    const one = await key('k').submit(tasks.count, { a: 1, b: { c: 2, d: [3] }, e: undefined })
    const other = await key('k').submit(tasks.count, { b: { d: [3], c: 2 }, a: 1 })
    expect(one.id).toBe(other.id)
  })

  test('of another task or tenant is another call', async () => {
    const { tasks, key, executor } = stage()
    const futures = [
      await key('k').submit(tasks.count, 1),
      await key('k').submit(tasks.other, 1),
      await executor.with({ idempotencyKey: 'k', tenant: 'acme' }).submit(tasks.count, 1),
      await executor.with({ idempotencyKey: 'k', tenant: 'umbrella' }).submit(tasks.count, 1),
    ]
    expect(new Set(futures.map(({ id }) => id)).size).toBe(4)
  })

  test.each([
    ['pending', [1], [2]],
    ['with more arguments', [1], [1, undefined]],
    ['of another type', [1], ['1']],
    ['of another order', [[1, 2]], [[2, 1]]],
  ])('with other arguments is refused: %s', async (_, first, second) => {
    const { tasks, key, settle, log } = stage()
    const future = await key('order-17').submit(tasks.count, ...first)
    const error = await key('order-17')
      .submit(tasks.count, ...second)
      .catch((reason: unknown) => reason)
    expect(IdempotencyConflictError.is(error)).toBe(true)
    const { message } = error as Error
    for (const part of [future.id, '"order-17"', '"count"', 'other arguments', 'use another, or the same']) {
      expect(message).toContain(part)
    }
    await settle()
    expect(log).toEqual([first])
  })

  test('is still one call a day after its queue has forgotten it, and then a new one', async () => {
    const { tasks, key, settle, log, clock } = stage()
    const first = await key('k').submit(tasks.count, 1)
    await settle()
    await clock.advance({ hours: 24 * 5 - 1 })
    expect(await (await key('k').submit(tasks.count, 1)).result()).toBe(1)
    await clock.advance({ hours: 2 })
    const again = await key('k').submit(tasks.count, 2)
    await settle()
    expect(again.id).toBe(first.id)
    expect(log).toEqual([[1], [2]])
    expect(await again.snapshot()).toMatchObject({ state: 'succeeded', attempts: 1 })
    expect(await again.result()).toBe(2)
  })

  test('of a call that failed gives the failure', async () => {
    const { executor, key, clock } = stage()
    const boom = executor.task('boom', {
      run: () => {
        throw new RangeError('no')
      },
      maxAttempts: 1,
    })
    await key('k').submit(boom)
    await clock.advance({ seconds: 1 })
    const again = await key('k').submit(boom)
    await clock.advance({ seconds: 1 })
    expect(await again.snapshot()).toMatchObject({ state: 'failed', attempts: 1 })
    await expect(again.result()).rejects.toThrow(RangeError)
  })

  test.each(['', 'x'.repeat(257), 5, null, {}])('that is %j is refused', async (idempotencyKey) => {
    const { tasks, executor } = stage()
    const error = await executor
      .with({ idempotencyKey: idempotencyKey as string })
      .submit(tasks.count)
      .catch((reason: unknown) => reason)
    expect(InvalidOptionError.is(error)).toBe(true)
    expect((error as Error).message).toMatch(/`idempotencyKey` is .*, expected a text of 1–256 characters/)
  })

  test('is refused for a map, beside an id, and without a record at submit', async () => {
    const { tasks, executor, backend } = stage()
    const both = executor.with({ idempotencyKey: 'k', id: 'i' }).submit(tasks.count)
    await expect(both).rejects.toThrow('a call has an `id` or an `idempotencyKey`, not both')
    const many = executor.with({ idempotencyKey: 'k' }).map(tasks.count, [[1], [2]])
    await expect(many).rejects.toThrow('map was given the constant `idempotencyKey` "k"')
    await expect(many).rejects.toThrow('each with a key of its own')
    const bare = createExecutor({ ...config, record: 'on-claim' }, { tasks, backend })
    const none = bare.with({ idempotencyKey: 'k' }).submit(tasks.count)
    await expect(none).rejects.toThrow("the config says record: 'on-claim', use 'on-submit'")
    await bare.close()
  })
})

describe('a record that has advanced is never reset (F-09)', () => {
  test('running', async () => {
    const { tasks, key, settle, local } = stage()
    const future = await key('k').submit(tasks.hold)
    await settle()
    await key('k').submit(tasks.hold)
    await settle()
    expect(await future.snapshot()).toMatchObject({ state: 'running', attempts: 1 })
    expect(local.inspect('default')).toHaveLength(1)
  })

  test('retrying', async () => {
    const { tasks, key, clock, settle, log } = stage()
    const future = await key('k').submit(tasks.flaky)
    await settle()
    const before = await future.snapshot()
    expect(before.state).toBe('retrying')
    await key('k').submit(tasks.flaky)
    await settle()
    expect(await future.snapshot()).toEqual(before)
    await clock.advance({ minutes: 2 })
    expect([log, await future.state()]).toEqual([[1, 2], 'succeeded'])
  })

  test('cancelled', async () => {
    const { tasks, executor, log, clock } = stage()
    const delayed = executor.with({ idempotencyKey: 'k', delaySeconds: 60 })
    const future = await delayed.submit(tasks.count, 1)
    await future.cancel()
    expect(await (await delayed.submit(tasks.count, 1)).state()).toBe('cancelled')
    await clock.advance({ minutes: 2 })
    expect(log).toEqual([])
  })

  test('scheduled: a second submit does not run it sooner', async () => {
    const { tasks, executor, key, log, clock } = stage()
    const future = await executor.with({ idempotencyKey: 'k', delaySeconds: 600 }).submit(tasks.count, 1)
    const { dueAt } = await future.snapshot()
    await key('k').submit(tasks.count, 1)
    await clock.advance({ minutes: 9 })
    expect(log).toEqual([])
    expect(await future.snapshot()).toMatchObject({ state: 'scheduled', dueAt, attempts: 0 })
    await clock.advance({ minutes: 2 })
    expect(log).toEqual([[1]])
  })
})

/** A queue whose first send does not happen; or happens, and is not answered. */
function failingSend(applied: boolean) {
  let failed = false
  return (queue: Queue): Partial<Queue> => ({
    send: async (name, messages) => {
      if (failed) return queue.send(name, messages)
      failed = true
      if (applied) await queue.send(name, messages)
      throw new Error('socket hang up')
    },
  })
}

/** A store whose first put is applied, or not, and not answered. */
function failingPut(applied: boolean) {
  let failed = false
  return (store: Store): Partial<Store> => ({
    put: async (record, when) => {
      if (failed) return store.put(record, when)
      failed = true
      if (applied) await store.put(record, when)
      throw new Error('socket hang up')
    },
  })
}

const gaps: readonly (readonly [string, () => Faults])[] = [
  ['the send did not happen', () => ({ queue: failingSend(false) })],
  ['the answer to the send is lost', () => ({ queue: failingSend(true) })],
  ['the put did not happen', () => ({ store: failingPut(false) })],
  ['the answer to the put is lost', () => ({ store: failingPut(true) })],
]

describe('a submit that fails half-way says which ids to submit again (F-08)', () => {
  test.each(gaps)('with a key: %s', async (_, faults) => {
    const { tasks, key, settle, log } = stage(faults())
    const error = await key('k')
      .submit(tasks.count, 1)
      .catch((reason: unknown) => reason)
    if (!SubmitUncertainError.is(error)) throw error
    expect(error.message).toContain('1 call of task "count" may not have been sent (Error: socket hang up)')
    expect(error.message).toContain('submit again with({ id: error.ids[0] })')
    const future = await key('k').submit(tasks.count, 1)
    expect(error.ids).toEqual([future.id])
    await settle()
    expect([log, await future.result()]).toEqual([[[1]], 1])
  })

  test.each(gaps)('without a key, by its id: %s', async (_, faults) => {
    const { tasks, executor, settle, log } = stage(faults())
    const error = await executor.submit(tasks.count, 1).catch((reason: unknown) => reason)
    if (!SubmitUncertainError.is(error)) throw error
    expect(error.cause).toMatchObject({ message: 'socket hang up' })
    const [id = ''] = error.ids
    const future = await executor.with({ id }).submit(tasks.count, 1)
    await settle()
    expect([future.id, log]).toEqual([id, [[1]]])
    const other = executor.with({ id }).submit(tasks.count, 2)
    await expect(other).rejects.toSatisfy((reason) => IdempotencyConflictError.is(reason))
  })

  test.each(gaps)('of a map: %s', async (_, faults) => {
    const { tasks, executor, settle, log } = stage(faults())
    const lists = [[0], [1], [2]]
    const error = await executor.map(tasks.count, lists).catch((reason: unknown) => reason)
    if (!SubmitUncertainError.is(error)) throw error
    const groupId = /of the group (\S+)/.exec(error.message)?.[1] ?? ''
    for (const id of error.ids) {
      const index = Number(id.slice(groupId.length + 1))
      await executor.with({ id }).submit(tasks.count, ...(lists[index] ?? []))
    }
    await settle()
    expect(log.map(String).sort()).toEqual(['0', '1', '2'])
    expect(await executor.group(groupId).results()).toHaveLength(3)
  })
})
