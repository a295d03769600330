/**
 * The tasks. The executor takes this module whole, so every function it exports is a task: what is none lives in
 * `summary.ts`.
 * @module
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { currentTask } from 'errand'
import { FLIGHT_COUNT } from './flight-count.ts'
import { loadFlights } from './flights.ts'
import { addFlights, emptySummary, type Filter, type Report, reportOf, type Summary } from './summary.ts'

/** One part of a report: the flights in [from, to). A range, so that no data travels in messages. */
export interface Chunk {
  readonly from: number
  readonly to: number
  readonly filter: Filter
  /** How long to rest between steps. The work takes milliseconds; with this, a person can watch it. */
  readonly pauseMs: number
}

/** Progress is a write that AWS bills, so it is reported this often a chunk and not for every flight. */
const STEPS = 8

/** Summarises one chunk, and reports `{ done, total }` on the way. */
export async function summarise({ from, to, filter, pauseMs }: Chunk): Promise<Summary> {
  const flights = await loadFlights()
  const summary = emptySummary(filter)
  const total = to - from
  for (let step = 0; step < STEPS; step++) {
    const begin = from + Math.floor((total * step) / STEPS)
    const end = from + Math.floor((total * (step + 1)) / STEPS)
    await currentTask.progress({ done: begin - from, total })
    addFlights(summary, flights, begin, end)
    await rest(pauseMs)
  }
  return summary
}

/** The report of all flights, made every night by the schedule of the config. */
export async function nightly(): Promise<Report> {
  const filter = { minDistance: 0, maxDistance: 5000 }
  const summary = await summarise({ from: 0, to: FLIGHT_COUNT, filter, pauseMs: 0 })
  return reportOf(filter, [summary])
}

/** Lets the rest of the process run, and ends at once where the call is aborted. */
async function rest(pauseMs: number): Promise<void> {
  const { signal } = currentTask
  await (pauseMs === 0 ? nextTurn(undefined, { signal }) : sleep(pauseMs, undefined, { signal }))
}
