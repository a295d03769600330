import { type Config, createClient, createExecutor, defineConfig, InvalidOptionError } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { internalsOf } from '../../src/runtime/executor.ts'

const config = defineConfig({ name: 'pages', queues: ['low', 'high'] })
const tasks = { add: (a: number, b: number) => a + b, mail: { send: async () => 'sent' } }

const make = (declared: Config = config) => {
  const clock = virtualClock()
  // Nobody starts the workers: calls wait.
  const executor = createExecutor(declared, {
    tasks,
    backend: 'local',
    local: { clock, startWorkers: false },
  })
  return { executor, clock }
}

let made: ReturnType<typeof make>
beforeEach(() => {
  made = make()
})
afterEach(() => made.executor.close())

/** The error of a promise. */
const refusalOf = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.catch((thrown: unknown) => thrown)
  expect(InvalidOptionError.is(error), String(error)).toBe(true)
  return String(error)
}

/** Submits calls, a second apart; gives their ids, the newest first. */
async function submitted(count: number): Promise<string[]> {
  const { executor, clock } = made
  const ids: string[] = []
  for (let index = 0; index < count; index++) {
    const queue = index % 3 === 0 ? 'high' : 'low'
    const tenant = index % 2 === 0 ? 'acme' : 'initech'
    const sender = executor.with({ queue, tenant })
    const future =
      index % 5 === 0 ? await sender.submit(tasks.mail.send) : await sender.submit(tasks.add, index, 1)
    ids.unshift(future.id)
    await clock.advance({ seconds: 1 })
  }
  return ids
}

describe('pages of calls', () => {
  test('follow each other from the newest to the oldest, and the last says that it is', async () => {
    const ids = await submitted(25)
    const { inspect } = made.executor
    const first = await inspect.calls({}, { size: 10 })
    expect(first).toMatchObject({ lookedAt: 10, complete: false })
    expect(first.calls.map(({ id }) => id)).toEqual(ids.slice(0, 10))
    const second = await inspect.calls({}, { size: 10, after: first.next ?? '' })
    const third = await inspect.calls({}, { size: 10, after: second.next ?? '' })
    expect([...second.calls, ...third.calls].map(({ id }) => id)).toEqual(ids.slice(10))
    expect(third).toMatchObject({ lookedAt: 5, complete: true })
    expect(third).not.toHaveProperty('next')
    // What is submitted meanwhile shifts nothing.
    await submitted(3)
    expect(await inspect.calls({}, { size: 10, after: first.next ?? '' })).toEqual(second)
  })

  test('show what a call is, and never its arguments', async () => {
    const { executor } = made
    const future = await executor.with({ tenant: 'acme' }).submit(tasks.add, 12345, 67890)
    const [shown] = (await executor.inspect.calls()).calls
    expect(shown).toMatchObject({
      id: future.id,
      task: 'add',
      queue: 'low',
      state: 'pending',
      tenant: 'acme',
    })
    expect(shown).toMatchObject({ kills: 0, depth: 0, attempts: 0 })
    expect(JSON.stringify(shown)).not.toMatch(/12345|67890/)
    expect(await executor.inspect.call(future.id)).toEqual(shown)
  })

  test('hold what the filter asks for', async () => {
    const ids = await submitted(30)
    const { inspect } = made.executor
    const matching = async (filter: Parameters<typeof inspect.calls>[0]) =>
      (await inspect.calls(filter, { size: 100 })).calls
        .map(({ id }) => ids.length - 1 - ids.indexOf(id))
        .reverse()
    const all = ids.map((_, index) => index)
    expect(await matching({ queue: 'high' })).toEqual(all.filter((index) => index % 3 === 0))
    expect(await matching({ tenant: 'acme', queue: 'low' })).toEqual(
      all.filter((index) => index % 2 === 0 && index % 3 !== 0),
    )
    expect(await matching({ task: tasks.mail.send })).toEqual(all.filter((index) => index % 5 === 0))
    expect(await matching({ task: 'mail.send', tenant: 'initech' })).toEqual([5, 15, 25])
    expect(await matching({ state: ['running', 'succeeded'] })).toEqual([])
    const { createdAt } = await inspect.call(ids.at(-11) ?? '')
    expect(await matching({ since: createdAt })).toEqual(all.slice(10))
    expect(await matching({ until: createdAt })).toEqual(all.slice(0, 11))
    expect(await matching({ since: createdAt, until: createdAt })).toEqual([10])
  })

  test('are active where the lease of the attempt is not over', async () => {
    const { executor, clock } = made
    const { store } = await internalsOf(executor).connect()
    const future = await executor.submit(tasks.add, 1, 2)
    const set = { state: 'running', owner: 'me', leaseUntil: clock.now() + 5000, attempts: 1 } as const
    await store.update(future.id, { when: ['id', 'present'], set })
    expect((await executor.inspect.active()).calls).toMatchObject([{ id: future.id, kills: 0 }])
    await clock.advance({ seconds: 6 })
    expect(await executor.inspect.active()).toMatchObject({ calls: [], lookedAt: 1, complete: true })
    expect((await executor.inspect.calls({ state: 'running' })).calls).toMatchObject([{ id: future.id }])
  })

  test('leave out what has expired, and show what cannot be decoded without its progress', async () => {
    const { executor, clock } = made
    const { store } = await internalsOf(executor).connect()
    const [kept, gone] = [await executor.submit(tasks.add, 1, 2), await executor.submit(tasks.add, 3, 4)]
    await store.update(kept.id, { when: ['id', 'present'], set: { progress: '{"not":"ours' } })
    await store.update(gone.id, { when: ['id', 'present'], set: { expiresAtSeconds: clock.now() / 1000 } })
    const page = await executor.inspect.calls()
    expect(page).toMatchObject({ calls: [{ id: kept.id, progress: undefined }], lookedAt: 2, complete: true })
  })

  test('say how far they looked, and stop there', async () => {
    const ids = await submitted(30)
    const { inspect } = made.executor
    const filter = { task: 'mail.send' }
    const first = await inspect.calls(filter, { lookAt: 12 })
    expect(first).toMatchObject({ lookedAt: 12, complete: false })
    expect(first.calls.map(({ id }) => ids.indexOf(id))).toEqual([4, 9])
    // A full page stops short of its bound.
    const second = await inspect.calls(filter, { lookAt: 12, size: 1, after: first.next ?? '' })
    expect(second).toMatchObject({ lookedAt: 3, complete: false, calls: [{ id: ids[14] }] })
    const rest = await inspect.calls(filter, { after: second.next ?? '' })
    expect(rest).toMatchObject({ lookedAt: 15, complete: true })
    expect(rest.calls.map(({ id }) => ids.indexOf(id))).toEqual([19, 24, 29])
  })

  test('of a listing that is empty are complete', async () => {
    expect(await made.executor.inspect.calls()).toEqual({ calls: [], lookedAt: 0, complete: true })
  })
})

describe('a page that is not given (F-47)', () => {
  test.each([
    'x',
    '',
    'a'.repeat(5000),
    Buffer.from('[]').toString('base64url'),
    Buffer.from('{"at":1,"id":"x"}').toString('base64url'),
    Buffer.from('{"at":-1,"id":"x","of":"y"}').toString('base64url'),
    Buffer.from('{"at":1.5,"id":"x","of":"y"}').toString('base64url'),
    Buffer.from('{"at":1,"id":7,"of":"y"}').toString('base64url'),
    Buffer.from(JSON.stringify({ at: 1, id: 'x'.repeat(300), of: 'y' })).toString('base64url'),
    Buffer.from('{"at":1,"id":"x","of":"y","__proto__":{}}').toString('base64url'),
    7 as unknown as string,
  ])('because of the `after` %s', async (after) => {
    expect(await refusalOf(made.executor.inspect.calls({}, { after }))).toMatch(
      /`after` is .*`next` of a page/,
    )
  })

  test('because `after` is of another filter, method or app', async () => {
    await submitted(5)
    const { inspect } = made.executor
    const { next = '' } = await inspect.calls({}, { size: 2 })
    const other = make(defineConfig({ ...config, name: 'other' }))
    for (const asked of [
      inspect.calls({ queue: 'low' }, { after: next }),
      inspect.calls({ tenant: 'acme' }, { after: next }),
      inspect.active({}, { after: next }),
      other.executor.inspect.calls({}, { after: next }),
    ]) {
      expect(await refusalOf(asked)).toContain('of another filter')
    }
    await other.executor.close()
  })

  test.each([
    [{ queue: 'hihg' }, 'did you mean "high"?'],
    [{ state: 'runing' }, 'did you mean "running"?'],
    [{ state: ['running', 'x'] }, '`state` is "x"'],
    [{ since: 5 }, '`since` is 5, expected a Date'],
    [{ until: new Date(Number.NaN) }, '`until` is an object, expected a Date'],
    [{ tenant: 5 }, '`tenant` is 5'],
    [{ queues: 'low' }, 'unknown option `queues`; did you mean "queue"?'],
  ])('because of the filter %o', async (filter, why) => {
    expect(await refusalOf(made.executor.inspect.calls(filter as never))).toContain(why)
  })

  test.each([
    [{ size: 0 }, '`size` is 0'],
    [{ size: 101 }, '`size` is 101'],
    [{ lookAt: 1e6 }, '`lookAt` is 1000000'],
    [{ page: 1 }, 'unknown option `page`'],
  ])('because of the page %o', async (page, why) => {
    expect(await refusalOf(made.executor.inspect.calls({}, page as never))).toContain(why)
  })

  test('because the config lists no calls, which is the option to change', async () => {
    const { executor } = make(defineConfig({ name: 'unlisted', listing: false }))
    for (const asked of [
      executor.inspect.calls(),
      executor.inspect.active(),
      executor.inspect.scheduled(),
      executor.inspect.revoked(),
      executor.inspect.reserved(),
    ]) {
      expect(await refusalOf(asked)).toContain('`listing: true`')
    }
    const future = await executor.submit(tasks.add, 1, 2)
    expect(await executor.inspect.call(future.id)).toMatchObject({ state: 'pending' })
    expect(await executor.queues.purge('default')).toEqual({ cancelled: 0, lookedAt: 0, complete: false })
    await executor.close()
  })
})

test('a client looks as the executor does', async () => {
  const shared = createExecutor(defineConfig({ name: 'pages-of-two', queues: ['low', 'high'] }), {
    tasks,
    backend: 'local',
    local: { startWorkers: false },
  })
  const client = createClient<typeof shared>(
    { name: 'pages-of-two', queues: ['low', 'high'] },
    { backend: 'local', local: { startWorkers: false } },
  )
  const future = await client.submit('add', 1, 2)
  expect((await client.inspect.calls({ queue: 'low', task: 'add' })).calls.map(({ id }) => id)).toEqual([
    future.id,
  ])
  expect(await client.status()).toEqual({ ping: false, workers: { 'worker-1': 'no answer' } })
  expect(client).not.toHaveProperty('queues')
  await shared.queues.purge('low')
  await client.close()
  await shared.close()
})
