/**
 * Expiry: a call that no attempt has begun in time ends, whoever sees it so, and is never begun.
 */
import { createClient, createExecutor, defineConfig, ExpiredError, RetryAfterError } from 'errand'
import { testExecutor } from 'errand/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { type LocalBackendOptions, localBackend, virtualClock } from '../../src/local-emulator/index.ts'
import { delay } from '../../src/runtime/clock.ts'
import type { Config } from '../../src/runtime/config/config.ts'
import { AccessDeniedError } from '../../src/runtime/errors.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

const plain: Config = { name: 'expiry', workers: { main: { timeoutSeconds: 60, logLevel: 'error' } } }

/** A backend whose workers begin when they are told to, and tasks that note that they ran. */
function stage(given: Partial<Config> = {}, options: Partial<LocalBackendOptions> = {}) {
  const config = defineConfig({ ...plain, ...given })
  const clock = virtualClock()
  const ran: string[] = []
  const tasks = {
    note(name: string) {
      ran.push(name)
      return name
    },
    told(error: Error) {
      ran.push(`told of ${error.name}`)
    },
    later() {
      ran.push('later')
      if (ran.length < 3) throw new RetryAfterError(600)
      return 'at last'
    },
  }
  const backend = localBackend(resolveConfig(config), {
    clock,
    startWorkers: false,
    makeHandler: createWorkerHandler,
    makeDeadLetterHandler: createDeadLetterHandler,
    ...options,
  })
  const executor = createExecutor(config, { tasks, backend: backend as Backend })
  onTestFinished(() => executor.close())
  return { config, clock, ran, tasks, backend, executor }
}

const soon = { expiresInSeconds: 60 }

describe('a call that nobody has begun by its expiry', () => {
  test('never runs, and ends as failed with the reason', async () => {
    const { executor, clock, tasks, ran } = stage()
    const future = await executor.with(soon).submit(tasks.note, 'x')
    await clock.advance({ seconds: 60 })
    await executor.start()
    await clock.advance({ seconds: 10 })
    expect(ran).toEqual([])
    const snapshot = await future.snapshot()
    expect(snapshot).toMatchObject({ state: 'failed', reason: 'expired', attempts: 0, failures: 0 })
    expect(snapshot.startBy).toEqual(new Date(Date.UTC(2026, 0, 1, 0, 1)))
    expect(snapshot.startedAt).toBeUndefined()
    const error = await future.exception()
    expect(ExpiredError.is(error)).toBe(true)
    expect(error?.message).toContain('2026-01-01T00:01:00.000Z')
  })

  test('says so to who waits, though its message is lost', async () => {
    const { executor, backend, clock, tasks } = stage()
    const future = await executor.with(soon).submit(tasks.note, 'x')
    const waiting = future.outcome()
    const messages = await backend.queue.receive('default', { maxMessages: 1, waitSeconds: 0 })
    await backend.queue.delete(
      'default',
      messages.map(({ receiptHandle }) => receiptHandle),
    )
    await clock.advance({ seconds: 59 })
    expect(await executor.future(future.id).state()).toBe('pending')
    await clock.advance({ seconds: 4 })
    expect(await waiting).toMatchObject({ state: 'failed', reason: 'expired' })
    expect(backend.store.peek?.(future.id)).toMatchObject({ state: 'failed', failedIn: 'default' })
  })

  test('is told to what follows once, whoever ended it first', async () => {
    for (const isReadFirst of [true, false]) {
      const { executor, clock, tasks, ran } = stage()
      const future = await executor.with({ ...soon, catch: tasks.told }).submit(tasks.note, 'x')
      await clock.advance({ seconds: 90 })
      if (isReadFirst) expect(await future.state()).toBe('failed')
      await executor.start()
      await clock.advance({ minutes: 10 })
      expect(ran).toEqual(['told of ExpiredError'])
    }
  })

  test('runs where it is retried by hand, without an expiry', async () => {
    const { executor, clock, tasks, ran } = stage()
    const future = await executor.with(soon).submit(tasks.note, 'x')
    await clock.advance({ seconds: 90 })
    expect(await future.state()).toBe('failed')
    // Who reads has no message to keep: it is in the queue.
    await expect(executor.retry(future.id)).rejects.toThrow('its message has not come to a worker yet')
    await executor.start()
    await clock.advance({ seconds: 1 })
    const again = await executor.retry(future.id)
    expect((await again.snapshot()).startBy).toBeUndefined()
    await clock.advance({ days: 2 })
    expect(await again.result()).toBe('x')
    expect(ran).toEqual(['x'])
  })

  test('can be cancelled until somebody has ended it', async () => {
    const { executor, clock, tasks } = stage()
    const future = await executor.with(soon).submit(tasks.note, 'x')
    await clock.advance({ seconds: 90 })
    expect(await future.cancel()).toBe(true)
    expect(await future.state()).toBe('cancelled')
  })

  test('without a record ends when its message comes', async () => {
    const { executor, clock, tasks, ran } = stage({ record: 'on-claim' })
    const future = await executor.with(soon).submit(tasks.note, 'x')
    await clock.advance({ seconds: 90 })
    expect(await future.state()).toBe('pending')
    await executor.start()
    await clock.advance({ seconds: 1 })
    expect(ran).toEqual([])
    expect(await future.outcome()).toMatchObject({ reason: 'expired', attempts: 0 })
  })

  test('on a FIFO queue lets those behind it run', async () => {
    const { executor, clock, tasks, ran } = stage({ queues: { default: { fifo: true } } })
    await executor.with(soon).submit(tasks.note, 'late')
    await executor.submit(tasks.note, 'next')
    await clock.advance({ seconds: 90 })
    await executor.start()
    await clock.advance({ seconds: 5 })
    expect(ran).toEqual(['next'])
  })

  test('is a dead letter that says so', async () => {
    const { executor, backend, clock, tasks } = stage()
    const future = await executor.with(soon).submit(tasks.note, 'x')
    const [message] = await backend.queue.receive('default', { maxMessages: 1, waitSeconds: 0 })
    await backend.queue.send('default-dead-letters', [{ body: message?.body ?? '' }])
    await clock.advance({ seconds: 90 })
    await executor.start()
    await clock.advance({ seconds: 1 })
    expect(await future.outcome()).toMatchObject({ reason: 'expired' })
  })

  test('is ended for one who may only read a minute later, and for nobody else', async () => {
    const { config, executor, backend, clock, tasks } = stage()
    const { id } = await executor.with(soon).submit(tasks.note, 'x')
    const denied = new AccessDeniedError('AWS denied dynamodb:UpdateItem')
    const { watch: _, peek: __, ...store } = backend.store
    const reading: Backend = {
      ...backend,
      attach: () => {},
      store: { ...store, update: () => Promise.reject(denied) },
    }
    const client = createClient<typeof executor>(config as never, { backend: reading })
    await clock.advance({ seconds: 90 })
    expect(await client.future(id).state()).toBe('pending')
    await clock.advance({ seconds: 30 })
    expect(await client.future(id).snapshot()).toMatchObject({ state: 'failed', reason: 'expired' })
    expect(ExpiredError.is(await client.future(id).exception())).toBe(true)
    expect(backend.store.peek?.(id)?.state).toBe('pending')
  })
})

describe('a call that was begun in time', () => {
  test('is retried after its expiry', async () => {
    const { executor, clock, tasks, ran } = stage()
    const future = await executor.with(soon).submit(tasks.later)
    await executor.start()
    await clock.advance({ hours: 1 })
    expect(await future.result()).toBe('at last')
    expect(ran).toEqual(['later', 'later', 'later'])
  })

  test('and was killed runs again', async () => {
    const add = (a: number, b: number) => a + b
    const executor = createExecutor(plain as { name: 'expiry' }, { tasks: { add }, backend: 'local' })
    const t = testExecutor(executor)
    onTestFinished(() => t.close())
    t.killNext(add)
    const future = await executor.with({ expiresInSeconds: 5 }).submit(add, 1, 2)
    await t.drain()
    expect(await future.result()).toBe(3)
    expect((await future.snapshot()).attempts).toBe(2)
  })

  test('by a claim whose answer took longer than there was ends as expired', async () => {
    /** Claims are answered five seconds late. */
    const slowly: LocalBackendOptions['makeHandler'] = (app, ports, worker) => {
      const update: typeof ports.store.update = async (id, change) => {
        const answer = await ports.store.update(id, change)
        if (change.set.state === 'running') await delay(ports.clock, 5000)
        return answer
      }
      return createWorkerHandler(app, { ...ports, store: { ...ports.store, update } }, worker)
    }
    const { executor, clock, tasks, ran } = stage({}, { makeHandler: slowly })
    const future = await executor.with({ expiresInSeconds: 2 }).submit(tasks.note, 'x')
    await executor.start()
    await clock.advance({ seconds: 20 })
    expect(ran).toEqual([])
    expect(await future.outcome()).toMatchObject({ state: 'failed', reason: 'expired' })
  })
})

test('an expiry goes with a delay of any length', async () => {
  const { executor, clock, tasks, ran } = stage({ longDelays: true })
  const day = 86_400
  await executor.start()
  await executor.with({ delaySeconds: 3 * day, expiresInSeconds: 3 * day + 60 }).submit(tasks.note, 'in time')
  await clock.advance({ days: 4 })
  expect(ran).toEqual(['in time'])
})
