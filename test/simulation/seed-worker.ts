/**
 * A process that runs seeds: what it is to do comes as JSON in its first argument, what it found goes to its parent.
 * @module
 */
import { setFlagsFromString } from 'node:v8'
import type { FaultKind } from './faults.ts'
import { modes } from './modes.ts'
import { mutants } from './mutants.ts'
import { applyEdits } from './source-edits.ts'

/** What to do. */
export interface SeedJob {
  readonly from: number
  readonly to: number
  /** How many seeds further the next one is, where processes share a range. */
  readonly step: number
  readonly mode: string
  readonly mutant?: string
  /** Stop at the first seed that breaks a rule. */
  readonly stop: boolean
  /** Run each seed twice, and compare the traces. */
  readonly replay: boolean
  /** Shrink what is found, and give its trace. */
  readonly explain: boolean
}

/** A seed that broke a rule. */
export interface Finding {
  readonly seed: number
  readonly checker: string
  readonly what: string
  /** The faults that are enough, where they were looked for. */
  readonly faults?: readonly string[]
  readonly trace?: string
}

/** What came of a job. */
export interface SeedReport {
  readonly seeds: number
  readonly calls: number
  readonly events: number
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  readonly findings: readonly Finding[]
  /** Seeds whose two traces differed. */
  readonly unequal: readonly number[]
}

async function work(job: SeedJob): Promise<SeedReport> {
  // Sources are edited as they are loaded: what loads them comes after.
  const mode = modes.get(job.mode)
  if (mode === undefined) throw new Error(`no mode ${JSON.stringify(job.mode)}`)
  const mutant = mutants.find(({ name }) => name === job.mutant)
  if (mutant === undefined && job.mutant !== undefined)
    throw new Error(`no mutant ${JSON.stringify(job.mutant)}`)
  applyEdits([...mode.edits, ...(mutant?.edits ?? [])])
  const { hashOfTrace, runSeed, traceOf, trySeed } = await import('./run-seed.ts')
  const { shrinkFaults } = await import('./shrink.ts')
  const faults: Partial<Record<FaultKind, number>> = {}
  const findings: Finding[] = []
  const unequal: number[] = []
  let [seeds, calls, events] = [0, 0, 0]
  for (let seed = job.from; seed <= job.to; seed += job.step) {
    const { result, violations } = await trySeed(seed, mode)
    seeds++
    calls += result.plan.calls.length
    events += result.events
    for (const name of result.faults) {
      const kind = name.slice(0, name.indexOf('#')) as FaultKind
      faults[kind] = (faults[kind] ?? 0) + 1
    }
    if (job.replay && hashOfTrace(result) !== hashOfTrace(await runSeed(seed, mode))) unequal.push(seed)
    const [first] = violations
    if (first === undefined) continue
    const { checker, what } = first
    let finding: Finding = { seed, checker, what }
    if (job.explain && findings.length < 3) {
      const breaks = async (only: ReadonlySet<string>) =>
        (await trySeed(seed, mode, only)).violations.some((violation) => violation.checker === checker)
      const shrunk = await shrinkFaults(result.faults, breaks)
      const again = await trySeed(seed, mode, new Set(shrunk))
      finding = { ...finding, faults: shrunk, trace: traceOf(again.result) }
    }
    findings.push(finding)
    if (job.stop) break
  }
  return { seeds, calls, events, faults, findings, unequal }
}

// Much is made and little kept: a larger nursery halves the time of the collector.
setFlagsFromString('--semi-space-growth-factor=4')
const { argv, stderr } = process
const complain = stderr.write.bind(stderr)
// The workers' logs are no news here.
stderr.write = () => true
try {
  const report = await work(JSON.parse(argv[2] as string))
  process.send?.(report)
} catch (error) {
  complain(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 2
}
process.disconnect?.()
