/**
 * The kill soak: workers are killed at random while calls run, and in the end every call is accounted for.
 * @module
 */
import { fileURLToPath } from 'node:url'
import { createExecutor, type Executor } from '../../src/index.ts'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import type { Backend } from '../../src/runtime/backend.ts'
import { delay, systemClock } from '../../src/runtime/clock.ts'
import { type CallRecord, type CallState, isFinal } from '../../src/runtime/record.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { seededFractions } from '../support/seeded-fractions.ts'
import { bundleProgram, type Fleet, startFleet } from '../support/worker-process.ts'
import { config, DEAD_LETTERS, type Ending, endingOf, type Kind, kindOf, QUEUE, tasks } from './soak-app.ts'
import { type SoakWire, startSoakWire } from './soak-wire.ts'

/** What to do. */
export interface SoakOptions {
  readonly calls: number
  readonly kills: number
  readonly workers: number
  readonly seed: number
  /** How long to wait for the last calls once nobody is killed any more, in seconds. */
  readonly patienceSeconds: number
  /** Told how far it is, now and then. */
  readonly onProgress?: (text: string) => void
}

/** The account. */
export interface SoakReport {
  readonly submitted: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  /** Calls that are not final, or have no record. */
  readonly unaccounted: number
  /** Calls that ended otherwise than they must: another state or value, or as what a `cancel` denied. */
  readonly wrong: number
  /** Calls whose record was final and then another. */
  readonly changed: number
  /** Messages left in the queue, and in that of the dead letters. */
  readonly messagesLeft: number
  readonly deadLetters: number
  /** Processes that were killed while they worked. */
  readonly kills: number
  /** Processes that a task ended. */
  readonly exits: number
  /** Attempts of all calls, and those that ended without a word. */
  readonly attempts: number
  readonly killedAttempts: number
  readonly seconds: number
}

interface Submitted {
  readonly kind: Kind
  readonly index: number
  readonly isCancelled: boolean
}

interface Soak {
  readonly options: SoakOptions
  readonly wire: SoakWire
  readonly backend: Backend
  readonly executor: Executor
  readonly fleet: Fleet
  readonly fraction: () => number
  readonly calls: Map<string, Submitted>
  kills: number
}

/** The longest a process lives after the batch that it was chosen by: it dies anywhere between claim and delete. */
const LONGEST_AFTER_BATCH_MS = 50
/** Calls that one batch holds at the most. */
const BATCH_SIZE = 5

/** Runs a soak. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const began = performance.now()
  const program = await bundleProgram(fileURLToPath(new URL('worker.ts', import.meta.url)))
  const wire = await startSoakWire()
  const backend = awsBackend(resolveConfig(config), wire.aws)
  const executor = createExecutor(config, { tasks, backend })
  const fleet = startFleet(program, options.workers, { SOAK_AWS: JSON.stringify(wire.aws) })
  const fraction = seededFractions(options.seed)
  const soak: Soak = { options, wire, backend, executor, fleet, fraction, calls: new Map(), kills: 0 }
  try {
    await submitAndKill(soak)
    options.onProgress?.('nobody is killed any more; waiting for the last calls')
    const endings = await settle(soak)
    const readAll = () => backend.store.read([...soak.calls.keys()], { consistent: true })
    const before = await readAll()
    const left = await emptied(soak)
    await fleet.stop()
    const after = await readAll()
    const seconds = Math.round((performance.now() - began) / 1000)
    return { ...account(soak, after, endings), ...left, changed: countChanged(before, after), seconds }
  } finally {
    await fleet.stop()
    await executor.close()
    await wire.close()
    program.remove()
  }
}

/** Before each kill its share of the calls is submitted: there is work at every one of them. */
async function submitAndKill(soak: Soak): Promise<void> {
  const { options, fleet, fraction } = soak
  const share = options.calls / options.kills
  while (soak.kills < options.kills) {
    // Awaited from before the calls are there, whose batches are at least so many.
    const batches = 1 + Math.floor(fraction() * Math.max(1, Math.floor(share / BATCH_SIZE)))
    const [busy] = await Promise.all([
      fleet.busyAfter(batches),
      submitUpTo(soak, Math.ceil(share * (soak.kills + 1))),
    ])
    await delay(systemClock, fraction() * LONGEST_AFTER_BATCH_MS)
    if (!(await fleet.kill(busy))) continue
    soak.kills += 1
    if (soak.kills % 50 === 0) options.onProgress?.(`${soak.kills} kills, ${soak.calls.size} calls`)
  }
  await submitUpTo(soak, options.calls)
}

async function submitUpTo(soak: Soak, count: number): Promise<void> {
  const { calls, fraction } = soak
  const first = calls.size
  const wanted = Array.from({ length: count - first }, (_, at) => ({
    kind: kindOf(fraction()),
    index: first + at,
  }))
  await Promise.all(wanted.map((call) => submit(soak, call)))
}

async function submit({ executor, calls }: Soak, call: Omit<Submitted, 'isCancelled'>): Promise<void> {
  const future = await executor.submit(tasks[call.kind], call.index)
  const isCancelled = call.kind === 'unwanted' && (await future.cancel())
  calls.set(future.id, { ...call, isCancelled })
}

/** Waits for the end of each call; the endings by id, of those that ended in time. */
async function settle({ executor, calls, options }: Soak): Promise<Map<string, Ending>> {
  const endings = new Map<string, Ending>()
  const wait = { timeoutSeconds: options.patienceSeconds }
  await Promise.all(
    [...calls.keys()].map(async (id) => {
      const outcome = await executor
        .future(id)
        .outcome(wait)
        .catch(() => undefined)
      if (outcome?.state === 'succeeded') endings.set(id, `succeeded: ${JSON.stringify(outcome.value)}`)
      else if (outcome?.state === 'failed') endings.set(id, `failed: ${outcome.reason}`)
      else if (outcome !== undefined) endings.set(id, 'cancelled')
    }),
  )
  return endings
}

const LOOK_MS = 500

/** Waits until the queue is empty: what is left then are messages of calls that have ended. */
async function emptied({
  backend,
  options,
}: Soak): Promise<Pick<SoakReport, 'messagesLeft' | 'deadLetters'>> {
  const until = systemClock.now() + options.patienceSeconds * 1000
  const countIn = async (queue: string) => {
    const { visible, inFlight, delayed } = await backend.queue.counts(queue)
    return visible + inFlight + delayed
  }
  while ((await countIn(QUEUE)) > 0 && systemClock.now() < until) await delay(systemClock, LOOK_MS)
  return { messagesLeft: await countIn(QUEUE), deadLetters: await countIn(DEAD_LETTERS) }
}

type Account = Omit<SoakReport, 'messagesLeft' | 'deadLetters' | 'changed' | 'seconds'>

function account(
  soak: Soak,
  records: readonly (CallRecord | undefined)[],
  endings: ReadonlyMap<string, Ending>,
): Account {
  const { calls, fleet, kills } = soak
  const found = records.filter((record) => record !== undefined)
  const inState = (state: CallState) => found.filter((record) => record.state === state).length
  const [succeeded, failed, cancelled] = [inState('succeeded'), inState('failed'), inState('cancelled')]
  const wrong = [...calls].filter(([id, { kind, index, isCancelled }]) => {
    const ending = endings.get(id)
    return ending !== undefined && ending !== endingOf(kind, index, isCancelled)
  })
  for (const [id, call] of wrong.slice(0, SHOWN))
    soak.options.onProgress?.(`wrong: ${id} ${show(call)} ended ${endings.get(id)}`)
  return {
    submitted: calls.size,
    succeeded,
    failed,
    cancelled,
    unaccounted: calls.size - succeeded - failed - cancelled,
    wrong: wrong.length,
    kills,
    exits: fleet.exits(),
    attempts: found.reduce((sum, { attempts }) => sum + attempts, 0),
    killedAttempts: found.reduce((sum, record) => sum + killedOf(record), 0),
  }
}

const SHOWN = 10

function show(value: unknown): string {
  return JSON.stringify(value).slice(0, 200)
}

/** Attempts that ended without a word; the last of a call that succeeded, or was given up as killed, is none. */
function killedOf({ attempts, failures, state, reason }: CallRecord): number {
  return attempts - failures - (state === 'succeeded' || reason === 'killed' ? 1 : 0)
}

function countChanged(
  before: readonly (CallRecord | undefined)[],
  after: readonly (CallRecord | undefined)[],
): number {
  return before.filter(
    (record, at) =>
      record !== undefined && isFinal(record.state) && JSON.stringify(record) !== JSON.stringify(after[at]),
  ).length
}
