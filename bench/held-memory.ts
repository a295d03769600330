/**
 * What a call takes while it waits: record, message and future, in the heap of this process.
 * @module
 */
import { createExecutor, defineConfig } from 'errand'
import { type Case, collectGarbage, expectSum, type Measures } from './rounds.ts'
import type { Row } from './table.ts'

const CALLS = 200_000

function add(a: number, b: number): number {
  return a + b
}

async function measure(): Promise<Measures> {
  const config = defineConfig({ name: 'bench-memory' })
  // Workers that ran would empty the queue; what a call takes at the most is what it takes while it waits.
  const executor = createExecutor(config, {
    backend: 'local',
    tasks: { add },
    local: { startWorkers: false },
  })
  // The arguments are the caller's: they are made before, and live on.
  const lists = Array.from({ length: CALLS }, (_, index): [number, number] => [index, 1])
  const first = await executor.map(add, lists.slice(0, 100))
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  const group = await executor.map(add, lists)
  collectGarbage()
  const held = process.memoryUsage().heapUsed - before
  // What was held was worth holding: every call of it can still be run.
  await executor.start()
  await first.results()
  const sums = await group.results()
  for (const [index, [a, b]] of lists.entries()) expectSum(sums[index] ?? Number.NaN, a, b)
  await executor.close()
  return { 'B/call': held / CALLS }
}

/** The case, and what is shown of it. */
export const memoryCase: Case = { name: 'memory', run: measure }

/** What is shown of it. */
export const memoryRows: readonly Row[] = [
  {
    label: `heap a call, ${CALLS.toLocaleString('en')} mapped and held`,
    of: memoryCase.name,
    metric: 'B/call',
    target: { atMost: 2048 },
  },
]
