import { createExecutor, defineConfig } from 'errand'
import { afterAll, expect, test } from 'vitest'

// A competitor loses completion events when the waiting process is busy; here a result is a record, and the futures
// of a blocked process find it when it comes back.

const add = (a: number, b: number) => a + b
const config = defineConfig({ name: 'flood', workers: { main: { concurrency: 100 } } })
const executor = createExecutor(config, { tasks: { add }, backend: 'local' })

afterAll(() => executor.close())

test('100,000 futures settle, with the event loop blocked for 2 s in the middle (F-45)', async () => {
  const count = 100_000
  const lists = Array.from({ length: count }, (_, index) => [index, 1] as const)
  const group = await executor.map(add, lists)
  let settled = 0
  let blocked = false
  const all = [...group].map(async (future, index) => {
    const value = await future.result()
    expect(value === index + 1).toBe(true)
    settled += 1
    if (settled === count / 2) {
      blocked = true
      const until = performance.now() + 2000
      while (performance.now() < until);
    }
  })
  await Promise.all(all)
  expect([settled, blocked]).toEqual([count, true])
})
