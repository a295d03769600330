/**
 * Tables for a terminal.
 * @module
 */
import { styleText } from 'node:util'
import Table from 'cli-table3'

/** Rows below headings, in columns without borders. */
export function tableText(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  hasColours: boolean,
): string {
  const none = ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left'] as const
  const more = ['bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'] as const
  const chars = Object.fromEntries([...none, ...more].map((name) => [name, '']))
  const table = new Table({
    head: headings.map((heading) =>
      hasColours ? styleText('bold', heading, { validateStream: false }) : heading,
    ),
    chars: { ...chars, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  table.push(...rows.map((row) => [...row]))
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
