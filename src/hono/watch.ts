/**
 * The statuses of a call, or of a group, as they change. Everybody who watches shares the process's one poller.
 * @module
 */
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Future, Snapshot } from '../runtime/future/future.ts'
import type { OpenedCall, OpenedGroup } from './call-gate.ts'
import type { Watch } from './event-stream.ts'
import { groupStatusOf, hasEnded, statusOf } from './status-of.ts'

/** Calls of a group change one by one; what a page shows of them it need not redraw more often. */
const GROUP_PAUSE_MS = 100

/** Shows each status of a call, the final one included. */
export function watchCall({ future, snapshot }: OpenedCall): Watch {
  return async (show, signal) => {
    if (hasEnded(snapshot)) return
    for await (const next of future.updates({ signal })) show(JSON.stringify(statusOf(next)))
  }
}

/** Shows how a group's calls go on, several changes at a time. */
export function watchGroup({ group, snapshots }: OpenedGroup, clock: Clock): Watch {
  return async (show, signal) => {
    const latest = [...snapshots]
    let timer: Timer | undefined
    const showNow = () => {
      timer = undefined
      show(JSON.stringify(groupStatusOf(group.id, latest)))
    }
    const note = (index: number, snapshot: Snapshot) => {
      latest[index] = snapshot
      timer ??= clock.setTimer(showNow, GROUP_PAUSE_MS, { background: true })
    }
    try {
      await Promise.all(
        [...group].map((future, index) =>
          watchOne(future, latest[index], signal, (next) => note(index, next)),
        ),
      )
    } finally {
      timer?.cancel()
    }
    showNow()
  }
}

async function watchOne(
  future: Future<unknown>,
  known: Snapshot | undefined,
  signal: AbortSignal,
  note: (snapshot: Snapshot) => void,
): Promise<void> {
  if (known !== undefined && hasEnded(known)) return
  for await (const next of future.updates({ signal })) note(next)
}
