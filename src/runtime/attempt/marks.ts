/**
 * Marks: how a running attempt learns that somebody asked its call to stop, or that it lost its lease.
 * @module
 */

import { type CallRecord, isFinal } from '../call/record.ts'
import { PROTOCOL } from '../config/config.ts'
import { AbortedError, LeaseLostError } from '../errors.ts'
import type { Ports } from '../ports/backend.ts'

/** An attempt whose mark is watched. */
export interface WatchedAttempt {
  readonly id: string
  readonly owner: string
  /** Which attempt of its call it is, from 1. */
  readonly attempt: number
  readonly startedAt: number
  abort(reason: Error): void
}

/** Watches the marks of one environment's attempts. */
export interface Marks {
  watch(attempt: WatchedAttempt): void
  unwatch(attempt: WatchedAttempt): void
}

/**
 * Reads the marks of attempts older than 5 s, every 5 s, a hundred in a request: a short call costs nothing.
 */
export function createMarks(ports: Ports): Marks {
  const active = new Set<WatchedAttempt>()
  const periodMs = PROTOCOL.markReadSeconds * 1000
  let ticking = false
  const tick = async () => {
    if (active.size === 0) {
      ticking = false
      return
    }
    const oldEnough = ports.clock.now() - periodMs
    const due = [...active].filter((attempt) => attempt.startedAt <= oldEnough)
    try {
      if (due.length > 0) await readMarks(ports, due)
    } catch {
      // A read that fails is made again in 5 s; the lease and the fence hold without it.
    }
    schedule()
  }
  const schedule = () => {
    ports.clock.setTimer(() => void tick(), periodMs, { background: true })
  }
  return {
    watch(attempt) {
      active.add(attempt)
      if (!ticking) {
        ticking = true
        schedule()
      }
    },
    unwatch(attempt) {
      active.delete(attempt)
    },
  }
}

async function readMarks(ports: Ports, attempts: readonly WatchedAttempt[]): Promise<void> {
  const records = await ports.store.read(attempts.map(({ id }) => id))
  for (const [index, attempt] of attempts.entries()) {
    const record = records[index]
    if (record !== undefined) heed(record, attempt)
  }
}

/** Aborts the attempt where its record says that it should stop. Stale reads only make it later. */
export function heed(record: CallRecord, attempt: WatchedAttempt): void {
  // As it was before the claim: of an attempt before, whose owner was another, and which may have failed.
  if (record.attempts < attempt.attempt) return
  if (isFinal(record.state) || (record.owner !== attempt.owner && record.state === 'running')) {
    attempt.abort(leaseLost(record.id))
  } else if (record.abortReason !== undefined) {
    attempt.abort(new AbortedError(record.abortReason))
  }
}

/** The reason of an attempt that no longer owns its call. */
export function leaseLost(id: string): LeaseLostError {
  return new LeaseLostError(`this attempt no longer owns the call ${id}: what it does will not be recorded`)
}
