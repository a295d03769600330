/**
 * Delays of any length and retries at a time, on virtual time and through the whole protocol.
 */
import { createExecutor, defineConfig, PayloadTooLargeError, RetryAfterError } from 'errand'
import { testExecutor } from 'errand/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { faultPlan, localBackend, virtualClock } from '../../src/local-emulator/index.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

const DAY = 86_400
const config = defineConfig({ name: 'delays', longDelays: true })

/** An executor under test whose tasks note when they ran, in seconds since its beginning. */
function stage(given: Parameters<typeof defineConfig>[0] = config) {
  const runs: [string, number][] = []
  const now = () => (t.now() - start) / 1000
  const tasks = {
    note(name: string) {
      runs.push([name, now()])
      return name
    },
    /** Asks for its next attempt, until there are no more moments. */
    again(...seconds: number[]) {
      runs.push(['again', now()])
      const next = seconds[runs.length - 1]
      if (next !== undefined) throw new RetryAfterError(new Date(start + next * 1000))
      return runs.length
    },
  }
  const executor = createExecutor(given as typeof config, { tasks, backend: 'local' })
  const t = testExecutor(executor)
  const start = t.now()
  onTestFinished(() => t.close())
  return { executor, tasks, t, runs, start }
}

describe('a delay', () => {
  test.each([20 * 60, 20 * 60 + 1, 901, 3_599.25, 30 * DAY, 30 * DAY + 59, 365 * DAY])(
    'of %s s is exact to the second',
    async (seconds) => {
      const { executor, tasks, t, runs } = stage()
      const future = await executor.with({ delaySeconds: seconds }).submit(tasks.note, 'x')
      expect(await future.state()).toBe('scheduled')
      await t.advance({ seconds: seconds - 2 })
      expect(runs).toEqual([])
      await t.advance({ seconds: 4 })
      expect(await future.result()).toBe('x')
      const [[, at] = ['', 0]] = runs
      // A second before it is due is due.
      expect(at).toBeGreaterThanOrEqual(seconds - 1)
      expect(at).toBeLessThanOrEqual(Math.ceil(seconds))
    },
  )

  test('is that of a moment, and one that is past is none', async () => {
    const { executor, tasks, t, runs, start } = stage()
    await executor.with({ at: new Date(start + 2 * DAY * 1000) }).submit(tasks.note, 'later')
    await executor.with({ at: new Date(start - 5) }).submit(tasks.note, 'now')
    await t.advance({ days: 3 })
    expect(runs).toEqual([
      ['now', 0],
      ['later', 2 * DAY],
    ])
  })

  test('of a map is that of each call, and all are listed as they wait', async () => {
    const { executor, tasks, t, runs } = stage()
    const lists = Array.from({ length: 120 }, (_, index) => [String(index)] as [string])
    const group = await executor.with({ delaySeconds: DAY }).map(tasks.note, lists)
    const page = await executor.inspect.scheduled({}, { size: 100 })
    expect(page.calls).toHaveLength(100)
    await t.drain()
    expect(runs.every(([, at]) => at === DAY)).toBe(true)
    expect(await group.results()).toEqual(lists.flat())
  })

  test('ends with a cancel, and its schedule is gone', async () => {
    const { executor, tasks, t, runs } = stage()
    const future = await executor.with({ delaySeconds: DAY }).submit(tasks.note, 'x')
    expect(await future.cancel()).toBe(true)
    const { waitingInSchedules: schedules } = t.backend as unknown as ReturnType<typeof localBackend>
    expect(schedules.waiting()).toEqual([])
    await t.advance({ days: 2 })
    expect(runs).toEqual([])
    expect(await future.state()).toBe('cancelled')
  })

  test('under a key is one call, submitted again when ever', async () => {
    const { executor, tasks, t, runs } = stage()
    const keyed = executor.with({ delaySeconds: DAY, idempotencyKey: 'order-17' })
    const first = await keyed.submit(tasks.note, 'x')
    await t.advance({ hours: 12 })
    const second = await keyed.submit(tasks.note, 'x')
    expect(second.id).toBe(first.id)
    const { waitingInSchedules: schedules } = t.backend as unknown as ReturnType<typeof localBackend>
    expect(schedules.waiting()).toHaveLength(1)
    await t.drain()
    expect(runs).toEqual([['x', DAY]])
  })

  test('without a record before the claim runs at its time, too', async () => {
    const { executor, tasks, t, runs } = stage({ ...config, record: 'on-claim' })
    const future = await executor.with({ delaySeconds: 30 * DAY + 31 }).submit(tasks.note, 'x')
    await t.advance({ days: 10 })
    expect(await future.state()).toBe('pending')
    await t.drain()
    expect(runs).toEqual([['x', 30 * DAY + 31]])
  })

  test('keeps its tenant, and what follows', async () => {
    const { executor, tasks, t, runs } = stage()
    const options = { delaySeconds: DAY, tenant: 'acme', then: tasks.note }
    const future = await executor.with(options).submit(tasks.note, 'x')
    await t.drain()
    expect((await future.snapshot()).tenant).toBe('acme')
    expect(runs).toEqual([
      ['x', DAY],
      ['x', DAY],
    ])
  })

  test('of arguments that no schedule holds is refused with its size, or they go to a blob', async () => {
    const large = 'x'.repeat(300_000)
    const without = stage()
    const refused = without.executor.with({ delaySeconds: 1000 }).submit(without.tasks.note, large)
    await expect(refused).rejects.toSatisfy((error) => PayloadTooLargeError.is(error))
    await expect(refused).rejects.toThrow(/make a schedule of 30\d{4} bytes, at most 262144/)
    // SQS takes them, where it can delay them.
    await without.executor.with({ delaySeconds: 900 }).submit(without.tasks.note, large)

    const { executor, tasks, t, runs } = stage({ ...config, blobs: true })
    await executor.with({ delaySeconds: 25 * DAY }).submit(tasks.note, large)
    const tooLong = executor.with({ delaySeconds: 25 * DAY + 1 }).submit(tasks.note, large)
    await expect(tooLong).rejects.toThrow('lives for 30 days: its call can be delayed by 25 days')
    await t.drain()
    expect(runs).toEqual([[large, 25 * DAY]])
  })

  test('on the eager backend moves its clock', async () => {
    const note = () => 'x'
    const executor = createExecutor(config, { tasks: { note }, backend: 'eager' })
    const future = await executor.with({ delaySeconds: 30 * DAY }).submit(note)
    const { createdAt, startedAt, state } = await future.snapshot()
    expect(state).toBe('succeeded')
    expect(Number(startedAt) - Number(createdAt)).toBeGreaterThanOrEqual(30 * DAY * 1000 - 1000)
    await executor.close()
  })
})

describe('a retry', () => {
  test('at a moment beyond what a message can be hidden comes then, again and again', async () => {
    const { executor, tasks, t, runs } = stage({ ...config, taskOptions: { again: { maxAttempts: 5 } } })
    const moments = [60, 20 * 3600 + 7, 100 * DAY + 30, 100 * DAY + 40]
    const future = await executor.submit(tasks.again, ...moments)
    await t.advance({ days: 50 })
    expect(await future.snapshot()).toMatchObject({ state: 'retrying', attempts: 3, failures: 3 })
    await t.drain()
    expect(runs.map(([, at]) => at)).toEqual([0, ...moments])
    expect(await future.result()).toBe(5)
  })

  test('without `longDelays` is cut to 11 h', async () => {
    const { executor, tasks, t, runs } = stage(defineConfig({ name: 'delays' }))
    await executor.submit(tasks.again, 2 * DAY)
    await t.drain()
    expect(runs.map(([, at]) => at)).toEqual([0, 39_600])
  })

  test('on a FIFO queue is cut to 11 h: nothing may overtake it', async () => {
    const { executor, tasks, t, runs } = stage({ ...config, queues: { default: { fifo: true } } })
    await executor.submit(tasks.again, 2 * DAY)
    await t.drain()
    expect(runs.map(([, at]) => at)).toEqual([0, 39_600])
  })

  test('of a back-off may be as long', async () => {
    const backoff = { baseSeconds: 20 * DAY, factor: 1, maxSeconds: 20 * DAY }
    const failing = () => {
      throw new Error('down')
    }
    const given = { name: 'delays', longDelays: true, taskOptions: { '*': { backoff, maxAttempts: 4 } } }
    const executor = createExecutor(given, { tasks: { failing }, backend: 'local' })
    const t = testExecutor(executor)
    const future = await executor.submit(failing)
    const start = t.now()
    await t.drain()
    expect(await future.snapshot()).toMatchObject({ state: 'failed', attempts: 4 })
    expect(t.now() - start).toBeGreaterThan(10 * DAY * 1000)
    await t.close()
  })

  test('of arguments that no schedule holds puts them in a blob, and without blobs is cut', async () => {
    const large = 'x'.repeat(300_000)
    const runs: number[] = []
    const slow = (_: string, again: number) => {
      runs.push(t.now() - start)
      if (runs.length === 1) throw new RetryAfterError(again)
      return 'done'
    }
    let executor = createExecutor({ ...config, blobs: true }, { tasks: { slow }, backend: 'local' })
    let t = testExecutor(executor)
    let start = t.now()
    const future = await executor.submit(slow, large, 10 * DAY)
    await t.drain()
    expect(await future.result()).toBe('done')
    expect(runs).toEqual([0, 10 * DAY * 1000])
    await t.close()

    runs.length = 0
    executor = createExecutor(config, { tasks: { slow }, backend: 'local' }) as unknown as typeof executor
    t = testExecutor(executor)
    start = t.now()
    await executor.submit(slow, large, 10 * DAY)
    await t.drain()
    expect(runs).toEqual([0, 39_600_000])
    await t.close()
  })

  test('by hand of a call that waits for long is one message more, and one attempt', async () => {
    const { executor, tasks, t, runs } = stage({ ...config, taskOptions: { again: { maxAttempts: 1 } } })
    const future = await executor.submit(tasks.again, 3 * DAY, 3 * DAY)
    await t.drain()
    expect(await future.state()).toBe('failed')
    await executor.retry(future.id)
    await t.drain()
    expect(runs.map(([, at]) => at)).toEqual([0, 0])
    expect(await future.state()).toBe('failed')
  })
})

/** A local backend whose faults are asked for one by one. */
function faultyStage(task: (attempt: number) => unknown, maxAttempts = 3, retentionSeconds = 345_600) {
  const clock = virtualClock()
  const plan = faultPlan()
  const runs: number[] = []
  const start = clock.now()
  const tasks = {
    work() {
      runs.push((clock.now() - start) / 1000)
      return task(runs.length)
    },
  }
  const given = defineConfig({
    name: 'delays',
    longDelays: true,
    workers: { main: { logLevel: 'error' } },
    queues: { default: { retentionSeconds } },
    taskOptions: { work: { maxAttempts } },
  })
  const executor = createExecutor(given, {
    tasks,
    backend: {
      ...localBackend(resolveConfig(given), {
        clock,
        faults: plan,
        makeHandler: createWorkerHandler,
        makeDeadLetterHandler: createDeadLetterHandler,
      }),
    } as Backend,
  })
  onTestFinished(() => executor.close())
  return { executor, tasks, clock, plan, runs }
}

describe('a crash of the worker that retries much later', () => {
  const retryInADay = (attempt: number) => {
    if (attempt === 1) throw new RetryAfterError(DAY)
    return 'done'
  }

  test.each(['beforeFinish', 'afterFinish'] as const)('%s loses nothing', async (point) => {
    const { executor, tasks, clock, plan, runs } = faultyStage(retryInADay, 5)
    plan.killNext('work', point)
    const future = await executor.submit(tasks.work)
    await clock.advance({ days: 3 })
    expect(await clock.runUntil(future.result())).toBe('done')
    // Before its end was written the attempt runs again; after that only the schedule is made.
    expect(runs.length).toBe(2)
    const [, last = 0] = runs
    expect(point === 'afterFinish' ? last : 90).toBe(point === 'afterFinish' ? DAY : 90)
  })

  test.each(['loseRequest', 'loseResponse', 'throttle'] as const)(
    'with every request for a schedule for an hour gone wrong (%s) it comes at its time',
    async (fault) => {
      const { executor, tasks, clock, plan, runs } = faultyStage(retryInADay)
      plan.requestNext('createSchedule', fault, 300)
      const future = await executor.submit(tasks.work)
      await clock.advance({ days: 2 })
      expect(await clock.runUntil(future.result())).toBe('done')
      expect(runs).toEqual([0, DAY])
    },
  )

  test('loses nothing that SQS would drop before its time, where its schedule was not made at once', async () => {
    const hours = (attempt: number) => {
      if (attempt === 1) throw new RetryAfterError(5 * 3600)
      return 'done'
    }
    const killed = faultyStage(hours, 3, 7200)
    killed.plan.killNext('work', 'afterFinish')
    const refused = faultyStage(hours, 3, 7200)
    refused.plan.requestNext('createSchedule', 'throttle', 20)
    for (const { executor, tasks, clock, runs } of [killed, refused]) {
      const future = await executor.submit(tasks.work)
      await clock.advance({ hours: 6 })
      expect(await future.state()).toBe('succeeded')
      expect(runs).toEqual([0, 5 * 3600])
    }
  })

  test('at a submit whose schedule may not have been made throws, and submitted again is one call', async () => {
    const { executor, tasks, clock, plan, runs } = faultyStage(() => 'done')
    plan.requestNext('createSchedule', 'loseResponse', 3)
    const delayed = { delaySeconds: DAY }
    const error = await executor
      .with(delayed)
      .submit(tasks.work)
      .catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'submit-uncertain' })
    const future = await executor.with({ ...delayed, id: error.ids[0] }).submit(tasks.work)
    await clock.advance({ days: 2 })
    expect(await clock.runUntil(future.result())).toBe('done')
    expect(runs).toEqual([DAY])
  })
})
