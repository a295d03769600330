/**
 * Calls through the backends of this process, codec, queue, record and worker included.
 * @module
 */
import { createExecutor, defineConfig, type Executor } from 'errand'
import { floorAtOnce, floorLatency, floorName, floorRate } from './queue-floor.ts'
import { type Case, expectSum, keepInFlight, latencyOf, type Measures, rateOf } from './rounds.ts'
import type { Row } from './table.ts'

const MAPPED = 10_000
const SUBMITTED = 10_000
const IN_FLIGHT = 100
const ONE_BY_ONE = 3000

/** Defaults throughout: what users get who set nothing. */
const config = defineConfig({ name: 'bench' })

function add(a: number, b: number): number {
  return a + b
}

/** A new executor for each run: records of earlier runs would make the collector's work, not the calls', grow. */
async function withExecutor(
  backend: 'local' | 'eager',
  measure: (executor: Executor) => Promise<Measures>,
): Promise<Measures> {
  const executor = createExecutor(config, { backend, tasks: { add } })
  try {
    // Opens the backend, and starts the workers of a local one.
    await (await executor.submit(add, 1, 1)).result()
    return await measure(executor)
  } finally {
    await executor.close()
  }
}

async function submitOne(executor: Executor, index: number): Promise<void> {
  const future = await executor.submit(add, index, 1)
  expectSum(await future.result(), index, 1)
}

async function mapAll(executor: Executor, lists: readonly [number, number][]): Promise<void> {
  const group = await executor.map(add, lists)
  const sums = await group.results()
  if (sums.length !== lists.length) throw new Error(`${sums.length} results of ${lists.length} calls`)
  for (const [index, sum] of sums.entries()) expectSum(sum, index, 1)
}

function submitting(name: string, backend: 'local' | 'eager'): Case {
  const submitAll = (executor: Executor) =>
    keepInFlight(SUBMITTED, IN_FLIGHT, (index) => submitOne(executor, index))
  return {
    name,
    run: () => withExecutor(backend, (executor) => rateOf(SUBMITTED, () => submitAll(executor))),
  }
}

function mapping(): Case {
  const lists = Array.from({ length: MAPPED }, (_, index): [number, number] => [index, 1])
  return {
    name: 'map',
    run: () => withExecutor('local', (executor) => rateOf(MAPPED, () => mapAll(executor, lists))),
  }
}

function single(): Case {
  return {
    name: 'single call',
    run: () =>
      withExecutor('local', (executor) => latencyOf(ONE_BY_ONE, (index) => submitOne(executor, index))),
  }
}

/** The cases of this process, their floors among them. */
export function localCases(): Case[] {
  return [
    floorAtOnce(MAPPED, 5),
    floorRate(5 * SUBMITTED, IN_FLIGHT),
    floorLatency(5 * ONE_BY_ONE),
    mapping(),
    submitting('submit', 'local'),
    submitting('eager', 'eager'),
    single(),
  ]
}

/** What is shown of them: each rate against the loop, and against the floor with as many calls in flight. */
export const localRows: readonly Row[] = [
  { label: 'floor, a loop', of: floorName(1), metric: 'calls/s' },
  { label: `floor, ${IN_FLIGHT} in flight`, of: floorName(IN_FLIGHT), metric: 'calls/s' },
  { label: `floor, all ${MAPPED} at once`, of: floorName(MAPPED), metric: 'calls/s' },
  ...againstBoth(`local map, ${MAPPED} calls`, 'map', floorName(MAPPED), { atLeast: 0.12 }),
  ...againstBoth(`local submit, ${IN_FLIGHT} in flight`, 'submit', floorName(IN_FLIGHT)),
  ...againstBoth(`eager, ${IN_FLIGHT} in flight`, 'eager', floorName(IN_FLIGHT), { atLeast: 0.25 }),
  { label: 'floor, a loop, p50', of: floorName(1), metric: 'p50' },
  { label: 'floor, a loop, p99', of: floorName(1), metric: 'p99' },
  {
    label: 'local, one at a time, p50',
    of: 'single call',
    metric: 'p50',
    floor: floorName(1),
    target: { atMost: 10 },
  },
  { label: 'local, one at a time, p99', of: 'single call', metric: 'p99', floor: floorName(1) },
]

function againstBoth(label: string, of: string, pipelined: string, target?: Row['target']): Row[] {
  const metric = 'calls/s'
  return [
    { label: `${label} / loop`, of, metric, floor: floorName(1), ...(target && { target }) },
    { label: `${label} / same in flight`, of, metric, floor: pipelined },
  ]
}
