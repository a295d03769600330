/**
 * What the monitor's overview takes to be made of ten thousand calls, beside a hundred: that ended within a day, or within
 * a minute.
 * @module
 */
import { createExecutor, defineConfig } from 'errand'
import { type VirtualClock, virtualClock } from 'errand/local-emulator'
import { monitor } from 'errand/monitor'
import { type Case, collectGarbage } from './rounds.ts'
import type { Row } from './table.ts'

/** The calls of a day are submitted in so many lots, evenly. */
const LOTS = 100
const LOT_MINUTES = (23 * 60) / LOTS

/** Pages of a run, each ten seconds after the other, as an open page asks for them on AWS. */
const PAGES = 20

/** In a minute every two seconds, as on a laptop: a burst is young for no longer. */
const MINUTE_PAGES = 30

interface Shop {
  readonly clock: VirtualClock
  submit(calls: number): Promise<void>
  /** Asks for the overview so much later, and gives the milliseconds that it took. */
  page(seconds: number): Promise<number>
  close(): Promise<void>
}

function openShop(name: string): Shop {
  const clock = virtualClock()
  const add = (a: number, b: number) => a + b
  const config = defineConfig({ name, workers: { main: { concurrency: 1000 } } })
  const executor = createExecutor(config, { tasks: { add }, backend: 'local', local: { clock } })
  const app = monitor(executor, { authorize: () => 'read' })
  return {
    clock,
    async submit(calls) {
      await executor.map(
        add,
        Array.from({ length: calls }, (_, index) => [index, 1] as const),
      )
    },
    async page(seconds) {
      await clock.advance({ seconds })
      const began = performance.now()
      const answer = await app.request('http://127.0.0.1/')
      const text = await answer.text()
      const milliseconds = performance.now() - began
      if (answer.status !== 200 || !text.includes('Overview'))
        throw new Error(`the overview answered ${text}`)
      return milliseconds
    },
    close: () => clock.runUntil(executor.close()),
  }
}

async function medianOf(pages: number, page: () => Promise<number>): Promise<number> {
  const times: number[] = []
  for (let index = 0; index < pages; index++) times.push(await page())
  times.sort((one, other) => one - other)
  return times[pages >> 1] ?? 0
}

/** The calls of a day, made once: each run looks at them for a while. */
async function dayCase(calls: number): Promise<Case> {
  const shop = openShop(`overview-${calls}`)
  for (let lot = 0; lot < LOTS; lot++) {
    await shop.submit(calls / LOTS)
    await shop.clock.advance({ minutes: LOT_MINUTES })
  }
  return {
    name: `${calls} of a day`,
    run: async () => ({ 'page ms': await medianOf(PAGES, () => shop.page(10)) }),
  }
}

/** The calls of a minute, made in each run: pages while they come, and in the minute after. */
function minuteCase(calls: number): Case {
  return {
    name: `${calls} of a minute`,
    async run() {
      const shop = openShop(`burst-${calls}`)
      const during = await medianOf(MINUTE_PAGES, async () => {
        await shop.submit(Math.ceil(calls / MINUTE_PAGES))
        return shop.page(2)
      })
      collectGarbage()
      const after = await medianOf(MINUTE_PAGES, () => shop.page(2))
      await shop.close()
      return { 'page ms': after, 'during ms': during }
    },
  }
}

/** The cases, the calls of a day made. */
export async function startOverviewCases(): Promise<Case[]> {
  return [await dayCase(100), await dayCase(10_000), minuteCase(100), minuteCase(10_000)]
}

const few = { day: '100 of a day', minute: '100 of a minute' }
const many = { day: '10000 of a day', minute: '10000 of a minute' }
const target = { atMost: 2 }

/** What is shown of them. */
export const overviewRows: readonly Row[] = [
  { label: 'overview of 100 calls in a day', of: few.day, metric: 'page ms' },
  { label: 'overview of 10,000 calls in a day', of: many.day, metric: 'page ms', floor: few.day, target },
  { label: 'overview after 100 calls in a minute', of: few.minute, metric: 'page ms' },
  {
    label: 'overview after 10,000 calls in a minute',
    ...{ of: many.minute, metric: 'page ms', floor: few.minute, target },
  },
  { label: 'overview while 100 calls come in a minute', of: few.minute, metric: 'during ms' },
  {
    label: 'overview while 10,000 calls come in a minute',
    ...{ of: many.minute, metric: 'during ms', floor: few.minute },
  },
]
