import { afterEach, describe, expect, test, vi } from 'vitest'
import type { WorkerHandler } from '../../src/local-emulator/lambda-function.ts'
import {
  type LocalBackend,
  type LocalBackendOptions,
  localBackend,
} from '../../src/local-emulator/local-backend.ts'
import { virtualClock } from '../../src/local-emulator/virtual-clock.ts'
import type { App } from '../../src/runtime/app.ts'
import { cancelChange } from '../../src/runtime/call/record.ts'
import { delay } from '../../src/runtime/clock.ts'
import type { ResolvedConfig, ResolvedWorker } from '../../src/runtime/config/config.ts'
import { ClosedError } from '../../src/runtime/errors.ts'

const queue = (name: string) => ({
  name,
  fifo: false,
  draining: false,
  retentionSeconds: 345_600,
  visibilitySeconds: 90,
})

function worker(name: string, options: Partial<ResolvedWorker> = {}): ResolvedWorker {
  return {
    name,
    concurrency: 4,
    memoryMiB: 512,
    timeoutSeconds: 60,
    runsOn: 'lambda',
    logLevel: 'info',
    queues: ['low', 'high'],
    batchSize: 1,
    batchWindowSeconds: 0,
    ...options,
  }
}

function configOf(...workers: ResolvedWorker[]): ResolvedConfig {
  return {
    name: 'shop',
    queues: new Map([
      ['low', queue('low')],
      ['high', queue('high')],
    ]),
    defaultQueue: 'low',
    workers: new Map(workers.map((each) => [each.name, each])),
    routes: {},
    taskOptions: {},
    record: 'on-submit',
    ...{ longDelays: false, listing: false, schedules: new Map() },
  }
}

// The backend passes an app on, and looks for its schedules alone.
const appOf = (version: string) => ({ version, schedules: () => new Map() }) as unknown as App
const success = { batchItemFailures: [] }
const backends: LocalBackend[] = []

afterEach(async () => {
  vi.restoreAllMocks()
  for (const backend of backends.splice(0)) await backend.close()
})

function setup(
  makeHandler: LocalBackendOptions['makeHandler'],
  options: Partial<LocalBackendOptions> & { config?: ResolvedConfig } = {},
) {
  const { config = configOf(worker('foo')), ...rest } = options
  const clock = virtualClock(0)
  const backend = localBackend(config, { clock, makeHandler, ...rest })
  backends.push(backend)
  return { clock, backend, settle: () => clock.advance({ milliseconds: 0 }) }
}

const handlerOf =
  (handle: (bodies: string[], worker: string, app: App) => unknown): LocalBackendOptions['makeHandler'] =>
  (app, _, name) =>
  async ({ Records }) => {
    await handle(
      Records.map(({ body }) => body),
      name,
      app,
    )
    return success
  }

describe('localBackend', () => {
  test('starts its workers on the first send, once an app is attached', async () => {
    const seen: unknown[] = []
    const { backend, settle } = setup(handlerOf((bodies, name, app) => seen.push([name, app, bodies])))
    await backend.queue.send('low', [{ body: 'a' }])
    await settle()
    expect(seen).toEqual([])
    const app = appOf('1')
    backend.attach(app)
    await settle()
    expect(seen).toEqual([['foo', app, ['a']]])
    expect(backend.inspect('low')).toEqual([])
    expect(backend.kind).toBe('local')
  })

  test('starts no workers by itself where it is told not to', async () => {
    const { backend, settle } = setup(
      handlerOf(() => {}),
      { startWorkers: false },
    )
    backend.attach(appOf('1'))
    await backend.queue.send('low', [{ body: 'a' }])
    await settle()
    expect(backend.inspect('low')).toHaveLength(1)
    await backend.start()
    await backend.start()
    await settle()
    expect(backend.inspect('low')).toEqual([])
  })

  test('leaves no timer set when all is done', async () => {
    const { clock, backend, settle } = setup(handlerOf(() => {}))
    backend.attach(appOf('1'))
    await backend.queue.send('high', [{ body: 'a' }])
    await settle()
    expect(clock.pendingTimers).toBe(0)
  })

  test.each([
    { concurrency: 4, batchSize: 1, queues: ['low', 'high'], expected: 2 },
    { concurrency: 20, batchSize: 10, queues: ['low'], expected: 20 },
    { concurrency: 3, batchSize: 2, queues: ['low'], expected: 2 },
    { concurrency: 1, batchSize: 1, queues: ['low', 'high'], expected: 1 },
  ])('runs $expected calls of a queue at once: $concurrency / ($queues × $batchSize)', async (options) => {
    let running = 0
    let most = 0
    const { expected, ...settings } = options
    const { clock, backend } = setup(
      (_, ports) =>
        async ({ Records }) => {
          running += Records.length
          most = Math.max(most, running)
          await delay(ports.clock, 1000)
          running -= Records.length
          return success
        },
      { config: configOf(worker('foo', settings)) },
    )
    backend.attach(appOf('1'))
    await backend.queue.send(
      'low',
      Array.from({ length: 50 }, () => ({ body: 'x' })),
    )
    await clock.advance({ minutes: 1 })
    expect(most).toBe(expected)
    expect(backend.inspect('low')).toEqual([])
  })

  test('each worker consumes its own queues', async () => {
    const seen: string[] = []
    const config = configOf(worker('foo', { queues: ['low'] }), worker('bar', { queues: ['high'] }))
    const { backend, settle } = setup(
      handlerOf((bodies, name) => seen.push(`${name} ${bodies}`)),
      { config },
    )
    backend.attach(appOf('1'))
    await backend.queue.send('low', [{ body: 'a' }])
    await backend.queue.send('high', [{ body: 'b' }])
    await settle()
    expect(seen.sort()).toEqual(['bar b', 'foo a'])
  })

  test('an app attached later replaces the first; the same one again changes nothing', async () => {
    const made: App[] = []
    const seen: App[] = []
    const { backend, settle } = setup((app) => {
      made.push(app)
      return async () => {
        seen.push(app)
        return success
      }
    })
    const [first, second] = [appOf('1'), appOf('2')]
    for (const app of [first, first, second, second]) {
      backend.attach(app)
      await backend.queue.send('low', [{ body: 'x' }])
      await settle()
    }
    expect(seen).toEqual([first, first, second, second])
    expect(made).toEqual([first, second])
  })

  test('a task sends through the same queues', async () => {
    const seen: string[] = []
    const { backend, settle } = setup((_, ports) => async ({ Records }) => {
      for (const { body } of Records) {
        seen.push(body)
        if (body === 'parent') await ports.queue.send('high', [{ body: 'child' }])
      }
      return success
    })
    backend.attach(appOf('1'))
    await backend.queue.send('low', [{ body: 'parent' }])
    await settle()
    expect(seen).toEqual(['parent', 'child'])
  })

  test('tells of an invocation that timed out, and delivers its messages again', async () => {
    const errors: unknown[] = []
    let attempts = 0
    const { clock, backend } = setup(() => () => (++attempts === 1 ? new Promise(() => {}) : done()), {
      onError: (error, ...where) => errors.push([error.message, ...where]),
    })
    const done: () => ReturnType<WorkerHandler> = async () => success
    backend.attach(appOf('1'))
    await backend.queue.send('low', [{ body: 'x' }])
    await clock.advance({ seconds: 89 })
    expect(errors).toEqual([['Task timed out after 60.00 seconds', 'foo', 'low']])
    expect(attempts).toBe(1)
    await clock.advance({ seconds: 1 })
    expect(attempts).toBe(2)
    expect(backend.inspect('low')).toEqual([])
  })

  test('says such things on stderr where nobody else wants to know', async () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const { backend, settle } = setup(() => {
      throw new Error('no database')
    })
    backend.attach(appOf('1'))
    await backend.queue.send('low', [{ body: 'x' }])
    await settle()
    expect(write).toHaveBeenCalledWith('errand: worker "foo", queue "low": no database\n')
  })

  test('closes after the invocations that run, and then takes nothing more', async () => {
    let ended = false
    const { clock, backend, settle } = setup((_, ports) => async () => {
      await delay(ports.clock, 5000)
      ended = true
      return success
    })
    backend.attach(appOf('1'))
    await backend.queue.send('low', [{ body: 'x' }])
    await settle()
    await clock.runUntil(backend.close())
    expect(ended).toBe(true)
    expect(clock.now()).toBe(5000)
    await expect(backend.queue.send('low', [{ body: 'x' }])).rejects.toSatisfy((error) =>
      ClosedError.is(error),
    )
    await backend.start()
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('dead letters', () => {
  const bodiesOf = ({ Records }: { Records: readonly { body: string }[] }) => Records.map(({ body }) => body)

  test('what was received too often goes to the handler of the dead-letter queues, by its ARN', async () => {
    const seen: unknown[] = []
    const { clock, backend } = setup(
      () => async (event) => ({
        batchItemFailures: event.Records.map(({ messageId }) => ({ itemIdentifier: messageId })),
      }),
      {
        makeDeadLetterHandler:
          (app) =>
          async (event, { functionName }) => {
            seen.push([app, functionName, event.Records[0]?.eventSourceARN, bodiesOf(event)])
            return success
          },
      },
    )
    const app = appOf('1')
    backend.attach(app)
    await backend.queue.send('low', [{ body: 'poison' }])
    await clock.advance({ hours: 3 })
    const arn = 'arn:aws:sqs:local:000000000000:low-dead-letters'
    expect(seen).toEqual([[app, 'shop-dead-letters', arn, ['poison']]])
    expect(backend.inspect('low')).toEqual([])
    expect(backend.inspect('low-dead-letters')).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  test('what that handler gives back stays, and is given to it again', async () => {
    let calls = 0
    const { clock, backend } = setup(
      () => async () => {
        throw new Error('no')
      },
      {
        onError: () => {},
        makeDeadLetterHandler: () => async (event) => {
          calls += 1
          const again = calls < 3 ? event.Records : []
          return { batchItemFailures: again.map(({ messageId }) => ({ itemIdentifier: messageId })) }
        },
      },
    )
    backend.attach(appOf('1'))
    await backend.queue.send('high', [{ body: 'poison' }])
    await clock.advance({ hours: 3 })
    expect(calls).toBe(3)
    expect(backend.inspect('high-dead-letters')).toEqual([])
  })

  test('without one they stay where they are', async () => {
    const { clock, backend } = setup(
      () => async () => {
        throw new Error('no')
      },
      { onError: () => {} },
    )
    backend.attach(appOf('1'))
    await backend.queue.send('low', [{ body: 'poison' }])
    await clock.advance({ hours: 3 })
    expect(backend.inspect('low-dead-letters')).toMatchObject([{ body: 'poison', state: 'visible' }])
  })
})

test('abandoned, it kills what runs, stops what is idle, and takes no virtual time', async () => {
  const stopped: string[] = []
  const { clock, backend, settle } = setup((_, ports) =>
    Object.assign(
      async ({ Records }: { Records: readonly { body: string }[] }) => {
        if (Records[0]?.body === 'slow') await delay(ports.clock, 5000)
        return success
      },
      { stop: async () => void stopped.push('idle') },
    ),
  )
  backend.attach(appOf('1'))
  await backend.queue.send('low', [{ body: 'slow' }])
  await backend.queue.send('high', [{ body: 'quick' }])
  await settle()
  await backend.abandon()
  expect(clock.now()).toBe(0)
  expect(clock.pendingTimers).toBe(0)
  expect(stopped).toEqual(['idle'])
  await expect(backend.queue.send('low', [{ body: 'x' }])).rejects.toThrow('is closed')
})

test('environments see the queue as clients do: a task of a closed backend sends nothing', async () => {
  const errors: unknown[] = []
  const { clock, backend, settle } = setup((_, ports) => async () => {
    await delay(ports.clock, 1000)
    await ports.queue.send('high', [{ body: 'child' }]).catch((error: unknown) => errors.push(error))
    return success
  })
  backend.attach(appOf('1'))
  await backend.queue.send('low', [{ body: 'parent' }])
  await settle()
  await clock.runUntil(backend.close())
  expect(errors).toEqual([expect.objectContaining({ code: 'closed' })])
  expect(backend.inspect('high')).toEqual([])
})

describe('when the process ends', () => {
  const exitListeners = () => process.listeners('exit')

  test('one listener for all says what is lost, a line an app, and nothing of what is not', async () => {
    const before = exitListeners()
    const lossy = setup(
      handlerOf(() => {}),
      // Where calls that wait have no record, messages count.
      { startWorkers: false, config: { ...configOf(worker('foo')), record: 'on-claim' } },
    )
    setup(handlerOf(() => {}))
    const [listener, ...others] = exitListeners().filter((each) => !before.includes(each))
    expect(others).toEqual([])
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    listener?.(0)
    expect(write).not.toHaveBeenCalled()
    await lossy.backend.queue.send('low', [{ body: 'a' }, { body: 'b', delaySeconds: 60 }])
    await lossy.backend.queue.send('high', [{ body: 'c' }])
    await lossy.backend.queue.receive('low', { maxMessages: 1, waitSeconds: 0 })
    listener?.(0)
    expect(write.mock.calls).toEqual([[expect.stringContaining('errand: 3 calls are lost')]])
    expect(write.mock.calls[0]?.[0]).toContain('"shop"')
    for (const backend of backends.splice(0)) await backend.close()
    expect(exitListeners()).toEqual(before)
  })

  test('the message of a cancelled call is no loss', async () => {
    const before = exitListeners()
    const { backend } = setup(
      handlerOf(() => {}),
      { startWorkers: false },
    )
    const [listener] = exitListeners().filter((each) => !before.includes(each))
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const call = { id: 'a', task: 'add', queue: 'low', payloadHash: 'h', createdAt: 0, dueAt: 0 }
    const record = { ...call, state: 'pending', expiresAtSeconds: 9e9, attempts: 0, failures: 0 } as const
    await backend.store.put(record, ['id', 'absent'])
    await backend.queue.send('low', [{ body: 'a' }])
    listener?.(0)
    expect(write.mock.calls).toEqual([[expect.stringContaining('errand: 1 call is lost')]])
    await backend.store.update('a', cancelChange(0))
    listener?.(0)
    expect(write).toHaveBeenCalledTimes(1)
  })
})
