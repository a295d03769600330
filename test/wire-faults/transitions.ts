/**
 * The record's transitions under faults, through the store port, each call by a sole writer: whatever its writes are
 * refused for can only be an echo of its own.
 * @module
 */
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import {
  type CallRecord,
  type CallState,
  cancelChange,
  claimChange,
  expiryOf,
  finishChange,
  isEchoOfFinish,
  isEchoOfRetry,
  mayCreate,
  progressChange,
  refusalOf,
  retryChange,
} from '../../src/runtime/call/record.ts'
import { DEFAULTS } from '../../src/runtime/config/config.ts'
import type { Store, Written } from '../../src/runtime/ports/store.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import type { FaultPlan } from '../support/fault-plan.ts'
import type { FaultyWire } from '../support/faulty-wire.ts'
import { inLanes } from '../support/lanes.ts'
import { readRecords } from './read-records.ts'

/** The account. */
export interface TransitionReport {
  readonly calls: number
  /** Changes that were asked for, each once, however often it had to be sent. */
  readonly writes: number
  /** Refused by the server, and recognised as the writer's own, its answer lost. */
  readonly echoes: number
  /** Refused, and not recognised: a false refusal, since nobody else writes. */
  readonly falseRefusals: number
  /** Records whose state, attempts or failures are not what their one writer made of them. */
  readonly wrongRecords: number
}

const config = resolveConfig({ name: 'transitions', listing: false })
const LANES = 60
const MAX_TRIES = 20
const retentionSeconds = DEFAULTS.queueRetentionSeconds

type Step = 'claim' | 'progress' | 'retry' | 'succeed' | 'fail' | 'cancel'

/** What becomes of a call, and what its record must say in the end. */
const lives: readonly { readonly steps: readonly Step[]; readonly end: Partial<CallRecord> }[] = [
  { steps: ['claim', 'succeed'], end: ended('succeeded', 1, 0) },
  { steps: ['claim', 'progress', 'progress', 'succeed'], end: ended('succeeded', 1, 0) },
  { steps: ['claim', 'retry', 'claim', 'succeed'], end: ended('succeeded', 2, 1) },
  { steps: ['claim', 'retry', 'claim', 'progress', 'fail'], end: ended('failed', 2, 2) },
  { steps: ['cancel'], end: ended('cancelled', 0, 0) },
  { steps: ['claim', 'retry', 'cancel'], end: ended('cancelled', 1, 1) },
]

function ended(state: CallState, attempts: number, failures: number): Partial<CallRecord> {
  return { state, attempts, failures }
}

interface Life {
  readonly store: Store
  readonly record: CallRecord
  owner: string
  readonly report: { -readonly [Name in keyof TransitionReport]: TransitionReport[Name] }
}

/** Leads calls through their lives until so many writes were made. */
export async function changeUnderFaults(
  wire: FaultyWire,
  { writes, plan }: { readonly writes: number; readonly plan: FaultPlan },
): Promise<TransitionReport> {
  const [through, past] = [awsBackend(config, wire.faulty), awsBackend(config, wire.direct)]
  const report = { calls: 0, writes: 0, echoes: 0, falseRefusals: 0, wrongRecords: 0 }
  const lived = new Map<string, Partial<CallRecord>>()
  wire.setPlan(plan)
  const lane = async () => {
    while (report.writes < writes) {
      const { steps, end } = lives[report.calls++ % lives.length] as (typeof lives)[number]
      const id = through.entropy.id(through.clock.now())
      lived.set(id, end)
      await live(
        { store: through.store, record: recordOf(id), owner: '', report },
        steps,
        through.entropy.owner,
      )
    }
  }
  try {
    await inLanes(LANES, LANES, lane)
    const records = await readRecords(past.store, [...lived.keys()])
    report.wrongRecords = records.filter((record) => !isAs(record, lived.get(record?.id ?? ''))).length
    return report
  } finally {
    await Promise.all([through.close(), past.close()])
  }
}

function recordOf(id: string): CallRecord {
  const now = Date.now()
  return {
    id,
    task: 'job',
    queue: 'default',
    payloadHash: `hash of ${id}`,
    state: 'pending',
    createdAt: now,
    dueAt: now,
    expiresAtSeconds: expiryOf(now, retentionSeconds),
    attempts: 0,
    failures: 0,
  }
}

function isAs(record: CallRecord | undefined, end: Partial<CallRecord> | undefined): boolean {
  return (
    record !== undefined &&
    record.state === end?.state &&
    record.attempts === end.attempts &&
    record.failures === end.failures
  )
}

async function live(life: Life, steps: readonly Step[], newOwner: () => string): Promise<void> {
  const { store, record } = life
  const created = await insist(life, () => store.put(record, mayCreate(Date.now())))
  count(life, created, (existing) => existing?.payloadHash === record.payloadHash)
  for (const step of steps) {
    if (step === 'claim') life.owner = newOwner()
    await take(life, step)
  }
}

/** Asks for a change until an answer comes, as the runtime does. */
async function insist(life: Life, write: () => Promise<Written>): Promise<Written> {
  life.report.writes += 1
  for (let tries = 1; ; tries++) {
    try {
      return await write()
    } catch (error) {
      if (tries === MAX_TRIES) throw error
    }
  }
}

function count(life: Life, answer: Written, isEcho: (existing: CallRecord | undefined) => boolean): void {
  if (answer.written) return
  if (isEcho(answer.existing)) life.report.echoes += 1
  else life.report.falseRefusals += 1
}

async function take(life: Life, step: Step): Promise<void> {
  const { store, owner, record } = life
  const now = Date.now()
  const { id, expiresAtSeconds } = record
  if (step === 'claim') {
    const { id: _, state, attempts, expiresAtSeconds: __, ...call } = record
    const claim = { id, call, owner, leaseUntil: now + 600_000, now, retentionSeconds, isAttempt: true }
    const answer = await insist(life, () => store.update(id, claimChange(claim)))
    count(life, answer, (existing) => refusalOf(claim, existing).kind === 'echo')
  } else if (step === 'progress') {
    const answer = await insist(life, () => store.update(id, progressChange(owner, '[1]', 1)))
    // Written twice it is the same progress: no echo is ever refused.
    count(life, answer, () => false)
  } else if (step === 'retry') {
    const change = retryChange(owner, now, 'Error: again', expiresAtSeconds)
    const answer = await insist(life, () => store.update(id, change))
    count(life, answer, (existing) => isEchoOfRetry(existing, owner))
  } else if (step === 'cancel') {
    const answer = await insist(life, () => store.update(id, cancelChange(now)))
    count(life, answer, (existing) => existing?.state === 'cancelled')
  } else {
    const finish =
      step === 'succeed'
        ? ({ state: 'succeeded', result: '[1]', failure: false } as const)
        : ({ state: 'failed', reason: 'threw', result: '[1]', failure: true } as const)
    const answer = await insist(life, () =>
      store.update(id, finishChange(owner, finish, now, expiresAtSeconds)),
    )
    count(life, answer, (existing) => isEchoOfFinish(existing, owner))
  }
}
