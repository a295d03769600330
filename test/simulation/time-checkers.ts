/**
 * What must hold of calls that wait: none runs before its time, none long after it, none begins that has expired, and
 * nobody lets go of a message before something else will send it.
 * @module
 */

import { isFinal } from '../../src/runtime/call/record.ts'
import { LIMITS, PROTOCOL } from '../../src/runtime/config/config.ts'
import { SCHEDULED } from './programs.ts'
import { isClaim, type RunView } from './run-view.ts'
import { callIn } from './simulation.ts'

/** Messages and schedules are of calls that were due at this time, by the clock of their sender. */
function dueTimes(view: RunView): Map<string, number> {
  const earliest = new Map<string, number>()
  for (const { body } of [...view.of('sent'), ...view.of('scheduled')]) {
    const { id, dueAt } = callIn(body)
    earliest.set(id, Math.min(earliest.get(id) ?? Number.POSITIVE_INFINITY, dueAt))
  }
  return earliest
}

/** F-03: no call runs before it was to, be there a record of it before its claim or not. */
export function* dueTimeOfMessagesIsKept(view: RunView): Generator<[string, number]> {
  const toleranceMs = PROTOCOL.dueToleranceSeconds * 1000 + 2 * view.result.plan.skewMs + 1
  const due = dueTimes(view)
  for (const { id, at } of view.of('run')) {
    const dueAt = due.get(id)
    if (dueAt !== undefined && dueAt > at + toleranceMs) yield [`${id} runs ${dueAt - at} ms too early`, at]
  }
}

/** How late a call may begin that has waited for long, with nothing in its way: an hour of others' attempts, at the most. */
const LATE_MS = 300_000

/** Without faults a call that waited for long begins within five minutes after its time. */
export function* longWaitsEndInTime(view: RunView): Generator<[string, number]> {
  for (const write of view.of('write')) {
    const { id, before, after, at } = write
    if (!isClaim(write) || before === undefined) continue
    const { state, dueAt } = before
    if (state !== 'scheduled' && state !== 'retrying') continue
    const since = view.writesOf(id).findLast((earlier) => earlier.after === before)?.at ?? 0
    const isLong = dueAt - since > LIMITS.delaySeconds * 1000
    // What no worker knows waits for its deployment.
    if (after.task === 'unknown') continue
    if (!isLong || since < view.quietFrom || at <= dueAt + LATE_MS + view.result.plan.skewMs) continue
    yield [`${id} was due, and began ${at - dueAt} ms later`, at]
  }
}

/** No attempt begins for the first time after the expiry of its call. */
export function* expiredNeverBegins(view: RunView): Generator<[string, number]> {
  for (const { id, execution, attempt, at } of view.of('run')) {
    const { startBy = Number.POSITIVE_INFINITY } = view.claimOfExecution(execution)?.after ?? {}
    if (attempt > 1 || at <= startBy + view.result.plan.skewMs) continue
    yield [`${id} began ${at - startBy} ms after its expiry`, at]
  }
}

/** A call ends as expired only after its expiry, and only where no attempt had begun. */
export function* onlyUnbegunExpires(view: RunView): Generator<[string, number]> {
  for (const { id, before, after, at } of view.of('write')) {
    if (after.reason !== 'expired' || before?.reason === 'expired' || !isFinal(after.state)) continue
    const { startBy = Number.POSITIVE_INFINITY } = after
    if (startBy > at + view.result.plan.skewMs) yield [`${id} expired ${startBy - at} ms too early`, at]
    const ran = view.of('run').find((run) => run.id === id && run.at <= at)
    if (ran !== undefined) yield [`${id} had run, and expired`, at]
  }
}

/** A run of a schedule is of a due time that was fired, and of the id that is made of it. */
export function* scheduledRunsAreOfDueTimes(view: RunView): Generator<[string, number]> {
  const fired = new Set(view.of('sent').map(({ body }) => callIn(body).id))
  for (const { id, call, at } of view.of('run')) {
    if (call === SCHEDULED && !fired.has(id)) yield [`${id} runs, which no schedule fired`, at]
  }
}

/** Under `skip` no run of a schedule begins while another one that has begun goes. */
export function* overlapIsRespected(view: RunView): Generator<[string, number]> {
  if (view.result.plan.schedule?.overlap !== 'skip') return
  const begun = new Set<string>()
  for (const { id, call, at } of view.of('run')) {
    if (call !== SCHEDULED) continue
    for (const other of begun) {
      const last = view.writesOf(other).findLast((write) => write.at <= at)
      if (other !== id && !isFinal(last?.after.state ?? 'pending'))
        yield [`${id} begins while ${other} goes`, at]
    }
    begun.add(id)
  }
}
