/**
 * The data: 200,000 flights within the US, of the npm package `vega-datasets`, ordered by the time of day.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { dataFile } from './files.ts'
import { FLIGHT_COUNT } from './flight-count.ts'

/** Column by column: 1 MB instead of the 20 MB that 200,000 objects take. */
export interface Flights {
  /** Minutes late; negative where it was early. */
  readonly delays: Int16Array
  /** Miles. */
  readonly distances: Int16Array
  /** The hour of the day, 0–23. */
  readonly hours: Uint8Array
}

interface Row {
  readonly delay: number
  readonly distance: number
  /** The time of day in hours, as 13.25. */
  readonly time: number
}

let loading: Promise<Flights> | undefined

/** The flights, read once per process: all chunks that a worker runs share them. */
export function loadFlights(): Promise<Flights> {
  loading ??= readFlights().catch((error: unknown) => {
    // The next attempt reads again, instead of failing by what this one remembers.
    loading = undefined
    throw error
  })
  return loading
}

async function readFlights(): Promise<Flights> {
  const text = await readFile(dataFile(), 'utf8')
  const rows = JSON.parse(text) as readonly Row[]
  if (rows.length !== FLIGHT_COUNT) {
    throw new Error(`the data has ${rows.length} flights, expected ${FLIGHT_COUNT}: another version of it?`)
  }
  return {
    delays: Int16Array.from(rows, (row) => row.delay),
    distances: Int16Array.from(rows, (row) => row.distance),
    hours: Uint8Array.from(rows, (row) => Math.floor(row.time)),
  }
}
