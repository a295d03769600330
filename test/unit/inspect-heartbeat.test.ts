import { createExecutor, defineConfig } from 'errand'
import { inProcessStore, virtualClock } from 'errand/local-emulator'
import { describe, expect, test } from 'vitest'
import { internalsOf } from '../../src/runtime/executor.ts'
import { putPaused, readNotices, startHeartbeat } from '../../src/runtime/operations/heartbeat.ts'
import type { Store } from '../../src/runtime/ports/store.ts'
import { reportOf } from '../../src/runtime/ports/worker-report.ts'

const { app } = internalsOf(createExecutor(defineConfig({ name: 'shop' }), { tasks: { add: () => 1 } }))
const report = (received = 0) =>
  reportOf({ app, worker: 'foo', codeVersion: undefined, uptimeSeconds: 1, received, running: 0 })

function stage(faulty: Partial<Store> = {}) {
  const clock = virtualClock()
  const sound = inProcessStore({ clock })
  const store = { ...sound, ...faulty }
  const told: string[][] = []
  const errors: unknown[] = []
  const start = (processId: string, received = 0) =>
    startHeartbeat(
      { store, clock },
      {
        processId,
        report: () => report(received),
        onPaused: (queues) => told.push([...queues]),
        onError: (error) => errors.push(error),
      },
    )
  const read = () => readNotices(sound, clock, 'shop')
  return { clock, store: sound, start, read, told, errors }
}

describe('a heartbeat', () => {
  test('is there from its first beat to its end', async () => {
    const { clock, start, read } = stage()
    const heart = start('host-1', 7)
    await clock.advance({ seconds: 1 })
    expect((await read()).processes).toEqual([
      {
        id: 'host-1',
        report: { ...report(7), memoryBytes: expect.any(Number) },
        beatAt: expect.any(Number),
        isAlive: true,
      },
    ])
    await clock.advance({ hours: 1 })
    expect((await read()).processes.map(({ isAlive }) => isAlive)).toEqual([true])
    await heart.stop()
    expect((await read()).processes).toEqual([])
    await clock.advance({ hours: 1 })
    expect((await read()).processes).toEqual([])
  })

  test('of a process that ended without a word is dead after 50 s, and forgotten after 10 minutes', async () => {
    const { clock, store, read } = stage()
    const text = JSON.stringify({ beatAt: clock.now(), report: report() })
    const expiresAtSeconds = clock.now() / 1000 + 600
    await store.putNotice({ key: 'process#foo#a', text, expiresAtSeconds })
    await clock.advance({ seconds: 49 })
    expect((await read()).processes).toMatchObject([{ id: 'a', isAlive: true }])
    await clock.advance({ seconds: 1 })
    expect((await read()).processes).toMatchObject([{ id: 'a', isAlive: false }])
    await clock.advance({ minutes: 10 })
    expect((await read()).processes).toEqual([])
  })

  test('tells within 20 s which queues are paused', async () => {
    const { clock, store, start, told } = stage()
    const heart = start('host-1')
    await clock.advance({ seconds: 1 })
    await putPaused(store, 'low', true)
    await clock.advance({ seconds: 20 })
    await putPaused(store, 'low', false)
    await clock.advance({ seconds: 20 })
    expect(told).toEqual([[], ['low'], []])
    await heart.stop()
  })

  test('goes on after a beat that failed', async () => {
    let beats = 0
    const { clock, start, errors, told } = stage({
      putNotice: async () => {
        beats++
        if (beats === 2) throw new Error('throttled')
      },
    })
    const heart = start('host-1')
    await clock.advance({ seconds: 70 })
    expect(beats).toBe(4)
    expect(errors).toMatchObject([{ message: 'throttled' }])
    expect(told).toHaveLength(3)
    await heart.stop()
  })

  test('is not read where it is of another app, or none of ours', async () => {
    const { clock, store, read } = stage()
    const expiresAtSeconds = clock.now() / 1000 + 600
    const put = (key: string, text: string) => store.putNotice({ key, text, expiresAtSeconds })
    await put('process#foo#a', '{')
    await put('process#foo#b', 'null')
    await put('process#foo#c', JSON.stringify({ beatAt: clock.now() }))
    await put('process#foo#d', JSON.stringify({ beatAt: 'now', report: report() }))
    await put('process#foo#e', JSON.stringify({ beatAt: clock.now(), report: { ...report(), app: 'other' } }))
    await put(
      'process#foo#f',
      JSON.stringify({ beatAt: clock.now(), report: report(), pad: 'x'.repeat(32 * 1024) }),
    )
    await put('other', '')
    expect(await read()).toEqual({ processes: [], paused: new Set() })
  })
})
