import {
  AccessDeniedError,
  CallNotFoundError,
  createExecutor,
  defineConfig,
  InvalidOptionError,
  RetryRefusedError,
} from 'errand'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Store } from '../../src/runtime/ports/store.ts'
import { workerStage } from '../support/worker-stage.ts'

// A failed call that people have tried again.

const config = defineConfig({
  name: 'by-hand',
  queues: { default: {}, other: {}, ordered: { fifo: true } },
  workers: { main: { timeoutSeconds: 60, logLevel: 'error' } },
  taskOptions: { '*': { maxAttempts: 2, maxKills: 2, backoff: { baseSeconds: 0 } } },
})

beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** A task that fails until it is mended. */
function breakable() {
  const state = { broken: true, runs: 0 }
  const charge = async (order: string) => {
    state.runs += 1
    if (state.broken) throw new Error(`cannot charge ${order}`)
    return `charged ${order}`
  }
  return { state, charge }
}

function stage(faulty?: (store: Store) => Partial<Store>) {
  const { state, charge } = breakable()
  return { ...workerStage(config, { charge }, faulty), state, charge }
}

describe('retry', () => {
  test('tries a failed call again with its arguments and new allowances; the attempts count on', async () => {
    const on = stage()
    const future = await on.executor.submit(on.charge, 'order-17')
    await on.drain()
    expect(await future.snapshot()).toMatchObject({ state: 'failed', attempts: 2, failures: 2 })

    const again = await on.executor.retry<string>(future.id)
    expect(again.id).toBe(future.id)
    expect(await again.snapshot()).toMatchObject({ state: 'pending', attempts: 2, failures: 0 })
    await on.drain()
    expect(await on.executor.future(future.id).snapshot()).toMatchObject({ state: 'failed', attempts: 4 })

    on.state.broken = false
    const last = await on.executor.retry<string>(future.id)
    await on.drain()
    expect(await last.result()).toBe('charged order-17')
    expect(await last.snapshot()).toMatchObject({ state: 'succeeded', attempts: 5, failures: 0 })
    // Who had the error keeps it.
    await expect(future.result()).rejects.toThrow('cannot charge order-17')
  })

  test('forgives the kills before it', async () => {
    const on = stage()
    const future = await on.executor.submit(on.charge, 'a')
    await on.drain()
    await on.store.update(future.id, { when: ['id', 'present'], set: { attempts: 9 } })
    on.state.broken = false
    await on.executor.retry(future.id)
    await on.drain()
    expect(await on.executor.future(future.id).result()).toBe('charged a')
  })

  test('of a call that has not failed is refused, and changes nothing', async () => {
    const on = stage()
    const future = await on.executor.submit(on.charge, 'a')
    await expect(on.executor.retry(future.id)).rejects.toThrow(RetryRefusedError)
    on.state.broken = false
    await on.drain()
    await expect(on.executor.retry(future.id)).rejects.toThrow(/is succeeded; only a call that has failed/)
    expect(await future.result()).toBe('charged a')
    await expect(on.executor.retry('nobody')).rejects.toThrow(CallNotFoundError)
    await expect(on.executor.retry('')).rejects.toThrow(InvalidOptionError)
  })

  test('twice at once is one retry', async () => {
    const on = stage()
    const future = await on.executor.submit(on.charge, 'a')
    await on.drain()
    on.state.broken = false
    await Promise.all([on.executor.retry(future.id), on.executor.retry(future.id)])
    await on.drain()
    expect(on.state.runs).toBe(3)
    expect(await on.executor.future(future.id).snapshot()).toMatchObject({ state: 'succeeded', attempts: 3 })
  })

  test('whose message was never sent is completed by the next one', async () => {
    const on = stage()
    const future = await on.executor.submit(on.charge, 'a')
    await on.drain()
    on.state.broken = false
    const send = vi.spyOn(on.ports.queue, 'send').mockRejectedValueOnce(new Error('no network'))
    await expect(on.executor.retry(future.id)).rejects.toThrow('retry it again')
    send.mockRestore()
    expect(await on.executor.future(future.id).state()).toBe('pending')
    await on.executor.retry(future.id)
    await on.drain()
    expect(await on.executor.future(future.id).result()).toBe('charged a')
  })

  test('leaves an attempt that lost its lease before it without a say', async () => {
    const on = stage()
    const future = await on.executor.submit(on.charge, 'a')
    await on.drain()
    const [failed] = await on.store.read([future.id])
    await on.executor.retry(future.id)
    const late = await on.store.update(future.id, {
      when: {
        all: [
          ['state', '=', 'running'],
          ['owner', '=', failed!.owner!],
        ],
      },
      set: { state: 'succeeded', result: '{"json":"late"}' },
    })
    expect(late.written).toBe(false)
  })

  test('on a FIFO queue is no duplicate to SQS, and keeps its group', async () => {
    const on = stage()
    const future = await on.executor.with({ queue: 'ordered', tenant: 'acme' }).submit(on.charge, 'a')
    const invoke = async () => on.invoke(await on.receive('ordered'), on.handler, 'ordered')
    await invoke()
    await on.clock.advance({ seconds: 120 })
    await invoke()
    expect(await future.state()).toBe('failed')
    on.state.broken = false
    await on.executor.retry(future.id)
    expect(on.queue.inspect('ordered')).toMatchObject([{ groupId: 'acme' }])
    await invoke()
    expect(await on.executor.future(future.id).result()).toBe('charged a')
  })

  test('is refused where the arguments were too large to be kept', async () => {
    const on = stage()
    const future = await on.executor.submit(on.charge, 'x'.repeat(500_000))
    await on.drain()
    expect(await future.state()).toBe('failed')
    await expect(on.executor.retry(future.id)).rejects.toThrow(/were not kept/)
    expect(await future.state()).toBe('failed')
  })

  test('is never promised by a failure whose arguments could not be kept', async () => {
    let down = true
    const on = stage((store) => ({
      putMessage: (...given) => (down ? Promise.reject(new Error('down')) : store.putMessage(...given)),
    }))
    const future = await on.executor.submit(on.charge, 'a')
    await on.invoke(await on.receive())
    await on.clock.advance({ seconds: 120 })
    await on.invoke(await on.receive())
    // The last attempt could not end; it is a kill, and the call is tried again.
    expect(await future.state()).toBe('running')
    down = false
    await on.clock.advance({ seconds: 120 })
    await on.drain()
    expect(await future.state()).toBe('failed')
    await expect(on.executor.retry(future.id)).resolves.toBeDefined()
  })
})

describe('retry, with others in the way', () => {
  test('on a FIFO queue, interrupted, is completed by a submit of its key, which SQS must not swallow', async () => {
    const on = stage()
    const key = on.executor.with({ queue: 'ordered', idempotencyKey: 'k' })
    const future = await key.submit(on.charge, 'a')
    await on.store.update(future.id, { when: ['id', 'present'], set: { failures: 1, attempts: 1 } })
    await on.invoke(await on.receive('ordered'), on.handler, 'ordered')
    expect(await future.state()).toBe('failed')
    on.state.broken = false
    const send = vi.spyOn(on.ports.queue, 'send').mockRejectedValueOnce(new Error('no network'))
    await expect(on.executor.retry(future.id)).rejects.toThrow('retry it again')
    send.mockRestore()
    await key.submit(on.charge, 'a')
    expect(on.queue.inspect('ordered')).toHaveLength(1)
    await on.invoke(await on.receive('ordered'), on.handler, 'ordered')
    expect(await on.executor.future(future.id).result()).toBe('charged a')
  })

  test('is found by retryAll where it was interrupted between record and message', async () => {
    const on = stage()
    const future = await on.executor.submit(on.charge, 'a')
    await on.drain()
    on.state.broken = false
    const send = vi.spyOn(on.ports.queue, 'send').mockRejectedValueOnce(new Error('no network'))
    expect(await on.executor.retryAll({})).toMatchObject({ ids: [], refused: [{ id: future.id }] })
    send.mockRestore()
    expect(await on.executor.retryAll({})).toEqual({ ids: [future.id], refused: [] })
    await on.drain()
    expect(await on.executor.future(future.id).result()).toBe('charged a')
    expect(await on.executor.retryAll({})).toEqual({ ids: [], refused: [] })
  })

  test('retryAll stops where AWS denies it, and nothing of it goes on behind its back', async () => {
    const on = stage()
    await on.executor.map(
      on.charge,
      Array.from({ length: 40 }, (_, index) => [`${index}`] as const),
    )
    await on.drain()
    await on.drain()
    const send = vi.spyOn(on.ports.queue, 'send').mockRejectedValue(new AccessDeniedError('no grant'))
    await expect(on.executor.retryAll({})).rejects.toThrow('no grant')
    const { calls } = send.mock
    const sent = calls.length
    await on.clock.advance({ minutes: 1 })
    expect([sent, calls.length]).toEqual([sent, sent])
    expect(sent).toBeLessThanOrEqual(20)
  })
})

describe('retryAll', () => {
  test('retries what failed in a queue, of a task, since a time, and nothing else', async () => {
    const on = stage()
    const early = await on.executor.submit(on.charge, 'early')
    await on.drain()
    await on.clock.advance({ hours: 1 })
    const since = new Date(on.clock.now())
    const late = await on.executor.submit(on.charge, 'late')
    await on.drain()
    on.state.broken = false
    const fine = await on.executor.submit(on.charge, 'fine')
    await on.drain()

    expect(await on.executor.retryAll({ queue: 'other' })).toEqual({ ids: [], refused: [] })
    expect(await on.executor.retryAll({ task: 'no-such-task' })).toEqual({ ids: [], refused: [] })
    expect(await on.executor.retryAll({ since, task: on.charge })).toEqual({ ids: [late.id], refused: [] })
    await on.drain()
    expect(await on.executor.future(late.id).result()).toBe('charged late')
    expect(await on.executor.future(early.id).state()).toBe('failed')
    expect(await on.executor.retryAll({})).toEqual({ ids: [early.id], refused: [] })
    await on.drain()
    expect(await on.executor.future(early.id).result()).toBe('charged early')
    expect(await fine.result()).toBe('charged fine')
    expect(await on.executor.retryAll({})).toEqual({ ids: [], refused: [] })
  })

  test('says which calls it could not retry, and goes on with the others', async () => {
    const on = stage()
    const large = await on.executor.submit(on.charge, 'x'.repeat(500_000))
    const small = await on.executor.submit(on.charge, 'small')
    await on.drain()
    const { ids, refused } = await on.executor.retryAll({})
    expect(ids).toEqual([small.id])
    expect(refused).toEqual([{ id: large.id, error: expect.any(RetryRefusedError) }])
  })

  test.each([
    [{ queue: 'lwo' }, /queue "lwo" is not declared/],
    [{ since: new Date('nonsense') }, /`since` of retryAll is an object, expected a Date/],
    [{ sice: new Date() }, /unknown option `sice`; did you mean "since"/],
    [undefined, /the filter of retryAll is undefined, expected an object/],
    [{ task: () => {} }, /./],
  ])('refuses %j', async (filter, message) => {
    const executor = createExecutor(config, { backend: 'eager' })
    await expect(executor.retryAll(filter as never)).rejects.toThrow(message)
  })
})
