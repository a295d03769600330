/**
 * What goes on, for people who look: the status of the workers, what they run, what waits, what the queues hold. And
 * what they then do to a queue, or a schedule.
 *
 * Nothing here is on the way of a call, and nothing shows arguments or results.
 * @module
 */

import type { CallRecord } from '../call/record.ts'
import { showValue } from '../config/nearest-name.ts'
import { checkKeys, checkNumber } from '../config/option-checks.ts'
import { InvalidOptionError } from '../errors.ts'
import type { Connect } from '../future/calls.ts'
import type { Backend } from '../ports/backend.ts'
import {
  createScheduleControl,
  type InspectedSchedule,
  inspectSchedules,
  type ScheduleContext,
  type ScheduleControl,
} from '../schedules/schedule-control.ts'
import {
  type CallFilter,
  type CallPage,
  cancelWaiting,
  checkQueueName,
  type InspectedCall,
  inspectedOf,
  type ListingContext,
  listCalls,
  type OwnTest,
  type PageOptions,
} from './call-listing.ts'
import {
  fleetOf,
  type QueueStats,
  queueStats,
  readHoldings,
  readTold,
  type Status,
  type WorkerStats,
  workerStats,
} from './fleet-status.ts'
import { putPaused } from './heartbeat.ts'

/** A filter of a method that looks for states of its own. */
export type StatelessFilter<Queue extends string = string> = Omit<CallFilter<Queue>, 'state'>

/** What `inspect.stats()` gives. */
export interface Stats {
  readonly workers: Readonly<Record<string, WorkerStats>>
  readonly queues: Readonly<Record<string, QueueStats>>
}

/** What `inspect.reserved()` gives. */
export interface Reserved<Queue extends string = string> {
  /** By queue: messages that a worker was handed, or is kept from, while their call neither runs nor waits to be retried. */
  readonly queues: Readonly<Record<Queue, number>>
  /** How many calls were looked at. */
  readonly lookedAt: number
  /** Whether that was all of them. Otherwise the numbers may be too large: what runs was counted among the newest alone. */
  readonly complete: boolean
}

/**
 * What goes on. The pages of calls come from the listing index, which lags by a moment; their filters other than queue
 * and time look at a bounded number of calls.
 */
export interface Inspect<Queue extends string = string> {
  /**
   * Calls, the newest first.
   * @throws InvalidOptionError where the config has `listing: false`, or an option breaks a rule; AccessDeniedError,
   *   ResourceNotFoundError
   */
  calls(filter?: CallFilter<Queue>, page?: PageOptions): Promise<CallPage>
  /**
   * One call: what `snapshot` gives, and more.
   * @throws CallNotFoundError
   */
  call(id: string): Promise<InspectedCall>
  /** The calls that run: whose attempt's lease is not over. */
  active(filter?: StatelessFilter<Queue>, page?: PageOptions): Promise<CallPage>
  /** The calls that wait for their time, `dueAt`: `scheduled` by their sender, or `retrying`. */
  scheduled(filter?: StatelessFilter<Queue>, page?: PageOptions): Promise<CallPage>
  /** The calls that were cancelled, and those that run and were asked to stop. */
  revoked(filter?: StatelessFilter<Queue>, page?: PageOptions): Promise<CallPage>
  /**
   * By queue, how many messages are in flight beyond the calls that run or wait to be retried. A worker begins what it
   * is handed at once, so this is next to nothing but for calls that are postponed, and copies.
   * @param options.lookAt how many calls to look at at most, 1–100,000; @default 1000
   */
  reserved(options?: Pick<PageOptions, 'lookAt'>): Promise<Reserved<Queue>>
  /** The names of the tasks by worker, of the workers that answer. */
  registered(): Promise<Readonly<Record<string, readonly string[]>>>
  /** What each worker says of itself, and what each queue holds. */
  stats(): Promise<Stats>
  /** What each queue holds, and whether it is paused. */
  queues(): Promise<Readonly<Record<Queue, QueueStats>>>
  /**
   * The schedules: when each is due, and what became of its last run. A client knows those of the config alone.
   * @throws NotWiredError, AccessDeniedError, InvalidOptionError
   */
  schedules(): Promise<readonly InspectedSchedule[]>
}

/** What became of `queues.purge`. */
export interface Purged {
  /** How many waiting calls were cancelled, so that their futures end. */
  readonly cancelled: number
  /** How many calls of the listing were looked at for them. */
  readonly lookedAt: number
  /** Whether all of the queue's were looked at. Those that were not end only when their records expire. */
  readonly complete: boolean
}

/** Acts on whole queues. */
export interface QueueControl<Queue extends string = string> {
  /**
   * Stops the workers from taking calls of a queue; submits go on, and what runs runs to its end. On AWS it disables the
   * event source mappings, which takes effect within a minute; worker processes see it within 20 s. It lasts until
   * `resume`; but a deployment that changes a mapping may enable it again.
   * @throws InvalidOptionError, NotWiredError, AccessDeniedError, ResourceNotFoundError
   */
  pause(queue: Queue): Promise<void>
  /** Has them take calls of it again. */
  resume(queue: Queue): Promise<void>
  /**
   * Deletes every message of a queue, and cancels the calls that waited there. What runs goes on, but is not tried
   * again should it be killed. On AWS this takes up to a minute, during which new calls may be deleted as well, and is
   * possible once a minute.
   * @param options.lookAt how many calls of the listing to look at for those that wait, 1–1,000,000; @default 10,000
   * @throws InvalidOptionError, AccessDeniedError, ResourceNotFoundError; ErrandError within a minute of the last purge
   */
  purge(queue: Queue, options?: { readonly lookAt?: number }): Promise<Purged>
}

/** What an executor offers people who look after it. */
export interface Inspection<Queue extends string = string> {
  /**
   * Whether the workers are there: asks each, and looks for the notices of worker processes.
   * @throws NotWiredError where the functions of the workers are not known here; AccessDeniedError
   */
  status(): Promise<Status>
  readonly inspect: Inspect<Queue>
  readonly queues: QueueControl<Queue>
  readonly schedules: ScheduleControl
}

/** What it needs of its executor or client. */
export interface InspectionContext extends ListingContext, ScheduleContext {
  readonly connect: Connect
}

const isActive: OwnTest = {
  name: 'active',
  holds: ({ leaseUntil = 0 }: CallRecord, now) => leaseUntil >= now,
}

const isRevoked: OwnTest = {
  name: 'revoked',
  holds: ({ state, abortReason }: CallRecord) => state === 'cancelled' || abortReason !== undefined,
}

/** Makes `status`, `inspect` and `queues`. */
export function createInspection(context: InspectionContext): Inspection {
  const { config, connect } = context
  const list = async (filter: CallFilter, page: PageOptions, test?: OwnTest) => {
    requireListing(context)
    return listCalls(context, await connect(), filter, page, test)
  }
  const fleetHere = async () => {
    const backend = await connect()
    return { backend, fleet: fleetOf(config, backend) }
  }
  const workers = async (withPaused: boolean) => {
    const { backend, fleet } = await fleetHere()
    const telling = readTold(config, backend, fleet, { withPaused })
    const [answers, told] = await Promise.all([fleet.ping(), telling])
    return workerStats(config, answers, told)
  }
  return {
    async status() {
      const states = Object.entries(await workers(true)).map(([name, { state }]) => [name, state] as const)
      return {
        ping: states.length > 0 && states.every(([, state]) => state !== 'no answer'),
        workers: Object.fromEntries(states),
      }
    },
    inspect: {
      calls: (filter = {}, page = {}) => list(filter, page),
      call: async (id) => inspectedOf(context.calls, await context.calls.read(checkId(id))),
      active: (filter = {}, page = {}) => list(stated(filter, ['running']), page, isActive),
      scheduled: (filter = {}, page = {}) => list(stated(filter, ['scheduled', 'retrying']), page),
      revoked: (filter = {}, page = {}) => list(stated(filter, ['cancelled', 'running']), page, isRevoked),
      reserved: (options = {}) => reserved(context, options),
      async registered() {
        const known = Object.entries(await workers(false)).filter(([, { processes }]) => processes.length > 0)
        return Object.fromEntries(
          known.map(([name, { processes }]) => [name, [...new Set(processes.flatMap(({ tasks }) => tasks))]]),
        )
      },
      async stats() {
        const { backend, fleet } = await fleetHere()
        const reading = [readTold(config, backend, fleet), readHoldings(config, fleet)] as const
        const [answers, told, holdings] = await Promise.all([fleet.ping(), ...reading])
        return { workers: workerStats(config, answers, told), queues: queueStats(config, holdings, told) }
      },
      async queues() {
        const { backend, fleet } = await fleetHere()
        const reading = [readTold(config, backend, fleet), readHoldings(config, fleet)] as const
        const [told, holdings] = await Promise.all(reading)
        return queueStats(config, holdings, told)
      },
      schedules: () => inspectSchedules(context),
    },
    queues: controlOf(context),
    schedules: createScheduleControl(context),
  }
}

function controlOf(context: InspectionContext): QueueControl {
  const { config, connect } = context
  const change = async (name: string, isPaused: boolean) => {
    const queue = checkQueueName(config, name)
    const backend = await connect()
    const fleet = fleetOf(config, backend)
    if (isPaused) await fleet.pause(queue)
    else await fleet.resume(queue)
    await putPaused(backend.store, queue, isPaused)
  }
  return {
    pause: (queue) => change(queue, true),
    resume: (queue) => change(queue, false),
    async purge(name, options = {}) {
      const queue = checkQueueName(config, name)
      checkKeys('the options of purge', options, ['lookAt'])
      const rule = { min: 1, max: 1_000_000, whole: true }
      const lookAt = checkNumber('`lookAt`', options.lookAt, rule, 10_000)
      const backend = await connect()
      await fleetOf(config, backend).purge(queue)
      // Messages first: a call that is submitted meanwhile is cancelled with its message gone, never the other way round.
      if (!config.listing) return { cancelled: 0, lookedAt: 0, complete: false }
      return cancelWaiting(context, backend, queue, lookAt)
    },
  }
}

function stated(filter: StatelessFilter, state: NonNullable<CallFilter['state']>): CallFilter {
  checkKeys('the filter', filter, ['queue', 'task', 'since', 'until', 'tenant'])
  return { ...filter, state }
}

function checkId(id: unknown): string {
  if (typeof id === 'string' && id !== '') return id
  throw new InvalidOptionError(`a call's id is ${showValue(id)}, expected the \`id\` of a future`)
}

function requireListing({ config }: ListingContext): void {
  if (config.listing) return
  throw new InvalidOptionError(
    `the config of ${JSON.stringify(config.name)} has \`listing: false\`, so its calls are in no list; set \`listing: true\` (one more write unit a call), and those submitted from then on are, or look at one by inspect.call(id)`,
  )
}

async function reserved(context: InspectionContext, options: Pick<PageOptions, 'lookAt'>): Promise<Reserved> {
  requireListing(context)
  checkKeys('the options of reserved', options, ['lookAt'])
  const backend = await context.connect()
  const holdings = await readHoldings(context.config, fleetOf(context.config, backend))
  const begun = new Map<string, number>()
  const found = await countBegun(context, backend, options, begun)
  const counts = [...holdings].map(
    ([name, { inFlight }]) => [name, Math.max(inFlight - (begun.get(name) ?? 0), 0)] as const,
  )
  return { queues: Object.fromEntries(counts), ...found }
}

/** Counts the calls whose message is in flight because they run, or wait to be retried, by queue. */
async function countBegun(
  context: InspectionContext,
  backend: Backend,
  options: Pick<PageOptions, 'lookAt'>,
  begun: Map<string, number>,
): Promise<Pick<Reserved, 'lookedAt' | 'complete'>> {
  const most = options.lookAt ?? 1000
  let lookedAt = 0
  let after: string | undefined
  do {
    const page = { ...options, size: 100, lookAt: most - lookedAt, ...(after !== undefined && { after }) }
    const answer = await listCalls(context, backend, { state: ['running', 'retrying'] }, page)
    for (const { queue } of answer.calls) begun.set(queue, (begun.get(queue) ?? 0) + 1)
    lookedAt += answer.lookedAt
    after = answer.next
  } while (after !== undefined && lookedAt < most)
  return { lookedAt, complete: after === undefined }
}
