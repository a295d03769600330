/**
 * What must hold for those who submit and wait: nothing is lost, no future hangs or lies, a cancel is kept, a key
 * is one call.
 * @module
 */

import { type CallState, isFinal } from '../../src/runtime/call/record.ts'
import { createCodec } from '../../src/runtime/codec/codec.ts'
import { FIRST_CHILD, FOLLOW_UP, type Returned } from './programs.ts'
import type { Of, RunView } from './run-view.ts'
import { callIn, MAX_EVENTS } from './simulation.ts'

const codec = createCodec({})

/** The ids that messages were sent for. */
function sentIds(view: RunView): Set<string> {
  const ids = new Set<string>()
  for (const { body } of view.of('sent')) ids.add(callIn(body).id)
  return ids
}

/** Calls whose messages SQS gave up on, where nobody handles dead letters. */
function givenUp(view: RunView): Set<string | undefined> {
  const ids = new Set<string | undefined>()
  if (view.mode.handlesDeadLetters) return ids
  for (const [queue, bodies] of view.result.left) {
    if (!queue.endsWith('-dead-letters')) continue
    for (const body of bodies) {
      try {
        ids.add(callIn(body).id)
      } catch {
        // Poison is of no call.
      }
    }
  }
  return ids
}

/** I1, I9: every call that was sent, or whose submit returned, has an end. */
export function* nothingIsLost(view: RunView): Generator<[string, number]> {
  const ids = sentIds(view)
  for (const { id } of view.of('submitted')) ids.add(id)
  const exempt = givenUp(view)
  for (const id of ids) {
    if (exempt.has(id)) continue
    const ended = view.writesOf(id).some(({ after }) => isFinal(after.state))
    const record = view.result.records.get(id)
    if (record === undefined && !ended) yield [`${id} was sent, and left no trace`, 0]
    else if (record !== undefined && !isFinal(record.state)) yield [`${id} is ${record.state} for ever`, 0]
  }
}

/** Everything comes to rest: no loop, no message that goes round for ever. */
export function* everythingRests(view: RunView): Generator<[string, number]> {
  const { settled, events, left } = view.result
  if (events >= MAX_EVENTS) yield [`${events} events, and no end`, 0]
  else if (!settled) yield ['hours after the last fault something is still under way', 0]
  for (const [queue, bodies] of left) {
    const isDead = queue.endsWith('-dead-letters')
    if (isDead && !view.mode.handlesDeadLetters) continue
    if (settled && bodies.length > 0) yield [`${bodies.length} messages are left in ${queue}`, 0]
  }
}

/** I9: no future hangs, and none is told something else than the record says. */
export function* futuresSettle(view: RunView): Generator<[string, number]> {
  const settled = new Map(view.of('settled').map((end) => [end.future, end]))
  const killed = new Map(view.of('killed').map(({ process, at }) => [process, at]))
  for (const { id, future, process, at } of view.of('waits')) {
    const end = settled.get(future)
    if (end === undefined) {
      if (!killed.has(process)) yield [`future ${future} of ${id} hangs`, at]
      continue
    }
    yield* lies(view, end)
  }
}

const transient = /Timeout|Throttling|ServiceUnavailable/

function* lies(view: RunView, end: Of<'settled'>): Generator<[string, number]> {
  const { id, state, detail, at } = end
  if (state === 'error') {
    const unwritten = detail === 'call-not-found' && view.result.plan.record === 'on-claim'
    const isLost = givenUp(view).has(id)
    const excused = unwritten || isLost || (at < view.calmFrom + 60_000 && transient.test(String(detail)))
    if (!excused) yield [`a future of ${id} ended in ${String(detail)}`, at]
    return
  }
  // After a retry by hand, who reads late may still be told of the end before it.
  const finals = view
    .writesOf(id)
    .flatMap(({ after, at: writtenAt }) => (after.state === state && writtenAt <= at ? [after] : []))
  if (finals.length === 0) {
    yield [`a future of ${id} says ${state}, which it never was`, at]
    return
  }
  if (state === 'failed') {
    const threw = finals.every(({ reason }) => reason === 'threw')
    if (threw && !String(detail).includes(id)) {
      yield [`a future of ${id} got the error of another: ${String(detail)}`, at]
    }
  }
  if (state !== 'succeeded') return
  const value = detail as Returned
  const owner = view.claimOfExecution(value.execution)?.after.owner
  if (value.id !== id || !finals.some((final) => final.owner === owner)) {
    yield [`a future of ${id} got the result of ${value.id}, execution ${value.execution}`, at]
  }
}

/** The error in a record is of its own call. */
export function* errorIsOwn(view: RunView): Generator<[string, number]> {
  for (const { id, after, at } of view.of('write')) {
    if (after.state !== 'failed' || after.reason !== 'threw' || after.result === undefined) continue
    const error = codec.decode(after.result) as Error
    if (!error.message.includes(id)) yield [`${id} failed with the error of another: ${error.message}`, at]
  }
}

/** I6: a future sees states in their order, and progress that only grows. */
export function* viewsAreInOrder(view: RunView): Generator<[string, number]> {
  const rank = { pending: 0, scheduled: 0, running: 1, retrying: 2, succeeded: 3, failed: 3, cancelled: 3 }
  const last = new Map<number, Of<'seen'>>()
  for (const seen of view.of('seen')) {
    const before = last.get(seen.future)
    last.set(seen.future, seen)
    if (before === undefined) continue
    const { id, attempts, state, at } = seen
    const isBehind = attempts < before.attempts
    const isBack = attempts === before.attempts && rank[state as CallState] < rank[before.state as CallState]
    if (isBehind || isBack) yield [`a future of ${id} saw ${before.state}, then ${state}`, at]
    if (isFinal(before.state)) yield [`a future of ${id} saw ${state} after ${before.state}`, at]
    const [older, newer] = [before.progress, seen.progress] as (
      | { execution: number; done: number }
      | undefined
    )[]
    if (older === undefined || newer === undefined || older.execution !== newer.execution) continue
    if (newer.done < older.done)
      yield [`a future of ${id} saw progress ${older.done}, then ${newer.done}`, at]
  }
}

/** I7: a call whose `cancel` was true never runs. */
export function* cancelIsKept(view: RunView): Generator<[string, number]> {
  for (const { what, answer, id, at } of view.of('told')) {
    if (what !== 'cancel' || answer !== true) continue
    for (const run of view.of('run')) {
      if (run.id === id && run.at > at) yield [`${id} runs after its cancel`, run.at]
    }
    const record = view.writesOf(id).at(-1)?.after
    if (record?.state !== 'cancelled') yield [`${id} is ${record?.state} after its cancel`, at]
  }
}

/** I10: a key is one call, and only calls of the same arguments. */
export function* keyIsOneCall(view: RunView): Generator<[string, number]> {
  const { plan } = view.result
  const ids = new Map<string, string>()
  const variants = new Map<string, number>()
  for (const { call: number, id, at } of view.of('submitted')) {
    const call = plan.calls[number]
    if (call === undefined) continue
    if (call.key !== undefined) {
      const key = JSON.stringify([call.tenant, call.task, call.key])
      if ((ids.get(key) ?? id) !== id) yield [`the key ${call.key} is two calls`, at]
      ids.set(key, id)
    }
    if (plan.record === 'on-claim') continue
    const variant = variants.get(id) ?? call.variant
    if (variant !== call.variant) yield [`${id} was submitted with two payloads, and neither refused`, at]
    variants.set(id, variant)
  }
}

/** A call runs with the arguments of its record. */
export function* argumentsAreRight(view: RunView): Generator<[string, number]> {
  const variants = new Map<string, number>()
  for (const { id, variant, call, at } of view.of('run')) {
    if (call >= FIRST_CHILD) continue
    if ((variants.get(id) ?? variant) !== variant)
      yield [`${id} runs with the arguments of another payload`, at]
    variants.set(id, variant)
  }
}

/** What follows a call is submitted once for its end, and never for another. */
export function* followUpsAreExact(view: RunView): Generator<[string, number]> {
  const lost = givenUp(view)
  const followed = new Map(
    view.of('submitted').map(({ call, id }) => [id, view.result.plan.calls[call]?.follows]),
  )
  const found = new Set<string>()
  for (const { id } of view.of('write')) if (/:(then|catch)(:|$)/.test(id)) found.add(id)
  for (const [id, follows = 'none'] of followed) {
    const ends = view
      .writesOf(id)
      .filter(({ before, after }) => isFinal(after.state) && !isFinal(before?.state ?? 'pending'))
    for (const { after, at } of ends) {
      const word = after.state === 'succeeded' ? 'then' : 'catch'
      const isDue = after.state !== 'cancelled' && (follows === word || follows === 'both')
      if (!isDue) continue
      const followUp = `${id}:${word}${(after.sends ?? 1) === 1 ? '' : `:${after.sends}`}`
      // An end that was undone by hand may have been undone before what follows it was sent.
      const isLast = after === ends.at(-1)?.after
      if (isLast && !found.has(followUp) && !lost.has(id)) yield [`${followUp} was never submitted`, at]
      found.delete(followUp)
    }
  }
  for (const id of found) {
    const parent = id.replace(/:(then|catch)(:\d+)?$/, '')
    // Who submitted it may have died before it knew.
    if (followed.has(parent)) yield [`${id} was submitted, and nothing of ${parent} asked for it`, 0]
  }
  for (const { id, call, given, at } of view.of('run')) {
    if (call !== FOLLOW_UP || id.includes(':catch')) continue
    const parent = id.replace(/:then(:\d+)?$/, '')
    if ((given as Returned).id !== parent)
      yield [`${id} was given the value of ${(given as Returned).id}`, at]
  }
}

/** Nothing throws where nobody looks. */
export function* nothingIsUnhandled(view: RunView): Generator<[string, number]> {
  for (const { error, at } of view.of('unhandled')) yield [error, at]
}
