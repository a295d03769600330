/**
 * The simulation's command line: `npm run sim -- --help`.
 * @module
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { modes } from './modes.ts'
import { mutants } from './mutants.ts'
import { inParallel, runJob, runRange } from './run-jobs.ts'
import type { SeedReport } from './seed-worker.ts'
import { applyEdits } from './source-edits.ts'

const help = `Runs the runtime under seeded faults, on virtual time, and checks the contract.

  npm run sim -- --seeds 1..100000      these seeds; what breaks a rule is shrunk and shown
  npm run sim -- --seed 42              one seed, with its trace
  npm run sim -- --replay 200           200 seeds twice each, their traces compared byte for byte
  npm run sim -- --mutants              every mutant until it is found, and the table

  --mode <name>         one safety layer off (default: full)
  --workers <n>         processes (default: one for each processor, at most 2)
  --seeds-each <n>      how far to look for a mutant (default: 50000)
  --mutant <name>       with --seed or --seeds: on the sources of this mutant
  --help

Modes:
${[...modes.values()].map(({ name, what }) => `  ${name.padEnd(24)}${what}`).join('\n')}

Exit code: 0 where every rule holds, 1 where one is broken (or a mutant lives), 2 where the arguments are wrong.
`

class UsageError extends Error {}

function wholeOf(option: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(value) && value >= least && value <= 2 ** 31) return value
  throw new UsageError(
    `--${option} is ${JSON.stringify(text)}, expected a whole number from ${least} to 2^31`,
  )
}

function rangeOf(text: string): { from: number; to: number } {
  const [, first, last] = /^(\d+)\.\.(\d+)$/.exec(text) ?? []
  const from = wholeOf('seeds', first ?? text, 0) as number
  const to = wholeOf('seeds', last ?? text, 0) as number
  if (first === undefined || to < from) {
    throw new UsageError(`--seeds is ${JSON.stringify(text)}, expected a range as in 1..1000`)
  }
  return { from, to }
}

function optionsOf(argv: readonly string[]) {
  try {
    const text = { type: 'string' } as const
    const { values } = parseArgs({
      args: [...argv],
      options: {
        seeds: text,
        seed: text,
        replay: text,
        mode: { type: 'string', default: 'full' },
        workers: text,
        mutant: text,
        mutants: { type: 'boolean', default: false },
        'seeds-each': text,
        help: { type: 'boolean', default: false },
      },
    })
    return values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function summaryOf(report: SeedReport, seconds: number): string {
  const faults = Object.entries(report.faults)
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([kind, count]) => `${kind} ${count}`)
  return [
    `${report.seeds} seeds, ${report.calls} calls, ${report.events} events in ${seconds.toFixed(1)} s: ${report.findings.length} violations`,
    `faults: ${faults.join(', ') || 'none'}`,
  ].join('\n')
}

/** Who breaks more than this has broken one thing. */
const MAX_SHOWN = 20

function showFindings({ findings }: SeedReport): void {
  for (const { seed, checker, what, faults, trace } of findings.slice(0, MAX_SHOWN)) {
    console.log(`\nseed ${seed} breaks ${checker}: ${what}`)
    if (faults === undefined) continue
    console.log(`enough for it: ${faults.join(' ') || 'no fault at all'}\n${trace}`)
  }
}

async function runSeeds(
  range: { from: number; to: number },
  mode: string,
  processes: number,
  mutant?: string,
) {
  const began = performance.now()
  const job = {
    ...range,
    mode,
    stop: false,
    replay: false,
    explain: true,
    ...(mutant !== undefined && { mutant }),
  }
  const report = await runRange(job, Math.min(processes, range.to - range.from + 1))
  showFindings(report)
  console.log(summaryOf(report, (performance.now() - began) / 1000))
  return report.findings.length === 0
}

async function runOne(seed: number, modeName: string, mutantName?: string): Promise<boolean> {
  const mode = modes.get(modeName) as NonNullable<ReturnType<typeof modes.get>>
  applyEdits([...mode.edits, ...(mutants.find(({ name }) => name === mutantName)?.edits ?? [])])
  const { hashOfTrace, traceOf, trySeed } = await import('./run-seed.ts')
  const write = process.stderr.write.bind(process.stderr)
  process.stderr.write = () => true
  const { result, violations } = await trySeed(seed, mode)
  process.stderr.write = write
  const faults = result.faults.join(' ') || 'none'
  console.log(
    `${traceOf(result)}\n\ntrace ${hashOfTrace(result)}, ${result.events} events, faults: ${faults}`,
  )
  for (const { checker, what } of violations) console.log(`breaks ${checker}: ${what}`)
  return violations.length === 0 || runSeeds({ from: seed, to: seed }, modeName, 1, mutantName)
}

async function replay(count: number, mode: string, processes: number): Promise<boolean> {
  const began = performance.now()
  const job = { from: 1, to: count, mode, stop: false, replay: true, explain: false }
  const report = await runRange(job, Math.min(processes, count))
  console.log(summaryOf(report, (performance.now() - began) / 1000))
  console.log(`${count - report.unequal.length} of ${count} replayed to the same bytes`)
  if (report.unequal.length > 0) console.log(`not the same: ${report.unequal.join(' ')}`)
  return report.unequal.length === 0 && report.findings.length === 0
}

async function findMutants(each: number, processes: number): Promise<boolean> {
  const rows = await inParallel(mutants, processes, async ({ name, mode = 'full' }) => {
    const job = { from: 1, to: each, step: 1, mode, mutant: name, stop: true, replay: false, explain: false }
    const { findings, seeds } = await runJob(job)
    const [found] = findings
    const row = `${(found === undefined ? 'LIVES' : String(seeds)).padStart(6)}  ${(found?.checker ?? '').padEnd(26)}${mode.padEnd(24)}${name}`
    console.log(row)
    return { row, found }
  })
  const found = rows.filter((row) => row.found !== undefined).length
  console.log(`\n seeds  found by                  mode                    mutant`)
  for (const { row } of rows) console.log(row)
  console.log(`\n${found} of ${rows.length} mutants found, within ${each} seeds each`)
  return found === rows.length
}

async function main(argv: readonly string[]): Promise<boolean> {
  const options = optionsOf(argv)
  if (options.help) {
    console.log(help)
    return true
  }
  const { mode, mutant } = options
  if (!modes.has(mode)) {
    throw new UsageError(
      `--mode is ${JSON.stringify(mode)}, expected one of: ${[...modes.keys()].join(', ')}`,
    )
  }
  if (mutant !== undefined && !mutants.some(({ name }) => name === mutant)) {
    throw new UsageError(
      `--mutant is ${JSON.stringify(mutant)}, expected one of:\n${mutants.map(({ name }) => name).join('\n')}`,
    )
  }
  const asked = [options.seeds, options.seed, options.replay, options.mutants || undefined]
  if (asked.filter((one) => one !== undefined).length !== 1) {
    throw new UsageError('say one of --seeds, --seed, --replay and --mutants; --help tells what they are')
  }
  const processes = wholeOf('workers', options.workers, 1) ?? Math.min(availableParallelism(), 2)
  if (processes > 64) throw new UsageError(`--workers is ${processes}, expected at most 64`)
  const seed = wholeOf('seed', options.seed, 0)
  if (seed !== undefined) return runOne(seed, mode, mutant)
  const count = wholeOf('replay', options.replay, 1)
  if (count !== undefined) return replay(count, mode, processes)
  if (options.mutants)
    return findMutants(wholeOf('seeds-each', options['seeds-each'], 1) ?? 50_000, processes)
  return runSeeds(rangeOf(options.seeds as string), mode, processes, mutant)
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
