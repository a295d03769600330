/**
 * A shop that has been busy for a day: ten thousand calls in every state and of every way to fail, by several queues,
 * workers and tenants, with parents and follow-ups, made by the emulator with its faults on. The same in each run.
 * @module
 */
import {
  createClient,
  createExecutor,
  currentTask,
  defineConfig,
  type Executor,
  NonRetryableError,
  task,
} from 'errand'
import { faultPlan, localBackend, type VirtualClock, virtualClock } from 'errand/local-emulator'
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { seededFractions } from './seeded-fractions.ts'

const config = defineConfig({
  name: 'shop',
  queues: { default: {}, media: {}, mail: {}, billing: {}, imports: {} },
  workers: {
    web: { concurrency: 40, queues: ['default', 'billing'], logLevel: 'error' },
    media: { concurrency: 20, queues: ['media'], memoryMiB: 2048, timeoutSeconds: 120, logLevel: 'error' },
    mailer: { concurrency: 8, queues: ['mail'], logLevel: 'error' },
    importer: { concurrency: 2, batchSize: 1, queues: ['imports'], logLevel: 'error' },
  },
  routes: {
    ...{ 'thumbs.*': 'media', 'video.*': 'media', 'mail.*': 'mail', 'orders.*': 'billing' },
    ...{ 'invoices.*': 'billing', 'imports.*': 'imports' },
  },
  taskOptions: {
    'orders.*': { maxAttempts: 4 },
    'search.*': { keepArguments: true },
    'invoices.*': { timeoutSeconds: 20, maxAttempts: 2 },
  },
})

const LONG_NAME = 'maintenance.rebuildTheMaterializedViewOfCustomerOrdersByRegionAndMonthWithArchivedOnes'

/** An order whose invoice is never done. */
const ENDLESS = 'order-0'

/** Errors of a shop's own, as most apps have them. */
class CardDeclinedError extends NonRetryableError {
  override name = 'CardDeclinedError'
}
class GatewayError extends Error {
  override name = 'GatewayError'
}

/** What tasks are made of. What they do takes virtual time alone. */
interface Means {
  readonly clock: VirtualClock
  readonly chance: () => number
  readonly gateway: { isDown: boolean }
  readonly pause: (seconds: number) => Promise<void>
}

/** Tasks as a shop has them: they return, report, submit, and fail now and then. */
function usualTasks({ clock, chance, gateway, pause }: Means) {
  const send = async (to: string) => {
    await pause(0.08 + chance() / 4)
    if (chance() < 0.01) throw new Error(`452 4.2.2 the mailbox of ${to} is full`)
    return { messageId: `<${Math.round(chance() * 1e9).toString(36)}@shop.example>` }
  }
  const build = async ({ month }: { month: string; region: string }) => {
    for (let done = 0; done <= 8; done++) {
      await currentTask.progress({ done, total: 8, step: done < 6 ? 'reading orders' : 'writing pages' })
      await pause(0.5 + chance() * 3)
    }
    if (chance() < 0.06) {
      const cause = new RangeError(`no orders between ${month}-01 and ${month}-31`, {
        cause: new Error('connect ETIMEDOUT 10.0.3.7:5432'),
      })
      throw new Error(`the report of ${month} cannot be made`, { cause })
    }
    if (chance() < 0.5) await currentTask.submit(send, 'board@shop.example')
    return { month, pages: 14, total: 98_765_432n, made: new Date(clock.now()) }
  }
  const charge = async ({ order }: { order: string; amount: number; card: object }) => {
    await pause(0.1 + chance() / 2)
    if (chance() < (gateway.isDown ? 0.85 : 0.1)) {
      throw new GatewayError('503 from payments.example, token=tok_visible_9', {
        cause: new Error('socket hang up'),
      })
    }
    if (chance() < 0.02) throw new CardDeclinedError(`the card of ${order} was declined: insufficient funds`)
    return { order, paid: true }
  }
  return { mail: { send }, reports: { build }, orders: { charge } }
}

/** Tasks that take long, say much, or fail in ways of their own. */
function oddTasks({ chance, pause }: Means) {
  return {
    thumbs: {
      make: async (key: string) => {
        await pause(0.2 + chance())
        return { key, width: 320, height: 200 }
      },
    },
    video: {
      transcode: async (_key: string) => {
        for (let done = 0; done < 20; done++) {
          await currentTask.progress(done / 20)
          await pause(2 + chance())
        }
        return 'h264'
      },
    },
    invoices: {
      render: async (order: string) => pause(order === ENDLESS || chance() < 0.06 ? 60 : 1 + chance() * 4),
    },
    search: { index: async (sku: string, _fields: object) => pause(0.03 + chance() / 20).then(() => sku) },
    exports: { everything: async () => 'x'.repeat(450_000) },
    imports: { row: async (_row: number) => pause(0.5) },
    alerts: { page: task({ run: async (_error: unknown) => pause(0.2) }) },
    [LONG_NAME]: async () => {
      await pause(3)
      throw new Error(`لا يمكن الوصول إلى ${'شركة-الأمل/'.repeat(4)}${'unbroken'.repeat(30)}`)
    },
  } as const
}

/** Makes the shop; `live` runs its day. */
export function busyShop() {
  const clock = virtualClock(Date.UTC(2026, 9, 5, 9, 30))
  const chance = seededFractions(7)
  const gateway = { isDown: false }
  const pause = (seconds: number) =>
    new Promise<void>((resolve) => clock.setTimer(() => resolve(), Math.round(seconds * 1000)))
  const means = { clock, chance, gateway, pause }
  const tasks = { ...usualTasks(means), ...oddTasks(means) }
  const plan = faultPlan({
    ...{ seed: 7, duplicate: 0.01, delay: 0.01, reorder: 0.02, loseResponse: 0.005, throttle: 0.005 },
    kill: { inTask: 0.002, beforeFinish: 0.001, afterFinish: 0.001 },
  })
  const backend = localBackend(resolveConfig(config), {
    ...{ clock, faults: plan, makeHandler: createWorkerHandler },
    makeDeadLetterHandler: createDeadLetterHandler,
  })
  const executor = createExecutor(config, { tasks, backend })
  backend.attach(internalsOf(executor).app)
  return { executor, backend, tasks, clock, plan, chance, gateway }
}

/** A shop, as `busyShop` makes it. */
export type BusyShop = ReturnType<typeof busyShop>

const tenants = [
  'acme',
  'initech',
  'globex',
  'north.west/retail+b2b',
  'customer-0190163d-8694-739b-aea5-966c26f8ad91',
]

/** Submits some call, as often as such calls are. */
async function submitSome({ executor, tasks, chance }: BusyShop, index: number): Promise<void> {
  const dice = chance()
  const tenant = tenants[Math.floor(chance() * tenants.length)] as string
  if (dice < 0.3) await executor.submit(tasks.thumbs.make, `photos/${index}.jpg`)
  else if (dice < 0.5) await executor.submit(tasks.mail.send, `customer-${index}@example.com`)
  else if (dice < 0.7)
    await executor.submit(tasks.search.index, `sku-${index}`, { title: 'Lamp', price: 49.9 })
  else if (dice < 0.9) {
    const card = { number: '4111 1111 1111 1111', token: `tok_${index}` }
    const charge = { order: `order-${index}`, amount: 4990, card }
    await executor.with({ tenant }).submit(tasks.orders.charge, charge)
  } else if (dice < 0.96) await executor.with({ tenant }).submit(tasks.invoices.render, `order-${index}`)
  else if (dice < 0.99) {
    const month = `2026-${String(1 + (index % 12)).padStart(2, '0')}`
    await executor
      .with({ tenant, then: tasks.mail.send, catch: tasks.alerts.page })
      .submit(tasks.reports.build, { month, region: 'emea' })
  } else await executor.submit(tasks.video.transcode, `clips/${index}.mov`)
}

/** What fails in ways of its own, early in the day: each takes hours to be given up. */
async function submitOdd({ executor, tasks, plan, backend, clock }: BusyShop): Promise<void> {
  await executor.submit(tasks[LONG_NAME])
  await executor.submit(tasks.exports.everything)
  await executor.submit(tasks.invoices.render, ENDLESS)
  // Its worker dies whenever it is to be claimed, until SQS gives up on the message.
  plan.killNext('imports.row', 'beforeClaim', 101)
  await executor.submit(tasks.imports.row, 1)
  plan.killNext('video.transcode', 'inTask', 3)
  await executor.submit(tasks.video.transcode, 'clips/huge.mov')
  // A task that newer code submits and no worker knows.
  type Newer = Executor<{ loyalty: { award: (points: number) => number } }>
  const newer = createClient<Newer>(config, { backend })
  for (const points of [10, 20]) await newer.submit('loyalty.award', points)
  // Codes to log in with, which nobody waits for any more once the mailer is back.
  await executor.queues.pause('mail')
  for (const user of ['ada', 'grace', 'edsger']) {
    await executor.with({ expiresInSeconds: 60 }).submit(tasks.mail.send, `${user}@example.com`)
  }
  await clock.advance({ minutes: 3 })
  await executor.queues.resume('mail')
}

/** What waits, runs, is retried or was cancelled at the end of the day. */
async function submitLast({ executor, tasks, clock, plan }: BusyShop): Promise<void> {
  await executor.queues.pause('imports')
  for (let row = 0; row < 40; row++) await executor.submit(tasks.imports.row, row)
  for (let index = 0; index < 12; index++) {
    await executor
      .with({ delaySeconds: 300 + index * 30 })
      .submit(tasks.mail.send, `later-${index}@example.com`)
    const future = await executor.with({ delaySeconds: 600 }).submit(tasks.search.index, `old-${index}`, {})
    if (index % 2 === 0) await future.cancel()
  }
  const aborted = await executor.submit(tasks.video.transcode, 'clips/wrong.mov')
  for (let index = 0; index < 5; index++)
    await executor.submit(tasks.video.transcode, `clips/live-${index}.mov`)
  await clock.advance({ seconds: 2 })
  await aborted.abort('the customer uploaded another one')
  for (let index = 0; index < 3; index++) {
    await executor.submit(tasks.reports.build, { month: '2026-09', region: 'apac' })
  }
  await clock.advance({ seconds: 7 })
  plan.failNext('orders.charge', new GatewayError('503 from payments.example'), 9)
  for (let index = 0; index < 9; index++) {
    const card = { number: '4111 1111 1111 1111', token: 'tok_9' }
    await executor.submit(tasks.orders.charge, { order: `order-9${index}`, amount: 100, card })
  }
  await clock.advance({ seconds: 2 })
}

/** Has the shop live through a day of `calls` calls, a tenth of them in its last hour. Gives how many there were. */
export async function live(shop: BusyShop, calls: number): Promise<void> {
  const { executor, clock, chance, gateway } = shop
  await executor.start()
  await submitOdd(shop)
  const burst = 6
  const last = Math.round(calls * 0.085)
  for (let index = 0; index < calls; index += burst) {
    for (let each = index; each < Math.min(index + burst, calls); each++) await submitSome(shop, each)
    const isLate = index >= calls - last
    // Shortly before the end the payments fail for a while: what a chart is for.
    gateway.isDown = index > calls - last * 0.6 && index < calls - last * 0.35
    const span = isLate ? 3_600_000 / (last / burst) : (22.5 * 3_600_000) / ((calls - last) / burst)
    await clock.advance({ milliseconds: Math.round(span * 2 * chance()) })
  }
  await submitLast(shop)
}
