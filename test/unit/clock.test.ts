import { AsyncLocalStorage } from 'node:async_hooks'
import { execFileSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Clock, delay, systemClock } from '../../src/runtime/clock.ts'

function fires(delayMs: number): Promise<void> {
  return delay(systemClock, delayMs)
}

/** The system's clock over a test runner's timers, which it takes when it loads. */
async function clockOfFakeTime(): Promise<Clock> {
  vi.useFakeTimers()
  vi.resetModules()
  return (await import('../../src/runtime/clock.ts')).systemClock
}

afterEach(() => {
  vi.useRealTimers()
})

/** What a process of its own prints that runs `body` with the system's clock, and how it ended. */
function inProcess(body: string): string {
  const clock = pathToFileURL('src/runtime/clock.ts').href
  const script = `import { systemClock as clock } from ${JSON.stringify(clock)}\n${body}`
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim()
}

describe('systemClock', () => {
  test('timers fire in order of time, then of setting, whatever order they were set in', async () => {
    const clock = await clockOfFakeTime()
    const fired: string[] = []
    const note = (name: string, delayMs: number) => clock.setTimer(() => fired.push(name), delayMs)
    note('fourth', 20)
    note('first', 5)
    note('second', 10)
    note('third', 10)
    note('at once', -1)
    for (const [ms, expected] of [
      [0, ['at once']],
      [9, ['at once', 'first']],
      [1, ['at once', 'first', 'second', 'third']],
      [10, ['at once', 'first', 'second', 'third', 'fourth']],
    ] as const) {
      vi.advanceTimersByTime(ms)
      expect(fired).toEqual(expected)
    }
  })

  test('a cancelled timer never fires, and stops no other', async () => {
    const clock = await clockOfFakeTime()
    const fired: string[] = []
    const timer = clock.setTimer(() => fired.push('cancelled'), 5)
    clock.setTimer(() => fired.push('other'), 15)
    timer.cancel()
    timer.cancel()
    vi.advanceTimersByTime(15)
    timer.cancel()
    expect(fired).toEqual(['other'])
  })

  test('a timer that throws takes the next one with it only in time', () => {
    const printed = inProcess(`
      process.on('uncaughtException', ({ message }) => console.log(message))
      clock.setTimer(() => { throw new Error('thrown') }, 5)
      clock.setTimer(() => console.log('next'), 5)
      clock.setTimer(() => console.log('last'), 20)
    `)
    expect(printed.split('\n')).toEqual(['thrown', 'next', 'last'])
  })

  test('a timer keeps the process alive, a background one does not', () => {
    expect(inProcess(`clock.setTimer(() => console.log('fired'), 20)`)).toBe('fired')
    expect(inProcess(`clock.setTimer(() => console.log('fired'), 20, { background: true })`)).toBe('')
    expect(
      inProcess(`
        clock.setTimer(() => console.log('background'), 10, { background: true })
        clock.setTimer(() => console.log('cancelled'), 60_000).cancel()
        clock.setTimer(() => console.log('fired'), 20)
      `),
    ).toBe('background\nfired')
  })

  test('a cancelled timer does not keep the process alive', () => {
    const began = performance.now()
    inProcess(`const timer = clock.setTimer(() => {}, 60_000); timer.cancel()`)
    expect(performance.now() - began).toBeLessThan(30_000)
  })

  test('a timer is part of nobody’s async context', async () => {
    const storage = new AsyncLocalStorage<string>()
    const seen = await storage.run(
      'a request',
      () =>
        new Promise((resolve) => {
          systemClock.setTimer(() => resolve(storage.getStore()), 1)
        }),
    )
    expect(seen).toBeUndefined()
  })

  test('a delay beyond what setTimeout takes does not fire at once', async () => {
    let fired = false
    const timer = systemClock.setTimer(() => {
      fired = true
    }, 2 ** 40)
    await fires(5)
    timer.cancel()
    expect(fired).toBe(false)
  })
})
