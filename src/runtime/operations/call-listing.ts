/**
 * Lists calls, the newest first: what the listing index holds, read in stretches, their records looked at in batches.
 *
 * The index is by queue and time. Any other wish is a filter on what was read, so a page says how many calls were
 * looked at for it, and stops at a bound.
 * @module
 */
import { killedAttempts } from '../call/attempt-history.ts'
import { fingerprint, positionOf, tokenOf } from '../call/listing-position.ts'
import { type CallRecord, type CallState, isLive } from '../call/record.ts'
import { LIMITS, type ResolvedConfig } from '../config/config.ts'
import { showValue, suggestName } from '../config/nearest-name.ts'
import { checkKeys, checkNumber } from '../config/option-checks.ts'
import { CallNotFoundError, InvalidOptionError } from '../errors.ts'
import type { Calls } from '../future/calls.ts'
import { type Snapshot, snapshotOf } from '../future/future.ts'
import type { Backend } from '../ports/backend.ts'
import type { ListingPosition } from '../ports/store.ts'
import type { RegisteredTask } from '../registry.ts'

/** A call as inspection shows it: its snapshot, and what people ask next. Never its arguments or its result. */
export interface InspectedCall extends Snapshot {
  /** How many attempts ended without a word. */
  readonly kills: number
  /** How many calls deep: 0 where no task submitted it. */
  readonly depth: number
  /** Until when the attempt that runs owns it; where that is over, it was killed, and waits to be delivered again. */
  readonly leaseUntil?: Date
  /** Why somebody asked it to stop, where somebody did. */
  readonly abortReason?: string
  /** When its record may be deleted. */
  readonly expiresAt: Date
}

/** Which calls. */
export interface CallFilter<Queue extends string = string> {
  /** @default all queues */
  readonly queue?: Queue
  /** A registered function, or its name. @default all tasks */
  readonly task?: unknown
  /** One state, or several. @default all */
  readonly state?: CallState | readonly CallState[]
  /** Those submitted at this time or later. @default all that are kept */
  readonly since?: Date
  /** Those submitted at this time or earlier. @default now */
  readonly until?: Date
  readonly tenant?: string
}

/** Which page. */
export interface PageOptions {
  /** How many calls at most, 1–100. @default 50 */
  readonly size?: number
  /** The `next` of the page before, of the same filter. @default the first page */
  readonly after?: string
  /** How many calls to look at at most, 1–100,000: what bounds the price where few match. @default 1000 */
  readonly lookAt?: number
}

/** One page of calls, the newest first. */
export interface CallPage {
  readonly calls: readonly InspectedCall[]
  /** How many calls of the listing were looked at for this page. */
  readonly lookedAt: number
  /** Whether nothing comes after it. Where this is false, what comes after may still be nothing that matches. */
  readonly complete: boolean
  /** The `after` of the page that follows. Absent where the page is complete. */
  readonly next?: string
}

/** What listing needs of its executor or client. */
export interface ListingContext {
  readonly config: ResolvedConfig
  readonly calls: Calls
  readonly resolve: (target: unknown) => Pick<RegisteredTask, 'name'>
}

/** A filter that was checked. */
interface Wanted {
  readonly queues: readonly string[]
  readonly sinceMs: number
  readonly untilMs: number
  readonly task: string | undefined
  readonly states: readonly CallState[] | undefined
  readonly tenant: string | undefined
}

/** What more a method of its own asks of a record, by a name of its own: a page's `next` is good for it alone. */
export interface OwnTest {
  readonly name: string
  holds(record: CallRecord, now: number): boolean
}

/** Reads one page. */
export async function listCalls(
  context: ListingContext,
  backend: Backend,
  filter: CallFilter,
  page: PageOptions,
  test?: OwnTest,
): Promise<CallPage> {
  const wanted = checkFilter(context, filter)
  const { size, lookAt, after: token } = checkPage(page)
  const asked = fingerprint([context.config.name, wanted, test?.name])
  let after = token === undefined ? undefined : positionOf(token, asked)
  const calls: InspectedCall[] = []
  let lookedAt = 0
  const isFiltered = [wanted.task, wanted.states, wanted.tenant, test].some((each) => each !== undefined)
  for (;;) {
    const { task: _, states: __, tenant: ___, ...stretch } = wanted
    const limit = Math.min(isFiltered ? LIMITS.readBatch : size - calls.length, lookAt - lookedAt)
    const listed = await backend.store.list({ ...stretch, limit, ...(after && { after }) })
    const records = await readRecords(backend, listed.entries)
    let used = 0
    for (const entry of listed.entries) {
      if (calls.length === size) break
      used += 1
      after = entry
      const record = records.get(entry.id)
      if (
        record !== undefined &&
        isWanted(wanted, record) &&
        (test?.holds(record, backend.clock.now()) ?? true)
      ) {
        calls.push(inspectedOf(context.calls, record))
      }
    }
    lookedAt += used
    const complete = listed.isComplete && used === listed.entries.length
    if (complete || after === undefined) return { calls, lookedAt, complete: true }
    if (calls.length === size || lookedAt >= lookAt) {
      return { calls, lookedAt, complete: false, next: tokenOf(after, asked) }
    }
  }
}

/** The records of entries by id, without those that are gone. */
async function readRecords(
  { store, clock }: Backend,
  entries: readonly ListingPosition[],
): Promise<Map<string, CallRecord>> {
  if (entries.length === 0) return new Map()
  const now = clock.now()
  const records = await store.read(entries.map(({ id }) => id))
  return new Map(records.flatMap((record) => (isLive(record, now) ? [[record.id, record] as const] : [])))
}

function isWanted({ queues, task, states, tenant }: Wanted, record: CallRecord): boolean {
  return (
    // An id that was used again, on another queue, is in the listing of the first until that expires.
    queues.includes(record.queue) &&
    (task === undefined || record.task === task) &&
    (states === undefined || states.includes(record.state)) &&
    (tenant === undefined || record.tenant === tenant)
  )
}

/** A record as inspection shows it. One that cannot be decoded is shown without its progress: a list must not fail for it. */
export function inspectedOf(calls: Calls, record: CallRecord): InspectedCall {
  const { leaseUntil, abortReason } = record
  return {
    ...sureSnapshot(calls, record),
    kills: killedAttempts(record),
    depth: record.depth ?? 0,
    expiresAt: new Date(record.expiresAtSeconds * 1000),
    ...(leaseUntil !== undefined && { leaseUntil: new Date(leaseUntil) }),
    ...(abortReason !== undefined && { abortReason }),
  }
}

function sureSnapshot(calls: Calls, record: CallRecord): Snapshot {
  try {
    return snapshotOf(calls, record)
  } catch {
    const { progress: _, ...rest } = record
    return snapshotOf(calls, rest)
  }
}

const callStates: readonly CallState[] = [
  ...(['pending', 'scheduled', 'running', 'retrying'] as const),
  ...(['succeeded', 'failed', 'cancelled'] as const),
]

/** The latest time that the listing can hold: 15 digits. */
const END_OF_TIME_MS = 999_999_999_999_999

function checkFilter({ config, resolve }: ListingContext, filter: CallFilter): Wanted {
  checkKeys('the filter', filter, ['queue', 'task', 'state', 'since', 'until', 'tenant'])
  const { queue, task, state, tenant } = filter
  if (queue !== undefined) checkQueueName(config, queue)
  if (tenant !== undefined && typeof tenant !== 'string') {
    throw new InvalidOptionError(`\`tenant\` is ${showValue(tenant)}, expected a text`)
  }
  return {
    queues: queue === undefined ? [...config.queues.keys()] : [queue],
    sinceMs: checkDate('since', filter.since, 0),
    untilMs: checkDate('until', filter.until, END_OF_TIME_MS),
    // A name as it is: what is listed may be of a task that is not registered any more.
    task: task === undefined || typeof task === 'string' ? task : resolve(task).name,
    states: state === undefined ? undefined : checkStates([state].flat() as readonly unknown[]),
    tenant,
  }
}

function checkStates(states: readonly unknown[]): readonly CallState[] {
  for (const state of states) {
    if (callStates.includes(state as CallState)) continue
    throw new InvalidOptionError(
      `\`state\` is ${showValue(state)}; ${suggestName(String(state), callStates)}`,
    )
  }
  return states as readonly CallState[]
}

function checkDate(name: string, value: unknown, absent: number): number {
  if (value === undefined) return absent
  if (value instanceof Date && Number.isFinite(value.getTime())) {
    return Math.min(Math.max(value.getTime(), 0), END_OF_TIME_MS)
  }
  throw new InvalidOptionError(`\`${name}\` is ${showValue(value)}, expected a Date`)
}

/**
 * The name of a queue of the config.
 * @throws InvalidOptionError, with the nearest that there is
 */
export function checkQueueName({ queues }: ResolvedConfig, name: unknown): string {
  if (typeof name === 'string' && queues.has(name)) return name
  throw new InvalidOptionError(
    `queue ${showValue(name)} is not declared; ${suggestName(String(name), queues.keys())}`,
  )
}

/** The most calls that one page may look at. */
const MOST_AT_ONCE = 100_000

function checkPage(page: PageOptions) {
  checkKeys('the page', page, ['size', 'after', 'lookAt'])
  const size = { min: 1, max: 100, whole: true, why: 'one read takes up to 100 calls' }
  const lookAt = { min: 1, max: MOST_AT_ONCE, whole: true, why: 'go on with `next` for more' }
  return {
    size: checkNumber('`size`', page.size, size, 50),
    lookAt: checkNumber('`lookAt`', page.lookAt, lookAt, 1000),
    after: page.after,
  }
}

/** Calls that are cancelled at once. */
const LANES = 10

/** One whose record expired meanwhile has ended as well. */
async function cancelKept(calls: Calls, id: string): Promise<boolean> {
  try {
    return await calls.cancel(id)
  } catch (error) {
    if (CallNotFoundError.is(error)) return false
    throw error
  }
}

/**
 * Cancels the waiting calls of a queue that were submitted up to now, the newest first; says how many, of how many.
 * @param lookAt how many calls of the listing to look at at most
 */
export async function cancelWaiting(
  context: ListingContext,
  backend: Backend,
  queue: string,
  lookAt: number,
): Promise<{ readonly cancelled: number; readonly lookedAt: number; readonly complete: boolean }> {
  const filter = {
    queue,
    state: ['pending', 'scheduled', 'retrying'] as const,
    until: new Date(backend.clock.now()),
  }
  let [cancelled, lookedAt] = [0, 0]
  let after: string | undefined
  do {
    const options = {
      size: 100,
      lookAt: Math.min(lookAt - lookedAt, MOST_AT_ONCE),
      ...(after !== undefined && { after }),
    }
    const page = await listCalls(context, backend, filter, options)
    lookedAt += page.lookedAt
    after = page.next
    const waiting = page.calls.values()
    const lane = async () => {
      for (const { id } of waiting) if (await cancelKept(context.calls, id)) cancelled += 1
    }
    await Promise.all(Array.from({ length: LANES }, lane))
  } while (after !== undefined && lookedAt < lookAt)
  return { cancelled, lookedAt, complete: after === undefined }
}
