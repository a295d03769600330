import { defineConfig } from 'errand'
import { expect, test } from 'vitest'
import type { Queue } from '../../src/runtime/ports/queue.ts'
import type { Store } from '../../src/runtime/ports/store.ts'
import { processStage, taking } from '../support/process-stage.ts'

// What a process worker asks of AWS: each of these is one request, since no batch is larger than ten.

const CALLS = 500

/** A port whose calls are counted, by method and by how many receipts each was given. */
function counted<Port extends Queue | Store>(port: Port) {
  const sizes: Record<string, number[]> = {}
  const entries = Object.entries(port).map(([name, method]) => {
    const counting = (...args: unknown[]) => {
      sizes[name] ??= []
      sizes[name].push(Array.isArray(args[1]) ? args[1].length : 1)
      return (method as (...args: unknown[]) => unknown)(...args)
    }
    return [name, counting]
  })
  return { port: Object.fromEntries(entries) as Port, sizes }
}

test.each([
  ['of 5 ms', 5],
  ['of 150 ms', 150],
])(
  'short calls %s take two writes, a tenth of a receive and a tenth of a delete each, and nothing else',
  async (_, ms) => {
    const config = defineConfig({ name: 'shop', workers: { main: { concurrency: 10, logLevel: 'error' } } })
    const on = processStage(config, (clock) => ({ work: taking(clock, ms) }))
    await on.submitMany('work', CALLS)
    const [queue, store] = [counted(on.queue), counted(on.store)]
    const worker = await on.start({}, { queue: queue.port, store: store.port })
    while (on.queue.unfinished() > 0) await on.clock.advance({ milliseconds: 100 })
    const { receive = [], delete: deletes = [], ...others } = queue.sizes
    expect(deletes.reduce((sum, size) => sum + size, 0)).toBe(CALLS)
    expect(Math.max(...deletes)).toBe(10)
    // All but the first, whose mean nobody knows yet, and the last.
    expect(deletes.length).toBeLessThanOrEqual(CALLS / 10 + 2)
    // One more waits for what comes next.
    expect(receive.length).toBeLessThanOrEqual(CALLS / 10 + 2)
    expect(others).toEqual({})
    const { update = [], ...reads } = store.sizes
    expect(update).toHaveLength(2 * CALLS)
    // The heartbeat: it comes every 20 s, however many calls run.
    expect(reads).toEqual({ putNotice: [1], notices: [1] })
    await on.clock.runUntil(worker.drain())
  },
)

test('a call that is held takes one renewal of its visibility and one of its lease every 20 s, ten visibilities a request', async () => {
  const config = defineConfig({
    name: 'shop',
    workers: { main: { concurrency: 20, timeoutSeconds: 900, logLevel: 'error' } },
  })
  const on = processStage(config, (clock) => ({ work: taking(clock, 119_000) }))
  await on.submitMany('work', 20)
  const [queue, store] = [counted(on.queue), counted(on.store)]
  const worker = await on.start({}, { queue: queue.port, store: store.port })
  await on.clock.advance({ seconds: 119 })
  await on.clock.runUntil(worker.drain())
  expect(queue.sizes.changeVisibility).toEqual([20, 20, 20, 20, 20])
  // A claim, five renewals and an end each.
  expect(store.sizes.update).toHaveLength(20 * 7)
})
