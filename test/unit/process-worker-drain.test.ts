import { currentTask, defineConfig } from 'errand'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { delay } from '../../src/runtime/clock.ts'
import { keepLog } from '../support/observed-stage.ts'
import { processStage, taking } from '../support/process-stage.ts'

const config = (own: object = {}, queues: object = { default: {} }) =>
  defineConfig({
    name: 'shop',
    queues: queues as Record<string, object>,
    workers: { main: { concurrency: 2, timeoutSeconds: 900, logLevel: 'error', ...own } },
  })
const quick = () => 'done'

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a drain', () => {
  test('of an idle worker is over at once, and leaves no timer', async () => {
    const on = processStage(config(), () => ({ quick }))
    const worker = await on.start()
    const before = on.clock.now()
    await on.clock.runUntil(worker.drain())
    expect(on.clock.now()).toBe(before)
    // What keeps no process alive may be left: it ends by itself.
    await on.clock.advance({ minutes: 2 })
    expect(on.clock.pendingTimers).toBe(0)
  })

  test('lets what runs end, begins nothing, and gives back what waits', async () => {
    const begun: number[] = []
    const on = processStage(config({ concurrency: 1 }), (clock) => ({
      short: taking(clock, 100),
      work: async (index: number) => {
        begun.push(index)
        await delay(clock, 60_000)
      },
    }))
    const worker = await on.start()
    // Short calls first, so that it receives ahead.
    await on.submitMany('short', 5)
    await on.clock.advance({ seconds: 2 })
    await on.submitMany('work', 8)
    await on.clock.advance({ seconds: 1 })
    const { running, waiting } = worker.load()
    expect(running).toBe(1)
    expect(waiting).toBeGreaterThan(3)
    const draining = worker.drain()
    expect(worker.drain()).toBe(draining)
    await on.clock.advance({ seconds: 1 })
    expect(on.states().sort()).toEqual(['in-flight', ...Array.from({ length: 7 }, () => 'visible')])
    await on.clock.runUntil(draining)
    await on.clock.advance({ minutes: 5 })
    expect(begun).toHaveLength(1)
    expect(on.states()).toHaveLength(7)
    expect(worker.load()).toEqual({ running: 0, waiting: 0 })
  })

  test('stops a FIFO group after the call that runs, and keeps its order', async () => {
    const begun: number[] = []
    const on = processStage(config({ concurrency: 5 }, { default: { fifo: true } }), (clock) => ({
      work: async (index: number) => {
        begun.push(index)
        await delay(clock, 1000)
      },
    }))
    await on.submitMany('work', 5, { tenant: 'acme' })
    const first = await on.start()
    await on.clock.advance({ milliseconds: 1500 })
    await on.clock.runUntil(first.drain())
    expect(begun).toEqual([0, 1])
    await on.start()
    await on.clock.advance({ seconds: 10 })
    expect(begun).toEqual([0, 1, 2, 3, 4])
  })

  test('is over when the last message is deleted', async () => {
    const on = processStage(config(), () => ({ quick }))
    const remove: typeof on.queue.delete = async (...args) => {
      await delay(on.clock, 3000)
      await on.queue.delete(...args)
    }
    const worker = await on.start({}, { queue: { ...on.queue, delete: remove } })
    await on.submit('quick')
    await on.clock.advance({ seconds: 1 })
    await on.clock.runUntil(worker.drain())
    expect(on.states()).toEqual([])
  })

  test('gives back what arrives while it begins', async () => {
    const begun: string[] = []
    const on = processStage(config(), () => ({ work: () => begun.push('work') }))
    await on.submit('work')
    // Received once before, so that the second receive looks whether its call was killed.
    await on.queue.receive('default', { maxMessages: 1, waitSeconds: 0, visibilitySeconds: 0 })
    const looking = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const read: typeof on.store.read = async (...args) => {
      asked.resolve()
      await looking.promise
      return on.store.read(...args)
    }
    const worker = await on.start({}, { store: { ...on.store, read } })
    await on.clock.runUntil(asked.promise)
    const draining = worker.drain()
    looking.resolve()
    await on.clock.runUntil(draining)
    expect(begun).toEqual([])
    expect(on.states()).toEqual(['visible'])
  })

  test('ends the wait between polls that fail', async () => {
    const log = keepLog()
    const on = processStage(config({ logLevel: 'warn' }), () => ({ quick }))
    const receive = () => Promise.reject(new Error('unreachable'))
    const worker = await on.start({}, { queue: { ...on.queue, receive } })
    await on.clock.advance({ minutes: 5 })
    const before = on.clock.now()
    await on.clock.runUntil(worker.drain())
    expect(on.clock.now()).toBe(before)
    expect(log.said).toHaveLength(1)
  })

  test('runs the stop hooks when nothing runs any more, and rejects with what one throws', async () => {
    const said: string[] = []
    const on = processStage(config(), (clock) => ({
      work: async () => {
        await delay(clock, 1000)
        said.push('call')
        return currentTask.context
      },
    }))
    on.executor.onWorkerStart(() => ({ name: 'made' }))
    on.executor.onWorkerStop((context) => {
      said.push(`stop ${JSON.stringify(context)}`)
      throw new Error('will not close')
    })
    const worker = await on.start()
    await on.submit('work')
    await on.clock.advance({ milliseconds: 500 })
    const drained = expect(worker.drain()).rejects.toThrow('will not close')
    await on.clock.advance({ seconds: 5 })
    await drained
    expect(said).toEqual(['call', 'stop {"name":"made"}'])
    expect(on.states()).toEqual([])
    expect((await on.store.notices()).filter(({ expiresAtSeconds }) => expiresAtSeconds > 0)).toEqual([])
  })

  test('comes through where the heartbeat cannot be taken back', async () => {
    const log = keepLog()
    const on = processStage(config({ logLevel: 'warn' }), () => ({ quick }))
    let isDown = false
    const putNotice: typeof on.store.putNotice = (notice) =>
      isDown ? Promise.reject(new Error('unreachable')) : on.store.putNotice(notice)
    const worker = await on.start({}, { store: { ...on.store, putNotice } })
    isDown = true
    await on.clock.runUntil(worker.drain())
    expect(log.said.join()).toContain('taking back the heartbeat')
  })

  test('is told by the log, as is the start', async () => {
    const log = keepLog()
    const on = processStage(config({ logLevel: 'info' }, { default: {}, b: {} }), () => ({ quick }))
    const worker = await on.start()
    await on.submit('quick')
    await on.clock.advance({ seconds: 1 })
    await on.clock.runUntil(worker.drain())
    expect(log.said.map((line) => JSON.parse(line))).toMatchObject([
      { message: 'the worker runs', worker: 'main', concurrency: 2, queues: 'default, b' },
      { message: 'the worker drains', running: 0, waiting: 0 },
      { message: 'the worker has stopped', received: 1 },
    ])
  })
})
