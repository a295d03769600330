/**
 * Attempts under faults: the worker's handler on received messages, its queue and its table behind proxies, until the
 * queue is empty. What it did is then held against what the database says that it did.
 * @module
 */
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { createExecutor, currentTask, defineConfig } from '../../src/index.ts'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import type { CallRecord, CallState } from '../../src/runtime/call/record.ts'
import { LeaseLostError } from '../../src/runtime/errors.ts'
import { type Executor, internalsOf } from '../../src/runtime/executor.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { type FaultPlan, noFaults } from '../support/fault-plan.ts'
import type { FaultyWire } from '../support/faulty-wire.ts'
import { shiftedClock } from '../support/shifted-clock.ts'
import { drain } from './drain.ts'
import { readRecords } from './read-records.ts'
import type { WriteLog } from './write-log.ts'

/** The account. */
export interface AttemptReport {
  readonly calls: number
  /** Writes that the database made for the workers and for who cancelled. */
  readonly writes: number
  readonly echoes: number
  /** Owners that were refused their own write: a claim that was answered and not run, an end that was not acknowledged. */
  readonly falseRefusals: number
  /** Calls whose record became final more than once, or changed after it was. */
  readonly doubleOutcomes: number
  /** Calls that ended in a state, or with a result, that is not theirs. */
  readonly wrongOutcomes: number
  /** Records whose attempts are not the number of claims that were written. */
  readonly wrongCounts: number
  /** Calls that are not final though the queue is empty. */
  readonly unfinished: number
  /** How often a function ran: more than once a call where an attempt was retried, or never heard of its claim. */
  readonly runs: number
}

const MAX_TRIES = 20

const config = defineConfig({
  name: 'attempts',
  queues: ['default'],
  listing: false,
  workers: { main: { logLevel: 'error' } },
})

interface Ran {
  readonly id: string
  readonly attempt: number
}

interface Stage {
  readonly past: Backend
  readonly log: WriteLog
  readonly ran: Ran[]
  /** Times a function was told that it lost its lease, which nobody took. */
  leaseLosses: number
  /** Calls in an invocation that were not final when it began. */
  readonly open: Set<string>
  unacknowledged: number
  readonly kindOf: Map<string, Kind>
}

/** What the calls do, and how each must end. */
const kinds = {
  quick: 'succeeded',
  chatty: 'succeeded',
  large: 'succeeded',
  flaky: 'succeeded',
  bad: 'failed',
  stopped: 'cancelled',
  unwanted: 'cancelled',
} as const satisfies Record<string, CallState>
type Kind = keyof typeof kinds

function tasksOn(stage: Stage, abort: (id: string) => Promise<boolean>) {
  const run = () => {
    const { id, attempt } = currentTask
    stage.ran.push({ id, attempt })
    return { id, attempt }
  }
  const report = async (value: unknown) => {
    await currentTask.progress(value).catch((error: unknown) => {
      if (LeaseLostError.is(error)) stage.leaseLosses += 1
    })
  }
  return {
    quick: async () => run(),
    chatty: async () => {
      const made = run()
      for (const step of [1, 2]) await report({ step })
      return made
    },
    large: async () => ({ ...run(), padding: 'x'.repeat(6000) }),
    flaky: async () => {
      const made = run()
      if (currentTask.attempt < 3) throw new Error('not yet')
      return made
    },
    bad: async () => {
      run()
      throw new Error('never')
    },
    stopped: async () => {
      run()
      await insist(() => abort(currentTask.id))
      // Its progress tells the attempt of the mark.
      for (let tries = 0; tries < MAX_TRIES && !currentTask.signal.aborted; tries++) await report(tries)
      currentTask.signal.throwIfAborted()
    },
    unwanted: async () => run(),
  } satisfies Record<Kind, () => Promise<unknown>>
}

async function insist<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run()
    } catch (error) {
      if (tries === MAX_TRIES) throw error
    }
  }
}

/** Submits calls past the proxies, cancels some through them, and works until none is left. */
export async function attemptUnderFaults(
  wire: FaultyWire,
  log: WriteLog,
  { calls, plan }: { readonly calls: number; readonly plan: FaultPlan },
): Promise<AttemptReport> {
  const clock = shiftedClock()
  const resolved = resolveConfig(config)
  const through = awsBackend(resolved, { ...wire.faulty, clock })
  const past = awsBackend(resolved, { ...wire.direct, clock })
  const stage: Stage = {
    past,
    log,
    ran: [],
    leaseLosses: 0,
    open: new Set(),
    unacknowledged: 0,
    kindOf: new Map(),
  }
  const tasks = tasksOn(stage, (id) => worker.future(id).abort('enough'))
  const worker = createExecutor(config, { backend: through, tasks })
  const sender = createExecutor(config, { backend: past, tasks })
  try {
    for (const kind of Object.keys(kinds) as Kind[]) {
      const share = Math.ceil(calls / Object.keys(kinds).length)
      const group = await sender.map(
        tasks[kind],
        Array.from({ length: share }, () => [] as []),
      )
      for (const { id } of group) stage.kindOf.set(id, kind)
    }
    wire.setPlan(plan)
    const unwanted = [...stage.kindOf].filter(([, kind]) => kind === 'unwanted').map(([id]) => id)
    const taken = await Promise.all(unwanted.map((id) => insist(() => worker.future(id).cancel())))
    const uncancelled = taken.filter((isCancelled) => !isCancelled).length
    await drain({
      past: past.queue,
      through: through.queue,
      handler: createWorkerHandler(internalsOf(worker).app, through, 'main'),
      clock,
      onInvoking: (ids) => {
        for (const id of ids) if (!log.finals.has(id)) stage.open.add(id)
      },
      onInvoked: ({ id, isAcknowledged }) => {
        // Its end was written in this invocation, and the attempt that wrote it was not told so.
        if (!isAcknowledged && stage.open.has(id) && log.finals.has(id)) stage.unacknowledged += 1
        stage.open.delete(id)
      },
    })
    wire.setPlan(noFaults)
    return await audit(stage, sender, uncancelled)
  } finally {
    await Promise.all([worker.close(), sender.close()])
  }
}

async function audit(stage: Stage, sender: Executor, uncancelled: number): Promise<AttemptReport> {
  const { log, kindOf, ran } = stage
  const ids = [...kindOf.keys()]
  const runs = Map.groupBy(ran, ({ id, attempt }) => `${id} ${attempt}`)
  const claims = [...log.claims.values()].filter(({ id }) => kindOf.has(id))
  const claimsOf = Map.groupBy(claims, ({ id }) => id)
  const unrun = claims.filter(
    ({ id, attempt, isHeard }) => isHeard && runs.get(`${id} ${attempt}`)?.length !== 1,
  )
  const records = await readRecords(stage.past.store, ids)
  const recordOf = new Map(records.map((record) => [record?.id, record]))
  const areOwn = await Promise.all(ids.map((id) => isOwn(stage, sender, id, recordOf.get(id))))
  return {
    calls: ids.length,
    writes: log.applied(),
    echoes: log.echoes(),
    falseRefusals: unrun.length + stage.unacknowledged + stage.leaseLosses + uncancelled,
    doubleOutcomes: ids.filter((id) => {
      const [first, second] = log.finals.get(id) ?? []
      return second !== undefined || (first !== undefined && !isSame(first, recordOf.get(id)))
    }).length,
    wrongOutcomes: areOwn.filter((isRight) => !isRight).length,
    wrongCounts: ids.filter((id) => recordOf.get(id)?.attempts !== (claimsOf.get(id)?.length ?? 0)).length,
    unfinished: ids.filter((id) => !log.finals.has(id)).length,
    runs: ran.length,
  }
}

function isSame(first: CallRecord | undefined, now: CallRecord | undefined): boolean {
  return first?.state === now?.state && first?.owner === now?.owner && first?.result === now?.result
}

/** Whether a call ended as its kind must, with what its last attempt made. */
async function isOwn(
  { ran, kindOf }: Stage,
  sender: Executor,
  id: string,
  record: CallRecord | undefined,
): Promise<boolean> {
  const kind = kindOf.get(id) as Kind
  if (record?.state !== kinds[kind]) return false
  if (kind === 'unwanted') return !ran.some((each) => each.id === id)
  const outcome = await sender.future<Ran>(id).outcome()
  if (outcome.state === 'failed') return outcome.reason === 'threw' && record.failures === 3
  if (outcome.state === 'cancelled') return true
  return outcome.value.id === id && outcome.value.attempt === record.attempts
}
