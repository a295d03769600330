import { createExecutor, defineConfig } from 'errand'
import { runWorker } from 'errand/worker'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { keepLog } from '../support/observed-stage.ts'
import { processStage } from '../support/process-stage.ts'

const config = defineConfig({
  name: 'shop',
  workers: { main: { logLevel: 'error' }, other: { logLevel: 'info', concurrency: 5000 } },
})
const tasks = () => ({ quick: () => 'done' })
const listeners = () => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT')

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

describe('runWorker', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'works until %s, and takes its listeners back',
    async (signal) => {
      const on = processStage(config, tasks)
      const before = listeners()
      const running = runWorker(on.executor)
      const future = await on.submit('quick')
      expect(await on.clock.runUntil(future.result())).toBe('done')
      process.emit(signal, signal)
      await on.clock.runUntil(running)
      expect(listeners()).toBe(before)
    },
  )

  test('drains at once where it is told to stop while it starts', async () => {
    const on = processStage(config, tasks)
    const running = runWorker(on.executor)
    process.emit('SIGTERM', 'SIGTERM')
    await on.clock.runUntil(running)
    await on.submit('quick')
    await on.clock.advance({ minutes: 1 })
    expect(on.states()).toEqual(['visible'])
  })

  test('is the worker that it is told, or that ERRAND_WORKER names', async () => {
    const log = keepLog()
    const on = processStage(config, tasks)
    const workers = async (options: Parameters<typeof runWorker>[1]) => {
      const running = runWorker(on.executor, options)
      await on.clock.advance({ seconds: 1 })
      process.emit('SIGTERM', 'SIGTERM')
      await on.clock.runUntil(running)
      return log.said.splice(0).map((line) => JSON.parse(line) as Record<string, unknown>)
    }
    expect((await workers({ worker: 'other' }))[0]).toMatchObject({ worker: 'other', concurrency: 1000 })
    expect(await workers({})).toEqual([])
    vi.stubEnv('ERRAND_WORKER', 'other')
    expect((await workers({ concurrency: 7 }))[0]).toMatchObject({ worker: 'other', concurrency: 7 })
  })

  test.each([
    [{ worker: 'mian' }, 'worker "mian" is not declared; did you mean "main"'],
    [{ concurrency: 0 }, '`concurrency` is 0, expected a whole number from 1 to 1000'],
    [{ wroker: 'main' }, 'the options of runWorker has an unknown option `wroker`; did you mean "worker"'],
  ])('refuses %o, and listens to no signals then', async (options, message) => {
    const on = processStage(config, tasks)
    const before = listeners()
    await expect(runWorker(on.executor, options as never)).rejects.toThrow(message)
    expect(listeners()).toBe(before)
  })

  test.each(['local', 'eager'] as const)(
    'refuses the backend %s, whose queue nobody else reaches',
    async (kind) => {
      const executor = createExecutor(config, { tasks: {}, backend: kind })
      await expect(runWorker(executor)).rejects.toThrow(
        `runWorker was given an executor whose backend is '${kind}', which runs its calls itself; set ERRAND_TABLE`,
      )
      await executor.close()
    },
  )

  test('refuses what is no executor', async () => {
    await expect(runWorker({} as never)).rejects.toThrow(
      'expected an executor of createExecutor, got an object',
    )
  })
})
