/**
 * How far a call, or a group of calls, is: what a web client may know of it. Its tenant, its parent, its queue and the
 * words of its errors stay here.
 * @module
 */
import type { CallStateName, CallStatus, GroupStatus } from '../browser/call-status.ts'
import { isFinal } from '../runtime/call/record.ts'
import { UnsupportedValueError } from '../runtime/errors.ts'
import type { Snapshot } from '../runtime/future/future.ts'
import { shareOf } from '../runtime/future/progress-share.ts'
import { toJson } from './to-json.ts'

/** Whether it has ended. */
export function hasEnded({ state }: { readonly state: CallStateName }): boolean {
  return isFinal(state)
}

/** The status of a call. */
export function statusOf(snapshot: Snapshot): CallStatus {
  const { id, task, state, reason, attempts, createdAt, dueAt, startedAt, finishedAt } = snapshot
  return {
    id,
    task,
    state,
    progress: progressOf(snapshot.progress),
    attempts,
    createdAt: createdAt.toISOString(),
    dueAt: dueAt.toISOString(),
    ...(reason !== undefined && { reason }),
    ...(startedAt !== undefined && { startedAt: startedAt.toISOString() }),
    ...(finishedAt !== undefined && { finishedAt: finishedAt.toISOString() }),
  }
}

/** `null` also for what cannot be JSON: a call is not lost from sight by what it reports. */
function progressOf(progress: unknown): unknown {
  try {
    return JSON.parse(toJson(progress, 'progress'))
  } catch (error) {
    if (UnsupportedValueError.is(error)) return null
    throw error
  }
}

/** The status of a group, from the snapshots of all its calls. */
export function groupStatusOf(id: string, snapshots: readonly Snapshot[]): GroupStatus {
  const counts: Partial<Record<CallStateName, number>> = {}
  let done = 0
  for (const snapshot of snapshots) {
    counts[snapshot.state] = (counts[snapshot.state] ?? 0) + 1
    done += hasEnded(snapshot) ? 1 : (shareOf(snapshot.progress) ?? 0)
  }
  const calls = snapshots.length
  return { id, state: groupStateOf(counts, calls), progress: calls === 0 ? 1 : done / calls, calls, counts }
}

function groupStateOf(
  { pending = 0, scheduled = 0, succeeded = 0, failed = 0, cancelled = 0 }: GroupStatus['counts'],
  calls: number,
): GroupStatus['state'] {
  if (succeeded + failed + cancelled < calls) return pending + scheduled === calls ? 'pending' : 'running'
  if (failed > 0) return 'failed'
  return cancelled > 0 ? 'cancelled' : 'succeeded'
}
