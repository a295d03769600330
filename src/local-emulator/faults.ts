/**
 * The fault switches: what goes wrong on AWS now and then, by chance from a seed. Contract: whatever is switched on,
 * every call still ends, and one outcome is visible.
 * @module
 */
import { LIMITS } from '../runtime/config/config.ts'
import { checkKeys, checkNumber } from '../runtime/config/option-checks.ts'
import { InvalidOptionError } from '../runtime/errors.ts'

/** Where a worker's environment dies; nothing of it has an effect from there on. */
export const killPoints = ['beforeClaim', 'inTask', 'beforeFinish', 'afterFinish'] as const

/** Where a worker's environment dies. */
export type KillPoint = (typeof killPoints)[number]

/** How often a worker's environment dies at each point: probabilities, 0–1. Its invocation fails, with all of its batch. */
export interface KillSwitches {
  /** At each claim, before it is written: the call does not run, and the attempt does not count. @default 0 */
  readonly beforeClaim?: number
  /**
   * In each attempt, when the function first awaits or ends: what it did until then is done. JavaScript cannot be
   * stopped: what is left of the function goes on, but nothing that it does through errand counts. @default 0
   */
  readonly inTask?: number
  /** At each end of an attempt, before the result, error or retry is written: the function ran, and runs again. @default 0 */
  readonly beforeFinish?: number
  /** At each end of an attempt, once it is written, before its message is deleted. @default 0 */
  readonly afterFinish?: number
}

/** The fault switches of the local backend. Probabilities are 0–1; the same seed on virtual time gives the same run. */
export interface FaultSwitches {
  /** Where chance begins: a whole number, 0–4294967295. It seeds ids, owners and back-offs as well. @default 1 */
  readonly seed?: number
  /** How often a message is put in its queue twice, the copy up to `maxDelaySeconds` later. Not on FIFO queues. @default 0 */
  readonly duplicate?: number
  /** How often the message next in line is overtaken by all that wait behind it. Not on FIFO queues. @default 0 */
  readonly reorder?: number
  /** How often a message comes up to `maxDelaySeconds` late. Not on FIFO queues. @default 0 */
  readonly delay?: number
  /** The longest `delay`, and lag of a `duplicate`: whole seconds, 1–900. @default 60 */
  readonly maxDelaySeconds?: number
  /**
   * How often a request to the queue, the store or the blobs is lost before it has an effect. As the SDK does, it is made three
   * times in all before its error is thrown. @default 0
   */
  readonly loseRequest?: number
  /** How often a request takes effect and its answer is lost; then it too is made again. @default 0 */
  readonly loseResponse?: number
  /** How often a request is refused as one too many (`ThrottlingException`), and made again. @default 0 */
  readonly throttle?: number
  /** How often a worker dies, and where. @default never */
  readonly kill?: KillSwitches
  /** How far each worker's clock is off, to either side: seconds, 0–60. @default 0 */
  readonly clockSkewSeconds?: number
}

/** The switches, checked, each with its value. */
export interface ResolvedFaults extends Required<Omit<FaultSwitches, 'kill'>> {
  readonly kill: Readonly<Record<KillPoint, number>>
}

const requestFaults = ['loseRequest', 'loseResponse', 'throttle'] as const
const probabilities = ['duplicate', 'reorder', 'delay', ...requestFaults] as const
const names = ['seed', ...probabilities, 'maxDelaySeconds', 'kill', 'clockSkewSeconds'] as const

const probability = { min: 0, max: 1, why: 'a probability: 0.1 is one in ten' }

/**
 * Checks the switches.
 * @throws InvalidOptionError
 */
export function resolveFaults(given: FaultSwitches): ResolvedFaults {
  const switches = checkKeys('`faults`', given, names)
  const number = (name: string, rule: Parameters<typeof checkNumber>[2], fallback: number) =>
    checkNumber(`\`faults.${name}\``, switches[name], rule, fallback)
  const kill = checkKeys('`faults.kill`', switches.kill ?? {}, killPoints)
  const chances = Object.fromEntries(probabilities.map((name) => [name, number(name, probability, 0)]))
  const kills = killPoints.map((point) => [
    point,
    checkNumber(`\`faults.kill.${point}\``, kill[point], probability, 0),
  ])
  checkTogether(requestFaults.map((name) => chances[name] ?? 0))
  return {
    seed: number('seed', { min: 0, max: 2 ** 32 - 1, whole: true }, 1),
    ...(chances as Record<(typeof probabilities)[number], number>),
    maxDelaySeconds: number('maxDelaySeconds', { min: 1, max: LIMITS.delaySeconds, whole: true }, 60),
    kill: Object.fromEntries(kills) as Record<KillPoint, number>,
    clockSkewSeconds: number('clockSkewSeconds', { min: 0, max: 60, why: 'AWS keeps within a second' }, 0),
  }
}

/** Where every request failed, no call could end. */
function checkTogether(chances: readonly number[]): void {
  const sum = chances.reduce((total, chance) => total + chance, 0)
  if (sum < 1) return
  throw new InvalidOptionError(
    `\`faults\`: ${requestFaults.join(', ')} add up to ${sum}, expected less than 1: some requests must get through, or no call could end`,
  )
}
