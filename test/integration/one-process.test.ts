import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleepReal } from 'node:timers/promises'
import { createClient, createExecutor, currentTask, defineConfig, type Executor } from 'errand'
import { inProcessStore, localBackend, virtualClock } from 'errand/local-emulator'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

// What several executors, clients, requests and web users do to each other in one process: nothing.

const executors: Pick<Executor, 'close'>[] = []
const keep = <E extends Pick<Executor, 'close'>>(executor: E): E => {
  executors.push(executor)
  return executor
}

afterEach(async () => {
  vi.restoreAllMocks()
  for (const executor of executors.splice(0)) await executor.close()
})

const add = (a: number, b: number) => a + b

test('a local worker does not see the request that submitted first, nor a later one', async () => {
  const request = new AsyncLocalStorage<string>()
  const seen = () => request.getStore() ?? 'no request'
  const executor = keep(
    createExecutor(defineConfig({ name: 'context' }), { tasks: { seen }, backend: 'local' }),
  )
  for (const name of ['first', 'second']) {
    const future = await request.run(name, () => executor.submit(seen))
    expect(await future.result()).toBe('no request')
  }
})

test('closing a client leaves the executor of the process as it is', async () => {
  const config = defineConfig({ name: 'client-closes' })
  const executor = keep(createExecutor(config, { tasks: { add }, backend: 'local' }))
  const client = createClient<typeof executor>(config, { backend: 'local' })
  expect(await (await client.submit('add', 1, 2)).result()).toBe(3)
  await client.close()
  expect(await (await executor.submit(add, 3, 4)).result()).toBe(7)
})

test('a module that is loaded again shares the queues, and closing the old one leaves the new one', async () => {
  const config = defineConfig({ name: 'reloaded' })
  const before = createExecutor(config, { tasks: { add }, backend: 'local' })
  const future = await before.submit(add, 1, 2)
  await future.result()
  const again = (a: number, b: number) => a + b
  const after = keep(createExecutor(config, { tasks: { add: again }, backend: 'local' }))
  expect(await after.future(future.id).result()).toBe(3)
  await before.close()
  expect(await (await after.submit(again, 3, 4)).result()).toBe(7)
})

test('an executor that takes over the workers of another with other tasks says so', async () => {
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const config = defineConfig({ name: 'siblings' })
  const one = keep(createExecutor(config, { tasks: { add }, backend: 'local' }))
  await (await one.submit(add, 1, 2)).result()
  const sub = (a: number, b: number) => a - b
  const other = keep(createExecutor(config, { tasks: { sub }, backend: 'local' }))
  await (await other.submit(sub, 1, 2)).result()
  expect(String(warnings.mock.calls[0]?.[0])).toContain('does not have the task add')
})

describe('an id from a web request', () => {
  test('that claims a million calls costs one read', async () => {
    const clock = virtualClock()
    const config = defineConfig({ name: 'hostile-ids' })
    const { app, backend } = countedBackend(config, clock)
    const executor = keep(createExecutor(config, { tasks: { add }, backend: backend() }))
    const group = executor.group('01a20466-3bd7-7337-a9e5-61e49db3d2ea-of-1000000')
    for (const ask of [
      () => group.counts(),
      () => group.results(),
      () => group.abort(),
      () => group.cancel(),
    ]) {
      app.reads = 0
      await expect(ask()).rejects.toThrow('no record of the call')
      expect(app.reads).toBeLessThanOrEqual(2)
    }
  })

  test('of the future, or of no form, is no waiting call where records are made at the claim', async () => {
    const config = defineConfig({ name: 'forged-ids', record: 'on-claim' })
    const executor = keep(createExecutor(config, { tasks: { add }, backend: 'local' }))
    for (const id of ['ffffffff-ffff-7fff-8fff-ffffffffffff', 'ffffffff-ffff-7 hostile\nFAKE']) {
      const error = await executor
        .future(id)
        .state()
        .catch((reason: Error) => reason)
      expect(error).toMatchObject({ code: 'call-not-found' })
      expect((error as Error).message).not.toContain('\n')
    }
  })
})

/** A local backend whose reads are counted. */
function countedBackend(config: Parameters<typeof resolveConfig>[0], clock: ReturnType<typeof virtualClock>) {
  const app = { reads: 0 }
  const backend = () => {
    const made = localBackend(resolveConfig(config), { makeHandler: createWorkerHandler, clock })
    const store = inProcessStore({ clock })
    const read: typeof store.read = (ids, options) => {
      app.reads += 1
      return store.read(ids, options)
    }
    return { ...made, store: { ...store, read } }
  }
  return { app, backend }
}

test('a map on a FIFO queue runs in order, however long each record takes to write', async () => {
  const clock = virtualClock()
  const config = defineConfig({ name: 'fifo-map', queues: { ordered: { fifo: true } } })
  const ran: number[] = []
  const note = (index: number) => ran.push(index)
  const made = localBackend(resolveConfig(config), { makeHandler: createWorkerHandler, clock })
  let puts = 0
  const put: typeof made.store.put = async (record, when) => {
    // The first batch is the slowest.
    const turns = puts++ < 10 ? 5 : 0
    for (let turn = 0; turn < turns; turn++) await sleepReal(0)
    return made.store.put(record, when)
  }
  const backend = { ...made, store: { ...made.store, put } }
  const executor = keep(createExecutor(config, { tasks: { note }, backend }))
  const group = await executor.map(
    note,
    Array.from({ length: 40 }, (_, index) => [index] as const),
  )
  await clock.runUntil(group.results())
  expect(ran).toEqual(Array.from({ length: 40 }, (_, index) => index))
})

test('a middleware that only looks at an error does not make a success of it; one that sets a result does', async () => {
  const config = defineConfig({ name: 'looking', taskOptions: { '*': { maxAttempts: 1 } } })
  const fail = () => {
    throw new RangeError(`attempt ${currentTask.attempt}`)
  }
  const executor = keep(createExecutor(config, { tasks: { fail }, backend: 'eager' }))
  let recover = false
  executor.use({
    run: async (call, next) => {
      await next().catch(() => {
        if (recover) call.result = 'recovered'
      })
    },
  })
  expect(await (await executor.submit(fail)).outcome()).toMatchObject({ state: 'failed', reason: 'threw' })
  recover = true
  expect(await (await executor.submit(fail)).result()).toBe('recovered')
})

test('a hook that throws what JSON cannot hold is logged, and tried again', async () => {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const clock = virtualClock()
  const config = defineConfig({ name: 'hook' })
  const executor = keep(createExecutor(config, { tasks: { add }, backend: 'local', local: { clock } }))
  let starts = 0
  executor.onWorkerStart(() => {
    if (++starts === 1) throw { code: 10n }
  })
  const future = await executor.submit(add, 1, 2)
  expect(await clock.runUntil(future.result())).toBe(3)
  expect(write.mock.calls.flat().join('')).toContain('10n')
})
