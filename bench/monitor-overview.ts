/**
 * What the monitor's overview takes to be made where ten thousand calls ended within a day, beside a hundred.
 * @module
 */
import { createExecutor, defineConfig } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { monitor } from 'errand/monitor'
import type { Case } from './rounds.ts'
import type { Row } from './table.ts'

/** The calls of a day are submitted in so many lots, evenly. */
const LOTS = 100
const LOT_MINUTES = (23 * 60) / LOTS

/** Pages of a run, each ten seconds after the other, as an open page asks for them. */
const PAGES = 20

async function startCase(calls: number): Promise<Case> {
  const clock = virtualClock()
  const add = (a: number, b: number) => a + b
  const config = defineConfig({ name: `overview-${calls}`, workers: { main: { concurrency: 1000 } } })
  const executor = createExecutor(config, { tasks: { add }, backend: 'local', local: { clock } })
  for (let lot = 0; lot < LOTS; lot++) {
    const lists = Array.from({ length: calls / LOTS }, (_, index) => [index, 1] as const)
    await executor.map(add, lists)
    await clock.advance({ minutes: LOT_MINUTES })
  }
  const app = monitor(executor, { authorize: () => 'read' })
  return {
    name: `${calls} calls`,
    async run() {
      const times: number[] = []
      for (let page = 0; page < PAGES; page++) {
        await clock.advance({ seconds: 10 })
        const began = performance.now()
        const answer = await app.request('http://127.0.0.1/')
        const text = await answer.text()
        times.push(performance.now() - began)
        if (answer.status !== 200 || !text.includes('Overview'))
          throw new Error(`the overview answered ${text}`)
      }
      times.sort((one, other) => one - other)
      return { 'page ms': times[PAGES / 2] ?? 0 }
    },
  }
}

/** The cases, their calls made. */
export async function startOverviewCases(): Promise<Case[]> {
  return [await startCase(100), await startCase(10_000)]
}

/** What is shown of them. */
export const overviewRows: readonly Row[] = [
  { label: 'overview of 100 calls', of: '100 calls', metric: 'page ms' },
  {
    label: 'overview of 10,000 calls',
    of: '10000 calls',
    metric: 'page ms',
    floor: '100 calls',
    target: { atMost: 2 },
  },
]
