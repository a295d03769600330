/**
 * Turns: how many units of work run at once, and which begins next.
 *
 * A call that was killed before is a suspect. Of suspects one runs at a time: whichever of them kills the process
 * again takes no other suspect with it, so that a call that is innocent is never counted as killed for long.
 * @module
 */

/** Something to run. */
export interface Turn {
  readonly isSuspect: boolean
  run(): Promise<void>
}

/** Runs what it is given, in order, as far as there is room. */
export interface Turns {
  add(turn: Turn): void
  /** How many run. */
  running(): number
  /** How many wait. */
  waiting(): number
  /** Resolves when fewer than the limit run and wait. */
  room(): Promise<void>
  /** Takes out what has not begun, and resolves when what runs has ended. */
  drain(): Promise<readonly Turn[]>
}

/** Makes the turns of one process; `limit` run at once. */
export function createTurns(limit: number): Turns {
  let waiting: Turn[] = []
  let running = 0
  let suspects = 0
  let listeners: (() => void)[] = []
  const next = (): Turn | undefined => {
    if (running >= limit) return undefined
    const at = suspects === 0 ? 0 : waiting.findIndex(({ isSuspect }) => !isSuspect)
    return at < 0 ? undefined : waiting.splice(at, 1)[0]
  }
  const advance = () => {
    for (let turn = next(); turn !== undefined; turn = next()) void begin(turn)
  }
  const begin = async (turn: Turn) => {
    running += 1
    if (turn.isSuspect) suspects += 1
    try {
      await turn.run()
    } finally {
      running -= 1
      if (turn.isSuspect) suspects -= 1
      advance()
      const told = listeners
      listeners = []
      for (const tell of told) tell()
    }
  }
  const change = () => new Promise<void>((resolve) => listeners.push(resolve))
  return {
    add(turn) {
      waiting.push(turn)
      advance()
    },
    running: () => running,
    waiting: () => waiting.length,
    async room() {
      while (running + waiting.length >= limit) await change()
    },
    async drain() {
      const left = waiting
      waiting = []
      while (running > 0) await change()
      return left
    },
  }
}
