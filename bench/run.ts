/**
 * `npm run bench`: what a call costs, as ratios to what it would cost at the least.
 *
 * Method
 *
 * - A case is a function that makes calls, checks their results, and says how fast it was. Each of 5 rounds
 *   (`--rounds N`) runs every case once in shuffled order, after a round of warm-up that is thrown away and with a
 *   garbage collection before each case. Machines differ, and slow down while they are watched: a ratio is made of
 *   two figures of the same round, and the median of the rounds' ratios is what the targets are held against.
 * - **Local** (`--only local`): a new executor with a config of nothing but a name for each run, its task
 *   `add(a, b)`. The floor is an honest queue in one process: for each call a UUID, the message through JSON, a
 *   `setImmediate`, the task, the result through JSON, a promise. The targets are held against it as a loop, one
 *   call at a time; beside it stands the floor with as many calls in flight as the case that is compared with it,
 *   which a `setImmediate` that serves a hundred calls a turn makes up to twice as fast.
 * - **Wire** (`--only wire`): our AWS backend against fauxqs and dynalite in a process of their own; submit, worker
 *   and results are in this one. The hand-written side makes the same requests through the same SDK: the same
 *   conditions and items, batches, concurrency, client settings and schedule of polling. Both wait for the same
 *   servers most of the time, so a pair tells little: there are twice as many rounds.
 * - **Worker** (`--only worker`): a process worker beside `sqs-consumer` on the same servers, ten calls at once each. The
 *   calls, with their records, are in the queue before: what is timed is receive, claim, task, final write and delete,
 *   from the start to the last delete. The other side's handler makes the same two writes, and is given tens, which it
 *   runs together and deletes together: its fastest setting, it has no other to poll or run more. Calls that do nothing show
 *   what both compute; calls of 5 to 55 ms, how well both keep ten going. Of no-ops, servers that share the cores take most of
 *   the time, so that the CPU of a call, which is this process's alone, says more. Twice as many rounds, as for the wire.
 * - **Memory** (`--only memory`): the heap after a `map` of 200,000 calls that no worker takes, less the heap
 *   before, with group and futures held; the arguments' own array is in both. It differs by a byte or two: three
 *   rounds at most.
 * - **Cold start** (`--only cold-start`): the worker asset of an app with one task, as the construct bundles it,
 *   beside Powertools' batch and idempotency bundled with esbuild's defaults: each run is a new process that imports
 *   the bundle and handles one record end to end, with two requests to a stub of DynamoDB that takes no time. Node's
 *   own start is not in it. A process has one cold start: there are three times as many rounds.
 * - **Command line** (`--only cli`): `errand --help` as built, beside `node -e 0`, from the start of the process to its end.
 *   There are five times as many rounds, for a process starts in 20 ms.
 * - **Monitor** (`--only monitor`): the overview of an app whose 10,000 calls ended over a day, beside one of 100, by the page
 *   as it is asked for every ten seconds; and of a burst that came within a minute, in the minute after and while it came,
 *   by the page every two seconds. The calls are real ones, on virtual time. While they come each page has hundreds of new
 *   ones to read beside four: no target is held against that.
 *
 * It exits with 0 also where a target is not met: what a shared machine measures is for people to read. It exits
 * with 1 where a case fails, as when a call does not come back with its result.
 * @module
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { coldStartRows, startColdStartCases } from './cold-start.ts'
import { commandLineCases, commandLineRows } from './command-line.ts'
import { memoryCase, memoryRows } from './held-memory.ts'
import { localCases, localRows } from './local-calls.ts'
import { overviewRows, startOverviewCases } from './monitor-overview.ts'
import { type Case, runRounds } from './rounds.ts'
import { type Row, tableOf } from './table.ts'
import { startWireCases, wireQueues, wireRows } from './wire-calls.ts'
import { startWireServers, type Wire } from './wire-servers.ts'
import { startWorkerCases, workerQueues, workerRows } from './worker-calls.ts'

const parts = ['local', 'wire', 'worker', 'memory', 'cold-start', 'cli', 'monitor'] as const
type Part = (typeof parts)[number]

interface Options {
  readonly rounds: number
  readonly chosen: readonly Part[]
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '5' }, only: { type: 'string', multiple: true } },
  })
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds is ${values.rounds}, expected a whole number from 1`)
  }
  const unknown = values.only?.find((name) => !parts.some((part) => part === name))
  if (unknown !== undefined) throw new Error(`--only is ${unknown}, expected one of ${parts.join(', ')}`)
  return { rounds, chosen: parts.filter((part) => values.only?.includes(part) ?? true) }
}

async function runPart(part: Part, rounds: number): Promise<string> {
  if (part === 'local') return tableOf(localRows, await runRounds(localCases(), rounds))
  if (part === 'memory') return tableOf(memoryRows, await runRounds([memoryCase], Math.min(rounds, 3)))
  if (part === 'cli') return tableOf(commandLineRows, await runRounds(commandLineCases, 5 * rounds))
  if (part === 'monitor')
    return tableOf(overviewRows, await runRounds(await startOverviewCases(), 2 * rounds))
  if (part === 'cold-start') {
    const { cases, close } = await startColdStartCases()
    try {
      return tableOf(coldStartRows, await runRounds(cases, 3 * rounds))
    } finally {
      await close()
    }
  }
  return part === 'wire'
    ? runOnWire(wireQueues, startWireCases, wireRows, rounds)
    : runOnWire(workerQueues, startWorkerCases, workerRows, rounds)
}

async function runOnWire(
  queues: Readonly<Record<string, string>>,
  start: (wire: Wire) => { readonly cases: Case[]; close(): Promise<void> },
  rows: readonly Row[],
  rounds: number,
): Promise<string> {
  const servers = await startWireServers(Object.values(queues))
  const { cases, close } = start(servers.wire)
  try {
    return tableOf(rows, await runRounds(cases, 2 * rounds))
  } finally {
    await close()
    await servers.close()
  }
}

const { rounds, chosen } = readOptions()
console.log(`Node ${process.version}, ${availableParallelism()} cores, ${rounds} rounds\n`)
for (const part of chosen) console.log(`${await runPart(part, rounds)}\n`)
