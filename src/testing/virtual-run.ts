/**
 * Moves virtual time, and lets the workers run only meanwhile.
 *
 * Time does not overtake the user's code: what an attempt waits for on real time is waited for in real time, before
 * virtual time passes its limit. Messages that fall due sooner may be what it waits for, and come first.
 * @module
 */
import type { VirtualClock } from '../local-emulator/index.ts'
import type { QueueGate } from '../local-emulator/queue-gate.ts'
import { ClosedError } from '../runtime/errors.ts'
import type { RunningCode } from './running-code.ts'

/** What moves, and what moves with it. */
export interface VirtualRun {
  readonly clock: VirtualClock
  readonly gate: QueueGate
  readonly running: RunningCode
  /** How long code is waited for that waits on real time. */
  readonly realWaitSeconds: number
  /** Whether the test is over. */
  isClosed: boolean
  /** The last step of all who move time, whatever came of it. */
  lastStep: Promise<unknown>
  /** When the next hidden or delayed message may be received, in epoch milliseconds. */
  nextMessageAt(): number | undefined
}

/** How a move ended: as asked, or with nothing left that could move. */
export type Moved = 'there' | 'stuck'

/** Moves time until `isThere`, or to `untilMs`, whichever comes first. */
export async function moveTime(
  run: VirtualRun,
  isThere: () => boolean | Promise<boolean>,
  untilMs = Number.POSITIVE_INFINITY,
): Promise<Moved> {
  run.gate.open()
  try {
    return await moveTimeAlone(run, isThere, untilMs)
  } finally {
    run.gate.shut()
  }
}

/** Moves time as `moveTime` does, but opens no gate: no worker takes a message for it. */
export async function moveTimeAlone(
  run: VirtualRun,
  isThere: () => boolean | Promise<boolean>,
  untilMs = Number.POSITIVE_INFINITY,
): Promise<Moved> {
  for (;;) {
    const moved = await inTurn(run, async () => {
      await goTo(run.clock, run.clock.now())
      checkOpen(run)
      if (await isThere()) return 'there'
      return (await goOn(run, untilMs)) ? undefined : 'stuck'
    })
    if (moved !== undefined) return moved
  }
}

/** One step after the other, whoever moves: two at once would wait for each other to come to rest. */
function inTurn<T>(run: VirtualRun, step: () => Promise<T>): Promise<T> {
  const mine = run.lastStep.then(step)
  run.lastStep = mine.catch(() => {})
  return mine
}

/**
 * Refuses to go on with a test that is over.
 * @throws ClosedError
 */
export function checkOpen({ isClosed }: Pick<VirtualRun, 'isClosed'>): void {
  if (!isClosed) return
  throw new ClosedError('this testExecutor was closed, and its backend with it; make a new one')
}

/** One step; `false` where there is nothing to go on to. */
async function goOn(run: VirtualRun, untilMs: number): Promise<boolean> {
  const { clock, running } = run
  const horizon = running.horizon()
  if (horizon !== undefined) {
    const next = run.nextMessageAt()
    if (next !== undefined && next < horizon && next <= untilMs) await goTo(clock, next)
    else await running.waitForOne(run.realWaitSeconds)
    return true
  }
  const next = clock.nextTimerAt
  // Schedules alone would go on for ever.
  const goesOn = untilMs < Number.POSITIVE_INFINITY || !clock.isIdle
  if (next !== undefined && next <= untilMs && goesOn) {
    await goTo(clock, next)
    return true
  }
  if (untilMs === Number.POSITIVE_INFINITY || clock.now() >= untilMs) return false
  await goTo(clock, untilMs)
  return true
}

/** Lets everything settle, and time go on to `atMs`. */
function goTo(clock: VirtualClock, atMs: number): Promise<void> {
  return clock.advance({ milliseconds: Math.max(atMs - clock.now(), 0) })
}
