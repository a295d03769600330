import { taskRoutes } from 'errand/hono'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { internalsOf } from '../../src/runtime/executor.ts'
import { readEvents } from '../support/event-reader.ts'
import { openShop } from '../support/open-shop.ts'

const shop = openShop()
const { executor, clock, tasks } = shop
const reported: Error[] = []
const options = { authorize: () => true, clock, onError: (error: Error) => reported.push(error) }
const routes = taskRoutes(executor, options)

async function openEvents(path: string, { app = routes, lastEventId = '', env = {} } = {}) {
  const headers = lastEventId === '' ? {} : { 'last-event-id': lastEventId }
  const response = await clock.runUntil(Promise.resolve(app.request(`${path}/events`, { headers }, env)))
  return { response, reader: readEvents(response) }
}

afterEach(() => {
  expect(reported.splice(0)).toEqual([])
})

describe('the events of a call', () => {
  test('show each status once, and end with the call', async () => {
    const { id } = await executor.submit(tasks.wait, 'whole')
    const { response, reader } = await openEvents(`/calls/${id}`)
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    })
    await clock.advance({ seconds: 5 })
    expect(reader.text).toMatch(/^retry: 1000\n\nid: [\w-]{22}\ndata: \{.*\}\n\n/)
    shop.open('whole', 1)
    await clock.advance({ seconds: 5 })
    expect(reader.events.map(({ state, progress }) => [state, progress])).toEqual([
      ['pending', null],
      ['running', { done: 1, total: 4 }],
      ['succeeded', { done: 1, total: 4 }],
    ])
    expect(reader.isOver).toBe(true)
  })

  test('of one that has ended are its last status, and then nothing more', async () => {
    const future = await executor.submit(tasks.add, 1, 2)
    await clock.runUntil(future.outcome())
    const { reader } = await openEvents(`/calls/${future.id}`)
    await clock.advance({ milliseconds: 1 })
    expect([reader.events.length, reader.isOver]).toEqual([1, true])
    const again = await openEvents(`/calls/${future.id}`, { lastEventId: reader.lastId ?? '' })
    // What ends a browser's EventSource.
    expect(again.response.status).toBe(204)
  })

  test('keep the connection with a heartbeat, end in time, and go on from the last event', async () => {
    const { id } = await executor.submit(tasks.wait, 'long')
    const first = await openEvents(`/calls/${id}`)
    await clock.advance({ seconds: 59 })
    expect(first.reader.isOver).toBe(false)
    expect(first.reader.text.match(/^:$/gm)).toHaveLength(3)
    await clock.advance({ seconds: 2 })
    expect([first.reader.isOver, first.reader.events.at(-1)?.state]).toEqual([true, 'running'])
    const second = await openEvents(`/calls/${id}`, { lastEventId: first.reader.lastId ?? '' })
    await clock.advance({ seconds: 5 })
    expect([second.reader.events, second.reader.isOver]).toEqual([[], false])
    shop.open('long', 1)
    await clock.advance({ seconds: 5 })
    expect(second.reader.events.map(({ state }) => state)).toEqual(['succeeded'])
  })

  test.each(['x', '../../etc', 'é', 'x'.repeat(4000)])('do not mind the forged event id %s', async (id) => {
    const future = await executor.submit(tasks.add, 1, 2)
    await clock.runUntil(future.outcome())
    const lastEventId = encodeURIComponent(id)
    const { reader } = await openEvents(`/calls/${future.id}`, { lastEventId })
    await clock.advance({ milliseconds: 1 })
    expect(reader.events).toHaveLength(1)
  })
})

test('the events of a group show how many are done, several changes at a time', async () => {
  const group = await executor.map(tasks.wait, [['a'], ['b'], ['c'], ['d']])
  const { reader } = await openEvents(`/groups/${group.id}`)
  await clock.advance({ seconds: 3 })
  for (const name of ['a', 'b', 'c', 'd']) shop.open(name, 1)
  await clock.advance({ seconds: 5 })
  expect(reader.events[0]).toMatchObject({ state: 'pending', progress: 0, calls: 4, counts: { pending: 4 } })
  expect(reader.events.at(-1)).toMatchObject({ state: 'succeeded', progress: 1, counts: { succeeded: 4 } })
  const progress = reader.events.map((event) => event.progress as number)
  expect(progress).toEqual(progress.toSorted((a, b) => a - b))
  expect(progress).toContain(0.25)
  expect(progress.length).toBeLessThanOrEqual(6)
  expect(reader.isOver).toBe(true)
})

describe('bounds', () => {
  test('one stream too many is told to come again, and those that end make room', async () => {
    const app = taskRoutes(executor, { ...options, maxStreams: 2 })
    const { id } = await executor.submit(tasks.wait, 'full')
    const one = await openEvents(`/calls/${id}`, { app })
    const two = await openEvents(`/calls/${id}`, { app })
    const three = await app.request(`/calls/${id}/events`)
    expect([three.status, three.headers.get('retry-after')]).toEqual([503, '2'])
    await one.reader.leave()
    const four = await openEvents(`/calls/${id}`, { app })
    expect(four.response.status).toBe(200)
    await clock.advance({ seconds: 61 })
    expect([two.reader.isOver, four.reader.isOver]).toEqual([true, true])
    for (const _ of [1, 2]) expect((await openEvents(`/calls/${id}`, { app })).response.status).toBe(200)
    shop.open('full', 1)
    await clock.advance({ seconds: 5 })
  })

  test('a thousand streams of a call are all served, by one poller, and a thousand and first is told to come again', async () => {
    const app = taskRoutes(executor, options)
    const { id } = await executor.submit(tasks.wait, 'thousand')
    const opened = await clock.runUntil(
      Promise.all(Array.from({ length: 1000 }, async () => app.request(`/calls/${id}/events`))),
    )
    expect(new Set(opened.map(({ status }) => status))).toEqual(new Set([200]))
    expect((await app.request(`/calls/${id}/events`)).status).toBe(503)
    const readers = opened.map(readEvents)
    const { store } = await internalsOf(executor).connect()
    const reads = vi.spyOn(store, 'read')
    await clock.advance({ seconds: 10 })
    // As many as one stream's, which polls each 2 s at last.
    expect(reads.mock.calls.length).toBeLessThanOrEqual(20)
    reads.mockRestore()
    shop.open('thousand', 1)
    await clock.advance({ seconds: 5 })
    expect(readers.every(({ isOver }) => isOver)).toBe(true)
    for (const { events } of readers) expect(events.at(-1)).toMatchObject({ state: 'succeeded' })
    expect((await app.request(`/calls/${id}/events`)).status).toBe(200)
  })

  test('a HEAD holds no stream', async () => {
    const app = taskRoutes(executor, { ...options, maxStreams: 1 })
    const { id } = await executor.submit(tasks.wait, 'head')
    for (const _ of [1, 2, 3]) {
      const response = await app.request(`/calls/${id}/events`, { method: 'HEAD' })
      expect([response.status, response.body]).toEqual([200, null])
    }
    expect((await openEvents(`/calls/${id}`, { app })).response.status).toBe(200)
    shop.open('head', 1)
    await clock.advance({ seconds: 5 })
  })

  test('a reader who does not read gets the newest status, and is no burden', async () => {
    const { id } = await executor.submit(tasks.wait, 'slow')
    const response = await routes.request(`/calls/${id}/events`)
    await clock.advance({ seconds: 50 })
    shop.open('slow', 1)
    await clock.advance({ seconds: 5 })
    const reader = readEvents(response)
    await clock.advance({ seconds: 1 })
    expect(reader.events.map(({ state }) => state)).toEqual(['pending', 'succeeded'])
    expect(reader.text).not.toMatch(/^:$/m)
  })

  test('who leaves leaves no timer', async () => {
    const { id } = await executor.submit(tasks.wait, 'leave')
    await clock.advance({ seconds: 3 })
    const before = clock.pendingTimers
    const { reader } = await openEvents(`/calls/${id}`)
    await clock.advance({ seconds: 3 })
    expect(clock.pendingTimers).toBeGreaterThan(before)
    await reader.leave()
    await clock.advance({ seconds: 3 })
    expect(clock.pendingTimers).toBe(before)
    shop.open('leave', 1)
    await clock.advance({ seconds: 5 })
  })

  test('with maxStreamSeconds: 0 a stream is the status and its end: polling', async () => {
    const app = taskRoutes(executor, { ...options, maxStreamSeconds: 0 })
    const { id } = await executor.submit(tasks.wait, 'poll')
    const { reader } = await openEvents(`/calls/${id}`, { app })
    await clock.advance({ milliseconds: 1 })
    expect([reader.events.length, reader.isOver]).toEqual([1, true])
    shop.open('poll', 1)
    await clock.advance({ seconds: 5 })
  })
})

describe('on Lambda', () => {
  const context = { getRemainingTimeInMillis: () => 29_000 }

  test('a stream ends a second before the function’s time', async () => {
    const { id } = await executor.submit(tasks.wait, 'lambda')
    const { reader } = await openEvents(`/calls/${id}`, { env: { context } })
    await clock.advance({ milliseconds: 27_900 })
    expect(reader.isOver).toBe(false)
    await clock.advance({ milliseconds: 200 })
    expect(reader.isOver).toBe(true)
    shop.open('lambda', 1)
    await clock.advance({ seconds: 5 })
  })

  test('where the answer comes in one piece, it is the status and its end', async () => {
    const { id } = await executor.submit(tasks.wait, 'buffered')
    const { reader } = await openEvents(`/calls/${id}`, { env: { lambdaContext: context } })
    await clock.advance({ milliseconds: 1 })
    expect([reader.events.length, reader.isOver]).toEqual([1, true])
    shop.open('buffered', 1)
    await clock.advance({ seconds: 5 })
  })
})
