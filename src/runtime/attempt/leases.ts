/**
 * Leases that are renewed: how a worker without a hard deadline, a process of its own, keeps the calls that it runs.
 *
 * On Lambda a lease lasts until the environment is killed, and needs no renewal. A process may live for days, or die
 * in a minute: its leases are short, so that its calls are soon taken up, and are renewed while their attempts run.
 * @module
 */

import { type CallRecord, extendLeaseChange } from '../call/record.ts'
import { PROTOCOL } from '../config/config.ts'
import type { Ports } from '../ports/backend.ts'
import { leaseLost, type WatchedAttempt } from './marks.ts'

/** Renews the leases of one process's attempts. */
export interface Leases {
  /** Renews this attempt's lease from now on; aborts it where the lease is lost. */
  watch(attempt: WatchedAttempt): void
  unwatch(attempt: WatchedAttempt): void
}

/** How long the worker counts on a lease that is taken or renewed now, in epoch milliseconds; the record adds a margin. */
export function renewedLeaseUntil(now: number): number {
  return now + PROTOCOL.renewedLeaseSeconds * 1000
}

/** Renews every 20 s: a lease of 60 s outlives two renewals that fail. */
export function createLeases(ports: Ports): Leases {
  /** Until when each attempt's lease lasts, as far as is known here. */
  const active = new Map<WatchedAttempt, number>()
  const renewing = new Set<WatchedAttempt>()
  let isTicking = false
  const tick = () => {
    isTicking = active.size > 0
    if (!isTicking) return
    // Before the requests: one that hangs must not put off the next renewal of the others.
    schedule()
    for (const attempt of active.keys()) {
      if (renewing.has(attempt)) abortWhereOver(attempt)
      else void renew(attempt)
    }
  }
  const renew = async (attempt: WatchedAttempt) => {
    const until = renewedLeaseUntil(ports.clock.now())
    renewing.add(attempt)
    try {
      const leaseUntil = until + PROTOCOL.leaseMarginSeconds * 1000
      const answer = await ports.store.update(attempt.id, extendLeaseChange(attempt.owner, leaseUntil))
      const isOurs = answer.written || isOwnLease(answer.existing, attempt.owner)
      if (!isOurs) attempt.abort(leaseLost(attempt.id))
      else if (active.has(attempt)) active.set(attempt, until)
    } catch {
      // Tried again in 20 s.
      abortWhereOver(attempt)
    } finally {
      renewing.delete(attempt)
    }
  }
  /** What a process cannot renew in time another takes over, and its own attempt must stop. */
  const abortWhereOver = (attempt: WatchedAttempt) => {
    if (ports.clock.now() >= (active.get(attempt) ?? Number.POSITIVE_INFINITY)) {
      attempt.abort(leaseLost(attempt.id))
    }
  }
  const schedule = () => {
    ports.clock.setTimer(tick, PROTOCOL.renewSeconds * 1000, { background: true })
  }
  return {
    watch(attempt) {
      active.set(attempt, renewedLeaseUntil(attempt.startedAt))
      if (isTicking) return
      isTicking = true
      schedule()
    },
    unwatch(attempt) {
      active.delete(attempt)
    },
  }
}

/** Whether a refused renewal met its own lease, and a longer one: a clock may have been set back. */
function isOwnLease(existing: CallRecord | undefined, owner: string): boolean {
  return existing?.state === 'running' && existing.owner === owner
}
