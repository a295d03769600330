/**
 * The table that `npm run bench` prints.
 * @module
 */
import type { Round } from './rounds.ts'

/** What a ratio, or a figure without a floor, should come to. */
export type Target = { readonly atLeast: number } | { readonly atMost: number }

/** One line of the table. */
export interface Row {
  readonly label: string
  /** The case that is shown. */
  readonly of: string
  readonly metric: string
  /** The case that it is divided by, round by round. */
  readonly floor?: string
  /** Of the ratio; of the figure itself where there is no floor. */
  readonly target?: Target
}

const headings = ['case', 'median [min–max]', 'ratio to its floor [min–max]', 'target', ''] as const

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

function shown(values: readonly number[], format: (value: number) => string): string {
  return `${format(medianOf(values))} [${format(Math.min(...values))}–${format(Math.max(...values))}]`
}

const units: Readonly<Record<string, string>> = {
  p50: 'µs',
  p99: 'µs',
  CPU: 'µs',
  'B/call': 'B',
  'import ms': 'ms',
  'first ms': 'ms',
  'both ms': 'ms',
  'CPU ms': 'ms',
  'start ms': 'ms',
}

function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}

function measuresOf(rounds: readonly Round[], name: string, metric: string): number[] {
  return rounds.map((round) => {
    const value = round.get(name)?.[metric]
    if (value === undefined) throw new Error(`the case "${name}" measured no ${metric}`)
    return value
  })
}

function verdict(target: Target, value: number): string {
  const met = 'atLeast' in target ? value >= target.atLeast : value <= target.atMost
  return met ? 'met' : 'NOT MET'
}

function cellsOf(row: Row, rounds: readonly Round[]): string[] {
  const { of, metric, floor, target } = row
  const own = measuresOf(rounds, of, metric)
  const floors = floor === undefined ? undefined : measuresOf(rounds, floor, metric)
  const ratios = floors && own.map((value, round) => value / (floors[round] ?? Number.NaN))
  const judged = medianOf(ratios ?? own)
  return [
    row.label,
    `${shown(own, figure)} ${units[metric] ?? metric}`,
    ratios ? shown(ratios, (ratio) => ratio.toPrecision(3)) : '',
    target ? ('atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`) : '',
    target ? verdict(target, judged) : '',
  ]
}

/** The rows as text, in columns. */
export function tableOf(rows: readonly Row[], rounds: readonly Round[]): string {
  const lines = [[...headings], ...rows.map((row) => cellsOf(row, rounds))]
  const widths = headings.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)))
  return lines
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
