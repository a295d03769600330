import {
  asCompleted,
  CancelledError,
  ClosedError,
  createExecutor,
  defineConfig,
  type Future,
  WaitTimeoutError,
  wait,
} from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'

// CPython's table of what a future answers in each state, row by row, with this project's names.

const config = defineConfig({
  name: 'future-table',
  taskOptions: { fail: { maxAttempts: 1 }, fit: { maxAttempts: 1 } },
})
const clock = virtualClock()
let gate: { promise: Promise<string>; open: (value: string) => void }

const tasks = {
  hold: () => gate.promise,
  ok: (value: unknown) => value,
  fit: async (size: number) => {
    await new Promise<void>((resolve) => clock.setTimer(resolve, 1000 / size))
    if (size > 1) throw new RangeError(`${size} does not fit`)
  },
  fail: () => {
    throw new RangeError('no')
  },
}

const executor = createExecutor(config, { tasks, backend: 'local', local: { clock } })

beforeEach(() => {
  let open: (value: string) => void = () => {}
  const promise = new Promise<string>((resolve) => {
    open = resolve
  })
  gate = { promise, open }
})

afterAll(() => executor.close())

const settle = () => clock.advance({ milliseconds: 1 })

/** No worker of it runs: what it submits stays pending. */
const idle = createExecutor(config, {
  tasks,
  backend: 'local',
  local: { clock: virtualClock(), startWorkers: false },
})

afterAll(() => idle.close())

async function pending(): Promise<Future<unknown>> {
  return idle.submit(tasks.ok, 1)
}

async function scheduled(): Promise<Future<unknown>> {
  return executor.with({ delaySeconds: 900 }).submit(tasks.ok, 1)
}

async function running(): Promise<Future<unknown>> {
  const future = await executor.submit(tasks.hold)
  await settle()
  return future
}

async function cancelled(): Promise<Future<unknown>> {
  const future = await scheduled()
  await future.cancel()
  return future
}

async function failed(): Promise<Future<unknown>> {
  const future = await executor.submit(tasks.fail)
  await settle()
  return future
}

async function succeeded(): Promise<Future<unknown>> {
  const future = await executor.submit(tasks.ok, 'value')
  await settle()
  return future
}

async function answer(work: Promise<unknown>): Promise<unknown> {
  return work.catch((error: Error) => `throws ${error.name}`)
}

const now = { timeoutSeconds: 0 }

interface Row {
  readonly state: string
  readonly make: () => Promise<Future<unknown>>
  /** Whose call it is. @default the executor with workers */
  readonly from?: typeof executor
  readonly cancelled: boolean
  readonly done: boolean
  readonly running: boolean
  readonly result: unknown
  readonly exception: unknown
  /** Last, since it changes a pending call. */
  readonly cancel: boolean
  readonly after: string
}

const rows: readonly Row[] = [
  {
    state: 'pending',
    make: pending,
    from: idle,
    cancelled: false,
    done: false,
    running: false,
    result: 'throws WaitTimeoutError',
    exception: 'throws WaitTimeoutError',
    cancel: true,
    after: 'cancelled',
  },
  {
    state: 'scheduled',
    make: scheduled,
    cancelled: false,
    done: false,
    running: false,
    result: 'throws WaitTimeoutError',
    exception: 'throws WaitTimeoutError',
    cancel: true,
    after: 'cancelled',
  },
  {
    state: 'running',
    make: running,
    cancelled: false,
    done: false,
    running: true,
    result: 'throws WaitTimeoutError',
    exception: 'throws WaitTimeoutError',
    cancel: false,
    after: 'running',
  },
  {
    state: 'cancelled',
    make: cancelled,
    cancelled: true,
    done: true,
    running: false,
    result: 'throws CancelledError',
    exception: 'throws CancelledError',
    cancel: true,
    after: 'cancelled',
  },
  {
    state: 'failed',
    make: failed,
    cancelled: false,
    done: true,
    running: false,
    result: 'throws RangeError',
    exception: expect.any(RangeError),
    cancel: false,
    after: 'failed',
  },
  {
    state: 'succeeded',
    make: succeeded,
    cancelled: false,
    done: true,
    running: false,
    result: 'value',
    exception: undefined,
    cancel: false,
    after: 'succeeded',
  },
]

describe.each(rows)('a $state call', (row) => {
  test('answers as the table says', async () => {
    const future = await row.make()
    const { from = executor } = row
    const other = from.future(future.id)
    for (const handle of [future, other]) {
      expect(await handle.state()).toBe(row.state)
      expect(await handle.cancelled()).toBe(row.cancelled)
      expect(await handle.done()).toBe(row.done)
      expect(await handle.running()).toBe(row.running)
      expect(await answer(handle.result(now))).toEqual(row.result)
      expect(await answer(handle.exception(now))).toEqual(row.exception)
    }
    expect(await future.cancel()).toBe(row.cancel)
    expect(await from.future(future.id).state()).toBe(row.after)
    gate.open('done')
    await settle()
  })
})

describe('done callbacks', () => {
  test('run exactly once, also when added after the end, and one that throws stops no other', async () => {
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const called: string[] = []
    const future = await running()
    future.addDoneCallback(() => {
      called.push('throws')
      throw new Error('of the callback')
    })
    future.addDoneCallback(() => called.push('early'))
    gate.open('x')
    await settle()
    future.addDoneCallback(() => called.push('late'))
    await settle()
    await settle()
    expect(called).toEqual(['throws', 'early', 'late'])
    expect(warnings).toHaveBeenCalledOnce()
    warnings.mockRestore()
  })
})

describe('waiting (F-45)', () => {
  test('a time-out cancels nothing', async () => {
    const future = await running()
    const waiting = answer(future.result({ timeoutSeconds: 5 }))
    await clock.advance({ seconds: 6 })
    expect(await waiting).toBe('throws WaitTimeoutError')
    expect(await future.running()).toBe(true)
    gate.open('later')
    expect(await clock.runUntil(future.result())).toBe('later')
  })

  test('an aborted wait ends with the reason of the signal', async () => {
    const future = await running()
    const reason = new Error('not interested')
    const controller = new AbortController()
    const waiting = future.result({ signal: controller.signal })
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(future.result({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    gate.open('x')
    await settle()
  })

  test('wait returns sets, accepts duplicates, and does not throw at its time-out', async () => {
    const [ended, open] = [await succeeded(), await running()]
    const first = await wait([ended, open, ended], { returnWhen: 'first-completed' })
    expect([[...first.done], [...first.notDone]]).toEqual([[ended], [open]])
    const waiting = wait([ended, open], { timeoutSeconds: 3 })
    await clock.advance({ seconds: 4 })
    const all = await waiting
    expect([[...all.done], [...all.notDone]]).toEqual([[ended], [open]])
    gate.open('x')
    await settle()
  })

  test('wait for the first exception passes over what succeeded', async () => {
    const [good, bad, open] = [await succeeded(), await failed(), await running()]
    const { done, notDone } = await wait([good, bad, open], { returnWhen: 'first-exception' })
    expect([done.has(bad), notDone.has(open)]).toEqual([true, true])
    gate.open('x')
    await settle()
  })

  test('as completed yields each once; with no time it yields what has ended, then counts the rest', async () => {
    const [ended, open] = [await succeeded(), await running()]
    const seen: unknown[] = []
    const drain = async () => {
      for await (const future of asCompleted([ended, open, ended], { timeoutSeconds: 0 })) seen.push(future)
    }
    await expect(drain()).rejects.toThrow('1 (of 2) futures unfinished')
    await expect(drain()).rejects.toThrow(WaitTimeoutError)
    expect(seen).toEqual([ended, ended])
    gate.open('x')
    await settle()
  })

  test('the first error of a group surfaces at its position', async () => {
    const group = await executor.map(tasks.ok, [['a'], ['b']])
    expect(await clock.runUntil(group.results())).toEqual(['a', 'b'])
    const mixed = await executor.map(tasks.fit, [[1], [2], [3]])
    // The third fails first; the second is the first in order.
    await expect(clock.runUntil(mixed.results())).rejects.toThrow('2 does not fit')
    const failing = await executor.map(tasks.fail, [[], []])
    const outcomes = await clock.runUntil(failing.outcomes())
    expect(outcomes.map(({ state }) => state)).toEqual(['failed', 'failed'])
  })
})

test('a snapshot is one read: its state and its times belong together', async () => {
  const future = await succeeded()
  const { state, startedAt, finishedAt, createdAt } = await future.snapshot()
  expect(state).toBe('succeeded')
  expect(Number(finishedAt)).toBeGreaterThanOrEqual(Number(startedAt))
  expect(Number(startedAt)).toBeGreaterThanOrEqual(Number(createdAt))
})

test('a final answer never changes, whoever writes', async () => {
  const future = await cancelled()
  expect(await future.abort()).toBe(false)
  expect(await future.cancel()).toBe(true)
  await clock.advance({ hours: 1 })
  await expect(executor.future(future.id).result()).rejects.toThrow(CancelledError)
})

test('submit after close throws', async () => {
  const closing = createExecutor(config, { tasks, backend: 'local', local: { clock: virtualClock() } })
  await closing.submit(tasks.ok, 1)
  await closing.close()
  await expect(closing.submit(tasks.ok, 1)).rejects.toThrow(ClosedError)
  await expect(closing.map(tasks.ok, [[1]])).rejects.toThrow(ClosedError)
})
