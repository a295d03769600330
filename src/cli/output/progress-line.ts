/**
 * A call's state while somebody waits for it, in a line that is written over.
 * @module
 */
import type { Snapshot } from '../../runtime/future/future.ts'
import { shareOf } from '../../runtime/future/progress-share.ts'

/** The most that a bar takes, and what stands beside it. */
const BAR_COLUMNS = 30
const BESIDE_COLUMNS = 24

/** The line of a call: its state, and a bar where its task reports how far it is. */
export function progressLine(
  { state, attempts, progress }: Pick<Snapshot, 'state' | 'attempts' | 'progress'>,
  columns: number,
): string {
  const words = attempts > 1 ? `${state}, attempt ${attempts}` : state
  const share = state === 'running' ? shareOf(progress) : undefined
  const room = Math.min(BAR_COLUMNS, columns - BESIDE_COLUMNS)
  if (share === undefined || room < 1) return words.slice(0, Math.max(columns - 1, 0))
  const full = Math.floor(share * room)
  const percent = `${Math.floor(share * 100)} %`.padStart(5)
  return `${'█'.repeat(full)}${'░'.repeat(room - full)} ${percent} ${words}`.slice(0, columns - 1)
}
