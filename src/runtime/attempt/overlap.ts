/**
 * No two runs of one schedule at once. A row of the schedule's own names the run that goes; whoever wants to run changes
 * it from a run that is over to its own, under a condition, so that one of two who try does.
 *
 * - **Claim first, then the row.** So the run that the row names has a record, which tells whether it still goes. The
 *   other order would leave a moment in which a run holds the row and nobody can see that it is about to begin.
 * - **A run that was never claimed stands in nobody's way**: its message may be lost. One that was goes until its record
 *   is final, over its retries and the death of its workers; at the latest until its record is forgotten.
 * - **A retry by hand runs**, whatever else does: somebody wanted it to.
 * @module
 */

import { type CallRecord, isFinal, isLive } from '../call/record.ts'
import { scheduleRowId } from '../call/scheduled-call.ts'
import { ErrandError } from '../errors.ts'
import type { Ports } from '../ports/backend.ts'
import type { Change } from '../ports/store.ts'
import type { Claimed } from './finish-attempt.ts'

/** How often the row may change hands while one run looks at it. */
const LOOKS = 5

/** A row that nobody has written for so long is of a schedule that is gone: 400 days. */
const ROW_SECONDS = 34_560_000

/**
 * The earlier run of the schedule that still goes; `undefined` where none does, and this one may begin. It is asked again
 * at each attempt, and answers a run that may begin the same.
 * @throws ErrandError where the row changes faster than it can be read
 */
export async function runInTheWay(
  { store, clock }: Ports,
  { envelope, delivery }: Claimed,
): Promise<CallRecord | undefined> {
  const { id, schedule, overlap, sends } = envelope
  if (overlap === undefined || schedule === undefined || sends !== undefined) return undefined
  if (delivery.isDeadLetter === true) return undefined
  const row = scheduleRowId(schedule)
  const now = clock.now()
  let answer = await store.update(
    row,
    takeRow(
      {
        any: [
          ['id', 'absent'],
          ['owner', '=', id],
        ],
      },
      id,
      now,
    ),
  )
  for (let look = 0; look < LOOKS; look++) {
    const holder = answer.written ? id : answer.existing?.owner
    if (holder === id) return undefined
    const [earlier] = holder === undefined ? [] : await store.read([holder], { consistent: true })
    if (isLive(earlier, now) && !isFinal(earlier.state)) return earlier
    const stillTheirs: Change['when'] = holder === undefined ? ['owner', 'absent'] : ['owner', '=', holder]
    answer = await store.update(row, takeRow(stillTheirs, id, now))
  }
  throw new ErrandError(`the row of the schedule ${JSON.stringify(schedule)} changes too fast to be read`)
}

function takeRow(when: Change['when'], owner: string, now: number): Change {
  const expiresAtSeconds = Math.ceil(now / 1000) + ROW_SECONDS
  // As if it were final: it is of no call, and nobody is to wait for it.
  return { when, set: { state: 'succeeded', owner, expiresAtSeconds } }
}
