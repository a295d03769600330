/**
 * The app of the kill soak: what its calls do, and how each must end whoever is killed meanwhile.
 * @module
 */
import { currentTask, defineConfig } from '../../src/index.ts'
import { delay, systemClock } from '../../src/runtime/clock.ts'

/** How long an invocation says that it has: short, so that the lease of a killed attempt (3 s more) is soon over. */
export const INVOCATION_MS = 5000

/** The visibility of its queue, in seconds: that of a lease. */
export const VISIBILITY_SECONDS = 8

/** The queue that the workers poll. */
export const QUEUE = 'default'

/** A queue that no worker polls: SQS gives up on its messages, and the dead-letter handler ends their calls. */
export const DOOMED = 'doomed'

/** However often its worker is killed, or too busy to be in time, a call goes on. */
const enduring = { maxAttempts: 50, maxKills: 100, backoff: { baseSeconds: 1, factor: 1 } }

/** Its config; one worker, which the soak runs several processes of. */
export const config = defineConfig({
  name: 'soak',
  queues: [QUEUE, DOOMED],
  workers: { main: { timeoutSeconds: 10, concurrency: 10, batchSize: 5, logLevel: 'error' } },
  listing: false,
  routes: { doomed: DOOMED },
  taskOptions: {
    '*': enduring,
    // The longest pattern's options are all that a task has.
    bad: { ...enduring, maxAttempts: 2 },
    exits: { ...enduring, maxKills: 2 },
  },
})

const SLOW_MS = 200
const LARGE_BYTES = 6000

/** Its tasks, each named for what it does. */
export const tasks = {
  quick: (index: number) => index,
  slow: async (index: number) => {
    await delay(systemClock, SLOW_MS)
    return index
  },
  // Its result is too large for the record, and lies beside it.
  large: (index: number) => `${index} `.padEnd(LARGE_BYTES, '.'),
  flaky: (index: number) => {
    if (currentTask.attempt === 1) throw new Error('the first attempt fails')
    return index
  },
  bad: (index: number): number => {
    throw new Error(`${index} always fails`)
  },
  unwanted: async (index: number) => {
    await delay(systemClock, SLOW_MS)
    return index
  },
  exits: (_index: number): number => process.exit(1),
  doomed: (index: number) => index,
  // Its call is followed by one of `note`; that of `bad` too.
  followed: (index: number) => index,
}

/** What follows a call. */
export const followUps = {
  note: (value: unknown) => (value instanceof Error ? 'noted' : value),
}

/** What a call does. */
export type Kind = keyof typeof tasks

/** Of a thousand calls, so many of each kind; the others are quick. */
const shares: readonly (readonly [Kind, number])[] = [
  ['slow', 100],
  ['flaky', 80],
  ['unwanted', 60],
  ['bad', 40],
  ['large', 30],
  ['followed', 30],
  ['doomed', 10],
  ['exits', 5],
]

/** The kind that a number from 0 to 1 stands for. */
export function kindOf(fraction: number): Kind {
  let left = fraction * 1000
  for (const [kind, share] of shares) {
    left -= share
    if (left < 0) return kind
  }
  return 'quick'
}

/** How a call ended, as text, to be compared. */
export type Ending = string

/** How a call of this kind and index must end; `isCancelled` is what its `cancel` answered. */
export function endingOf(kind: Kind, index: number, isCancelled: boolean): Ending {
  if (isCancelled) return 'cancelled'
  if (kind === 'bad') return 'failed: threw'
  if (kind === 'exits') return 'failed: killed'
  if (kind === 'doomed') return 'failed: undeliverable'
  return succeededWith(kind === 'large' ? tasks.large(index) : index)
}

/** The ending of a call that returned this. */
export function succeededWith(value: unknown): Ending {
  return `succeeded: ${JSON.stringify(value)}`
}

/** The call that must follow one of this kind, and how it must end; `undefined` where nothing follows. */
export function followUpOf(
  id: string,
  kind: Kind,
  index: number,
): { readonly id: string; readonly ending: Ending } | undefined {
  if (kind === 'followed') return { id: `${id}:then`, ending: succeededWith(index) }
  if (kind === 'bad') return { id: `${id}:catch`, ending: succeededWith('noted') }
  return undefined
}
