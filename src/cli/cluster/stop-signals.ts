/**
 * Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once.
 * @module
 */
import { EXIT } from '../exit-codes.ts'

/** Waits for a signal. */
export interface StopSignals {
  /** Resolves at the first, with its name. */
  readonly first: Promise<NodeJS.Signals>
  /** Lets Node do what it does by itself again. */
  release(): void
}

/**
 * Takes the signals over.
 * @param onSecond what to do before the process ends with 130, or 143 for SIGTERM
 */
export function takeStopSignals(onSecond: () => void): StopSignals {
  let resolveFirst: (signal: NodeJS.Signals) => void
  const first = new Promise<NodeJS.Signals>((resolve) => {
    resolveFirst = resolve
  })
  let count = 0
  const onSignal = (signal: NodeJS.Signals) => {
    count += 1
    if (count === 1) return resolveFirst(signal)
    onSecond()
    process.exit(signal === 'SIGTERM' ? EXIT.terminated : EXIT.interrupted)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, onSignal)
  return {
    first,
    release: () => {
      for (const signal of signals) process.off(signal, onSignal)
    },
  }
}
