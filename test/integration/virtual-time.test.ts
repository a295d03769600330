import { createExecutor, currentTask, defineConfig, type Executor } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { afterEach, expect, test } from 'vitest'

// Time is a parameter: hours of back-off pass at once, on the real worker handler over the emulated queue.

const hour = 3_600_000
let executor: Executor | undefined

afterEach(() => executor?.close())

test('a task that fails 6 times with back-off up to an hour succeeds without waiting', async () => {
  const clock = virtualClock()
  const began: number[] = []
  const flaky = () => {
    began.push(clock.now())
    if (currentTask.attempt <= 6) throw new Error(`attempt ${currentTask.attempt}`)
    return 'at last'
  }
  const config = defineConfig({
    name: 'virtual-time',
    taskOptions: { flaky: { maxAttempts: 7, backoff: { baseSeconds: 600, factor: 2, maxSeconds: 3600 } } },
  })
  const made = createExecutor(config, { tasks: { flaky }, backend: 'local', local: { clock } })
  executor = made as unknown as Executor
  const realStart = performance.now()
  const virtualStart = clock.now()
  const future = await made.submit(flaky)
  const states: string[] = []
  const watching = (async () => {
    for await (const { state } of future.updates()) states.push(state)
  })()
  expect(await clock.runUntil(future.result())).toBe('at last')
  await clock.runUntil(watching)

  const snapshot = await future.snapshot()
  expect(snapshot).toMatchObject({ state: 'succeeded', attempts: 7, failures: 6 })
  const waits = began.slice(1).map((time, index) => time - (began[index] as number))
  expect(waits).toHaveLength(6)
  // Full jitter: each wait is within its bound, 600 s doubled at each failure up to an hour.
  for (const [index, wait] of waits.entries()) {
    expect(wait).toBeLessThanOrEqual(Math.min(600_000 * 2 ** index, hour) + 1000)
  }
  expect(clock.now() - virtualStart).toBeGreaterThan(0)
  expect(states[0]).toBe('pending')
  expect(states.at(-1)).toBe('succeeded')
  expect(states.filter((state) => state === 'retrying')).toHaveLength(6)
  // Generous: the point is that it is not hours.
  expect(performance.now() - realStart).toBeLessThan(10_000)
})

test('a delayed call runs when its time has come, and not before', async () => {
  const clock = virtualClock()
  const now = () => clock.now()
  const config = defineConfig({ name: 'virtual-delay' })
  const made = createExecutor(config, { tasks: { now }, backend: 'local', local: { clock } })
  executor = made as unknown as Executor
  const submitted = clock.now()
  const future = await made.with({ delaySeconds: 900 }).submit(now)
  await clock.advance({ seconds: 899 })
  expect(await future.state()).toBe('scheduled')
  await clock.advance({ seconds: 2 })
  expect(await clock.runUntil(future.result())).toBeGreaterThanOrEqual(submitted + 900_000)
})

test('a record is forgotten when its life is over, and its future says so', async () => {
  const clock = virtualClock()
  const ok = () => 'ok'
  const config = defineConfig({ name: 'virtual-life', queues: { default: { retentionSeconds: 3600 } } })
  const made = createExecutor(config, { tasks: { ok }, backend: 'local', local: { clock } })
  executor = made as unknown as Executor
  const future = await made.submit(ok)
  await clock.runUntil(future.result())
  await clock.advance({ hours: 24 })
  expect(await made.future(future.id).state()).toBe('succeeded')
  await clock.advance({ hours: 2 })
  await expect(made.future(future.id).state()).rejects.toThrow('no record of the call')
  await expect(clock.runUntil(made.future(future.id).result())).rejects.toThrow('no record of the call')
})
