import { readFile } from 'node:fs/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { virtualClock } from '../../src/local-emulator/virtual-clock.ts'
import { delay } from '../../src/runtime/clock.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

afterEach(() => {
  vi.useRealTimers()
})

describe('virtualClock', () => {
  test('stands still until it is advanced', async () => {
    const clock = virtualClock(1000)
    expect(clock.now()).toBe(1000)
    await clock.advance({ hours: 1, minutes: 2, seconds: 3, milliseconds: 4 })
    expect(clock.now()).toBe(1000 + 3_723_004)
  })

  test('fires in order of time, then of setting, each at its own time', async () => {
    const clock = virtualClock(0)
    const fired: [string, number][] = []
    const note = (name: string) => () => fired.push([name, clock.now()])
    clock.setTimer(note('late'), 2000)
    clock.setTimer(note('first of two'), 1000)
    clock.setTimer(note('second of two'), 1000)
    clock.setTimer(note('at once'), -5)
    clock.setTimer(note('too late'), 3001)
    await clock.advance({ seconds: 3 })
    expect(fired).toEqual([
      ['at once', 0],
      ['first of two', 1000],
      ['second of two', 1000],
      ['late', 2000],
    ])
    expect(clock.pendingTimers).toBe(1)
  })

  test('lets promises, immediates and file reads settle between two timers', async () => {
    const clock = virtualClock(0)
    const times: number[] = []
    const work = async () => {
      await delay(clock, 1000)
      for (let turns = 0; turns < 50; turns++) await turn()
      await readFile(new URL(import.meta.url))
      times.push(clock.now())
      await delay(clock, 500)
      times.push(clock.now())
    }
    const done = work()
    clock.setTimer(() => {}, 1200)
    await clock.advance({ seconds: 2 })
    expect(times).toEqual([1000, 1500])
    await done
  })

  test('a cancelled timer does not fire, nor one that a timer of the same moment cancels', async () => {
    const clock = virtualClock(0)
    const fired: string[] = []
    const timer = clock.setTimer(() => fired.push('cancelled'), 10)
    timer.cancel()
    timer.cancel()
    clock.setTimer(() => second.cancel(), 20)
    const second = clock.setTimer(() => fired.push('second'), 20)
    await clock.advance({ seconds: 1 })
    second.cancel()
    expect(fired).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  test('counts only timers that still stand, however many were cancelled', () => {
    const clock = virtualClock(0)
    for (let set = 0; set < 10_000; set++) clock.setTimer(() => {}, set).cancel()
    clock.setTimer(() => {}, Number.POSITIVE_INFINITY)
    expect(clock.pendingTimers).toBe(0)
    clock.setTimer(() => {}, 1)
    expect(clock.pendingTimers).toBe(1)
  })

  test('runs until a promise settles, and no further', async () => {
    const clock = virtualClock(0)
    clock.setTimer(() => {}, 3_600_000)
    const value = await clock.runUntil(
      (async () => {
        await delay(clock, 60_000)
        await turn()
        await delay(clock, 60_000)
        return 'done'
      })(),
    )
    expect(value).toBe('done')
    expect(clock.now()).toBe(120_000)
  })

  test('passes a rejection on', async () => {
    const clock = virtualClock(0)
    const failing = delay(clock, 5).then(() => Promise.reject(new Error('no')))
    await expect(clock.runUntil(failing)).rejects.toThrow('no')
  })

  test('says so where nothing is left that could settle the promise', async () => {
    const clock = virtualClock(0)
    clock.setTimer(() => {}, 10)
    await expect(clock.runUntil(new Promise(() => {}))).rejects.toThrow('no timer is left')
    expect(clock.now()).toBe(10)
  })

  test('several that move it at once end, and time never goes back', async () => {
    const clock = virtualClock(0)
    const times: number[] = []
    const tick = () => {
      times.push(clock.now())
      if (times.length < 50) clock.setTimer(tick, 10)
    }
    clock.setTimer(tick, 10)
    await Promise.all([
      clock.advance({ seconds: 1 }),
      clock.advance({ milliseconds: 5 }),
      clock.runUntil(delay(clock, 300)),
    ])
    expect(times).toHaveLength(50)
    expect(times).toEqual(times.toSorted((one, other) => one - other))
    expect(clock.now()).toBe(1000)
  })

  test("is not disturbed by a test runner's fake timers", async () => {
    vi.useFakeTimers()
    const clock = virtualClock(0)
    await expect(clock.runUntil(delay(clock, 1000).then(() => 1))).resolves.toBe(1)
  })
})
