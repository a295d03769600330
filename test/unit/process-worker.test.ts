import { currentTask, defineConfig } from 'errand'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { startProcessWorker } from '../../src/process-worker/process-worker.ts'
import { delay } from '../../src/runtime/clock.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { readNotices } from '../../src/runtime/operations/heartbeat.ts'
import { keepLog } from '../support/observed-stage.ts'
import { processStage, taking } from '../support/process-stage.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const worker = { concurrency: 3, logLevel: 'error' as const }
const config = (own: object = {}, queues: object | string[] = ['default']) =>
  defineConfig({ name: 'shop', queues: queues as string[], workers: { main: { ...worker, ...own } } })
const add = (a: number, b: number) => a + b
const container = { runsOn: 'container', timeoutSeconds: 39_600 }

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a process worker', () => {
  test('runs calls of its queues, and deletes their messages', async () => {
    const on = processStage(config({}, ['default', 'other']), () => ({ add }))
    const process = await on.start()
    const futures = await Promise.all([on.submit('add', [1, 2]), on.submit('add', [3, 4])])
    const other = await on.submit('add', [5, 6], { queue: 'other' })
    expect(await on.clock.runUntil(Promise.all(futures.map((each) => each.result())))).toEqual([3, 7])
    expect(await on.clock.runUntil(other.result())).toBe(11)
    await on.clock.advance({ seconds: 1 })
    expect(on.queue.unfinished()).toBe(0)
    expect(process.load()).toEqual({ running: 0, waiting: 0 })
  })

  test.each([
    [1, 300],
    [3, 3000],
    [7, 20],
  ])('runs %i at most, calls of %i ms, from three queues that are full', async (concurrency, ms) => {
    let running = 0
    let most = 0
    const queues = ['default', 'b', 'c']
    const on = processStage(config({ concurrency }, queues), (clock) => ({
      work: async () => {
        running += 1
        most = Math.max(most, running)
        await delay(clock, ms)
        running -= 1
      },
    }))
    for (const queue of queues) await on.submitMany('work', 40, { queue })
    const process = await on.start()
    let mostWaiting = 0
    while (on.queue.unfinished() > 0) {
      await on.clock.advance({ milliseconds: ms / 2 })
      mostWaiting = Math.max(mostWaiting, process.load().waiting)
    }
    expect(most).toBe(concurrency)
    // 20 ahead, and one receive for each queue but the first: what the header of process-worker.ts says.
    expect(mostWaiting).toBeLessThanOrEqual(40)
  })

  test('ends an attempt 5 s before the time-out, however long the process lives', async () => {
    const on = processStage(config({ timeoutSeconds: 300 }), () => ({
      hang: () => new Promise((_, reject) => currentTask.signal.addEventListener('abort', reject)),
    }))
    await on.start({}, { entropy: { ...on.ports.entropy, fraction: () => 0.9 } })
    await on.clock.advance({ hours: 2 })
    const future = await on.submit('hang')
    const began = on.clock.now()
    await on.clock.advance({ seconds: 294 })
    expect(await future.state()).toBe('running')
    await on.clock.advance({ seconds: 2 })
    expect((await on.store.read([future.id]))[0]).toMatchObject({ state: 'retrying', failures: 1 })
    expect(on.clock.now() - began).toBe(296_000)
  })

  test('refuses a worker that is not declared, and options out of their range', async () => {
    const on = processStage(config(), () => ({}))
    const { app } = internalsOf(on.executor)
    await expect(startProcessWorker(app, on.ports, 'mian')).rejects.toThrow(
      'worker "mian" is not declared; did you mean "main"',
    )
    for (const [option, value] of [
      ['concurrency', 0],
      ['concurrency', 1001],
      ['pollSeconds', 0],
      ['pollSeconds', 21],
    ] as const) {
      await expect(on.start({ [option]: value })).rejects.toThrow(
        `the options of worker "main": \`${option}\` is ${value}, expected a whole number from 1 to`,
      )
    }
  })

  test('does not start where a start hook throws, and leaves nothing behind', async () => {
    const on = processStage(config(), () => ({}))
    on.executor.onWorkerStart(() => {
      throw new Error('no database')
    })
    await expect(on.start()).rejects.toThrow('no database')
    await on.clock.advance({ seconds: 60 })
    expect(on.clock.pendingTimers).toBe(0)
    expect(await on.store.notices()).toEqual([])
  })

  test('tells of itself every 20 s, and no longer once it is drained', async () => {
    const on = processStage(config({ timeoutSeconds: 900 }), (clock) => ({
      slow: taking(clock, 10 * MINUTE),
      quick: () => 1,
    }))
    const process = await on.start()
    const read = async () => (await readNotices(on.store, on.clock, 'shop')).processes
    expect(await read()).toMatchObject([
      { isAlive: true, report: { worker: 'main', received: 0, running: 0, tasks: ['slow', 'quick'] } },
    ])
    await on.submit('slow')
    await on.submit('quick')
    await on.clock.advance({ seconds: 61 })
    expect(await read()).toMatchObject([{ isAlive: true, report: { received: 2, running: 1 } }])
    await on.clock.runUntil(process.drain())
    expect(await read()).toEqual([])
  })

  test('works on where its heartbeat cannot be written, and says so once', async () => {
    const log = keepLog()
    const on = processStage(config({ logLevel: 'warn' }), () => ({ add }))
    const refuse = () => Promise.reject(new Error('no grant'))
    await on.start({}, { store: { ...on.store, putNotice: refuse } })
    const future = await on.submit('add', [1, 2])
    expect(await on.clock.runUntil(future.result())).toBe(3)
    await on.clock.advance({ hours: 1 })
    expect(log.said).toHaveLength(1)
    expect(log.said[0]).toContain('writing the heartbeat fails')
  })
})

describe('a call that takes long', () => {
  test('is kept by the process that runs it: hidden from others, its lease renewed', async () => {
    let runs = 0
    const on = processStage(config({ timeoutSeconds: 900 }), (clock) => ({
      slow: async () => {
        runs += 1
        await delay(clock, 14 * MINUTE)
      },
    }))
    const future = await on.submit('slow')
    await on.start()
    await on.start()
    for (let seconds = 0; seconds < 840; seconds += 5) {
      await on.clock.advance({ seconds: 5 })
      expect(on.queue.inspect('default').map(({ state }) => state)).not.toContain('visible')
      const [record] = await on.store.read([future.id])
      if (record?.state === 'running') expect(record.leaseUntil).toBeGreaterThan(on.clock.now() + 40_000)
    }
    await on.clock.advance({ seconds: 5 })
    expect(await future.state()).toBe('succeeded')
    expect(on.queue.inspect('default')).toEqual([])
    expect(runs).toBe(1)
  })

  test.each([
    ['fail', () => Promise.reject(new Error('unreachable'))],
    ['hang', () => new Promise<never>(() => {})],
  ])('is told to stop by the end of its lease where renewals %s', async (_, fail) => {
    const stopped: [after: number, code: unknown][] = []
    const on = processStage(config({ timeoutSeconds: 900 }), (clock) => ({
      slow: () => {
        const began = clock.now()
        const { signal } = currentTask
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            stopped.push([clock.now() - began, signal.reason.code])
            reject(signal.reason)
          })
        })
      },
    }))
    const update: typeof on.store.update = (id, change) =>
      Object.keys(change.set).join() === 'leaseUntil' ? fail() : on.store.update(id, change)
    await on.start({}, { store: { ...on.store, update } })
    await on.submit('slow')
    await on.clock.advance({ seconds: 61 })
    expect(stopped).toEqual([[60_000, 'lease-lost']])
  })

  test('may take 11 hours, as long as SQS hides its message (F-19)', async () => {
    const log = keepLog()
    const on = processStage(config({ ...container, logLevel: 'info' }), (clock) => ({
      slow: taking(clock, 10.99 * HOUR),
    }))
    const future = await on.submit('slow')
    await on.start()
    await on.clock.runUntil(future.result({ timeoutSeconds: 40_000 }))
    await on.clock.advance({ seconds: 1 })
    expect(on.queue.inspect('default')).toEqual([])
    expect((await on.store.read([future.id]))[0]).toMatchObject({ attempts: 1 })
    expect(log.said.map((line) => JSON.parse(line).message)).toEqual(['the worker runs'])
  })

  test('and then waits longer for its retry than SQS hides its message is retried when it is due (F-18, F-19)', async () => {
    const log = keepLog()
    const waits = { base: 39_600, random: 0.99 }
    const on = processStage(
      {
        ...config({ ...container, logLevel: 'warn' }),
        taskOptions: { slow: { backoff: { baseSeconds: waits.base, maxSeconds: waits.base } } },
      },
      (clock) => ({
        slow: async () => {
          if (currentTask.attempt > 1) return 'at last'
          await delay(clock, 10 * HOUR)
          throw new Error('the first attempt fails')
        },
      }),
    )
    const entropy = { ...on.ports.entropy, fraction: () => waits.random }
    const future = await on.submit('slow')
    await on.start({}, { entropy })
    expect(await on.clock.runUntil(future.result({ timeoutSeconds: 24 * 3600 }))).toBe('at last')
    const [record] = await on.store.read([future.id])
    expect((record?.finishedAt ?? 0) - (record?.dueAt ?? 0)).toBeLessThan(10_000)
    expect(log.said).toEqual([])
  })
})
