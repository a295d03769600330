import {
  AccessDeniedError,
  createClient,
  createExecutor,
  currentTask,
  defineConfig,
  type Executor,
  UnregisteredTaskError,
} from 'errand'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Store } from '../../src/runtime/ports/store.ts'
import type { TaskTree } from '../../src/runtime/registry.ts'
import { workerStage } from '../support/worker-stage.ts'

// What `with({ then, catch })` names follows a call's end: never lost, and never as two calls.

const config = defineConfig({
  name: 'follow-ups',
  queues: { default: {}, other: {} },
  workers: { main: { timeoutSeconds: 60, logLevel: 'error' } },
  routes: { elsewhere: 'other' },
  taskOptions: { '*': { maxAttempts: 2, backoff: { baseSeconds: 0 } } },
})

beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** Tasks, and what the follow-ups among them saw. */
function tasks() {
  const seen: unknown[] = []
  return {
    seen,
    tree: {
      build: async (month: string) => {
        if (month === '') throw new Error('no month')
        return { month, pages: new Map([['one', 1n]]) }
      },
      publish: async (report: unknown) => {
        seen.push(['then', currentTask.id, report])
      },
      alarm: async (error: Error) => {
        seen.push(['catch', currentTask.id, error instanceof Error && error.message])
      },
      elsewhere: async () => {},
    } satisfies TaskTree,
  }
}

function stage(faulty?: (store: Store) => Partial<Store>) {
  const { seen, tree } = tasks()
  const on = workerStage(config, tree, faulty)
  const both = on.executor.with({ then: tree.publish, catch: tree.alarm, tenant: 'acme' })
  return { ...on, ...tree, both, seen }
}

describe('a follow-up', () => {
  test('gets the value of a call that succeeded, whatever the codec keeps', async () => {
    const on = stage()
    const future = await on.both.submit(on.build, '2026-10')
    await on.drain()
    expect(on.seen).toEqual([
      ['then', `${future.id}:then`, { month: '2026-10', pages: new Map([['one', 1n]]) }],
    ])
    expect(await on.executor.future(`${future.id}:then`).snapshot()).toMatchObject({
      state: 'succeeded',
      parent: future.id,
      tenant: 'acme',
    })
  })

  test('gets the error of a call that failed, after its last attempt', async () => {
    const on = stage()
    const future = await on.both.submit(on.build, '')
    await on.drain()
    expect(on.seen).toEqual([['catch', `${future.id}:catch`, 'no month']])
    expect(await future.snapshot()).toMatchObject({ attempts: 2 })
  })

  test('does not follow a call that was cancelled', async () => {
    const on = stage()
    const future = await on.both.submit(on.build, '')
    expect(await future.cancel()).toBe(true)
    await on.drain()
    expect(on.seen).toEqual([])
  })

  test('goes to the queue of its own route', async () => {
    const on = stage()
    await on.executor.with({ then: on.elsewhere }).submit(on.build, 'a')
    await on.drain()
    expect(on.queue.inspect('other')).toHaveLength(1)
  })

  test('is sent again by a redelivery that finds the call final, and stays one call', async () => {
    const on = stage()
    const future = await on.both.submit(on.build, 'a')
    const [message] = on.queue.inspect('default')
    await on.drain()
    await on.queue.send('default', [{ body: message!.body }])
    await on.drain()
    expect(on.seen).toHaveLength(1)
    expect(await on.executor.future(`${future.id}:then`).snapshot()).toMatchObject({ attempts: 1 })
  })

  test('is not lost where the environment dies between the final write and its sending', async () => {
    const on = stage()
    const future = await on.both.submit(on.build, 'a')
    const frozen = { ...on.queue, send: () => new Promise<never>(() => {}) }
    const event = await on.receive()
    await on.clock.runUntil(
      Promise.race([on.environment({ queue: frozen })(event), on.clock.advance({ seconds: 61 })]),
    )
    expect(await future.state()).toBe('succeeded')
    expect(on.seen).toEqual([])
    await on.clock.advance({ seconds: 60 })
    await on.drain()
    expect(on.seen).toHaveLength(1)
  })

  test('that cannot be sent brings its message back, and the call stays final', async () => {
    const on = stage()
    const future = await on.both.submit(on.build, 'a')
    const broken = { ...on.queue, send: () => Promise.reject(new Error('no network')) }
    expect(await on.invoke(await on.receive(), on.environment({ queue: broken }))).toHaveLength(1)
    expect(await future.state()).toBe('succeeded')
    await on.clock.advance({ seconds: 120 })
    await on.drain()
    expect(on.seen).toHaveLength(1)
  })

  test('follows each end: a call that is retried by hand and fails again is followed again', async () => {
    const on = stage()
    const future = await on.both.submit(on.build, '')
    await on.drain()
    await on.executor.retry(future.id)
    await on.drain()
    expect(on.seen.map((one) => (one as unknown[])[1])).toEqual([
      `${future.id}:catch`,
      `${future.id}:catch:2`,
    ])
  })

  test('of a failure is not lost where a retry by hand comes before it is sent', async () => {
    const on = stage()
    const future = await on.both.submit(on.build, '')
    await on.store.update(future.id, { when: ['id', 'present'], set: { failures: 1, attempts: 1 } })
    const frozen = { ...on.queue, send: () => new Promise<never>(() => {}) }
    const event = await on.receive()
    const dead = on.environment({ queue: frozen })(event)
    await on.clock.runUntil(Promise.race([dead, on.clock.advance({ seconds: 61 })]))
    expect([await future.state(), on.seen]).toEqual(['failed', []])
    await on.executor.retry(future.id)
    await on.drain()
    expect(on.seen.map((one) => (one as unknown[])[1]).sort()).toEqual([
      `${future.id}:catch`,
      `${future.id}:catch:2`,
    ])
  })

  test('that no message can hold is there as a call that failed', async () => {
    const on = workerStage(config, { elsewhere: () => {} })
    const wide = on.executor.task('wide', async () => '😀'.repeat(95_000))
    const after = on.executor.task('after', async () => {})
    const future = await on.executor.with({ then: after }).submit(wide)
    await on.drain()
    expect(await future.state()).toBe('succeeded')
    const followUp = on.executor.future(`${future.id}:then`)
    expect(await followUp.snapshot()).toMatchObject({
      state: 'failed',
      reason: 'undeliverable',
      task: 'after',
    })
    await expect(followUp.result()).rejects.toThrow(
      /cannot be sent: the arguments of task "after" make a message of/,
    )
  })

  test('that AWS denies is not tried again and again in one invocation', async () => {
    const on = stage()
    await on.both.submit(on.build, 'a')
    const send = vi.fn(() => Promise.reject(new AccessDeniedError('no grant')))
    expect(
      await on.invoke(await on.receive(), on.environment({ queue: { ...on.queue, send } })),
    ).toHaveLength(1)
    expect(send).toHaveBeenCalledTimes(1)
  })

  test('gets an error whose own name is no text', async () => {
    const on = stage()
    const odd = on.executor.task('odd', () => {
      throw Object.assign(new Error('p'), { name: 5 })
    })
    await on.executor.with({ catch: on.alarm }).submit(odd)
    await on.drain()
    expect(on.seen).toMatchObject([['catch', expect.any(String), 'p']])
  })

  test('takes no id that a sender may choose', async () => {
    const on = stage()
    for (const id of ['a:then', 'a:catch', 'a:then:2']) {
      await expect(on.executor.with({ id }).submit(on.build, 'a')).rejects.toThrow(
        /expected the id of an earlier submit/,
      )
    }
  })

  test('gets a result that lies beside the record', async () => {
    const seen: number[] = []
    const on = workerStage(config, { elsewhere: () => {} })
    const large = on.executor.task('large', async () => 'y'.repeat(50_000))
    const measure = on.executor.task('measure', async (text: string) => void seen.push(text.length))
    await on.executor.with({ then: measure }).submit(large)
    await on.drain()
    expect(seen).toEqual([50_000])
  })

  test('is a registered function, or to a client a name; anything else is refused before anything is sent', async () => {
    const on = stage()
    await expect(on.executor.with({ then: () => {} }).submit(on.build, 'a')).rejects.toThrow(
      UnregisteredTaskError,
    )
    await expect(on.executor.with({ catch: 7 as never }).submit(on.build, 'a')).rejects.toThrow(/7/)
    const client = createClient<Executor<ReturnType<typeof tasks>['tree'], typeof config>>(config, {
      backend: { ...on.ports, kind: 'aws', start: async () => {}, close: async () => {} },
    })
    await expect(client.with({ then: on.publish }).submit('build', 'b')).rejects.toThrow(/submits by name/)
    expect(on.queue.inspect('default')).toEqual([])
    await client.with({ then: 'publish' }).submit('build', 'b')
    await on.drain()
    expect(on.seen).toHaveLength(1)
  })

  test('runs inline on the eager backend', async () => {
    const { seen, tree } = tasks()
    const executor = createExecutor(config, { backend: 'eager', tasks: tree })
    await executor.with({ then: tree.publish }).submit(tree.build, 'a')
    expect(seen).toHaveLength(1)
  })
})
