/**
 * The kill soak: workers are killed at random while calls run, and in the end every call is accounted for.
 * @module
 */
import { fileURLToPath } from 'node:url'
import {
  type CallOptions,
  createExecutor,
  type Executor,
  type Future,
  type Outcome,
  SubmitUncertainError,
} from '../../src/index.ts'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { type CallRecord, type CallState, isFinal } from '../../src/runtime/call/record.ts'
import { delay, systemClock } from '../../src/runtime/clock.ts'
import { deadLettersOf } from '../../src/runtime/config/dead-letter-names.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { seededFractions } from '../support/seeded-fractions.ts'
import { bundleProgram, type Fleet, startFleet } from '../support/worker-process.ts'
import {
  config,
  DOOMED,
  type Ending,
  endingOf,
  followUpOf,
  followUps,
  type Kind,
  kindOf,
  QUEUE,
  succeededWith,
  tasks,
} from './soak-app.ts'
import { type SoakWire, startSoakWire } from './soak-wire.ts'

/** What workers are: processes that run Lambda's handlers, or process workers. */
export type WorkerKind = 'lambda' | 'process'

/** The program of a worker, and how many calls it says that it is busy with at once, at the most. */
const programs: Readonly<Record<WorkerKind, { readonly file: string; readonly batchSize: number }>> = {
  lambda: { file: 'worker.ts', batchSize: 5 },
  process: { file: 'process-worker.ts', batchSize: 1 },
}

/** What to do. */
export interface SoakOptions {
  readonly calls: number
  readonly kills: number
  readonly workers: number
  /** What the workers are. */
  readonly kind: WorkerKind
  readonly seed: number
  /** How long to wait for the last calls once nobody is killed any more, in seconds. */
  readonly patienceSeconds: number
  /** Whether the records are in dynalite. @default false: in DynamoDB Local, where Java is there */
  readonly dynalite?: boolean
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
  /** Calls that did not end as they must: another state or value, or otherwise than `cancel` said. */
  readonly wrong: number
  /** Calls whose record was final and then another. */
  readonly changed: number
  /** Calls that followed others and ended as they must, and those that are missing or ended otherwise. */
  readonly followUps: number
  readonly wrongFollowUps: number
  /** Messages left in the queues, and in those of the dead letters. */
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

/** Runs a soak. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const began = performance.now()
  const program = await bundleProgram(fileURLToPath(new URL(programs[options.kind].file, import.meta.url)))
  const wire = await startSoakWire(options)
  const backend = awsBackend(resolveConfig(config), wire.aws)
  const executor = createExecutor(config, { tasks: { ...tasks, ...followUps }, backend })
  const fleet = startFleet(program, options.workers, {
    SOAK_AWS: JSON.stringify(wire.aws),
    SOAK_SINCE_MS: String(systemClock.now()),
  })
  const fraction = seededFractions(options.seed)
  const soak: Soak = { options, wire, backend, executor, fleet, fraction, calls: new Map(), kills: 0 }
  try {
    await submitAndKill(soak)
    options.onProgress?.('nobody is killed any more; waiting for the last calls')
    const endings = await settle(soak, soak.calls.keys())
    const before = await readAll(soak)
    const left = { ...(await emptied(soak)), ...(await followed(soak)) }
    await fleet.stop()
    const after = await readAll(soak)
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
  const { batchSize } = programs[options.kind]
  while (soak.kills < options.kills) {
    // Awaited from before the calls are there, whose batches are at least so many.
    const batches = 1 + Math.floor(fraction() * Math.max(1, Math.floor(share / batchSize)))
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

async function submit(soak: Soak, call: Omit<Submitted, 'isCancelled'>): Promise<void> {
  const { backend, calls } = soak
  const { kind } = call
  const future = await submitForSure(soak, call, optionsOf(kind))
  const isCancelled = kind === 'unwanted' && (await untilAnswered(() => future.cancel()))
  calls.set(future.id, { ...call, isCancelled })
  if (kind === 'doomed') await receiveInVain(backend)
}

/** On a machine this busy an answer may come too late: then it submits again, under the same id. */
async function submitForSure(
  soak: Soak,
  call: Omit<Submitted, 'isCancelled'>,
  options: CallOptions,
): Promise<Future<unknown>> {
  try {
    return await soak.executor.with(options).submit(tasks[call.kind], call.index)
  } catch (error) {
    const id = SubmitUncertainError.is(error) ? error.ids[0] : undefined
    if (id === undefined) throw error
    return submitForSure(soak, call, { ...options, id })
  }
}

function optionsOf(kind: Kind): CallOptions {
  if (kind === 'followed') return { then: followUps.note }
  return kind === 'bad' ? { catch: followUps.note } : {}
}

/** Receives what the doomed queue holds without doing anything, until SQS has given up on it. */
async function receiveInVain({ queue }: Backend): Promise<void> {
  const receive = () => untilAnswered(() => queue.receive(DOOMED, { maxMessages: 10, waitSeconds: 0 }))
  while ((await receive()).length > 0);
}

/** Asks again where an answer comes too late; only for what may be asked twice. */
async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch {
      await delay(systemClock, LOOK_MS)
    }
  }
}

/** Waits for the end of each call; the endings by id, of those that ended in time. */
async function settle(soak: Soak, ids: Iterable<string>): Promise<Map<string, Ending>> {
  const endings = new Map<string, Ending>()
  const until = systemClock.now() + soak.options.patienceSeconds * 1000
  const settleOne = async (id: string) => {
    while (!endings.has(id) && systemClock.now() < until) {
      try {
        const timeoutSeconds = (until - systemClock.now()) / 1000
        endings.set(id, describe(await soak.executor.future(id).outcome({ timeoutSeconds })))
      } catch {
        // A read that fails on a machine this busy; a call that has no record stays without an ending.
        await delay(systemClock, LOOK_MS)
      }
    }
  }
  await Promise.all(Array.from(ids, settleOne))
  return endings
}

function describe(outcome: Outcome<unknown>): Ending {
  if (outcome.state === 'succeeded') return succeededWith(outcome.value)
  return outcome.state === 'failed' ? `failed: ${outcome.reason}` : 'cancelled'
}

const READ_AT_ONCE = 500

async function readAll({ backend, calls }: Soak): Promise<readonly (CallRecord | undefined)[]> {
  const ids = [...calls.keys()]
  const records: (CallRecord | undefined)[] = []
  while (records.length < ids.length) {
    const some = ids.slice(records.length, records.length + READ_AT_ONCE)
    records.push(...(await untilAnswered(() => backend.store.read(some, { consistent: true }))))
  }
  return records
}

const LOOK_MS = 500

/** Waits until the queues are empty: what they hold then are messages of calls that have ended. */
async function emptied({
  backend,
  options,
}: Soak): Promise<Pick<SoakReport, 'messagesLeft' | 'deadLetters'>> {
  const until = systemClock.now() + options.patienceSeconds * 1000
  const countIn = async (queues: readonly string[]) => {
    const counts = await Promise.all(queues.map((queue) => untilAnswered(() => backend.queue.counts(queue))))
    return counts.reduce((sum, { visible, inFlight, delayed }) => sum + visible + inFlight + delayed, 0)
  }
  const queues = [QUEUE, DOOMED]
  const deadLetters = queues.map(deadLettersOf)
  while ((await countIn([...queues, ...deadLetters])) > 0 && systemClock.now() < until) {
    await delay(systemClock, LOOK_MS)
  }
  return { messagesLeft: await countIn(queues), deadLetters: await countIn(deadLetters) }
}

/** Of the calls that must follow others, how many ended as they must, and how many did not. */
async function followed(soak: Soak): Promise<Pick<SoakReport, 'followUps' | 'wrongFollowUps'>> {
  const wanted = [...soak.calls].flatMap(([id, { kind, index }]) => followUpOf(id, kind, index) ?? [])
  const endings = await settle(
    soak,
    wanted.map(({ id }) => id),
  )
  const right = wanted.filter(({ id, ending }) => endings.get(id) === ending).length
  return { followUps: right, wrongFollowUps: wanted.length - right }
}

type Account = Omit<
  SoakReport,
  'messagesLeft' | 'deadLetters' | 'changed' | 'seconds' | 'followUps' | 'wrongFollowUps'
>

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
    return endings.get(id) !== endingOf(kind, index, isCancelled)
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
