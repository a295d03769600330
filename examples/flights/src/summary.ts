/**
 * The figures of a report. A chunk is summarised as histograms of whole minutes: adding them up is exact in any
 * order, so the report does not depend on how the work was cut, and its medians are those of all flights.
 * @module
 */
import type { Flights } from './flights.ts'

/** Which flights a report is about, in miles, both bounds included. */
export interface Filter {
  readonly minDistance: number
  readonly maxDistance: number
}

/** How many flights had each delay. */
export type Histogram = Map<number, number>

/** What a worker makes of one chunk. */
export interface Summary {
  readonly filter: Filter
  /** By hour of the day. */
  readonly hours: readonly Histogram[]
  /** By distance, as in `DISTANCE_BANDS`. */
  readonly bands: readonly Histogram[]
}

/** The figures of some flights; `null` where there are none. Delays in minutes. */
export interface Figures {
  readonly flights: number
  readonly meanDelay: number | null
  readonly medianDelay: number | null
  /** Nine of ten flights were no later than this. */
  readonly p90Delay: number | null
  /** The part of the flights that were more than `LATE_AFTER_MINUTES` late, 0–1. */
  readonly lateShare: number | null
}

/** A finished report. */
export interface Report {
  readonly filter: Filter
  readonly lateAfterMinutes: number
  readonly overall: Figures
  readonly byHour: readonly (Figures & { readonly hour: number })[]
  readonly byDistance: readonly (Figures & { readonly from: number; readonly to: number | null })[]
}

/** What airlines count as late. */
export const LATE_AFTER_MINUTES = 15

/** Where the bands of distance begin, in miles; each ends where the next begins. */
export const DISTANCE_BANDS = [0, 250, 500, 1000, 2000] as const

const histograms = (count: number): Histogram[] => Array.from({ length: count }, () => new Map())

/** The summary of no flights. */
export function emptySummary(filter: Filter): Summary {
  return { filter, hours: histograms(24), bands: histograms(DISTANCE_BANDS.length) }
}

/** Adds the flights in the range [from, to) that the filter lets through. */
export function addFlights(summary: Summary, flights: Flights, from: number, to: number): void {
  const { minDistance, maxDistance } = summary.filter
  for (let index = from; index < to; index++) {
    const distance = flights.distances[index] as number
    if (distance < minDistance || distance > maxDistance) continue
    const delay = flights.delays[index] as number
    count(summary.hours[flights.hours[index] as number] as Histogram, delay, 1)
    count(summary.bands[bandOf(distance)] as Histogram, delay, 1)
  }
}

function bandOf(distance: number): number {
  return DISTANCE_BANDS.findLastIndex((from) => distance >= from)
}

function count(histogram: Histogram, delay: number, times: number): void {
  histogram.set(delay, (histogram.get(delay) ?? 0) + times)
}

/** The report of all chunks. The order of the summaries, and how many there are, make no difference. */
export function reportOf(filter: Filter, summaries: readonly Summary[]): Report {
  const byHour = Array.from({ length: 24 }, (_, hour) => merged(summaries.map(({ hours }) => hours[hour])))
  const byBand = DISTANCE_BANDS.map((_, band) => merged(summaries.map(({ bands }) => bands[band])))
  return {
    filter,
    lateAfterMinutes: LATE_AFTER_MINUTES,
    overall: figuresOf(merged(byBand)),
    byHour: byHour.map((histogram, hour) => ({ hour, ...figuresOf(histogram) })),
    byDistance: byBand.map((histogram, band) => ({
      from: DISTANCE_BANDS[band] as number,
      to: DISTANCE_BANDS[band + 1] ?? null,
      ...figuresOf(histogram),
    })),
  }
}

function merged(parts: readonly (Histogram | undefined)[]): Histogram {
  const whole: Histogram = new Map()
  for (const part of parts) for (const [delay, times] of part ?? []) count(whole, delay, times)
  return whole
}

function figuresOf(histogram: Histogram): Figures {
  let flights = 0
  let late = 0
  let minutes = 0
  for (const [delay, times] of histogram) {
    flights += times
    minutes += delay * times
    if (delay > LATE_AFTER_MINUTES) late += times
  }
  if (flights === 0) return { flights, meanDelay: null, medianDelay: null, p90Delay: null, lateShare: null }
  const sorted = [...histogram].sort(([a], [b]) => a - b)
  const lower = delayAt(sorted, Math.floor((flights - 1) / 2))
  const upper = delayAt(sorted, Math.floor(flights / 2))
  return {
    flights,
    meanDelay: minutes / flights,
    medianDelay: (lower + upper) / 2,
    p90Delay: delayAt(sorted, Math.ceil((flights * 9) / 10) - 1),
    lateShare: late / flights,
  }
}

/** The delay of the flight at `rank`, counted from 0, were they all put in order. */
function delayAt(sorted: readonly (readonly [delay: number, times: number])[], rank: number): number {
  let passed = 0
  for (const [delay, times] of sorted) {
    passed += times
    if (passed > rank) return delay
  }
  throw new RangeError(`there is no flight at rank ${rank} of ${passed}`)
}
