/**
 * Submits under faults, and the account of them: what each submit said, against what lies behind the proxies.
 * @module
 */
import { createExecutor, defineConfig } from '../../src/index.ts'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import type { CallRecord } from '../../src/runtime/call/record.ts'
import { IdempotencyConflictError, SubmitUncertainError } from '../../src/runtime/errors.ts'
import type { FaultPlan } from '../support/fault-plan.ts'
import type { FaultyWire } from '../support/faulty-wire.ts'
import { inLanes } from '../support/lanes.ts'
import { readRecords } from './read-records.ts'

/** What to submit. */
export interface SubmitLoad {
  readonly calls: number
  readonly plan: FaultPlan
}

/** The account. */
export interface SubmitReport {
  /** Distinct calls. */
  readonly submitted: number
  /** Calls that a `SubmitUncertainError` named, each submitted again with its id until that returned. */
  readonly uncertain: number
  /** Calls of a submit that returned, without a record or without a message. */
  readonly lost: number
  readonly falseConflicts: number
  /** Errors that are no `SubmitUncertainError`, and such errors that name another id than the call's. */
  readonly otherErrors: number
  /** Records that are not as they were submitted: another state, attempts, another payload. */
  readonly wrongRecords: number
  /** Records and messages of ids that nobody submitted. */
  readonly strays: number
  /** Messages beyond one a call: what the claim absorbs. */
  readonly duplicates: number
}

const config = defineConfig({ name: 'submits', queues: ['default'], listing: false })
const SINGLE_LANES = 50
const GROUP_LANES = 5
const GROUP = 250
const AGAIN_LANES = 5
/** Times that one call is submitted again: a third of them may fail, but never so many in a row. */
const MAX_AGAIN = 40

const job = (index: number, text: string): string => `${index}${text}`
const argumentsOf = (index: number): [number, string] => [index, 'é'.repeat(index % 50)]

interface Account {
  readonly executor: ReturnType<typeof openExecutor>
  /** The number of each call that a submit returned for, by its id. */
  readonly returned: Map<string, number>
  uncertain: number
  falseConflicts: number
  otherErrors: number
}

function openExecutor(wire: FaultyWire) {
  return createExecutor(config, { backend: 'aws', aws: wire.faulty, tasks: { job } })
}

/** Submits a tenth of the calls one by one and the others by `map`, and then counts what is there. */
export async function submitUnderFaults(
  wire: FaultyWire,
  { calls, plan }: SubmitLoad,
): Promise<SubmitReport> {
  const executor = openExecutor(wire)
  const account: Account = { executor, returned: new Map(), uncertain: 0, falseConflicts: 0, otherErrors: 0 }
  wire.setPlan(plan)
  try {
    const singles = Math.floor(calls / 10)
    await Promise.all([
      inLanes(singles, SINGLE_LANES, (index) => submitOne(account, index)),
      inLanes(Math.ceil((calls - singles) / GROUP), GROUP_LANES, (group) => {
        const first = singles + group * GROUP
        return submitGroup(account, first, Math.min(GROUP, calls - first))
      }),
    ])
    return await audit(wire, account, calls)
  } finally {
    await executor.close()
  }
}

async function submitOne(account: Account, index: number): Promise<void> {
  try {
    const future = await account.executor.submit(job, ...argumentsOf(index))
    account.returned.set(future.id, index)
  } catch (error) {
    await makeGood(account, error, () => index)
  }
}

async function submitGroup(account: Account, first: number, size: number): Promise<void> {
  const lists = Array.from({ length: size }, (_, index) => argumentsOf(first + index))
  // The index of a call within its group is the end of its id.
  const indexOf = (id: string) => first + Number(id.slice(id.lastIndexOf('-') + 1))
  try {
    const group = await account.executor.map(job, lists)
    for (const { id } of group) account.returned.set(id, indexOf(id))
  } catch (error) {
    await makeGood(account, error, indexOf)
    if (!SubmitUncertainError.is(error)) return
    const sample = error.ids[0] ?? ''
    const groupId = sample.slice(0, sample.lastIndexOf('-'))
    // What the error does not name was sent.
    for (let index = 0; index < size; index++) {
      const id = `${groupId}-${index}`
      if (!error.ids.includes(id)) account.returned.set(id, first + index)
    }
  }
}

/** Submits again, with the ids that the error names, until each submit returned. */
async function makeGood(account: Account, error: unknown, indexOf: (id: string) => number): Promise<void> {
  const ids = idsOf(account, error)
  account.uncertain += ids.length
  // Not all at once: what waits a second for a socket counts as not connected.
  await inLanes(ids.length, AGAIN_LANES, async (at) => {
    const id = ids[at] as string
    await submitAgain(account, id, argumentsOf(indexOf(id)))
  })
  for (const id of ids) account.returned.set(id, indexOf(id))
}

function idsOf(account: Account, error: unknown): readonly string[] {
  if (SubmitUncertainError.is(error) && error.ids.length > 0) return error.ids
  if (IdempotencyConflictError.is(error)) account.falseConflicts += 1
  else account.otherErrors += 1
  return []
}

async function submitAgain(account: Account, id: string, args: [number, string]): Promise<void> {
  for (let time = 0; time < MAX_AGAIN; time++) {
    try {
      const future = await account.executor.with({ id }).submit(job, ...args)
      if (future.id !== id) account.otherErrors += 1
      return
    } catch (error) {
      const [named] = idsOf(account, error)
      if (named !== id) account.otherErrors += 1
    }
  }
  account.otherErrors += 1
}

async function audit(wire: FaultyWire, account: Account, calls: number): Promise<SubmitReport> {
  const backend = awsBackend(account.executor.config, wire.direct)
  try {
    const { returned, uncertain, falseConflicts, otherErrors } = account
    const ids = [...returned.keys()]
    const records = await readRecords(backend.store, ids)
    const sent = (await wire.bodiesIn('default')).map((body) => (JSON.parse(body) as { id: string }).id)
    const withMessage = new Set(sent)
    const missing = ids.filter((id, at) => records[at] === undefined || !withMessage.has(id))
    return {
      submitted: returned.size,
      uncertain,
      lost: missing.length + (calls - new Set(returned.values()).size),
      falseConflicts,
      otherErrors,
      wrongRecords: records.filter((record) => record !== undefined && !isAsSubmitted(record)).length,
      strays: [...withMessage].filter((id) => !returned.has(id)).length,
      duplicates: sent.length - withMessage.size,
    }
  } finally {
    await backend.close()
  }
}

function isAsSubmitted({ state, attempts, failures, task, queue, owner }: CallRecord): boolean {
  return (
    state === 'pending' &&
    attempts === 0 &&
    failures === 0 &&
    task === 'job' &&
    queue === 'default' &&
    owner === undefined
  )
}
