/**
 * A shop whose monitor has something to show: calls of every state, of several tasks, over the last hours.
 * @module
 */
import { createExecutor, currentTask, defineConfig, NonRetryableError } from 'errand'
import { virtualClock } from 'errand/local-emulator'

const config = defineConfig({
  name: 'shop',
  queues: ['low-priority', 'high-priority', 'mail'],
  workers: {
    foo: { concurrency: 40, queues: ['low-priority', 'high-priority'] },
    bar: { concurrency: 20, queues: ['high-priority'] },
    post: { concurrency: 4, queues: ['mail'] },
  },
  routes: { 'mail.*': 'mail', 'thumbs.*': 'high-priority' },
  taskOptions: { 'reports.*': { maxAttempts: 2 }, 'orders.*': { maxAttempts: 3 } },
})

/** Numbers from 0 to 1 that are the same in each run. */
function fractions(): () => number {
  let state = 42
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

/** Makes the shop on virtual time, its workers not started. */
export function monitoredShop() {
  const clock = virtualClock()
  const chance = fractions()
  const pause = (seconds: number) =>
    new Promise<void>((resolve) => clock.setTimer(() => resolve(), Math.round(seconds * 1000)))
  const tasks = {
    reports: {
      build: async (month: string) => {
        for (let done = 0; done <= 4; done++) {
          await currentTask.progress({ done, total: 4 })
          await pause(chance() * 3)
        }
        if (chance() < 0.05) {
          throw new Error('the report cannot be made', { cause: new RangeError(`no data of ${month}`) })
        }
        return { month, rows: 1234, total: 98_765n }
      },
    },
    thumbs: {
      make: async (key: string) => {
        await pause(0.2 + chance())
        return { key, width: 320, height: 200 }
      },
    },
    orders: {
      charge: async ({ order }: { order: string; card: { number: string; token: string } }) => {
        await pause(chance() / 2)
        if (chance() < 0.08) throw new TypeError('the gateway refused: token=tok_visible_9')
        if (chance() < 0.06) throw new NonRetryableError(`the card of ${order} is not known`)
        return { order, paid: true }
      },
    },
    mail: { send: async (_to: string) => pause(0.1 + chance() / 5) },
    slow: async () => pause(240),
  }
  const executor = createExecutor(config, { tasks, backend: 'local', local: { clock, startWorkers: false } })
  /** Submits a call of some task now. */
  const submitSome = async (index: number) => {
    const pick = chance()
    if (pick < 0.3) return executor.submit(tasks.thumbs.make, `photos/${index}.jpg`)
    if (pick < 0.5) return executor.submit(tasks.mail.send, `customer-${index}@example.com`)
    if (pick < 0.6) return executor.submit(tasks.reports.build, `2026-${1 + (index % 12)}`)
    const card = { number: '4111 1111 1111 1111', token: `tok_${index}` }
    return executor.with({ tenant: index % 3 === 0 ? 'acme' : 'initech' }).submit(tasks.orders.charge, {
      order: `order-${index}`,
      card,
    })
  }
  /** Has `calls` submitted over so many minutes, while the workers work. */
  const busy = async (calls: number, minutes: number) => {
    await executor.start()
    for (let index = 0; index < calls; index++) {
      await submitSome(index)
      await clock.advance({ milliseconds: Math.round((minutes * 120_000 * chance()) / calls) })
    }
  }
  return { executor, tasks, clock, busy }
}
