/**
 * Turns: how many units of work run at once, which begins next, and how many may be received ahead.
 *
 * A call that was killed before is a suspect. Of suspects one runs at a time: whichever of them kills the process
 * again takes no other suspect with it, so that a call that is innocent is never counted as killed for long.
 * @module
 */
import type { Clock } from '../runtime/clock.ts'

/** Something to run. */
export interface Turn {
  readonly isSuspect: boolean
  /** Never rejects. */
  run(): Promise<void>
  /** Called instead of `run` where its turn does not come; `isOverdue` where others may run it sooner. */
  giveBack(isOverdue: boolean): void
}

/** Runs what it is given, in order, as far as there is room. */
export interface Turns {
  /** Runs it, now or later; once the turns are closed it goes back at once. */
  add(turn: Turn): void
  /** How many run. */
  running(): number
  /** How many wait. */
  waiting(): number
  /** How many may be added. */
  free(): number
  /** Resolves when it is worth receiving more, or the signal says so. */
  room(signal: AbortSignal): Promise<void>
  /** Gives back what has waited for so long, and receives nothing ahead until a turn ends. */
  giveBackAfter(waitedMs: number): void
  /** Gives back what has not begun, begins nothing any more, and resolves when what runs has ended. */
  close(): Promise<void>
}

/** What is received ahead should begin within so many milliseconds: other processes could take it sooner. */
const AHEAD_MS = 1000

/** So many messages may wait for their turns at the most: two receives, so that one is under way while the other runs. */
const MAX_AHEAD = 20

/** How much the latest turn counts in the mean of how long turns take. */
const LATEST_WEIGHT = 1 / 8

interface WaitingTurn {
  readonly turn: Turn
  readonly since: number
}

/** Makes the turns of one process; `limit` run at once. */
export function createTurns(limit: number, clock: Pick<Clock, 'now'>): Turns {
  let waiting: WaitingTurn[] = []
  let running = 0
  let suspects = 0
  let isClosed = false
  /** How long turns take; `undefined` while nobody knows. */
  let meanMs: number | undefined
  const onChange = new Set<() => void>()

  /** While turns are short, receiving ahead keeps all of them going; while they are long, it keeps calls from others. */
  const ahead = () =>
    meanMs === undefined ? 0 : Math.min(Math.floor((limit * AHEAD_MS) / Math.max(meanMs, 1)), MAX_AHEAD)
  const free = () => limit + ahead() - running - waiting.length
  /** A receive for each message that ends would be a request for each. */
  const isWorthwhile = () => free() >= Math.max(1, ahead() / 2)
  const tell = () => {
    for (const listener of [...onChange]) listener()
  }
  const next = (): Turn | undefined => {
    if (running >= limit) return undefined
    const at = suspects === 0 ? 0 : waiting.findIndex(({ turn }) => !turn.isSuspect)
    return at < 0 ? undefined : waiting.splice(at, 1)[0]?.turn
  }
  const advance = () => {
    for (let turn = next(); turn !== undefined; turn = next()) void begin(turn)
  }
  const begin = async (turn: Turn) => {
    running += 1
    if (turn.isSuspect) suspects += 1
    const begunAt = clock.now()
    try {
      await turn.run()
    } finally {
      running -= 1
      if (turn.isSuspect) suspects -= 1
      const tookMs = Math.max(clock.now() - begunAt, 0)
      meanMs = meanMs === undefined ? tookMs : meanMs + (tookMs - meanMs) * LATEST_WEIGHT
      advance()
      tell()
    }
  }
  /** Resolves when `test` holds, or the signal is aborted. */
  const until = (test: () => boolean, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      const end = () => {
        onChange.delete(check)
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const check = () => {
        if (test()) end()
      }
      onChange.add(check)
      signal?.addEventListener('abort', end)
      if (signal?.aborted) end()
      else check()
    })
  return {
    add(turn) {
      if (isClosed) return turn.giveBack(false)
      waiting.push({ turn, since: clock.now() })
      advance()
    },
    running: () => running,
    waiting: () => waiting.length,
    free,
    room: (signal) => until(isWorthwhile, signal),
    giveBackAfter(waitedMs) {
      const before = clock.now() - waitedMs
      const overdue = waiting.filter(({ since }) => since <= before)
      if (overdue.length === 0) return
      waiting = waiting.filter(({ since }) => since > before)
      meanMs = undefined
      for (const { turn } of overdue) turn.giveBack(true)
      tell()
    },
    async close() {
      isClosed = true
      const left = waiting
      waiting = []
      for (const { turn } of left) turn.giveBack(false)
      await until(() => running === 0)
    },
  }
}
