/**
 * `npm run soak`: the kill soak, and with `--wire` the full load of the wire faults.
 * @module
 */
import { parseArgs } from 'node:util'
import { faultsAtRates } from '../support/fault-plan.ts'
import { startFaultyWire } from '../support/faulty-wire.ts'
import { attemptUnderFaults } from '../wire-faults/attempts.ts'
import { FAULT_RATES } from '../wire-faults/fault-rates.ts'
import { submitUnderFaults } from '../wire-faults/submits.ts'
import { changeUnderFaults } from '../wire-faults/transitions.ts'
import { createWriteLog } from '../wire-faults/write-log.ts'
import { runSoak, type WorkerKind } from './soak.ts'

const HELP = `npm run soak -- [options]

Runs calls through worker processes that are killed at random, and accounts for every call.
Prints the account; exits with 1 where it does not come out.

  --calls N      how many calls (10000)
  --kills N      how many kills, at most one for each call (500)
  --workers N    how many worker processes at a time (4)
  --seed N       what the calls do, and when processes are killed (1); ids and timing differ from run to run
  --process-workers
                 workers that are processes, under leases that they renew, instead of Lambda's handlers
  --dynalite     records in dynalite, also where DynamoDB Local can run
  --wire         instead: 10,000 submits and 10,000 conditional writes with 8 % of the answers lost
  --help         this text
`

/** Counts that must be 0. */
const FAULTS = [
  'unaccounted',
  'wrong',
  'changed',
  'wrongFollowUps',
  'messagesLeft',
  'deadLetters',
  'lost',
  'falseConflicts',
  'otherErrors',
  'wrongRecords',
  'strays',
  'falseRefusals',
  'doubleOutcomes',
  'wrongOutcomes',
  'wrongCounts',
  'unfinished',
]

/** Prints an account as a table; whether it comes out. */
function print(title: string, report: object): boolean {
  console.log(`\n${title}`)
  const rows = Object.entries(report) as [string, number][]
  const bad = rows.filter(([name, count]) => FAULTS.includes(name) && count !== 0)
  for (const [name, count] of rows) {
    const verdict = FAULTS.includes(name) ? (count === 0 ? '  ok' : '  MUST BE 0') : ''
    console.log(`  ${name.padEnd(16)}${String(count).padStart(8)}${verdict}`)
  }
  return bad.length === 0
}

async function soakWire(seed: number): Promise<boolean> {
  const log = createWriteLog()
  const wire = await startFaultyWire({
    queues: { default: { VisibilityTimeout: '43200' } },
    onExchange: log.onExchange,
  })
  try {
    const plan = faultsAtRates(seed, FAULT_RATES)
    const attempts = await attemptUnderFaults(wire, log, { calls: 840, plan })
    const changes = await changeUnderFaults(wire, { writes: 10_000 - attempts.writes, plan })
    const submits = await submitUnderFaults(wire, { calls: 10_000, plan })
    const results = [
      print('conditional writes of attempts', attempts),
      print('conditional writes by sole writers', changes),
      print('submits', submits),
    ]
    console.log(`\n${[...wire.sqs.tally.lines(), ...wire.dynamodb.tally.lines()].join('\n')}`)
    return results.every((comesOut) => comesOut)
  } finally {
    await wire.close()
  }
}

/** A whole number of an option. */
function count(name: string, text: string, least: number): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= least) return number
  throw new Error(`--${name} is ${text}, expected a whole number from ${least} on`)
}

async function soakKills(
  values: Readonly<Record<'calls' | 'kills' | 'workers' | 'seed', string>> & { readonly dynalite: boolean },
  kind: WorkerKind,
) {
  const calls = count('calls', values.calls, 1)
  const options = {
    calls,
    kills: Math.min(count('kills', values.kills, 1), calls),
    workers: count('workers', values.workers, 1),
    kind,
    dynalite: values.dynalite,
    seed: count('seed', values.seed, 0),
  }
  const onProgress = (text: string) => console.log(text)
  const report = await runSoak({ ...options, patienceSeconds: 600, onProgress })
  const { submitted, succeeded, failed, cancelled } = report
  const isWhole = submitted === options.calls && submitted === succeeded + failed + cancelled
  const comesOut = print(`kill soak, seed ${options.seed}, ${options.workers} workers (${kind})`, report)
  if (!isWhole) console.log(`  submitted is not succeeded + failed + cancelled`)
  return comesOut && isWhole && report.kills === options.kills
}

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '10000' },
    kills: { type: 'string', default: '500' },
    workers: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
    'process-workers': { type: 'boolean', default: false },
    dynalite: { type: 'boolean', default: false },
    wire: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) console.log(HELP)
else {
  const kind = values['process-workers'] ? 'process' : 'lambda'
  const comesOut = values.wire ? await soakWire(count('seed', values.seed, 0)) : await soakKills(values, kind)
  console.log(comesOut ? '\nevery call is accounted for' : '\nTHE ACCOUNT DOES NOT COME OUT')
  process.exitCode = comesOut ? 0 : 1
}
