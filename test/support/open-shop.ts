/**
 * A small app for the tests of web routes: tasks that a test lets go on step by step, on a clock that stands still.
 * @module
 */
import { createExecutor, currentTask, defineConfig } from 'errand'
import { virtualClock } from 'errand/local-emulator'

let shops = 0

/** Makes an executor with its own clock, and the tasks that tests of routes ask for. */
export function openShop() {
  const clock = virtualClock()
  const gates = new Map<string, PromiseWithResolvers<unknown>>()
  const gateOf = (name: string) => {
    const gate = gates.get(name) ?? Promise.withResolvers<unknown>()
    gates.set(name, gate)
    return gate
  }
  const tasks = {
    add: (a: number, b: number) => a + b,
    dates: () => ({ at: new Date(0), big: 10n, tags: new Set(['a']), by: new Map([[1, 'one']]) }),
    /** Gives back what it was given. */
    echo: (value: unknown) => value,
    cycle: () => {
      const value: { self?: unknown } = {}
      value.self = value
      return value
    },
    fail: (): string => {
      throw new Error('arn:aws:iam::123456789012:role/secret')
    },
    /** Runs until the test opens its gate; `step` reports what the test says. */
    wait: async (name: string) => {
      await currentTask.progress({ done: 1, total: 4 })
      const { promise } = gateOf(name)
      const aborted = new Promise((_, reject) => {
        currentTask.signal.addEventListener('abort', () => reject(currentTask.signal.reason))
      })
      return Promise.race([promise, aborted])
    },
  }
  shops += 1
  const executor = createExecutor(
    defineConfig({
      name: `web-${shops}`,
      workers: { slow: { timeoutSeconds: 600 } },
      taskOptions: { '*': { maxAttempts: 1 } },
    }),
    { tasks, local: { clock } },
  )
  return { clock, executor, tasks, open: (name: string, value: unknown) => gateOf(name).resolve(value) }
}
