import { AccessDeniedError, defineConfig } from 'errand'
import { describe, expect, test, vi } from 'vitest'
import type { OutgoingMessage } from '../../src/runtime/ports/queue.ts'
import { workerStage } from '../support/worker-stage.ts'

// AWS refuses to send: the grant is missing, or the queue. The submit says so, and leaves no call that waits (F-12, I9).

const config = defineConfig({ name: 'shop', workers: { main: { timeoutSeconds: 60, logLevel: 'error' } } })
const denied = () => new AccessDeniedError('sqs:SendMessage on queue "default" is not allowed')

function stage() {
  const runs: number[] = []
  const job = async (number: number) => {
    runs.push(number)
    return number
  }
  const on = workerStage(config, { job })
  const through = on.queue.send.bind(on.queue)
  const send = vi.spyOn(on.ports.queue, 'send')
  const settle = async () => {
    for (let turn = 0; turn < 50; turn++) {
      const event = await on.receive()
      if (event.Records.length === 0) return
      await on.invoke(event)
    }
    throw new Error('messages come back without end')
  }
  return { ...on, job, runs, send, through, settle }
}

type Stage = ReturnType<typeof stage>

async function errorOf(what: Promise<unknown>): Promise<unknown> {
  return what.then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** The id of each call that the store holds, and its state. */
async function states({ store, clock }: Stage): Promise<string[]> {
  const { entries } = await store.list({
    queues: ['default'],
    sinceMs: 0,
    untilMs: clock.now() + 1000,
    limit: 1000,
  })
  const records = await store.read(entries.map(({ id }) => id))
  return records.map((record) => record?.state ?? 'none')
}

describe('a send that AWS refuses (F-12)', () => {
  test('ends its call: it is listed with what failed, and says why', async () => {
    const on = stage()
    on.send.mockRejectedValueOnce(denied())
    expect(AccessDeniedError.is(await errorOf(on.executor.submit(on.job, 1)))).toBe(true)
    const failed: string[] = []
    for await (const id of on.store.failed('default', 0, on.clock.now())) failed.push(id)
    expect(failed).toHaveLength(1)
    expect(await on.executor.future(failed[0] ?? '').outcome()).toMatchObject({
      state: 'failed',
      reason: 'undeliverable',
      error: { message: expect.stringContaining('sqs:SendMessage on queue "default"') },
    })
    expect(await states(on)).toEqual(['failed'])
  })

  test('of a message that an earlier try had brought there: it does not run', async () => {
    const on = stage()
    on.send.mockImplementationOnce(async (queue: string, messages: readonly OutgoingMessage[]) => {
      await on.through(queue, messages)
      throw denied()
    })
    expect(AccessDeniedError.is(await errorOf(on.executor.submit(on.job, 1)))).toBe(true)
    await on.settle()
    expect(on.runs).toEqual([])
    expect(await on.queue.counts('default')).toMatchObject({ visible: 0, inFlight: 0 })
  })

  test.each([
    ['a key', { idempotencyKey: 'order-17' }],
    ['an id of the sender', { id: 'order-17' }],
  ])('under %s leaves it to the next submit, of whichever process', async (_, options) => {
    const on = stage()
    on.send.mockRejectedValueOnce(denied())
    const refused = await errorOf(on.executor.with(options).submit(on.job, 1))
    expect(AccessDeniedError.is(refused)).toBe(true)
    expect(await states(on)).toEqual(['pending'])
    const future = await on.executor.with(options).submit(on.job, 1)
    await on.settle()
    expect(await future.result()).toBe(1)
  })

  test('of what runs by now changes nothing', async () => {
    const on = stage()
    on.send.mockImplementationOnce(async (queue: string, messages: readonly OutgoingMessage[]) => {
      await on.through(queue, messages)
      await on.settle()
      throw denied()
    })
    expect(AccessDeniedError.is(await errorOf(on.executor.submit(on.job, 1)))).toBe(true)
    expect(on.runs).toEqual([1])
    expect(await states(on)).toEqual(['succeeded'])
  })

  test('whose record cannot be ended either is told as the refusal that it is', async () => {
    const on = stage()
    on.send.mockRejectedValueOnce(denied())
    const put = on.ports.store.put.bind(on.ports.store)
    const puts = vi.spyOn(on.ports.store, 'put')
    puts.mockImplementationOnce(put).mockRejectedValueOnce(new Error('no network'))
    expect(AccessDeniedError.is(await errorOf(on.executor.submit(on.job, 1)))).toBe(true)
    expect(puts).toHaveBeenCalledTimes(2)
  })
})

test('a map that AWS refuses in the middle sends nothing after it has thrown, and ends what it did not send (F-12)', async () => {
  const on = stage()
  let sends = 0
  on.send.mockImplementation(async (queue: string, messages: readonly OutgoingMessage[]) => {
    sends += 1
    if (sends === 3) throw denied()
    // The other lanes are slower than the refusal.
    for (let turn = 0; turn < 50; turn++) await Promise.resolve()
    return on.through(queue, messages)
  })
  const lists = Array.from({ length: 200 }, (_, number) => [number] as const)
  expect(AccessDeniedError.is(await errorOf(on.executor.map(on.job, lists)))).toBe(true)
  const sendsThen = sends
  await new Promise((resolve) => setImmediate(resolve))
  expect(sends).toBe(sendsThen)
  expect(sends).toBeLessThan(10)
  await on.settle()
  const counts = Map.groupBy(await states(on), (state) => state)
  expect(counts.get('failed')).toHaveLength(10)
  expect(counts.get('succeeded')).toHaveLength((sends - 1) * 10)
  expect([...counts.keys()].sort()).toEqual(['failed', 'succeeded'])
})
