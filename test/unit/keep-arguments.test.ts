import { createExecutor, defineConfig, InvalidOptionError, task } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { describe, expect, onTestFinished, test } from 'vitest'
import { decodeEnvelope } from '../../src/runtime/call/envelope.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'

/** Two tasks of which one keeps its arguments, every write of a message counted. */
async function stage(refusals = 0) {
  const clock = virtualClock()
  let failures = 0
  const work = (text: string) => {
    if (text.startsWith('fail') && failures++ < 2) throw new Error('no')
    return text
  }
  const kept = task({ run: (text: string) => work(text), keepArguments: true })
  const config = defineConfig({
    name: 'shop',
    workers: { main: { logLevel: 'error' } },
    taskOptions: { 'pattern.*': { keepArguments: true }, 'pattern.not': {} },
  })
  const tasks = {
    plain: (text: string) => work(text),
    kept,
    pattern: { yes: (a: number) => a, not: () => 1 },
  }
  const executor = createExecutor(config, { tasks, backend: 'local', local: { clock } })
  onTestFinished(() => clock.runUntil(executor.close()))
  const { store } = (await internalsOf(executor).connect()) as Backend
  const writes: string[] = []
  const own = store.putMessage.bind(store)
  let toRefuse = refusals
  store.putMessage = async (id, ...rest) => {
    writes.push(id)
    if (toRefuse-- > 0) throw new Error('throttled')
    return own(id, ...rest)
  }
  const argumentsOf = async (id: string) => {
    const body = await store.readMessage(id)
    return body === undefined ? undefined : decodeEnvelope(body).args
  }
  return { executor, tasks, clock, writes, argumentsOf }
}

describe('the arguments of a call', () => {
  test('are kept once where its task says so, and else not', async () => {
    const { executor, tasks, clock, writes, argumentsOf } = await stage()
    const plain = await executor.submit(tasks.plain, 'a')
    const kept = await executor.submit(tasks.kept, 'b')
    const pattern = await executor.submit(tasks.pattern.yes, 3)
    const not = await executor.submit(tasks.pattern.not)
    await clock.advance({ seconds: 5 })
    expect(writes).toEqual([kept.id, pattern.id])
    expect(await argumentsOf(plain.id)).toBeUndefined()
    expect(await argumentsOf(not.id)).toBeUndefined()
    expect(JSON.stringify(await argumentsOf(kept.id))).toContain('"b"')
    expect(await argumentsOf(pattern.id)).toBeDefined()
  })

  test('are written by its first attempt alone, however often it is retried', async () => {
    const { executor, tasks, clock, writes } = await stage()
    const { id } = await executor.submit(tasks.kept, 'fail twice')
    await clock.advance({ hours: 1 })
    expect(await executor.inspect.call(id)).toMatchObject({ state: 'succeeded', attempts: 3 })
    expect(writes).toEqual([id])
  })

  test('cost a call nothing where they cannot be kept', async () => {
    const { executor, tasks, clock, argumentsOf } = await stage(1)
    const future = await executor.submit(tasks.kept, 'b')
    await clock.advance({ seconds: 5 })
    expect(await future.result()).toBe('b')
    expect(await argumentsOf(future.id)).toBeUndefined()
  })
})

test('the option is a flag', () => {
  const config = (keepArguments: unknown) =>
    defineConfig({ name: 'shop', taskOptions: { 'a.*': { keepArguments } as never } })
  expect(() => config('yes')).toThrow(InvalidOptionError)
  expect(() => config('yes')).toThrow('`keepArguments` is "yes", expected true or false')
})
