/**
 * Runs seeds in several processes, and adds up what they found.
 * @module
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { FaultKind } from './faults.ts'
import type { SeedJob, SeedReport } from './seed-worker.ts'

const worker = fileURLToPath(new URL('./seed-worker.ts', import.meta.url))

/** Runs one job in a process of its own. */
export function runJob(job: SeedJob): Promise<SeedReport> {
  return new Promise((resolve, reject) => {
    let report: SeedReport | undefined
    let complaint = ''
    const execArgv = ['--max-semi-space-size=32', '--disable-warning=ExperimentalWarning']
    const child = fork(worker, [JSON.stringify(job)], { execArgv, silent: true })
    child.stderr?.on('data', (text) => {
      complaint += text
    })
    child.on('message', (message) => {
      report = message as SeedReport
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (code === 0 && report !== undefined) resolve(report)
      else reject(new Error(`a process of the simulation ended (${signal ?? code}): ${complaint.trim()}`))
    })
  })
}

/** Runs a range of seeds in so many processes. */
export async function runRange(job: Omit<SeedJob, 'step'>, processes: number): Promise<SeedReport> {
  const reports = await Promise.all(
    Array.from({ length: processes }, (_, index) =>
      runJob({ ...job, from: job.from + index, step: processes }),
    ),
  )
  return added(reports)
}

/** One report of several. */
function added(reports: readonly SeedReport[]): SeedReport {
  const faults: Partial<Record<FaultKind, number>> = {}
  for (const report of reports) {
    for (const [kind, count] of Object.entries(report.faults) as [FaultKind, number][]) {
      faults[kind] = (faults[kind] ?? 0) + count
    }
  }
  const sum = (count: (report: SeedReport) => number) => reports.reduce((all, one) => all + count(one), 0)
  return {
    seeds: sum(({ seeds }) => seeds),
    calls: sum(({ calls }) => calls),
    events: sum(({ events }) => events),
    faults,
    findings: reports.flatMap(({ findings }) => findings).sort((one, other) => one.seed - other.seed),
    unequal: reports.flatMap(({ unequal }) => unequal),
  }
}

/** Does all, so many at a time; the results are in the order of the items. */
export async function inParallel<T, R>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const index = next++
      results[index] = await work(items[index] as T)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return results
}
