/**
 * What must hold of messages: none is dropped too early, none kept for ever, none harms its batch.
 * @module
 */

import { isFinal, sendsOf } from '../../src/runtime/call/record.ts'
import { scheduleName } from '../../src/runtime/ports/one-time-schedules.ts'
import { isClaim, type Of, type RunView, wasFinal } from './run-view.ts'
import { callIn } from './simulation.ts'

/** The names of the schedules that were made by then: each sends a message of its own. */
function scheduledBy(view: RunView, at: number): Set<string> {
  return new Set(view.of('scheduled').flatMap((made) => (made.at <= at ? [made.name] : [])))
}

/** I8: a message is deleted only once its call is final, or where it is not its call's. */
export function* acknowledgedOnlyWhenOver(view: RunView): Generator<[string, number]> {
  for (const deleted of view.of('deleted')) {
    const { id, queue, record, sends, payloadHash, messageId, receivedAt, at } = deleted
    if (id === undefined) {
      if (view.writesOf(messageId).length === 0)
        yield [`${messageId} is poison, was deleted, and left no trace`, at]
      continue
    }
    const ended = view
      .writesOf(id)
      .filter(({ after, at: writtenAt }) => isFinal(after.state) && writtenAt <= at)
    if (record === undefined || record.expiresAtSeconds * 1000 <= at) {
      if (ended.length === 0) yield [`${messageId} of ${id} was deleted, and the call never ended`, at]
    } else if (!isFinal(record.state) && record.payloadHash === payloadHash) {
      // It ended, and was retried by hand since: that sends a message of its own.
      const whenReceived = view.writesOf(id).findLast((write) => write.at <= receivedAt)
      const wasOver = whenReceived !== undefined && isFinal(whenReceived.after.state)
      if (wasOver || ended.some((write) => write.at >= receivedAt)) continue
      // Whoever retried by hand since has sent another message, or asks again until it has.
      if (queue.endsWith('-dead-letters') && sends < sendsOf(record)) continue
      // It waits for longer than a message can be hidden, and a schedule will send another; or has.
      if (waitsInSchedule(view, id, receivedAt, at)) continue
      yield [`${messageId} of ${id} was deleted while the call was ${record.state}`, at]
    }
  }
}

/** Whether, while a message was worked on, its call came to wait for a schedule. */
function waitsInSchedule(view: RunView, id: string, receivedAt: number, at: number): boolean {
  const made = scheduledBy(view, at)
  const writes = view.writesOf(id).filter((write) => write.at <= at)
  const first = writes.findLastIndex((write) => write.at <= receivedAt)
  return writes.slice(Math.max(first, 0)).some(({ after }) => {
    return (after.state === 'retrying' || after.state === 'scheduled') && made.has(scheduleName(after))
  })
}

/** The handler answers, and its answer never fails the whole batch. */
export function* batchIsAnswered(view: RunView): Generator<[string, number]> {
  for (const { invocation, failures, error, at } of view.of('answered')) {
    if (failures !== undefined || error?.includes('killed') === true) continue
    yield [
      `invocation ${invocation} failed as a whole: ${error ?? 'its answer is no list of its messages'}`,
      at,
    ]
  }
}

function messagesOf(view: RunView): Map<number, Of<'received'>[]> {
  const byInvocation = new Map<number, Of<'received'>[]>()
  for (const received of view.of('received')) {
    const list = byInvocation.get(received.invocation)
    if (list === undefined) byInvocation.set(received.invocation, [received])
    else list.push(received)
  }
  return byInvocation
}

/** The calls of a task that no worker knows. */
function strangersOf(view: RunView): Set<string> {
  const bodies = view.of('sent').map(({ body }) => callIn(body))
  return new Set(bodies.filter(({ task }) => task === 'unknown').map(({ id }) => id))
}

/** The due times of messages, as their envelopes say. */
function dueTimesOf(view: RunView): Map<string, number> {
  return new Map(view.of('sent').map(({ messageId, body }) => [messageId, callIn(body).dueAt]))
}

/** Without faults, a message whose call is over is deleted by the invocation that meets it at its time, or later. */
export function* endIsAcknowledged(view: RunView): Generator<[string, number]> {
  const received = messagesOf(view)
  const strangers = strangersOf(view)
  const due = dueTimesOf(view)
  const deleted = new Set(view.of('deleted').map(({ invocation, messageId }) => `${invocation} ${messageId}`))
  for (const { invocation, failures, at } of view.of('answered')) {
    const invoked = view.invocation(invocation)
    if (failures === undefined || invoked === undefined || invoked.at < view.calmFrom) continue
    // Short of its time-out an invocation answers, whatever is under way.
    if (at > invoked.deadline - 1000) continue
    const messages = received.get(invocation) ?? []
    for (const { id, messageId } of messages) {
      // Of two messages of one call in a batch, the other met it while it ran.
      const isDone = messages.some((one) => one.id === id && deleted.has(`${invocation} ${one.messageId}`))
      // What a schedule sends too early is hidden by what its envelope says, and nothing is read for it.
      const isEarly = (due.get(messageId) ?? 0) + view.result.plan.skewMs > invoked.at
      if (id === undefined || isDone || isEarly || strangers.has(id)) continue
      const writes = view.writesOf(id)
      // An attempt that outlived its own invocation may end in this one.
      const endedHere = writes.some((write) => {
        const claim = view.claimOf(id, write.after.owner)
        return (
          write.invocation === invocation && isFinal(write.after.state) && claim?.invocation === invocation
        )
      })
      const last = writes.findLast((write) => write.at <= invoked.at)
      const wasOver = invoked.messages === 1 && wasFinal(last?.after, at)
      if (endedHere || wasOver) yield [`${messageId} of ${id} was kept, though the call is over`, at]
    }
  }
}

/** I15: without faults in its way, a claim leads to an end, whatever its batch-mates do, and a retry to a back-off. */
export function* attemptsEndWell(view: RunView): Generator<[string, number]> {
  if (view.mode.tries < 3 || !view.mode.changesVisibility) return
  const answers = new Map(view.of('answered').map((answered) => [answered.invocation, answered]))
  const hidden = new Set(view.of('hidden').map(({ invocation }) => invocation))
  for (const claim of view.of('write')) {
    const { id, invocation, at, after } = claim
    if (!isClaim(claim) || invocation === undefined || at < view.calmFrom) continue
    const answered = answers.get(invocation)
    const deadline = view.invocation(invocation)?.deadline ?? 0
    if (answered?.failures === undefined || answered.at > deadline - 2000) continue
    if ((view.invocation(invocation)?.at ?? 0) < view.calmFrom) continue
    const end = view.writesOf(id).find((write) => {
      return write.at >= at && write.after.owner === after.owner && write.after.state !== 'running'
    })
    if (end === undefined || end.at > answered.at) {
      yield [`${id} was claimed, and invocation ${invocation} answered before its attempt ended`, at]
    } else if (
      end.after.state === 'retrying' &&
      !hidden.has(invocation) &&
      !scheduledBy(view, answered.at).has(scheduleName(end.after))
    ) {
      yield [`${id} is retried, and its message was not hidden until then`, at]
    }
  }
}

/** Without faults, a call that is retried comes back when it is due, not before. */
export function* backOffIsKept(view: RunView): Generator<[string, number]> {
  if (!view.mode.hides || !view.mode.changesVisibility) return
  const received = messagesOf(view)
  const toleranceMs = 2000 + 2 * view.result.plan.skewMs
  for (const { id, messageId, at } of view.of('received')) {
    if (id === undefined || at < view.quietFrom) continue
    const last = view.writesOf(id).findLast((write) => write.at <= at)
    if (last === undefined || last.after.state !== 'retrying' || last.at < view.quietFrom) continue
    const { invocation } = last
    if (invocation === undefined || (view.invocation(invocation)?.at ?? 0) < view.quietFrom) continue
    // An attempt that outlived its invocation has no message to hide any more.
    const claim = view.claimOf(id, last.after.owner)
    if (claim === undefined || claim.invocation !== invocation) continue
    // Of two messages of one call in a batch, the other waits for its lease.
    const own = (received.get(invocation) ?? []).filter((before) => before.id === id)
    if (own.length !== 1 || own[0]?.messageId !== messageId) continue
    if (last.after.dueAt <= at + toleranceMs) continue
    // A schedule sends up to a minute too early.
    const isScheduled = scheduledBy(view, at).has(scheduleName(last.after))
    if (isScheduled && last.after.dueAt <= at + toleranceMs + 60_000) continue
    yield [`${messageId} of ${id} came back ${last.after.dueAt - at} ms before it is due`, at]
  }
}

/** I16: how often a call is received beyond its attempts and faults. */
const SPARE_RECEIVES = 25

/** I16: no call is received without end. */
export function* receivesAreBounded(view: RunView): Generator<[string, number]> {
  if (!view.mode.hides || !view.mode.changesVisibility) return
  const strangers = strangersOf(view)
  const hasPoison = view.result.plan.poison.length > 0
  const counts = new Map<string, number>()
  for (const { id } of view.of('received')) if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1)
  const faults = view.result.faults.length
  for (const [id, count] of counts) {
    // What nobody can run is received once a minute, and holds up the group it heads.
    const queue = view.writesOf(id).at(-1)?.after.queue
    if (strangers.has(id) || (queue === 'orders' && (strangers.size > 0 || hasPoison))) continue
    const attempts = view.writesOf(id).filter(isClaim).length
    const bound = SPARE_RECEIVES + 4 * attempts + 2 * faults
    if (count > bound) yield [`${id} was received ${count} times, at most ${bound}`, 0]
  }
}
