/**
 * The tables of docs/configuration.md, generated from the sources: docstrings and types of the options, the limits, the
 * variables, and `becomes.ts`. The page's comments say what stands where; the text between the tables is written by hand.
 *
 *     npm run docs
 *
 * A new option needs its docstring with a `@default`, and a row in `becomes.ts`; a new interface a comment in the page:
 *
 * - `<!-- options: src/runtime/config/config.ts WorkerOptions -->`: its options (several, with `+` between them, make one table)
 * - `<!-- becomes: WorkerOptions -->`: what they become
 * - `<!-- variables -->`, `<!-- limits: LIMITS -->`: the entries of those constants of `src/runtime/config/config.ts`
 *
 * A test fails where the page is not what this writes.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ENV, LIMITS, PROTOCOL } from '../../src/runtime/config/config.ts'
import { root } from '../support/source-files.ts'
import { BECOMES } from './becomes.ts'
import { type DeclaredOption, entriesOf, optionsOf } from './declared-options.ts'

/** The page. */
export const configurationPage = 'docs/configuration.md'

const config = 'src/runtime/config/config.ts'

const block =
  /^<!-- (?<kind>options|becomes|variables|limits)(?:: (?<what>[^\n]*?))? -->\n[\s\S]*?^<!-- end -->$/gm

/**
 * The page with its tables as the sources have them.
 * @throws Error where an option has no row in `becomes.ts`, a row no option, or a comment names what is not there
 */
export function withTables(text: string): string {
  return text.replaceAll(block, (whole, kind: string, what = '') => {
    const [comment = ''] = whole.split('\n', 1)
    return [comment, '', ...tableOf(kind, what), '', '<!-- end -->'].join('\n')
  })
}

function tableOf(kind: string, what: string): string[] {
  if (kind === 'options') {
    const named = what.split(' + ').map((each) => each.split(' ') as [path: string, name: string])
    return optionTable(named.flatMap(([path, name]) => optionsOf(path, name)))
  }
  if (kind === 'becomes') return becomesTable(what)
  return kind === 'limits' ? limitTable(what) : variableTable()
}

function optionTable(options: readonly DeclaredOption[]): string[] {
  const rows = options.map((option) => [
    `\`${option.name}\``,
    typeOf(option),
    option.isRequired ? 'required' : defaultOf(option),
    sentence(option.meaning),
  ])
  return table(['option', 'type', 'default', 'meaning'], rows)
}

/** Its unit is the end of its name. */
function typeOf({ name, type }: DeclaredOption): string {
  const unit = /(?:Seconds|MiB)$/.exec(name)?.[0]
  return unit === undefined ? `\`${type}\`` : `\`${type}\` of ${unit.replace('S', 's')}`
}

/** A value as code; what else a default is stays text. */
function defaultOf(option: DeclaredOption): string {
  const { name, default: text } = option
  if (text === '') throw new Error(`the docstring of \`${name}\` has no \`@default\`; add one`)
  return text.replace(/^('[^']*'|\[[^\]]*\]|\{\}|\d+|true|false)(?=$|[ :,])/, '`$1`')
}

/** Where interfaces are declared that are not the config's. */
const elsewhere: Readonly<Record<string, string>> = {
  CallOptions: 'src/runtime/submit/call-options.ts',
  CallTimes: 'src/runtime/call/call-times.ts',
}

/** What becomes of each option of an interface. */
function becomesTable(name: string): string[] {
  const rows = BECOMES[name] ?? {}
  const path = elsewhere[name] ?? config
  const options = optionsOf(path, name).map((option) => option.name)
  const missing = options.filter((option) => !Object.hasOwn(rows, option))
  const gone = Object.keys(rows).filter((option) => !options.includes(option))
  if (missing.length > 0 || gone.length > 0) {
    throw new Error(
      `test/docs/becomes.ts, \`${name}\`: add rows for [${missing}], take out those for [${gone}]`,
    )
  }
  const cells = options.map((option) => [`\`${option}\``, ...Object.values(rows[option] ?? {})])
  return table(['option', 'on AWS', 'locally', 'eagerly'], cells)
}

function limitTable(name: string): string[] {
  const values: Readonly<Record<string, Readonly<Record<string, number>>>> = { LIMITS, PROTOCOL }
  const rows = entriesOf(config, name).map((entry) => [
    `\`${entry.name}\``,
    (values[name]?.[entry.name] ?? 0).toLocaleString('en'),
    sentence(entry.meaning),
  ])
  return table(['name', 'value', 'meaning'], rows)
}

function variableTable(): string[] {
  const names: Readonly<Record<string, string>> = ENV
  const rows = entriesOf(config, 'ENV').map(({ name, meaning }) => [`\`${names[name]}\``, sentence(meaning)])
  return table(['variable', 'meaning'], rows)
}

/** As a cell has it: without the full stop of a single sentence. */
function sentence(text: string): string {
  return text.replace(/\.$/, '')
}

/** A table whose columns are aligned, as the formatter would have it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [first = [], ...others] = cells
  return [line(first), line(widths.map((width) => '-'.repeat(width))), ...others.map(line)]
}

/** Writes the page anew. */
export function writeConfigurationPage(): void {
  const path = join(root, configurationPage)
  writeFileSync(path, withTables(readFileSync(path, 'utf8')))
}

if (import.meta.main) writeConfigurationPage()
