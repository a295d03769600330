import { currentTask, defineConfig } from 'errand'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { Change, Store } from '../../src/runtime/ports/store.ts'
import type { TaskTree } from '../../src/runtime/registry.ts'
import { workerStage } from '../support/worker-stage.ts'

// A store that is throttled, gone, or whose answers are lost; start hooks that throw or hang.

const config = defineConfig({
  name: 'faults',
  workers: { main: { timeoutSeconds: 60, batchSize: 10, logLevel: 'error' } },
  taskOptions: { '*': { backoff: { baseSeconds: 0 } } },
})

/** `faulty` wraps the store as the worker sees it; the client's is sound. */
const stage = (tasks: TaskTree, faulty?: (store: Store) => Partial<Store>) =>
  workerStage(config, tasks, faulty)

function throttled(): Error {
  return Object.assign(new Error('Rate exceeded'), { name: 'ThrottlingException' })
}

const isClaim = ({ set }: Change) => set.state === 'running'
const isRetry = ({ set }: Change) => set.state === 'retrying'
const isFinish = ({ set }: Change) => set.finishedAt !== undefined

beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a store that is throttled', () => {
  test('at the claim: the message goes back, and no attempt is burnt (F-11)', async () => {
    let refuse = true
    const run = () => 'ran'
    const on = stage({ run }, (store) => ({
      update: async (id, change) => {
        if (refuse) throw throttled()
        return store.update(id, change)
      },
    }))
    const future = await on.executor.submit(run)
    expect(await on.invoke(await on.receive())).toHaveLength(1)
    expect(await future.snapshot()).toMatchObject({ state: 'pending', attempts: 0 })
    expect(on.queue.inspect('default')).toMatchObject([{ visibleAt: on.clock.now() + 60_000 }])
    refuse = false
    await on.drain()
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts: 1 })
  })

  test('at the look for killed calls: the batch goes back, and none is lost', async () => {
    let refuse = true
    const run = () => 'ran'
    const on = stage({ run }, (store) => ({
      read: async (ids, options) => {
        if (refuse) throw throttled()
        return store.read(ids, options)
      },
    }))
    const group = await on.executor.map(run, [[], []])
    const { Records } = await on.receive()
    const again = Records.map((record) => ({
      ...record,
      attributes: { ...record.attributes, ApproximateReceiveCount: '2' },
    }))
    expect(await on.invoke({ Records: again })).toHaveLength(2)
    refuse = false
    await on.drain()
    expect(await group.results({ timeoutSeconds: 0 })).toEqual(['ran', 'ran'])
  })

  test('at the finish for a while: it is written as soon as it can be, and runs once', async () => {
    let runs = 0
    let refusals = 5
    const run = () => ++runs
    const on = stage({ run }, (store) => ({
      update: async (id, change) => {
        if (isFinish(change) && refusals-- > 0) throw throttled()
        return store.update(id, change)
      },
    }))
    const future = await on.executor.submit(run)
    expect(await on.invoke(await on.receive())).toEqual([])
    expect([runs, await future.result({ timeoutSeconds: 0 })]).toEqual([1, 1])
    await on.clock.advance({ seconds: 10 })
    expect(on.clock.pendingTimers).toBe(0)
  })

  test('at the finish for ever: the message goes back unacknowledged, before the deadline', async () => {
    const on = stage({ run: () => 'ran' }, (store) => ({
      update: async (id, change) => {
        if (isFinish(change)) throw throttled()
        return store.update(id, change)
      },
    }))
    const run = internalsOf(on.executor).app.registry.find('run')?.run as () => string
    const future = await on.executor.submit(run)
    expect(await on.invoke(await on.receive())).toHaveLength(1)
    expect(await future.state()).toBe('running')
    expect(on.queue.inspect('default')).toHaveLength(1)
  })

  test('at the item of a large result: it is written before the final write, or not at all', async () => {
    let refusals = 3
    const run = () => 'x'.repeat(5000)
    const on = stage({ run }, (store) => ({
      putResult: async (...args) => {
        if (refusals-- > 0) throw throttled()
        return store.putResult(...args)
      },
    }))
    const future = await on.executor.submit(run)
    expect(await on.invoke(await on.receive())).toEqual([])
    expect(await future.result({ timeoutSeconds: 0 })).toHaveLength(5000)
  })

  test('at a change of visibility: the message comes back later, and is not lost', async () => {
    const run = () => {
      if (currentTask.attempt === 1) throw new Error('once')
      return 'second'
    }
    const on = stage({ run })
    vi.spyOn(on.queue, 'changeVisibility').mockRejectedValueOnce(throttled())
    const future = await on.executor.submit(run)
    await on.drain()
    expect(await future.result({ timeoutSeconds: 0 })).toBe('second')
  })
})

/** Writes, and then, the first time that `when` holds, says that it did not. */
function losing(when: (change: Change) => boolean) {
  let lost = false
  return (store: Store): Partial<Store> => ({
    update: async (id, change) => {
      const answer = await store.update(id, change)
      if (lost || !when(change)) return answer
      lost = true
      throw new Error('socket hang up')
    },
  })
}

/** Writes twice the first time that `when` holds, as the SDK does where the first answer was lost. */
function repeating(when: (change: Change) => boolean) {
  let repeated = false
  return (store: Store): Partial<Store> => ({
    update: async (id, change) => {
      const answer = await store.update(id, change)
      if (repeated || !when(change)) return answer
      repeated = true
      return store.update(id, change)
    },
  })
}

// One attempt fails, one succeeds: what must come of it, whichever answer is lost.
const writes = { claim: isClaim, retry: isRetry, finish: isFinish } as const
const faults = { 'is lost and thrown': losing, 'is lost and repeated by the SDK': repeating } as const
const rows = Object.entries(writes).flatMap(([write, when]) =>
  Object.entries(faults).map(([fault, wrap]) => ({ write, fault, when, wrap })),
)

describe('the answer to a write', () => {
  test.each(rows)('$write: where it $fault, it counts once (F-07, I5)', async ({ when, wrap }) => {
    const attempts: number[] = []
    const run = () => {
      attempts.push(currentTask.attempt)
      if (currentTask.attempt === 1) throw new Error('once')
      return 'second'
    }
    const on = stage({ run }, wrap(when))
    const future = await on.executor.submit(run)
    const started = on.clock.now()
    await on.drain()
    expect(attempts).toEqual([1, 2])
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts: 2, failures: 1 })
    expect(on.clock.now() - started, 'nothing waits for a lease').toBeLessThan(61_000)
  })

  test.each(Object.entries(faults))('of a large result: where it %s, it is the same', async (_, wrap) => {
    const run = () => 'x'.repeat(5000)
    const on = stage({ run }, wrap(isFinish))
    const future = await on.executor.submit(run)
    await on.drain()
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts: 1 })
    expect(await future.result({ timeoutSeconds: 0 })).toHaveLength(5000)
  })

  test('of a final failure is lost: it counts once', async () => {
    const run = () => {
      throw new Error('always')
    }
    const on = stage({ run }, losing(isFinish))
    const future = await on.executor.submit(run)
    await on.drain()
    expect(await future.snapshot()).toMatchObject({ state: 'failed', attempts: 3, failures: 3 })
  })

  test('of a progress is lost: the task is told, and its call goes on', async () => {
    const seen: unknown[] = []
    const run = async () => {
      seen.push(await currentTask.progress(1).catch((error: Error) => error.message))
      await currentTask.progress(2)
      return currentTask.signal.aborted
    }
    const on = stage(
      { run },
      losing(({ set }) => set.progress !== undefined),
    )
    const future = await on.executor.submit(run)
    await on.drain()
    expect(seen).toEqual(['socket hang up'])
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', progress: 2, attempts: 1 })
    expect(await future.result({ timeoutSeconds: 0 })).toBe(false)
  })
})

const hostile: Readonly<Record<string, () => unknown>> = {
  'a proxy that was revoked': () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  'a proxy whose traps throw': () =>
    new Proxy(new Error('x'), {
      has: () => {
        throw new Error('has')
      },
    }),
  'an error whose code throws': () =>
    Object.defineProperties(new Error('x'), {
      [Symbol.for('errand.error')]: { value: true },
      code: {
        get() {
          throw new Error('code')
        },
      },
    }),
  'an error whose message throws': () =>
    Object.defineProperty(new Error('x'), 'message', {
      get() {
        throw new Error('message')
      },
    }),
  'an object without a prototype': () => Object.create(null),
}

describe('a task that throws', () => {
  test.each(Object.keys(hostile))('%s fails as any other, and is not taken for killed', async (name) => {
    const run = () => {
      throw hostile[name]?.()
    }
    const on = stage({ run })
    const future = await on.executor.submit(run)
    await on.drain()
    const snapshot = await future.snapshot()
    expect(snapshot).toMatchObject({ state: 'failed', reason: 'threw', attempts: 3, failures: 3 })
    expect(await future.exception({ timeoutSeconds: 0 })).toBeInstanceOf(Error)
  })
})

describe('a task that returns a thenable', () => {
  const thenables: Readonly<Record<string, () => unknown>> = {
    'that resolves with another that never settles': () => ({
      then: (resolve: (value: unknown) => void) => resolve(new Promise(() => {})),
    }),
    'whose then throws': () => ({
      then: () => {
        throw new Error('then')
      },
    }),
  }
  test.each(Object.keys(thenables))('%s ends, and leaves no timer', async (name) => {
    const run = () => thenables[name]?.()
    const on = stage({ run })
    const future = await on.executor.submit(run)
    await on.drain()
    expect(await future.snapshot()).toMatchObject({ state: 'failed', attempts: 3, failures: 3 })
    await on.clock.advance({ seconds: 10 })
    expect(on.clock.pendingTimers).toBe(0)
  })
})

describe('a start hook', () => {
  const run = () => 'ran'

  test('that throws returns the whole batch, and is tried again', async () => {
    let starts = 0
    const on = stage({ run })
    on.executor.onWorkerStart(() => {
      if (++starts === 1) throw new Error('no database')
    })
    const group = await on.executor.map(run, [[], []])
    expect(await on.invoke(await on.receive())).toHaveLength(2)
    expect((await group.snapshots()).map((snapshot) => snapshot?.attempts)).toEqual([0, 0])
    await on.drain()
    expect(await group.results({ timeoutSeconds: 0 })).toEqual(['ran', 'ran'])
    expect(starts).toBe(2)
  })

  test('that never settles returns the whole batch before the deadline', async () => {
    const on = stage({ run })
    on.executor.onWorkerStart(() => new Promise(() => {}))
    const group = await on.executor.map(run, [[], []])
    expect(await on.invoke(await on.receive())).toHaveLength(2)
    expect((await group.counts()).pending).toBe(2)
  })

  test('that did not settle once does not spoil its environment for ever', async () => {
    let starts = 0
    const on = stage({ run })
    on.executor.onWorkerStart(() => (++starts === 1 ? new Promise(() => {}) : undefined))
    const future = await on.executor.submit(run)
    expect(await on.invoke(await on.receive())).toHaveLength(1)
    await on.clock.advance({ minutes: 2 })
    expect(await on.invoke(await on.receive())).toEqual([])
    expect(await future.state()).toBe('succeeded')
  })

  test('that never settles does not keep the environment from being stopped', async () => {
    const on = stage({ run })
    on.executor.onWorkerStart(() => new Promise(() => {}))
    await on.executor.submit(run)
    await on.invoke(await on.receive())
    const stopped = on.handler.stop().then(() => 'stopped')
    const waited = new Promise((resolve) => on.clock.setTimer(() => resolve('hangs'), 60_000))
    expect(await on.clock.runUntil(Promise.race([stopped, waited]))).toBe('stopped')
  })

  test('makes one context, which the stop hook is given, and a stopped worker starts anew', async () => {
    const log: unknown[] = []
    const seen = () => ({ ...currentTask.context })
    const on = stage({ seen })
    let made = 0
    on.executor.onWorkerStart(() => ({ db: ++made }))
    on.executor.onWorkerStop((context) => log.push({ ...context }))
    const results: unknown[] = []
    for (let round = 0; round < 3; round++) {
      const future = await on.executor.submit(seen)
      await on.invoke(await on.receive())
      results.push(await future.result({ timeoutSeconds: 0 }))
      if (round === 1) await on.handler.stop()
    }
    expect(log).toEqual([{ db: 1 }])
    expect(results).toEqual([{ db: 1 }, { db: 1 }, { db: 2 }])
  })
})
