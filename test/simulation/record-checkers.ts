/**
 * What must hold of the writes of every record: the state machine, the fence, the lease, the counts.
 * @module
 */

import { type CallRecord, type CallState, isFinal } from '../../src/runtime/call/record.ts'
import { createCodec } from '../../src/runtime/codec/codec.ts'
import { PROTOCOL } from '../../src/runtime/config/config.ts'
import type { Returned } from './programs.ts'
import { isClaim, type Of, type RunView, wasFinal } from './run-view.ts'

const codec = createCodec({})

const steps: Readonly<Record<CallState | 'none', readonly CallState[]>> = {
  none: ['pending', 'scheduled', 'running'],
  pending: ['running', 'cancelled'],
  scheduled: ['running', 'cancelled'],
  running: ['running', 'retrying', 'succeeded', 'failed', 'cancelled'],
  retrying: ['running', 'cancelled'],
  succeeded: [],
  failed: [],
  cancelled: [],
}

/** Whether this write ends a call that no attempt has begun in time: by whoever saw it so. */
function isExpiry(view: RunView, { before, after, at }: Of<'write'>): boolean {
  if (after.state !== 'failed' || after.reason !== 'expired' || after.startedAt !== undefined) return false
  return (before?.startBy ?? Number.POSITIVE_INFINITY) <= at + view.result.plan.skewMs + 1
}

/** Whether this claim is made to end a call that has expired: it is no attempt. */
function isToEndExpired(view: RunView, write: Of<'write'>): boolean {
  const { after, at } = write
  if (!isClaim(write) || after.startedAt !== undefined) return false
  return (after.startBy ?? Number.POSITIVE_INFINITY) <= at + view.result.plan.skewMs + 1
}

/** Whether this write is what somebody asked for by `executor.retry`. */
function isRetryByHand(view: RunView, { id, process, before, after, at }: Of<'write'>): boolean {
  if (before?.state !== 'failed' || after.state !== 'pending') return false
  return view.of('asked').some((asked) => {
    return asked.what === 'retry' && asked.id === id && asked.process === process && asked.at <= at
  })
}

/** I2: nothing changes a final record while it lives. */
export function* finalIsFinal(view: RunView): Generator<[string, number]> {
  for (const write of view.of('write')) {
    if (!wasFinal(write.before, write.at) || isRetryByHand(view, write)) continue
    yield [`${write.id} was ${write.before.state} and was changed by ${write.process}`, write.at]
  }
}

/** I6: every change of state is one of the state machine's. */
export function* pathIsLegal(view: RunView): Generator<[string, number]> {
  for (const write of view.of('write')) {
    const { id, before, after, at } = write
    const isForgotten = before !== undefined && before.expiresAtSeconds * 1000 <= at
    const from = before === undefined || isForgotten ? 'none' : before.state
    if (isFinal(before?.state ?? 'pending') && !isForgotten) continue
    // A dead letter that nobody can read ends under its message's id.
    if (after.task === '(unreadable)') continue
    if (steps[from].includes(after.state) || isExpiry(view, write)) continue
    yield [`${id} went from ${from} to ${after.state}`, at]
  }
}

/** A call that ended, and whose record is gone, is never run again by a message that comes late. */
export function* forgottenStaysForgotten(view: RunView): Generator<[string, number]> {
  const ended = new Set<string>()
  for (const write of view.of('write')) {
    const { id, before, after, at } = write
    const isGone = before === undefined || before.expiresAtSeconds * 1000 <= at
    if (isGone && isClaim(write) && ended.has(id)) yield [`${id} ended, was forgotten, and runs again`, at]
    if (isFinal(after.state)) ended.add(id)
  }
}

/** I5: attempts go up once a claim, failures once an attempt, and neither ever goes down. */
export function* attemptsAreCounted(view: RunView): Generator<[string, number]> {
  for (const write of view.of('write')) {
    const { id, after, at } = write
    const before: Pick<CallRecord, 'attempts' | 'failures'> =
      write.before === undefined || write.before.expiresAtSeconds * 1000 <= at
        ? { attempts: 0, failures: 0 }
        : write.before
    if (isRetryByHand(view, write)) continue
    // Who ends a dead letter runs nothing.
    const isAttempt = !write.process.startsWith('dead-letters') && !isToEndExpired(view, write)
    const claimed = isClaim(write) && isAttempt ? 1 : 0
    if (after.attempts !== before.attempts + claimed) {
      yield [`${id}: attempts ${before.attempts} → ${after.attempts} at ${claimed} claims`, at]
    }
    const failed = after.failures - before.failures
    const mayFail = after.state === 'retrying' || isFinal(after.state)
    if (failed < 0 || failed > (mayFail ? 1 : 0)) {
      yield [`${id}: failures ${before.failures} → ${after.failures} as it became ${after.state}`, at]
    }
    if (after.state === 'retrying' && write.before?.state === 'running' && failed !== 1) {
      yield [`${id} is retried and its failure was not counted`, at]
    }
  }
}

/** I5: each claim runs at most once, and a call at most as often as its limits allow. */
export function* executionsAreBounded(view: RunView): Generator<[string, number]> {
  const { plan } = view.result
  const runs = new Map<string, number>()
  const owners = new Set<string>()
  for (const { id, execution, process, attempt, at } of view.of('run')) {
    const claim = view.claimOfExecution(execution)
    if (claim === undefined) {
      yield [`${process} runs ${id} without a claim`, at]
      continue
    }
    const key = `${id} ${claim.at} ${claim.after.owner}`
    if (owners.has(key)) yield [`${process} runs ${id} twice under one claim`, at]
    owners.add(key)
    if (attempt !== claim.after.attempts) {
      yield [`${id} is told that it is attempt ${attempt}, its claim says ${claim.after.attempts}`, at]
    }
    runs.set(id, (runs.get(id) ?? 0) + 1)
  }
  const retries = view.of('asked').filter(({ what }) => what === 'retry')
  for (const [id, count] of runs) {
    const rounds = 1 + retries.filter((asked) => asked.id === id).length
    if (count > (plan.maxAttempts + plan.maxKills) * rounds) yield [`${id} ran ${count} times`, 0]
  }
}

/** F-20: an attempt begins before the time-out of the invocation that claimed it, or not at all. */
export function* attemptBeginsInTime(view: RunView): Generator<[string, number]> {
  for (const { id, execution, process, at } of view.of('run')) {
    const claim = view.claimOfExecution(execution)
    const deadline = view.invocation(claim?.invocation)?.deadline
    if (claim === undefined || deadline === undefined) continue
    // Where leases are renewed they are over long before the time-out.
    const leaseUntil = (claim.after.leaseUntil ?? deadline) + view.result.plan.skewMs
    const latest = Math.min(deadline, leaseUntil)
    if (at >= latest) yield [`${process} begins ${id} ${at - latest} ms too late for its claim`, at]
  }
}

/** I4: nobody takes a call over before the time-out of the invocation that owns it. */
export function* leaseIsExclusive(view: RunView): Generator<[string, number]> {
  for (const write of view.of('write')) {
    const { id, process, before, at } = write
    if (!isClaim(write) || before?.state !== 'running') continue
    const claim = view.claimOf(id, before.owner)
    const deadline = view.invocation(claim?.invocation)?.deadline
    if (claim === undefined || deadline === undefined || at >= deadline) continue
    yield [`${process} took ${id} over ${deadline - at} ms before its owner's time-out`, at]
  }
}

/** I4: nobody takes a call over while its lease holds, as far as clocks agree. */
export function* leaseIsHeeded(view: RunView): Generator<[string, number]> {
  for (const write of view.of('write')) {
    const { id, process, before, at } = write
    if (!isClaim(write) || before?.state !== 'running') continue
    const leaseUntil = before.leaseUntil ?? 0
    if (at + view.result.plan.skewMs >= leaseUntil) continue
    yield [`${process} took ${id} over ${leaseUntil - at} ms before its lease ended`, at]
  }
}

/** I4: without faults nobody takes a call from a process that lives. */
export function* leaseIsKept(view: RunView): Generator<[string, number]> {
  const stops = [...view.of('killed'), ...view.of('frozen')]
  // A claim whose answer was lost runs nothing.
  const running = new Set(view.of('run').map(({ id, owner }) => `${id} ${owner}`))
  for (const write of view.of('write')) {
    const { id, process, before, at } = write
    if (!isClaim(write) || before?.state !== 'running') continue
    const claim = view.claimOf(id, before.owner)
    if (claim === undefined || claim.at < view.calmFrom || !running.has(`${id} ${before.owner}`)) continue
    // A claim may be written after its process was killed.
    if (stops.some((stop) => stop.process === claim.process && stop.at <= at)) continue
    yield [`${process} took ${id} from ${claim.process}, which lives and runs it`, at]
  }
}

/** F-03: no call runs before it is due. */
export function* dueTimeIsKept(view: RunView): Generator<[string, number]> {
  const toleranceMs = PROTOCOL.dueToleranceSeconds * 1000 + view.result.plan.skewMs + 1
  for (const write of view.of('write')) {
    const { before, at } = write
    if (!isClaim(write) || (before?.state !== 'scheduled' && before?.state !== 'retrying')) continue
    if (before.dueAt > at + toleranceMs) yield [`${write.id} runs ${before.dueAt - at} ms too early`, at]
  }
}

/** A marked call is never claimed or retried again. */
export function* markIsHeeded(view: RunView): Generator<[string, number]> {
  for (const write of view.of('write')) {
    const { id, before, after, at } = write
    if (before?.abortReason === undefined || before.expiresAtSeconds * 1000 <= at) continue
    if (isClaim(write)) yield [`${id} was marked, and is claimed`, at]
    if (after.state === 'retrying') yield [`${id} was marked, and is retried`, at]
  }
}

/** I3: what an attempt writes is written by the process that holds the fence, and a result is its own. */
export function* fenceHolds(view: RunView): Generator<[string, number]> {
  for (const write of view.of('write')) {
    const { id, process, before, after, at } = write
    if (before === undefined || isClaim(write) || after.task === '(unreadable)') continue
    // Who waits for it may end it, while nobody runs it.
    const isOwned = before.state === 'running' && (before.leaseUntil ?? 0) >= at + view.result.plan.skewMs
    if (!isOwned && isExpiry(view, write)) continue
    if (before.state === 'running' && after.state === 'cancelled') {
      const isOwn = view.claimOf(id, before.owner)?.process === process
      if (!isOwn && (before.leaseUntil ?? 0) > at + view.result.plan.skewMs) {
        yield [`${process} cancelled ${id} under a live lease of another`, at]
      }
    }
    const isRenewal = after.state === 'running' && after.leaseUntil !== before.leaseUntil
    const isOfAttempt =
      isRenewal ||
      after.state === 'succeeded' ||
      after.state === 'failed' ||
      after.state === 'retrying' ||
      after.progress !== before.progress
    if (!isOfAttempt || isRetryByHand(view, write)) continue
    if (before.state !== 'running') yield [`${process} wrote ${after.state} to ${id}, which did not run`, at]
    const claim = view.claimOf(id, before.owner)
    if (claim === undefined || claim.process !== process) {
      yield [`${process} wrote ${after.state} to ${id}, which ${claim?.process} owns`, at]
    }
    if (after.state !== 'succeeded' || after.result === undefined) continue
    const { execution } = codec.decode(after.result) as Returned
    const owner = view.claimOfExecution(execution)?.after.owner
    if (owner !== before.owner) {
      yield [
        `${id} has the result of execution ${execution} under ${owner}, its owner is ${before.owner}`,
        at,
      ]
    }
  }
}

/** I4, I6: under one owner a lease only grows, and so does the number of its progress. */
export function* ownersOnlyAdvance(view: RunView): Generator<[string, number]> {
  for (const { id, before, after, at } of view.of('write')) {
    if (before?.state !== 'running' || after.state !== 'running' || before.owner !== after.owner) continue
    if ((after.leaseUntil ?? 0) < (before.leaseUntil ?? 0)) {
      yield [
        `the lease of ${id} was shortened by ${(before.leaseUntil ?? 0) - (after.leaseUntil ?? 0)} ms`,
        at,
      ]
    }
    const [older = 0, newer = 0] = [before.progressNumber, after.progressNumber]
    if (newer < older) yield [`${id} went from progress ${older} back to ${newer}`, at]
  }
}

/** I4: who is told that it lost its lease has lost it; where leases are renewed, a process may only have to fear so. */
export function* lossIsReal(view: RunView): Generator<[string, number]> {
  if (view.mode.renewsLeases) return
  for (const { id, execution, lost, at } of view.of('ran')) {
    if (lost === undefined) continue
    const owner = view.claimOfExecution(execution)?.after.owner
    const last = view.writesOf(id).findLast((write) => write.at <= at)?.after
    if (last?.state !== 'running' || last.owner !== owner) continue
    yield [`execution ${execution} of ${id} was told that it had lost its lease, and had not`, at]
  }
}

/** A progress value is of the attempt that runs. */
export function* progressIsOwn(view: RunView): Generator<[string, number]> {
  for (const { id, before, after, at } of view.of('write')) {
    if (after.progress === undefined || after.progress === before?.progress) continue
    const { execution } = codec.decode(after.progress) as { execution: number }
    const owner = view.claimOfExecution(execution)?.after.owner
    if (owner !== after.owner) yield [`${id} has the progress of execution ${execution}, not its owner's`, at]
  }
}
