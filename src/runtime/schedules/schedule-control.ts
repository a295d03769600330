/**
 * Schedules, for people who look after them: when each is due, what became of its last run, and how to run it now, stop
 * it, and start it again.
 *
 * No row is kept of what a schedule did: the id of a run is made of its due time, so that its last runs are found by
 * looking for the records of its last due times.
 * @module
 */

import { decodeEnvelope } from '../call/envelope.ts'
import { type CallRecord, type CallState, type FailureReason, isLive } from '../call/record.ts'
import { messageDueAt, scheduledCallId } from '../call/scheduled-call.ts'
import { createCodec } from '../codec/codec.ts'
import { LIMITS, type ResolvedConfig, type ResolvedSchedule } from '../config/config.ts'
import { showValue, suggestName } from '../config/nearest-name.ts'
import { InvalidOptionError, NotWiredError } from '../errors.ts'
import type { Connect } from '../future/calls.ts'
import type { Future } from '../future/future.ts'
import type { Backend } from '../ports/backend.ts'
import type { Schedules } from '../ports/schedules.ts'

/** A run of a schedule that was due. */
export interface ScheduledRun {
  readonly id: string
  readonly dueAt: Date
  readonly state: CallState
  /** Where it failed. */
  readonly reason?: FailureReason
  readonly finishedAt?: Date
  /** What it failed with, or why it was skipped. */
  readonly lastError?: string
}

/** A schedule, as `inspect.schedules()` shows it. */
export interface InspectedSchedule {
  readonly name: string
  readonly task: string
  readonly queue: string
  /** As EventBridge Scheduler has it: `cron(0 2 * * ? *)`. */
  readonly expression: string
  readonly timezone: string
  /** `missing`: the config has it, and it was not deployed yet. */
  readonly state: 'enabled' | 'paused' | 'missing'
  readonly overlap: 'skip' | 'allow'
  readonly jitterMinutes: number
  /** Absent where it is paused, or nothing is still to come. */
  readonly next?: Date
  /** The last run that was begun, among its last three due times. Absent: none of them was, or it is forgotten. */
  readonly last?: ScheduledRun
}

/** Acts on schedules. */
export interface ScheduleControl {
  /**
   * The names of the schedules that the app declares.
   * @throws InvalidOptionError, UnregisteredTaskError where one breaks a rule
   */
  names(): readonly string[]
  /**
   * Has it fire no more; what is under way goes on. On AWS it lasts until `resume`, or a deployment that changes the
   * schedule; one that is to stay off has `enabled: false`.
   * @throws InvalidOptionError, NotWiredError, AccessDeniedError, ResourceNotFoundError
   */
  pause(name: string): Promise<void>
  /** Has it fire again: at its next due time, and not for those that it missed. */
  resume(name: string): Promise<void>
  /**
   * Submits its call now, with an id of its own: no run of the schedule, so that it skips none and none skips it.
   * @throws InvalidOptionError, and what `submit` throws
   */
  run(name: string): Promise<Future<unknown>>
}

/** What it needs of its executor, its client, or the command line. */
export interface ScheduleContext {
  readonly config: ResolvedConfig
  readonly connect: Connect
  schedules(): ReadonlyMap<string, ResolvedSchedule>
  submitByName(task: string, args: readonly unknown[], queue: string): Promise<Future<unknown>>
}

/** Makes it. */
export function createScheduleControl(context: ScheduleContext): ScheduleControl {
  const change = async (name: string, isEnabled: boolean) => {
    const schedule = scheduleOf(context, name)
    await portOf(context, await context.connect()).setEnabled(schedule, isEnabled)
  }
  return {
    names: () => [...context.schedules().keys()],
    pause: (name) => change(name, false),
    resume: (name) => change(name, true),
    async run(name) {
      const { task, queue, body } = scheduleOf(context, name)
      const { args } = decodeEnvelope(messageDueAt(body, 0))
      return context.submitByName(task, createCodec().revive(args) as readonly unknown[], queue)
    },
  }
}

/** How many of its last due times are looked at: it may just have been paused, or its last run not have begun. */
const LOOK_BACK = 3

/**
 * All schedules, in the order of their declaration. Requests: one for the state of each, and a read for the last runs.
 * @throws NotWiredError, AccessDeniedError; InvalidOptionError where one can never be due
 */
export async function inspectSchedules(context: ScheduleContext): Promise<readonly InspectedSchedule[]> {
  const schedules = [...context.schedules().values()]
  if (schedules.length === 0) return []
  const backend = await context.connect()
  const port = portOf(context, backend)
  const now = backend.clock.now()
  // Only here: the cron library is nothing that a worker loads.
  const { timesOf } = await import('./check-schedules.ts')
  const looked = schedules.map((schedule) => {
    const times = timesOf(schedule)
    const due: number[] = []
    for (let before = now + 1; due.length < LOOK_BACK; ) {
      const at = times.previous(before)
      if (at === undefined) break
      due.push(at)
      before = at
    }
    return { schedule, due, next: times.next(now) }
  })
  const ids = looked.flatMap(({ schedule, due }) => due.map((at) => scheduledCallId(schedule.name, at)))
  const reading = [
    readAll(backend, ids, now),
    Promise.all(schedules.map((each) => port.isEnabled(each))),
  ] as const
  const [records, enabled] = await Promise.all(reading)
  return looked.map(({ schedule, due, next }, index) => {
    const { name, task, queue, expression, timezone, overlap, jitterMinutes } = schedule
    const isEnabled = enabled[index]
    const last = due
      .map((at) => records.get(scheduledCallId(name, at)))
      .find((record) => record !== undefined)
    return {
      ...{ name, task, queue, expression, timezone, overlap, jitterMinutes },
      state: isEnabled === undefined ? 'missing' : isEnabled ? 'enabled' : 'paused',
      ...(isEnabled === true && next !== undefined && { next: new Date(next) }),
      ...(last !== undefined && { last: runOf(last) }),
    }
  })
}

/** Absence is no news here: one eventually consistent read for a hundred. */
async function readAll(
  { store }: Backend,
  ids: readonly string[],
  now: number,
): Promise<Map<string, CallRecord>> {
  const found = new Map<string, CallRecord>()
  for (let from = 0; from < ids.length; from += LIMITS.readBatch) {
    for (const record of await store.read(ids.slice(from, from + LIMITS.readBatch))) {
      if (isLive(record, now)) found.set(record.id, record)
    }
  }
  return found
}

function runOf({ id, createdAt, state, reason, finishedAt, lastError }: CallRecord): ScheduledRun {
  return {
    id,
    dueAt: new Date(createdAt),
    state,
    ...(reason !== undefined && { reason }),
    ...(finishedAt !== undefined && { finishedAt: new Date(finishedAt) }),
    ...(lastError !== undefined && { lastError }),
  }
}

function scheduleOf(context: ScheduleContext, name: string): ResolvedSchedule {
  const schedules = context.schedules()
  const found = schedules.get(name)
  if (found !== undefined) return found
  throw new InvalidOptionError(
    `schedule ${showValue(name)} is not declared; ${suggestName(String(name), schedules.keys())}`,
  )
}

function portOf({ config }: ScheduleContext, { kind, schedules }: Backend): Schedules {
  if (schedules !== undefined) return schedules
  throw new NotWiredError(
    kind === 'eager'
      ? `the eager backend of ${JSON.stringify(config.name)} fires no schedules: calls run inside their submit; use the local backend`
      : `the schedules of ${JSON.stringify(config.name)} are not known here; give the process ERRAND_SCHEDULER (\`addClient(…, { inspect: true })\`, or \`--stack NAME\`)`,
  )
}
