import type { SQSEvent } from 'aws-lambda'
import { type Config, createExecutor, currentTask, defineConfig, LeaseLostError, task } from 'errand'
import { arnOf, virtualClock } from 'errand/local-emulator'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TaskTree } from '../../src/runtime/registry.ts'
import { workerStage } from '../support/worker-stage.ts'

// Deliveries that come twice, late, early or out of order, and environments that die: what the claim makes of them.

const config = defineConfig({
  name: 'protocol',
  queues: { default: {}, ordered: { fifo: true } },
  workers: { main: { timeoutSeconds: 60, batchSize: 10, logLevel: 'error' } },
  taskOptions: { '*': { backoff: { baseSeconds: 0 } } },
})

function stage(tasks: TaskTree, declared: Config = config) {
  const on = workerStage(declared, tasks)
  const { clock, queue, environment } = on
  return {
    ...on,
    /** Each invocation in an environment of its own, unless it is given one. */
    invoke: (event: SQSEvent, handler = environment(), name = 'default') => on.invoke(event, handler, name),
    /** Starts an environment that then freezes: its own time stands still, and its timers never fire. */
    freeze: async (event: SQSEvent) => {
      const answer = environment({ clock: virtualClock(clock.now()) })(event)
      await clock.advance({ milliseconds: 1 })
      return { answer }
    },
    /** Makes what is in flight visible again, as the end of its visibility would. */
    reappear: ({ Records }: SQSEvent, name = 'default') =>
      queue.changeVisibility(
        name,
        Records.map(({ receiptHandle }) => ({ receiptHandle, visibilitySeconds: 0 })),
      ),
  }
}

beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** A task whose first attempt waits for `open`, and that tells what each attempt saw. */
function gated() {
  const seen: unknown[] = []
  let open: () => void = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const run = async () => {
    const { attempt, signal } = currentTask
    if (attempt > 1) return `attempt ${attempt}`
    await gate
    seen.push(await currentTask.progress('late').catch((error: unknown) => error), signal.reason)
    return 'the zombie'
  }
  return { seen, run, open: () => open() }
}

describe('a redelivery', () => {
  test('under a live lease is hidden until the lease ends, and never acknowledged (F-04)', async () => {
    const { run } = gated()
    const on = stage({ run })
    const future = await on.executor.submit(run)
    const event = await on.receive()
    await on.freeze(event)
    await on.clock.advance({ seconds: 1 })
    await on.reappear(event)
    const again = await on.receive()
    expect(await on.invoke(again)).toEqual([event.Records[0]?.messageId])
    const [record] = await on.store.read([future.id])
    const [message] = on.queue.inspect('default')
    expect(message?.state).toBe('in-flight')
    expect(message?.visibleAt).toBeGreaterThan(record?.leaseUntil ?? 0)
    expect(message?.visibleAt).toBeLessThanOrEqual((record?.leaseUntil ?? 0) + 1000)
    expect(record).toMatchObject({ state: 'running', attempts: 1 })
  })

  test('of a final call is acknowledged without running', async () => {
    let runs = 0
    const count = () => ++runs
    const on = stage({ count })
    await on.executor.submit(count)
    const [message] = on.queue.inspect('default')
    expect(await on.invoke(await on.receive())).toEqual([])
    await on.queue.send('default', [{ body: message?.body ?? '' }])
    expect(await on.invoke(await on.receive())).toEqual([])
    expect([runs, on.queue.inspect('default')]).toEqual([1, []])
  })

  test('of a cancelled call is acknowledged without running', async () => {
    const never = () => expect.unreachable()
    const on = stage({ never })
    const future = await on.executor.submit(never)
    expect(await future.cancel()).toBe(true)
    expect(await on.invoke(await on.receive())).toEqual([])
    expect(await future.snapshot()).toMatchObject({ state: 'cancelled', attempts: 0 })
  })

  test('before a delayed call is due is hidden until then (F-03)', async () => {
    let ranAt = 0
    const run = () => {
      ranAt = on.clock.now()
    }
    const on = stage({ run })
    const future = await on.executor.with({ delaySeconds: 600 }).submit(run)
    const [message] = on.queue.inspect('default')
    await on.queue.send('default', [{ body: message?.body ?? '' }])
    const { dueAt } = await future.snapshot()
    expect(await on.invoke(await on.receive())).toHaveLength(1)
    expect(on.queue.inspect('default').map(({ visibleAt }) => visibleAt)).toEqual([+dueAt, +dueAt])
    expect(await future.snapshot()).toMatchObject({ state: 'scheduled', attempts: 0 })
    await on.clock.advance({ seconds: 600 })
    expect(await on.invoke(await on.receive())).toHaveLength(1)
    expect([ranAt, await future.state()]).toEqual([+dueAt, 'succeeded'])
  })

  test('before the next attempt is due is hidden until then', async () => {
    const boom = task({
      run: () => {
        if (currentTask.attempt === 1) throw new Error('boom')
      },
      backoff: { baseSeconds: 3600, factor: 1 },
    })
    const on = stage({ boom })
    const future = await on.executor.submit(boom)
    const event = await on.receive()
    expect(await on.invoke(event)).toHaveLength(1)
    const { dueAt } = await future.snapshot()
    await on.reappear(event)
    expect(await on.invoke(await on.receive())).toHaveLength(1)
    expect(await future.snapshot()).toMatchObject({ state: 'retrying', attempts: 1, failures: 1 })
    const [message] = on.queue.inspect('default')
    expect(message?.visibleAt).toBeGreaterThanOrEqual(+dueAt)
    expect(message?.visibleAt).toBeLessThan(+dueAt + 1000)
  })

  test('after the lease gives a new attempt; the zombie can write nothing (F-02)', async () => {
    const { seen, run, open } = gated()
    const on = stage({ run })
    const future = await on.executor.submit(run)
    const event = await on.receive()
    const zombie = await on.freeze(event)
    await on.clock.advance({ seconds: 64 })
    await on.reappear(event)
    expect(await on.invoke(await on.receive())).toEqual([])
    expect(await future.result({ timeoutSeconds: 0 })).toBe('attempt 2')
    open()
    expect(await on.clock.runUntil(zombie.answer)).toEqual({
      batchItemFailures: [{ itemIdentifier: event.Records[0]?.messageId }],
    })
    expect(seen.every((error) => LeaseLostError.is(error))).toBe(true)
    expect(seen).toHaveLength(2)
    expect((seen[0] as Error).message).toContain(`no longer owns the call ${future.id}`)
    expect(await on.executor.future(future.id).snapshot()).toMatchObject({ state: 'succeeded', attempts: 2 })
    expect(await on.executor.future(future.id).result({ timeoutSeconds: 0 })).toBe('attempt 2')
  })
})

describe('a call that was killed', () => {
  test('runs alone when it comes again; its mates go back at once', async () => {
    const { run } = gated()
    const during: (readonly string[])[] = []
    const look = () => {
      during.push(on.queue.inspect('default').map(({ state }) => state))
      return 'ran'
    }
    const suspect = async () => (currentTask.attempt === 1 ? run() : look())
    const mate = () => 'mate'
    const on = stage({ suspect, mate })
    const killed = await on.executor.submit(suspect)
    const event = await on.receive()
    await on.freeze(event)
    await on.clock.advance({ seconds: 64 })
    const mates = await on.executor.map(mate, [[], []])
    await on.reappear(event)
    const batch = await on.receive()
    expect(batch.Records).toHaveLength(3)
    expect(await on.invoke(batch)).toHaveLength(2)
    expect(during).toEqual([['in-flight', 'visible', 'visible']])
    expect(await killed.snapshot()).toMatchObject({ state: 'succeeded', attempts: 2, failures: 0 })
    expect((await mates.snapshots()).map((snapshot) => snapshot?.attempts)).toEqual([0, 0])
    expect(await on.invoke(await on.receive())).toEqual([])
    expect(await mates.results({ timeoutSeconds: 0 })).toEqual(['mate', 'mate'])
  })

  test('too often ends as `killed`, without running again', async () => {
    let runs = 0
    const deadly = task({
      run: () => {
        runs++
        return new Promise<never>(() => {})
      },
      maxKills: 2,
    })
    const on = stage({ deadly })
    const future = await on.executor.submit(deadly)
    for (let kill = 0; kill < 2; kill++) {
      const event = await on.receive()
      await on.freeze(event)
      await on.clock.advance({ seconds: 64 })
      await on.reappear(event)
    }
    expect(await on.invoke(await on.receive())).toEqual([])
    expect(runs).toBe(2)
    const outcome = await future.outcome({ timeoutSeconds: 0 })
    expect(outcome).toMatchObject({ state: 'failed', reason: 'killed', error: { code: 'task-killed' } })
    const message = outcome.state === 'failed' ? outcome.error.message : ''
    for (const part of ['2 attempts', '"deadly"', 'at most 2', 'more memory or time']) {
      expect(message).toContain(part)
    }
  })
})

describe('a task that the worker does not know (F-33)', () => {
  test('is waited for an hour, a minute at a time and uncounted; then it is failed', async () => {
    const known = () => 1
    const newer = () => 2
    const on = stage({ known })
    const { kind, start, close } = { kind: 'aws', start: async () => {}, close: async () => {} } as const
    const submitter = createExecutor(config, {
      tasks: { known, newer },
      backend: { ...on.ports, kind, start, close },
    })
    const future = await submitter.submit(newer)
    const environment = on.environment()
    for (let minute = 0; minute < 60; minute++) {
      expect(await on.invoke(await on.receive(), environment)).toHaveLength(1)
      expect(on.queue.inspect('default')).toMatchObject([{ visibleAt: on.clock.now() + 60_000 }])
      await on.clock.advance({ minutes: 1 })
    }
    expect(await future.snapshot()).toMatchObject({ state: 'pending', attempts: 0 })
    expect(await on.invoke(await on.receive(), environment)).toEqual([])
    const error = await future.exception({ timeoutSeconds: 0 })
    expect(await future.snapshot()).toMatchObject({ state: 'failed', reason: 'unknown-task' })
    for (const part of [
      '"newer"',
      '"protocol"',
      'registered: "known"',
      'Deploy the workers before the clients',
    ]) {
      expect(error?.message).toContain(part)
    }
  })
})

describe('a FIFO group (F-13)', () => {
  async function runGroups(arn: string) {
    const log: string[] = []
    const run = async (name: string, fails: boolean) => {
      log.push(`${name} begins`)
      await new Promise<void>((resolve) => on.clock.setTimer(resolve, 1000))
      log.push(`${name} ends`)
      if (fails) throw new Error(name)
    }
    const on = stage({ run })
    for (const [tenant, name, fails] of [
      ['a', 'a1', false],
      ['a', 'a2', true],
      ['a', 'a3', false],
      ['b', 'b1', false],
    ] as const) {
      await on.executor.with({ queue: 'ordered', tenant }).submit(run, name, fails)
    }
    const received = await on.receive('ordered')
    const Records = received.Records.map((record) => ({ ...record, eventSourceARN: arn }))
    const environment = on.environment({ queue: { ...on.queue, nameOfArn: () => 'ordered' } })
    const failures = await on.invoke({ Records }, environment, 'ordered')
    const index = failures.map((id) => Records.findIndex(({ messageId }) => messageId === id))
    return { log, index, groups: Records.map(({ attributes }) => attributes.MessageGroupId) }
  }

  // The one as AWS names a FIFO queue, the other as the queue in this process does.
  test.each(['arn:aws:sqs:eu-west-1:123456789012:Jobs-ordered1A2B.fifo', arnOf('ordered')])(
    'of %s runs in order and stops at its first failure; other groups do not wait',
    async (arn) => {
      const { log, index, groups } = await runGroups(arn)
      expect(groups).toEqual(['a', 'a', 'a', 'b'])
      expect(log.filter((entry) => entry.startsWith('a'))).toEqual([
        'a1 begins',
        'a1 ends',
        'a2 begins',
        'a2 ends',
      ])
      expect(log.indexOf('b1 begins')).toBeLessThan(log.indexOf('a1 ends'))
      expect(index).toEqual([1, 2])
    },
  )
})

describe('a mark', () => {
  test('on a call whose lease is over ends it `cancelled` without running', async () => {
    let runs = 0
    const run = () => {
      runs++
      return new Promise<never>(() => {})
    }
    const on = stage({ run })
    const future = await on.executor.submit(run)
    const event = await on.receive()
    await on.freeze(event)
    expect(await future.abort('enough')).toBe(true)
    await on.clock.advance({ seconds: 64 })
    await on.reappear(event)
    expect(await on.invoke(await on.receive())).toEqual([])
    expect(runs).toBe(1)
    expect(await future.snapshot()).toMatchObject({ state: 'cancelled', attempts: 1 })
    expect(on.queue.inspect('default')).toEqual([])
  })

  test('is seen by the reader within ten seconds, and costs a short call nothing', async () => {
    let toldAt = 0
    const run = () => {
      const { signal } = currentTask
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          toldAt = on.clock.now()
          reject(signal.reason)
        })
      })
    }
    const on = stage({ run })
    const read = vi.spyOn(on.store, 'read')
    const future = await on.executor.submit(run)
    const started = on.clock.now()
    const running = on.invoke(await on.receive())
    await Promise.resolve()
    expect(read).not.toHaveBeenCalled()
    on.clock.setTimer(() => void future.abort('enough'), 3000)
    expect(await running).toEqual([])
    expect(toldAt - started).toBeGreaterThan(3000)
    expect(toldAt - started).toBeLessThanOrEqual(10_000)
    expect(await future.snapshot()).toMatchObject({ state: 'cancelled', attempts: 1 })
    await on.clock.advance({ minutes: 1 })
    expect(on.clock.pendingTimers).toBe(0)
  })

  test.each(['abort', 'time limit'])(
    'and the %s reach listeners that use currentTask themselves',
    async (cause) => {
      const seen: unknown[] = []
      const run = () =>
        new Promise((resolve) => {
          currentTask.signal.addEventListener('abort', () => {
            seen.push(currentTask.active)
            resolve('stopped')
          })
        })
      const on = stage({ run })
      const future = await on.executor.submit(run)
      const running = on.invoke(await on.receive())
      if (cause === 'abort') on.clock.setTimer(() => void future.abort('enough'), 3000)
      await running
      expect(seen).toEqual([true])
    },
  )

  test('is not heeded by a task that goes on: it ends as it ends', async () => {
    const run = async () => {
      await new Promise<void>((resolve) => on.clock.setTimer(resolve, 20_000))
      return currentTask.signal.aborted
    }
    const on = stage({ run })
    const future = await on.executor.submit(run)
    const running = on.invoke(await on.receive())
    on.clock.setTimer(() => void future.abort('enough'), 1000)
    expect(await running).toEqual([])
    expect(await future.result({ timeoutSeconds: 0 })).toBe(true)
  })
})
