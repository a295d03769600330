import { describe, expect, test } from 'vitest'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import type { Listed } from '../../src/runtime/ports/store.ts'
import { monitorStage, type StageOptions } from '../support/monitor-stage.ts'

/** A stage on which everything that is read is counted; on AWS each is one request, or `list` some of them. */
async function countedStage(options: StageOptions = {}) {
  const reads: Record<string, number> = {}
  const switches = { isDown: false }
  const read = { rows: 0 }
  const counting = <Port extends object>(port: Port, name: string): Port =>
    new Proxy(port, {
      get: (target, key: keyof Port & string) => {
        const own = target[key]
        if (typeof own !== 'function') return own
        return (...args: unknown[]) => {
          reads[`${name}.${key}`] = (reads[`${name}.${key}`] ?? 0) + 1
          const answer = switches.isDown
            ? Promise.reject(new Error('down'))
            : Reflect.apply(own, target, args)
          if (key === 'list')
            void answer.then(
              ({ entries }: Listed) => (read.rows += entries.length),
              () => {},
            )
          if (key === 'read') read.rows += (args[0] as readonly string[]).length
          return answer
        }
      },
    })
  const wrap = (backend: Backend): Backend => ({
    ...{ ...backend, kind: 'aws' as const, store: counting(backend.store, 'store') },
    ...(backend.fleet && { fleet: counting(backend.fleet, 'fleet') }),
  })
  const stage = await monitorStage({ ...options, wrap })
  const count = async (run: () => Promise<unknown>) => {
    for (const key of Object.keys(reads)) delete reads[key]
    await run()
    return { ...reads }
  }
  /** What an open page does in a minute: asks every 10 s, as many of them as there are viewers. */
  const minute = async (path: string, viewers = 1) => {
    for (let turn = 0; turn < 6; turn++) {
      const answers = Array.from({ length: viewers }, () => stage.request(path))
      for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200)
      await stage.clock.advance({ seconds: 10 })
    }
  }
  return { ...stage, switches, count, minute, read }
}

/** A minute of an open overview where nothing happens: two queues. */
const quietMinute = {
  'store.list': 6,
  'store.notices': 7,
  'fleet.holdings': 14,
  'fleet.paused': 7,
  'fleet.ping': 1,
}

describe('an open overview', () => {
  test('reads so much a minute, and no more for a hundred viewers', async () => {
    const { count, minute } = await countedStage()
    expect(await count(() => minute('/'))).toEqual(quietMinute)
    expect(await count(() => minute('/', 100))).toEqual(quietMinute)
  })

  test('reads what has ended once, and what has not again', async () => {
    const { count, minute, put, request } = await countedStage()
    for (let index = 0; index < 300; index++) await put({ id: `done-${index}` })
    for (let index = 0; index < 30; index++) await put({ id: `open-${index}`, state: 'pending' })
    // 330 entries are listed at once, their records read in batches of 100.
    const first = await count(async () => request('/'))
    expect(first).toMatchObject({ 'store.list': 1, 'store.read': 4 })
    const later = await count(() => minute('/'))
    expect(later['store.read']).toBeLessThanOrEqual(7)
  })

  test('reads at most the bound, however much is submitted', async () => {
    const { count, minute, put, clock } = await countedStage({ lookAt: 200 })
    let made = 0
    const flood = async () => {
      for (let index = 0; index < 500; index++) await put({ id: `call-${made++}` })
      await clock.advance({ seconds: 5 })
    }
    await flood()
    const reads = await count(async () => {
      for (let turn = 0; turn < 2; turn++) {
        await minute('/')
        await flood()
      }
    })
    expect(reads['store.list']).toBe(2 * 6)
    expect(reads['store.read']).toBeLessThanOrEqual(2 * 6 * 2)
  })

  test('reads no more of ten thousand calls than of a hundred, and shows no more of them', async () => {
    const open = async (calls: number) => {
      const { minute, count, put, clock, request, read } = await countedStage({ lookAt: 1000 })
      for (let index = 0; index < calls; index++) {
        await put({ id: `call-${index}` })
        // Both are of the same hour, and as much came in its last minute.
        const step = index < calls - 20 ? 3_540_000 / (calls - 20) : 3000
        await clock.advance({ milliseconds: Math.round(step) })
      }
      await minute('/')
      read.rows = 0
      const reads = await count(() => minute('/'))
      const page = await (await request('/')).text()
      return { requests: Object.values(reads).reduce((sum, each) => sum + each), rows: read.rows, page }
    }
    const [few, many] = [await open(100), await open(10_000)]
    expect(many.requests).toBeLessThanOrEqual(2 * few.requests)
    expect(many.rows).toBeLessThanOrEqual(2 * few.rows)
    expect(many.page.length).toBeLessThan(2 * few.page.length)
  })

  test('lists a burst again for a minute, no more of it than the bound, and then nothing', async () => {
    const open = async (calls: number) => {
      const { minute, count, put, read } = await countedStage({ lookAt: 1000 })
      for (let index = 0; index < calls; index++) await put({ id: `call-${index}` })
      /** What a minute of an open page lists and reads of calls, and by how many requests. */
      const looked = async () => {
        read.rows = 0
        const { 'store.list': lists = 0, 'store.read': reads = 0 } = await count(() => minute('/'))
        return { rows: read.rows, lists, reads }
      }
      return [await looked(), await looked(), await looked()]
    }
    const then = (rows: number) => ({ rows, lists: 6, reads: 0 })
    // At first their records are read as well, in batches of 100. A minute after it, it is listed once more.
    expect(await open(100)).toEqual([{ rows: 100 + 6 * 100, lists: 6, reads: 1 }, then(100), then(0)])
    expect(await open(10_000)).toEqual([{ rows: 1000 + 6 * 1000, lists: 6, reads: 10 }, then(1000), then(0)])
  })

  test('asks a store that is down no more often', async () => {
    const { count, minute, switches } = await countedStage()
    await minute('/')
    switches.isDown = true
    expect(await count(() => minute('/', 10))).toEqual(quietMinute)
  })
})

test('nothing is read while nobody looks', async () => {
  const { count, minute, clock } = await countedStage()
  await minute('/')
  expect(await count(() => clock.advance({ hours: 1 }))).toEqual({})
})

test('one call is a read of its record and one of its message', async () => {
  const { count, put, request, keep } = await countedStage()
  await put({ id: 'bad', state: 'failed', failedIn: 'low', lastError: 'Error: x' })
  await keep('bad', 'add', [1])
  await request('/tasks')
  expect(await count(async () => request('/calls/bad'))).toMatchObject({
    'store.read': 1,
    'store.readMessage': 1,
  })
})
