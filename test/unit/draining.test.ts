import { type Config, createClient, createExecutor, defineConfig, InvalidOptionError } from 'errand'
import { testExecutor } from 'errand/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

// A queue on its way out: what is refused where it is declared, and who may still send to it.

const queues = { default: {}, slow: {}, old: { draining: true } }

function refusal(config: Config): Error {
  try {
    defineConfig(config)
  } catch (error) {
    return error as Error
  }
  throw new Error('it was not refused')
}

describe('a config', () => {
  test('says which queues are draining', () => {
    const config = resolveConfig({ name: 'draining', queues })
    expect([...config.queues.values()].map(({ draining }) => draining)).toEqual([false, false, true])
  })

  test.each<[string, Config, string]>([
    [
      'whose default queue is draining',
      { name: 'a', queues: { old: { draining: true }, next: {} } },
      'queue "old": `draining` is true, but it is the default queue, which calls without a route go to; declare "next" before it',
    ],
    [
      'whose queues are all draining',
      { name: 'a', queues: { old: { draining: true }, older: { draining: true } } },
      'declare another queue before it',
    ],
    [
      'with a route to a draining queue',
      { name: 'a', queues, routes: { 'reports.*': 'old' } },
      '`routes`: "reports.*" leads to the queue "old", which is draining and takes no new calls; route it to one of "default", "slow"',
    ],
    [
      'whose draining queue has no worker',
      { name: 'a', queues, workers: { main: { queues: ['default', 'slow'] } } },
      'queue "old" has no worker',
    ],
    [
      'that says it in words',
      { name: 'a', queues: { a: {}, b: { draining: 'yes' as unknown as boolean } } },
      'queue "b": `draining` is "yes", expected true or false',
    ],
  ])('%s is refused', (_, config, message) => {
    const error = refusal(config)
    expect(InvalidOptionError.is(error)).toBe(true)
    expect(error.message).toContain(message)
  })
})

type Before = ReturnType<
  typeof createExecutor<
    { readonly name: string; readonly queues: readonly ['default', 'slow', 'old'] },
    { readonly count: (n: number) => number }
  >
>

/** An executor of today under test, and a client of before, whose config did not drain the queue. */
function deployed() {
  let isUp = true
  const count = (n: number) => {
    if (!isUp) throw new Error('down')
    return n + 1
  }
  const onward = async () => (await executor.with({ queue: 'old' }).submit(count, 1)).id
  const executor = createExecutor(defineConfig({ name: 'draining', queues }), { tasks: { count, onward } })
  const t = testExecutor(executor)
  onTestFinished(() => t.close())
  const before = defineConfig({ name: 'draining', queues: ['default', 'slow', 'old'] })
  const old = createClient<Before>(before, { backend: t.backend })
  return { executor, t, old, count, onward, turn: (up: boolean) => (isUp = up) }
}

const refused = /queue "old" is draining.*submit without a `queue`, or to one of "default", "slow"/

describe('a draining queue', () => {
  test('takes no submit, no map, and none of a task', async () => {
    const { executor, t, count, onward } = deployed()
    const on = executor.with({ queue: 'old' })
    await expect(on.submit(count, 1)).rejects.toThrow(refused)
    await expect(on.map(count, [[1]])).rejects.toThrow(refused)
    expect(t.submitted(count)).toEqual([])
    const future = await executor.submit(onward)
    await t.drain()
    await expect(future.result()).rejects.toThrow(refused)
  })

  test('takes no submit of a client', async () => {
    const config = defineConfig({ name: 'draining-client', queues })
    const executor = createExecutor(config, { tasks: { count: (n: number) => n } })
    const t = testExecutor(executor)
    onTestFinished(() => t.close())
    const client = createClient<typeof executor>(config, { backend: t.backend })
    await expect(client.with({ queue: 'old' }).submit('count', 1)).rejects.toThrow(refused)
    await client.submit('count', 1)
    expect(t.submitted('count')).toMatchObject([{ queue: 'default' }])
  })

  test('is consumed: what was sent before runs, retries and follow-ups included', async () => {
    const { executor, t, old, count } = deployed()
    t.failNext(count, new Error('once'))
    const future = await old.with({ queue: 'old', then: 'count' }).submit('count', 1)
    await t.drain()
    expect(await future.snapshot()).toMatchObject({ state: 'succeeded', queue: 'old', attempts: 2 })
    const followUp = executor.future(`${future.id}:then`)
    expect(await followUp.snapshot()).toMatchObject({ state: 'succeeded', queue: 'default' })
    expect(await followUp.result()).toBe(3)
  })

  test('takes a retry by hand of a call that failed in it', async () => {
    const { executor, t, old, turn } = deployed()
    turn(false)
    const future = await old.with({ queue: 'old' }).submit('count', 1)
    await t.drain()
    expect(await future.state()).toBe('failed')
    turn(true)
    const again = await executor.retry(future.id)
    await t.drain()
    expect(await again.result()).toBe(2)
    expect((await again.snapshot()).queue).toBe('old')
  })
})
