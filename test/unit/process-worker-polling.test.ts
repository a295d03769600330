import { defineConfig } from 'errand'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { AccessDeniedError, ResourceNotFoundError } from '../../src/runtime/errors.ts'
import { putPaused } from '../../src/runtime/operations/heartbeat.ts'
import type { ReceiveOptions } from '../../src/runtime/ports/queue.ts'
import { keepLog } from '../support/observed-stage.ts'
import { processStage, taking } from '../support/process-stage.ts'

const config = (queues: readonly string[] = ['default'], own: object = {}) =>
  defineConfig({ name: 'shop', queues, workers: { main: { timeoutSeconds: 900, logLevel: 'warn', ...own } } })
const tasks = () => ({ quick: () => 'done' })

afterEach(() => {
  vi.restoreAllMocks()
})

/** A stage whose receives are counted, and fail while `trouble.error` is set. */
function watchedStage(...args: Parameters<typeof processStage>) {
  const on = processStage(...args)
  const trouble: { error?: Error | undefined } = {}
  const polls: { queue: string; at: number; options: ReceiveOptions }[] = []
  const receive: typeof on.queue.receive = async (queue, options) => {
    polls.push({ queue, at: on.clock.now(), options })
    if (trouble.error) throw trouble.error
    return on.queue.receive(queue, options)
  }
  const queue = { ...on.queue, receive }
  return { ...on, trouble, polls, start: (options = {}) => on.start(options, { queue }) }
}

describe('polling', () => {
  test('waits 20 s at a time, for as many as there is room for, each hidden as long as a lease lasts', async () => {
    const on = watchedStage(config(['default'], { concurrency: 4 }), tasks)
    await on.start()
    await on.clock.advance({ seconds: 59 })
    expect(on.polls.map(({ options }) => options)).toMatchObject(
      Array.from({ length: 3 }, () => ({ maxMessages: 4, waitSeconds: 20, visibilitySeconds: 60 })),
    )
  })

  test('asks for nothing while all that may run does, and for few while calls are long', async () => {
    const on = watchedStage(config(['default', 'b'], { concurrency: 3 }), (clock) => ({
      slow: taking(clock, 100_000),
    }))
    await on.submitMany('slow', 30)
    const worker = await on.start()
    await on.clock.advance({ seconds: 90 })
    // One of the queue that is full, and that of the other, which ended empty.
    expect(on.polls.map(({ queue }) => queue).sort()).toEqual(['b', 'default'])
    expect(worker.load()).toEqual({ running: 3, waiting: 0 })
    await on.clock.advance({ seconds: 20 })
    expect(on.polls.length).toBeLessThanOrEqual(8)
    expect(worker.load()).toEqual({ running: 3, waiting: 0 })
  })

  test('receives tens while calls are short', async () => {
    const on = watchedStage(config(['default'], { concurrency: 10 }), (clock) => ({
      short: taking(clock, 50),
    }))
    await on.submitMany('short', 1000)
    await on.start()
    await on.clock.advance({ seconds: 10 })
    expect(on.queue.unfinished()).toBe(0)
    // 100 at the least.
    expect(on.polls.length).toBeLessThanOrEqual(105)
  })

  test('backs off where it fails: 1 s, doubled up to 30 s; it says so once, and again when it works', async () => {
    const log = keepLog()
    const on = watchedStage(config(['default'], { logLevel: 'info' }), tasks)
    on.trouble.error = new Error('unreachable')
    const began = on.clock.now()
    await on.start()
    await on.clock.advance({ seconds: 95 })
    expect(on.polls.map(({ at }) => (at - began) / 1000)).toEqual([0, 1, 3, 7, 15, 31, 61, 91])
    on.trouble.error = undefined
    const future = await on.submit('quick')
    expect(await on.clock.runUntil(future.result())).toBe('done')
    on.trouble.error = new Error('unreachable')
    await on.submit('quick')
    await on.clock.advance({ seconds: 1 })
    expect(log.said.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'info', message: 'the worker runs' },
      { level: 'warn', message: 'polling queue "default" fails; tried again until it works' },
      { level: 'info', message: 'polling queue "default" works again' },
      { level: 'warn', error: 'Error: unreachable' },
    ])
  })

  test('a queue that is gone is told once, and once more where it is then denied; the others are polled', async () => {
    const log = keepLog()
    const on = processStage(config(['default', 'gone']), tasks)
    let error: Error = new ResourceNotFoundError('there is no queue "gone"')
    const receive: typeof on.queue.receive = (queue, options) =>
      queue === 'gone' ? Promise.reject(error) : on.queue.receive(queue, options)
    const worker = await on.start({}, { queue: { ...on.queue, receive } })
    await on.clock.advance({ hours: 2 })
    error = new AccessDeniedError('sqs:ReceiveMessage was denied on queue "gone"')
    await on.clock.advance({ hours: 2 })
    const future = await on.submit('quick')
    expect(await on.clock.runUntil(future.result())).toBe('done')
    await on.clock.runUntil(worker.drain())
    expect(log.said.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'error', error: 'ResourceNotFoundError: there is no queue "gone"' },
      { level: 'error', error: 'AccessDeniedError: sqs:ReceiveMessage was denied on queue "gone"' },
    ])
  })
})

describe('a paused queue', () => {
  test('is left alone within 20 s, and polled again within 20 s of its resumption', async () => {
    const on = watchedStage(config(['default', 'b']), tasks)
    await on.start()
    await on.clock.advance({ seconds: 10 })
    await putPaused(on.store, 'default', true)
    await on.clock.advance({ seconds: 20 })
    const future = await on.submit('quick')
    const other = await on.submit('quick', [], { queue: 'b' })
    const polls = on.polls.length
    await on.clock.advance({ hours: 1 })
    expect(await future.state()).toBe('pending')
    expect(on.states()).toEqual(['visible'])
    expect(await other.state()).toBe('succeeded')
    expect(on.polls.slice(polls).filter(({ queue }) => queue === 'default')).toEqual([])
    await putPaused(on.store, 'default', false)
    await on.clock.advance({ seconds: 20 })
    expect(await future.state()).toBe('succeeded')
  })

  test('is not polled by a worker that starts later, and runs to its end what was received before', async () => {
    const on = watchedStage(config(), (clock) => ({ slow: taking(clock, 60_000), quick: () => 'done' }))
    const slow = await on.submit('slow')
    const first = await on.start()
    await on.clock.advance({ seconds: 10 })
    await putPaused(on.store, 'default', true)
    await on.clock.advance({ seconds: 20 })
    const polls = on.polls.length
    const second = await on.start()
    await on.submit('quick')
    await on.clock.advance({ minutes: 5 })
    expect(on.polls).toHaveLength(polls)
    expect(await slow.state()).toBe('succeeded')
    expect(on.states()).toEqual(['visible'])
    const before = on.clock.now()
    await on.clock.runUntil(Promise.all([first.drain(), second.drain()]))
    expect(on.clock.now()).toBe(before)
  })
})
