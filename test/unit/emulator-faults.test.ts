import {
  type Config,
  createExecutor,
  currentTask,
  defineConfig,
  type Executor,
  SubmitUncertainError,
} from 'errand'
import {
  type FaultPlan,
  type FaultSwitches,
  faultPlan,
  type LocalBackend,
  localBackend,
  type VirtualClock,
  virtualClock,
} from 'errand/local-emulator'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

// Each switch is shown to do what it says, through the executor and the real worker handler.

const executors: Pick<Executor, 'close'>[] = []

afterEach(async () => {
  vi.restoreAllMocks()
  for (const executor of executors.splice(0)) await executor.close()
})

const declared: Config = defineConfig({
  name: 'faults',
  workers: { main: { batchSize: 1, logLevel: 'error' } },
})

function stage(faults: FaultSwitches | FaultPlan, config = declared) {
  const clock = virtualClock()
  const backend = localBackend(resolveConfig(config), { makeHandler: createWorkerHandler, clock, faults })
  const executor = createExecutor(config, { backend })
  executors.push(executor)
  const runs: string[] = []
  const note = executor.task('note', (what: string) => {
    runs.push(what)
    return what
  })
  return { clock, backend, executor, runs, note }
}

const isDone = (backend: LocalBackend) => backend.inspect('default').length === 0

/** Goes on until no message is left. */
async function drain({ clock, backend }: { clock: VirtualClock; backend: LocalBackend }): Promise<void> {
  for (let hours = 0; !isDone(backend); hours++) {
    expect(hours).toBeLessThan(48)
    await clock.advance({ hours: 1 })
  }
}

describe('messages', () => {
  test('duplicate puts each message in the queue twice; the call runs once', async () => {
    const on = stage({ duplicate: 1, maxDelaySeconds: 5 })
    const future = await on.note.submit('a')
    expect(on.backend.inspect('default')).toHaveLength(2)
    await drain(on)
    expect(on.runs).toEqual(['a'])
    expect(await future.result()).toBe('a')
  })

  test('delay brings messages late', async () => {
    const on = stage({ delay: 1, maxDelaySeconds: 600 })
    await on.note.submit('a')
    const [message] = on.backend.inspect('default')
    expect(message?.state).toBe('delayed')
    await on.clock.advance({ seconds: 0 })
    expect(on.runs).toEqual([])
    await on.clock.advance({ seconds: 600 })
    expect(on.runs).toEqual(['a'])
  })

  test('reorder lets messages be overtaken, and loses none', async () => {
    const sent = Array.from({ length: 50 }, (_, index) => String(index))
    const runsOf = async (faults: FaultSwitches) => {
      const on = stage(faults)
      await on.note.map(sent.map((what) => [what]))
      await drain(on)
      return on.runs
    }
    expect(await runsOf({})).toEqual(sent)
    const reordered = await runsOf({ reorder: 0.3 })
    expect(reordered).not.toEqual(sent)
    expect(reordered.toSorted()).toEqual(sent.toSorted())
  })

  test('a FIFO queue keeps its order, and takes no copy', async () => {
    const config = defineConfig({ name: 'fifo', queues: { default: { fifo: true } } })
    const on = stage({ duplicate: 1, delay: 1, reorder: 1 }, config)
    const sent = ['a', 'b', 'c', 'd', 'e']
    for (const what of sent) await on.note.submit(what)
    await drain(on)
    expect(on.runs).toEqual(sent)
  })
})

describe('requests', () => {
  test.each(['loseRequest', 'loseResponse', 'throttle'] as const)(
    'a single %s of each write is made good by trying again, and the call runs once',
    async (fault) => {
      const plan = faultPlan()
      const on = stage(plan)
      for (const operation of ['put', 'send', 'update', 'delete', 'read'] as const) {
        plan.requestNext(operation, fault)
      }
      const future = await on.note.submit('a')
      expect(on.backend.inspect('default')).toHaveLength(fault === 'loseResponse' ? 2 : 1)
      await drain(on)
      expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts: 1 })
      expect(on.runs).toEqual(['a'])
    },
  )

  test('three in a row exhaust the tries, and the submit is uncertain: its id is good for another', async () => {
    const plan = faultPlan()
    const on = stage(plan)
    plan.requestNext('send', 'loseRequest', 3)
    const error: unknown = await on.note.submit('a').catch((thrown: unknown) => thrown)
    expect(SubmitUncertainError.is(error) && error.ids).toHaveLength(1)
    expect(error).toMatchObject({ cause: { name: 'TimeoutError' } })
    expect(on.backend.inspect('default')).toEqual([])
    await on.note.with({ id: (error as SubmitUncertainError).ids[0] as string }).submit('a')
    await drain(on)
    expect(on.runs).toEqual(['a'])
  })

  test('an exhausted claim and an exhausted finish are gone through by the attempt itself', async () => {
    const plan = faultPlan()
    const on = stage(plan)
    plan.requestNext('update', 'loseResponse', 3)
    const future = await on.note.submit('a')
    await drain(on)
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts: 1 })
    plan.requestNext('update', 'throttle', 9)
    const other = await on.note.submit('b')
    await drain(on)
    expect(await other.state()).toBe('succeeded')
  })

  test('a poll whose answer is lost leaves its messages hidden, and they come back', async () => {
    const plan = faultPlan()
    const on = stage(plan)
    await on.note.submit('a')
    await drain(on)
    // The next poll waits already: it is the one after it that is lost.
    plan.requestNext('receive', 'loseResponse')
    await on.note.submit('b')
    await on.clock.advance({ seconds: 0 })
    await on.note.submit('c')
    await on.clock.advance({ seconds: 80 })
    expect(on.runs).toEqual(['a', 'b'])
    await drain(on)
    expect(on.runs).toEqual(['a', 'b', 'c'])
  })
})

describe('kills', () => {
  test.each([
    { point: 'beforeClaim', runs: 1, attempts: 1 },
    { point: 'inTask', runs: 2, attempts: 2 },
    { point: 'beforeFinish', runs: 2, attempts: 2 },
    { point: 'afterFinish', runs: 1, attempts: 1 },
  ] as const)('$point: the function runs $runs ×, the message comes back, one result', async (row) => {
    const { point, runs, attempts } = row
    const plan = faultPlan()
    const on = stage(plan)
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    plan.killNext('note', point)
    const future = await on.note.submit('a')
    await on.clock.advance({ seconds: 89 })
    expect(on.backend.inspect('default')).toMatchObject([{ state: 'in-flight', receiveCount: 1 }])
    const [state] = [await future.state()]
    expect(state).toBe({ beforeClaim: 'pending', afterFinish: 'succeeded' }[point as string] ?? 'running')
    await drain(on)
    expect(on.runs).toHaveLength(runs)
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts, failures: 0 })
    expect(await future.result()).toBe('a')
    // What was asked for is no news.
    expect(write).not.toHaveBeenCalled()
  })

  test('inTask: what the function does after its first await is not recorded', async () => {
    const plan = faultPlan()
    const on = stage(plan)
    const steps: string[] = []
    const slow = on.executor.task('slow', async () => {
      const { attempt } = currentTask
      steps.push(`${attempt} begins`)
      await Promise.resolve()
      await currentTask.progress(`of ${attempt}`)
      steps.push(`${attempt} goes on`)
    })
    plan.killNext('slow', 'inTask')
    const future = await slow.submit()
    await on.clock.advance({ seconds: 80 })
    expect(await future.progress()).toBeUndefined()
    await drain(on)
    expect(steps).toEqual(['1 begins', '2 begins', '2 goes on'])
    expect(await future.progress()).toBe('of 2')
  })

  test('beforeFinish stops a retry as well: the failure is not counted', async () => {
    const plan = faultPlan()
    const on = stage(plan)
    plan.failNext('note', new Error('busy'))
    plan.killNext('note', 'beforeFinish')
    const future = await on.note.submit('a')
    await drain(on)
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', attempts: 2, failures: 0 })
  })

  test('a kill takes the whole batch with it, and each call of it still ends', async () => {
    const config = defineConfig({ name: 'batch', workers: { main: { batchSize: 5, concurrency: 10 } } })
    const plan = faultPlan()
    const on = stage(plan, config)
    const slow = on.executor.task(
      'slow',
      () => new Promise((resolve) => on.clock.setTimer(() => resolve(1), 10)),
    )
    plan.killNext('slow', 'inTask')
    const group = await slow.map([[], [], [], [], []] as never)
    await drain(on)
    const attempts = await Promise.all([...group].map(async (each) => (await each.snapshot()).attempts))
    expect(attempts).toEqual([2, 2, 2, 2, 2])
  })

  test('a worker that always dies in the task ends the call as killed', async () => {
    const on = stage({ kill: { inTask: 1 } })
    const future = await on.note.submit('a')
    await drain(on)
    expect(await future.outcome()).toMatchObject({ state: 'failed', reason: 'killed', attempts: 4 })
    expect(on.runs).toHaveLength(3)
  })
})

test('an executor takes the switches on real time as well', async () => {
  const config = defineConfig({ name: 'real-time-faults', workers: { main: { logLevel: 'error' } } })
  const local = { faults: { duplicate: 1, maxDelaySeconds: 1 }, startWorkers: false }
  const executor = createExecutor(config, { backend: 'local', local })
  executors.push(executor)
  const double = executor.task('double', (n: number) => n * 2)
  const futures = await Promise.all([1, 2, 3].map((n) => double.submit(n)))
  const { queue } = await internalsOf(executor).connect()
  const { visible, delayed } = await queue.counts('default')
  expect(visible + delayed).toBe(6)
  await executor.start()
  expect(await Promise.all(futures.map((future) => future.result()))).toEqual([2, 4, 6])
})

test('clockSkewSeconds sets the clock of each worker off, to either side, and delays still hold', async () => {
  const skews: number[] = []
  for (let seed = 1; seed <= 20; seed++) {
    const on = stage({ clockSkewSeconds: 2, seed })
    const ran: number[] = []
    const look = on.executor.task('look', () => ran.push(on.clock.now()))
    const future = await look.with({ delaySeconds: 30 }).submit()
    const sentAt = on.clock.now()
    await drain(on)
    const { startedAt } = await future.snapshot()
    const [ranAt = 0] = ran
    skews.push(Number(startedAt) - ranAt)
    // A clock that is behind waits for its own time; one that is ahead does not run before the message comes.
    expect(ranAt - sentAt).toBeGreaterThanOrEqual(30_000)
    expect(ranAt - sentAt).toBeLessThanOrEqual(33_000)
  }
  expect(Math.max(...skews)).toBeGreaterThan(500)
  expect(Math.min(...skews)).toBeLessThan(-500)
  expect(Math.max(...skews.map(Math.abs))).toBeLessThanOrEqual(2000)
})
