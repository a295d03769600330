/**
 * What a report of the flights example says, computed apart from the example: all delays at once, sorted.
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support/source-files.ts'

interface Flight {
  readonly delay: number
  readonly distance: number
  readonly time: number
}

const flights: Flight[] = JSON.parse(
  readFileSync(join(root, 'node_modules/vega-datasets/data/flights-200k.json'), 'utf8'),
)

/** The figures once more, the plain way: all delays, sorted. */
function expectedFigures(delays: number[]) {
  const n = delays.length
  if (n === 0) return { flights: 0, meanDelay: null, medianDelay: null, p90Delay: null, lateShare: null }
  const sorted = delays.toSorted((a, b) => a - b)
  const middle = n % 2 === 1 ? sorted.slice((n - 1) / 2, (n + 1) / 2) : sorted.slice(n / 2 - 1, n / 2 + 1)
  return {
    flights: n,
    meanDelay: delays.reduce((sum, delay) => sum + delay, 0) / n,
    medianDelay: middle.reduce((sum, delay) => sum + delay, 0) / middle.length,
    p90Delay: sorted.find((_, index) => 10 * (index + 1) >= 9 * n),
    lateShare: delays.filter((delay) => delay > 15).length / n,
  }
}

/** What is told of some of the flights. */
export type ExpectedFigures = ReturnType<typeof expectedFigures>

/** The report that the example must give for this filter. */
export function expectedReport(minDistance: number, maxDistance: number) {
  const chosen = flights.filter(({ distance }) => distance >= minDistance && distance <= maxDistance)
  const figuresOf = (belongs: (flight: Flight) => boolean) =>
    expectedFigures(chosen.filter(belongs).map(({ delay }) => delay))
  const bands: [number, number | null][] = [
    [0, 250],
    [250, 500],
    [500, 1000],
    [1000, 2000],
    [2000, null],
  ]
  return {
    filter: { minDistance, maxDistance },
    lateAfterMinutes: 15,
    overall: figuresOf(() => true),
    byHour: [...Array(24).keys()].map((hour) => ({
      hour,
      ...figuresOf(({ time }) => time >= hour && time < hour + 1),
    })),
    byDistance: bands.map(([from, to]) => ({
      from,
      to,
      ...figuresOf(({ distance }) => distance >= from && (to === null || distance < to)),
    })),
  }
}
