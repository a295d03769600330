import { describe, expect, onTestFinished, test } from 'vitest'
import { type Config, createExecutor, currentTask, defineConfig } from '../../src/index.ts'
import { testExecutor } from '../../src/testing/index.ts'

const START = Date.UTC(2026, 2, 27)

/** An app whose runs are written down, on virtual time from Friday 2026-03-27. */
function stage(
  schedules: NonNullable<Config['schedules']>,
  run: (...args: unknown[]) => unknown = () => 'done',
) {
  const runs: string[] = []
  const build = async (...args: unknown[]) => {
    runs.push(currentTask.id)
    return run(...args)
  }
  const config = defineConfig({ name: 'shop', workers: { main: { timeoutSeconds: 600 } }, schedules })
  const executor = createExecutor(config, { tasks: { build } })
  const t = testExecutor(executor, { startTime: START })
  onTestFinished(() => t.close())
  return { executor, t, runs }
}

describe('a schedule', () => {
  test('fires on virtual time, by the clocks of its zone', async () => {
    const nightly = { task: 'build', cron: '30 2 * * *', timezone: 'Europe/Berlin', args: ['x'] }
    const { executor, t, runs } = stage({ nightly })
    await t.advance({ days: 4 })
    // On the 29th Berlin's clocks skip that time; from the 30th on they are an hour further.
    expect(runs).toEqual([
      'schedule:nightly:20260327T013000Z',
      'schedule:nightly:20260328T013000Z',
      'schedule:nightly:20260330T003000Z',
    ])
    const snapshot = await executor.future('schedule:nightly:20260327T013000Z').snapshot()
    expect(snapshot).toMatchObject({ state: 'succeeded', task: 'build', queue: 'default', attempts: 1 })
  })

  test('fires once at its time, and not where it is not enabled', async () => {
    const { t, runs } = stage({
      once: { task: 'build', at: '2026-03-27T10:00' },
      past: { task: 'build', at: '2020-03-27T10:00' },
      off: { task: 'build', rate: { hours: 1 }, enabled: false },
    })
    await t.advance({ days: 2 })
    expect(runs).toEqual(['schedule:once:20260327T100000Z'])
  })

  test('with jitter fires within its window, as the run of its due time', async () => {
    const { executor, t, runs } = stage({ spread: { task: 'build', cron: '0 6 * * *', jitterMinutes: 60 } })
    await t.advance({ days: 3 })
    expect(runs).toHaveLength(3)
    for (const id of runs) {
      const { startedAt, createdAt } = await executor.inspect.call(id)
      const lateMs = (startedAt as Date).getTime() - createdAt.getTime()
      expect(lateMs).toBeGreaterThan(0)
      expect(lateMs).toBeLessThanOrEqual(3_600_000)
    }
  })

  test('keeps no test from ending: nothing that is left would bring it about', async () => {
    const { t, runs } = stage({ often: { task: 'build', rate: { minutes: 1 } } })
    await t.advance({ minutes: 2 })
    await t.drain()
    await expect(t.run(new Promise(() => {}))).rejects.toThrow(/nothing is left that would run/)
    expect(runs).toHaveLength(2)
  })

  test('whose run is listed as others are', async () => {
    const { executor, t } = stage({ hourly: { task: 'build', rate: { hours: 1 } } })
    await t.advance({ hours: 3 })
    const { calls } = await executor.inspect.calls()
    expect(calls.map(({ id, state }) => [id, state])).toEqual([
      ['schedule:hourly:20260327T030000Z', 'succeeded'],
      ['schedule:hourly:20260327T020000Z', 'succeeded'],
      ['schedule:hourly:20260327T010000Z', 'succeeded'],
    ])
  })
})

describe('inspect.schedules', () => {
  test('shows when each is due, and what became of its last run', async () => {
    const { executor, t } = stage(
      {
        nightly: { task: 'build', cron: '0 2 * * *', args: [true] },
        good: { task: 'build', rate: { hours: 6 }, args: [false], overlap: 'skip', jitterMinutes: 1 },
        off: { task: 'build', rate: { hours: 6 }, enabled: false },
      },
      (fails) => {
        if (fails) throw new TypeError('no data')
      },
    )
    await t.advance({ hours: 23 })
    const at = (hour: number, day = 27) => new Date(Date.UTC(2026, 2, day, hour))
    expect(await executor.inspect.schedules()).toEqual([
      {
        ...{
          name: 'nightly',
          task: 'build',
          queue: 'default',
          expression: 'cron(0 2 * * ? *)',
          timezone: 'UTC',
        },
        ...{ overlap: 'allow', jitterMinutes: 0, state: 'enabled', next: at(2, 28) },
        last: {
          ...{ id: 'schedule:nightly:20260327T020000Z', dueAt: at(2), state: 'failed', reason: 'threw' },
          ...{ finishedAt: expect.any(Date), lastError: 'TypeError: no data' },
        },
      },
      expect.objectContaining({
        ...{ name: 'good', overlap: 'skip', jitterMinutes: 1, next: at(0, 28) },
        last: expect.objectContaining({ state: 'succeeded', dueAt: at(18) }),
      }),
      expect.objectContaining({ name: 'off', state: 'paused' }),
    ])
  })

  test('pause, resume and run now', async () => {
    const { executor, t, runs } = stage({
      hourly: { task: 'build', rate: { hours: 1 }, args: [new Date(5)] },
    })
    await executor.schedules.pause('hourly')
    await t.advance({ hours: 3 })
    expect(runs).toEqual([])
    const [paused] = await executor.inspect.schedules()
    expect(paused).toMatchObject({ state: 'paused' })
    expect(paused).not.toHaveProperty('next')
    const future = await executor.schedules.run('hourly')
    await t.drain()
    expect(runs).toEqual([future.id])
    await executor.schedules.resume('hourly')
    await t.advance({ hours: 1 })
    // Not those that it missed.
    expect(runs).toEqual([future.id, 'schedule:hourly:20260327T040000Z'])
    await expect(executor.schedules.pause('hourli')).rejects.toThrow(/not declared; did you mean "hourly"/)
  })

  test('the eager backend has none', async () => {
    const config = defineConfig({
      name: 'shop',
      schedules: { nightly: { task: 'build', cron: '0 2 * * *' } },
    })
    const executor = createExecutor(config, { tasks: { build: () => 1 }, backend: 'eager' })
    await expect(executor.inspect.schedules()).rejects.toThrow(/the eager backend.*fires no schedules/)
  })
})

describe("overlap: 'skip'", () => {
  const minutely = { task: 'build', rate: { minutes: 1 }, overlap: 'skip' } as const

  test('ends a run cancelled while an earlier one goes, also while that waits to be retried', async () => {
    let fails = true
    const { executor, t, runs } = stage({ minutely }, () => {
      if (fails) throw new Error('not yet')
    })
    await t.advance({ minutes: 1 })
    const [first = ''] = runs
    const waits = await executor.inspect.call(first)
    expect(waits.state).toBe('retrying')
    fails = false
    await t.advance({ seconds: 1 })
    await t.advance({ minutes: 3 })
    const { calls } = await executor.inspect.calls()
    for (const { id, state, lastError } of calls) {
      if (state === 'cancelled') expect(lastError).toMatch(/^skipped: the run schedule:minutely:/)
      else expect(state, id).toBe('succeeded')
    }
    expect(runs.filter((id) => id === first).length).toBe(2)
  })

  test('lets the next run begin once the earlier one has ended, and does not skip where it may overlap', async () => {
    const { executor, t, runs } = stage({ minutely })
    await t.advance({ minutes: 5 })
    expect(runs).toHaveLength(5)
    const { calls } = await executor.inspect.calls()
    expect(new Set(calls.map(({ state }) => state))).toEqual(new Set(['succeeded']))
  })

  test('a run that was retried by hand runs, whatever else goes', async () => {
    let fails = true
    const { executor, t } = stage({ daily: { task: 'build', rate: { days: 1 }, overlap: 'skip' } }, () => {
      if (fails) throw new Error('not yet')
    })
    await t.advance({ days: 1, hours: 3 })
    const [daily] = await executor.inspect.schedules()
    expect(daily?.last).toMatchObject({ state: 'failed' })
    fails = false
    const again = await executor.retry(daily?.last?.id ?? '')
    expect(await t.run(again.outcome())).toMatchObject({ state: 'succeeded' })
  })
})
