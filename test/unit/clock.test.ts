import { AsyncLocalStorage } from 'node:async_hooks'
import { execFileSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { delay, systemClock } from '../../src/runtime/clock.ts'

function fires(delayMs: number): Promise<void> {
  return delay(systemClock, delayMs)
}

/** What a process of its own prints that runs `body` with the system's clock, and how it ended. */
function inProcess(body: string): string {
  const clock = pathToFileURL('src/runtime/clock.ts').href
  const script = `import { systemClock as clock } from ${JSON.stringify(clock)}\n${body}`
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim()
}

describe('systemClock', () => {
  test('timers fire in order of time, then of setting, whatever order they were set in', async () => {
    const fired: string[] = []
    const note = (name: string, delayMs: number) =>
      new Promise<void>((resolve) => {
        systemClock.setTimer(() => {
          fired.push(name)
          resolve()
        }, delayMs)
      })
    await Promise.all([note('third', 20), note('first', 5), note('second', 10), note('at once', -1)])
    expect(fired).toEqual(['at once', 'first', 'second', 'third'])
  })

  test('a cancelled timer never fires, and stops no other', async () => {
    let fired = 0
    const timer = systemClock.setTimer(() => fired++, 5)
    timer.cancel()
    timer.cancel()
    await fires(15)
    timer.cancel()
    expect(fired).toBe(0)
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
