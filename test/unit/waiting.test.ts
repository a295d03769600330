import { AccessDeniedError, CallNotFoundError, createExecutor, defineConfig, WaitTimeoutError } from 'errand'
import { inProcessQueue, inProcessStore, virtualClock } from 'errand/local-emulator'
import { describe, expect, test } from 'vitest'
import { type CallRecord, claimChange, finishChange } from '../../src/runtime/call/record.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import type { Store } from '../../src/runtime/ports/store.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

// The poller of a store that cannot tell of changes, as DynamoDB.

const config = defineConfig({ name: 'waiting' })

function stage(faults: (store: Store) => Partial<Store> = () => ({})) {
  const clock = virtualClock()
  const queue = inProcessQueue({ queues: resolveConfig(config).queues, clock, entropy: systemEntropy })
  const { watch: _, peek: __, ...inner } = inProcessStore({ clock })
  const reads: { at: number; ids: number; consistent: boolean }[] = []
  const faulty = faults(inner)
  const store: Store = {
    ...inner,
    ...faulty,
    read: async (ids, options) => {
      reads.push({ at: clock.now(), ids: ids.length, consistent: options?.consistent ?? false })
      return (faulty.read ?? inner.read)(ids, options)
    },
  }
  const backend: Backend = {
    kind: 'aws',
    clock,
    entropy: { ...systemEntropy, fraction: () => 0 },
    queue,
    store,
    start: async () => {},
    close: async () => {},
  }
  const tasks = { run: (value: unknown) => value }
  const executor = createExecutor(config, { tasks, backend })
  /** Ends a call as a worker would. */
  const succeed = async (id: string) => {
    const [record] = (await inner.read([id])) as [CallRecord]
    const now = clock.now()
    await inner.update(
      id,
      claimChange({
        id,
        call: record,
        owner: id,
        leaseUntil: now,
        now,
        retentionSeconds: 60,
        isAttempt: true,
      }),
    )
    const finish = { state: 'succeeded', result: '{"json":"done"}', failure: false } as const
    await inner.update(id, finishChange(id, finish, now, record.expiresAtSeconds))
  }
  return { clock, executor, tasks, reads, succeed }
}

describe('waiting for a call', () => {
  test('reads ever less often, down to every two seconds', async () => {
    const { clock, executor, tasks, reads } = stage()
    const future = await executor.submit(tasks.run, 1)
    const waited = future.result({ timeoutSeconds: 60 }).catch((error: unknown) => error)
    expect(WaitTimeoutError.is(await clock.runUntil(waited))).toBe(true)
    const gaps = reads.slice(1).map(({ at }, index) => at - reads[index]!.at)
    expect(gaps[0]).toBe(50)
    for (const [index, gap] of gaps.entries()) expect(gap).toBeGreaterThanOrEqual(gaps[index - 1] ?? 0)
    expect(gaps.at(-1)).toBe(2000)
    expect(reads.length).toBeLessThan(45)
    expect(reads.every(({ consistent }) => !consistent)).toBe(true)
  })

  test('ends with the next read after its end, and holds no timer then', async () => {
    const { clock, executor, tasks, succeed } = stage()
    const future = await executor.submit(tasks.run, 1)
    clock.setTimer(() => void succeed(future.id), 10_000)
    const started = clock.now()
    expect(await clock.runUntil(future.result())).toBe('done')
    expect(clock.now() - started).toBeLessThanOrEqual(12_000)
    expect(clock.pendingTimers).toBe(0)
  })

  test('a thousand at once read a hundred ids a request', async () => {
    const { clock, executor, tasks, reads } = stage()
    const group = await executor.map(
      tasks.run,
      Array.from({ length: 1000 }, (_, index) => [index] as const),
    )
    reads.length = 0
    const waited = group.results({ timeoutSeconds: 0.04 }).catch((error: unknown) => error)
    expect(WaitTimeoutError.is(await clock.runUntil(waited))).toBe(true)
    expect(reads.map(({ ids }) => ids)).toEqual(Array(10).fill(100))
    expect(clock.pendingTimers).toBe(0)
  })

  test('many who wait for one call share its reads', async () => {
    const { clock, executor, tasks, reads, succeed } = stage()
    const { id } = await executor.submit(tasks.run, 1)
    const waits = Array.from({ length: 50 }, () => executor.future(id).result())
    await clock.advance({ milliseconds: 1 })
    expect(reads).toMatchObject([{ ids: 1 }])
    await succeed(id)
    expect(await clock.runUntil(Promise.all(waits))).toEqual(Array(50).fill('done'))
  })

  test('a slow read of some does not hold up the others', async () => {
    let slow = true
    const { clock, executor, tasks, succeed } = stage((store) => ({
      read: async (ids, options) => {
        if (slow && ids.includes('slow')) {
          slow = false
          await new Promise<void>((resolve) => clock.setTimer(resolve, 60_000))
        }
        return store.read(ids, options)
      },
    }))
    await executor.with({ id: 'slow' }).submit(tasks.run, 1)
    const first = executor
      .future('slow')
      .result({ timeoutSeconds: 70 })
      .catch((error: unknown) => error)
    await clock.advance({ milliseconds: 1 })
    const quick = await executor.submit(tasks.run, 2)
    const second = quick.result()
    clock.setTimer(() => void succeed(quick.id), 1000)
    const started = clock.now()
    await clock.runUntil(second)
    expect(clock.now() - started).toBeLessThan(4000)
    await clock.runUntil(first)
  })
})

describe('a wait that gives up', () => {
  test('by time says how long, and that the call goes on', async () => {
    const { clock, executor, tasks } = stage()
    const future = await executor.submit(tasks.run, 1)
    const error = await clock.runUntil(
      future.result({ timeoutSeconds: 3 }).catch((reason: unknown) => reason),
    )
    expect(WaitTimeoutError.is(error)).toBe(true)
    for (const part of ['waited 3 s', future.id, 'which goes on', 'wait longer']) {
      expect((error as Error).message).toContain(part)
    }
    expect([await future.state(), clock.pendingTimers]).toEqual(['pending', 0])
  })

  test('by its signal, before or meanwhile, rejects with the reason', async () => {
    const { clock, executor, tasks } = stage()
    const future = await executor.submit(tasks.run, 1)
    const reason = new Error('closed the tab')
    await expect(future.result({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const waited = future.result({ signal: controller.signal }).catch((error: unknown) => error)
    clock.setTimer(() => controller.abort(reason), 100)
    expect(await clock.runUntil(waited)).toBe(reason)
    expect(clock.pendingTimers).toBe(0)
  })

  test('leaves those who still wait', async () => {
    const { clock, executor, tasks, succeed } = stage()
    const { id } = await executor.submit(tasks.run, 1)
    const impatient = executor
      .future(id)
      .result({ timeoutSeconds: 1 })
      .catch((error: Error) => error.name)
    const patient = executor.future(id).result()
    clock.setTimer(() => void succeed(id), 5000)
    expect(await clock.runUntil(Promise.all([impatient, patient]))).toEqual(['WaitTimeoutError', 'done'])
  })
})

describe('a call that is not there', () => {
  test('is believed to be so after a consistent read only (F-44)', async () => {
    const { clock, executor, reads } = stage()
    const error = await clock.runUntil(
      executor
        .future('nobody')
        .result()
        .catch((reason: unknown) => reason),
    )
    expect(CallNotFoundError.is(error)).toBe(true)
    expect((error as Error).message).toContain('no record of the call "nobody": it expired')
    expect(reads.map(({ consistent }) => consistent)).toEqual([false, true])
  })

  test('ends its wait: a record that expires meanwhile is not polled for ever (F-43)', async () => {
    const { clock, executor, tasks } = stage()
    const future = await executor.submit(tasks.run, 1)
    const waited = future.result().catch((reason: unknown) => reason)
    await clock.advance({ hours: 24 * 5 + 1 })
    expect(CallNotFoundError.is(await clock.runUntil(waited))).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  test('does not end the wait for others', async () => {
    const { clock, executor, tasks, succeed } = stage()
    const { id } = await executor.submit(tasks.run, 1)
    const missing = executor
      .future('nobody')
      .result()
      .catch((error: Error) => error.name)
    const there = executor.future(id).result()
    clock.setTimer(() => void succeed(id), 100)
    expect(await clock.runUntil(Promise.all([missing, there]))).toEqual(['CallNotFoundError', 'done'])
  })
})

describe('a store that fails', () => {
  test('for a while is asked again', async () => {
    let refusals = 4
    const { clock, executor, tasks, succeed } = stage((store) => ({
      read: async (ids, options) => {
        if (refusals-- > 0) throw new Error('throttled')
        return store.read(ids, options)
      },
    }))
    const future = await executor.submit(tasks.run, 1)
    await succeed(future.id)
    expect(await clock.runUntil(future.result())).toBe('done')
  })

  test.each([
    ['for good, after five rounds', new Error('throttled'), 5],
    ['for want of a grant, at once', new AccessDeniedError('no grant'), 1],
  ])('%s ends the wait with its error', async (_, error, rounds) => {
    const { clock, executor, tasks, reads } = stage(() => ({ read: () => Promise.reject(error) }))
    const future = await executor.submit(tasks.run, 1)
    expect(await clock.runUntil(future.result().catch((reason: unknown) => reason))).toBe(error)
    expect(reads).toHaveLength(rounds)
    expect(clock.pendingTimers).toBe(0)
  })
})
