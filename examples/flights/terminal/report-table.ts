/**
 * A report as lines of text.
 * @module
 */
import type { Figures, Report } from '../src/summary.ts'

const whole = new Intl.NumberFormat('en-US')
const shown = (value: number | null, digits: number) => (value === null ? '-' : value.toFixed(digits))

const columns: readonly (readonly [title: string, textOf: (figures: Figures) => string])[] = [
  ['flights', ({ flights }) => whole.format(flights)],
  ['late', ({ lateShare }) => (lateShare === null ? '-' : `${(lateShare * 100).toFixed(1)}%`)],
  ['mean', ({ meanDelay }) => shown(meanDelay, 1)],
  ['median', ({ medianDelay }) => shown(medianDelay, 1)],
  ['p90', ({ p90Delay }) => shown(p90Delay, 0)],
]

/** The report as two tables, and what its columns mean. */
export function reportLines(report: Report): string[] {
  const { overall, byDistance, byHour, filter, lateAfterMinutes } = report
  const hourRows = byHour.map((row) => [`${String(row.hour).padStart(2, '0')}:00`, row] as const)
  const distanceRows = byDistance.map((row) => [bandOf(row.from, row.to), row] as const)
  return [
    `Delays of flights of ${whole.format(filter.minDistance)} to ${whole.format(filter.maxDistance)} miles`,
    '',
    ...tableOf('hour', hourRows),
    '',
    ...tableOf('miles', [...distanceRows, ['all', overall]]),
    '',
    `Delays in minutes; late: over ${lateAfterMinutes}; p90: nine of ten flights were no later.`,
  ]
}

function bandOf(from: number, to: number | null): string {
  return to === null ? `${whole.format(from)}+` : `${whole.format(from)}-${whole.format(to - 1)}`
}

function tableOf(title: string, rows: readonly (readonly [label: string, figures: Figures])[]): string[] {
  const cells = [
    [title, ...columns.map(([name]) => name)],
    ...rows.map(([label, figures]) => [label, ...columns.map(([, textOf]) => textOf(figures))]),
  ]
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0))) ?? []
  const lines = cells.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  )
  return [lines[0] ?? '', '-'.repeat(lines[0]?.length ?? 0), ...lines.slice(1)]
}
