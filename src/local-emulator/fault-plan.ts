/**
 * What goes wrong next: the switches' chance, and what a test has asked for by name.
 * @module
 */

import { showValue } from '../runtime/config/nearest-name.ts'
import { checkNumber, checkWord } from '../runtime/config/option-checks.ts'
import { InvalidOptionError } from '../runtime/errors.ts'
import {
  type FaultSwitches,
  type KillPoint,
  killPoints,
  type ResolvedFaults,
  resolveFaults,
} from './faults.ts'
import { seededFractions } from './seeded-entropy.ts'

/** What can become of a request. */
export type RequestFault = 'loseRequest' | 'loseResponse' | 'throttle'

const requestFaults = ['loseRequest', 'loseResponse', 'throttle'] as const

const operations = [
  ...['send', 'receive', 'delete', 'changeVisibility'],
  ...['read', 'put', 'update', 'putResult', 'readResult', 'putMessage', 'readMessage'],
  ...['putBlob', 'getBlob'],
  ...['createSchedule', 'deleteSchedule'],
] as const

/** A request to the queue or the store, a method of its port; or to the blobs, or the schedules. */
export type Operation =
  | 'send'
  | 'receive'
  | 'delete'
  | 'changeVisibility'
  | 'read'
  | 'put'
  | 'update'
  | 'putResult'
  | 'readResult'
  | 'putMessage'
  | 'readMessage'
  | 'putBlob'
  | 'getBlob'
  | 'createSchedule'
  | 'deleteSchedule'

/** Faults to come. What is asked for by name comes first, and then chance. */
export interface FaultPlan {
  readonly switches: ResolvedFaults
  /** Has the next attempts of a task throw `error` in place of running. @param times @default 1 */
  failNext(task: string, error: Error, times?: number): void
  /** Has the worker die in the next attempts of a task. @param times @default 1 */
  killNext(task: string, point: KillPoint, times?: number): void
  /** Has the next requests of one kind go wrong; each try counts. @param times @default 1 */
  requestNext(operation: Operation, fault: RequestFault, times?: number): void
  /** What an attempt of this task throws in place of running. */
  takeFailure(task: string): Error | undefined
  /** Whether the worker dies here. */
  takeKill(point: KillPoint, task: string): boolean
  /** What becomes of this request. */
  takeRequestFault(operation: Operation): RequestFault | undefined
  /** Whether something of this probability happens now. */
  happens(probability: number): boolean
  /** A whole number from 1 to `most`. */
  upTo(most: number): number
  /** A number between −`most` and `most`. */
  around(most: number): number
}

/** What a test has asked for, in order, by what it is for. */
interface Script<T> {
  add(key: string, item: T, times: number): void
  take(key: string): T | undefined
}

function script<T>(): Script<T> {
  const lines = new Map<string, { readonly item: T; left: number }[]>()
  return {
    add(key, item, times) {
      const line = lines.get(key) ?? []
      line.push({ item, left: times })
      lines.set(key, line)
    },
    take(key) {
      const line = lines.get(key)
      const first = line?.[0]
      if (line === undefined || first === undefined) return undefined
      first.left -= 1
      if (first.left === 0) line.shift()
      return first.item
    },
  }
}

function checkTimes(times: number | undefined): number {
  return checkNumber('`times`', times, { min: 1, max: 1_000_000, whole: true }, 1)
}

/**
 * Makes a plan of the switches; `faults` of the local backend takes one in place of them, so that a test can ask for
 * single faults.
 * @throws InvalidOptionError
 */
export function faultPlan(given: FaultSwitches = {}): FaultPlan {
  const switches = resolveFaults(given)
  const fraction = seededFractions(switches.seed)
  const failures = script<Error>()
  const kills = script<true>()
  const requests = script<RequestFault>()
  // A switch that is off takes no chance: another one's faults stay where they were.
  const happens = (probability: number) => probability > 0 && fraction() < probability
  return {
    switches,
    failNext: (task, error, times) => failures.add(task, checkError(error), checkTimes(times)),
    killNext(task, point, times) {
      const at = checkWord('the point of a kill', point, killPoints, 'inTask')
      kills.add(`${at} ${task}`, true, checkTimes(times))
    },
    requestNext(operation, fault, times) {
      const name = checkWord('the operation', operation, operations as readonly Operation[], 'update')
      requests.add(name, checkWord('the fault', fault, requestFaults, 'loseResponse'), checkTimes(times))
    },
    takeFailure: (task) => failures.take(task),
    takeKill: (point, task) => kills.take(`${point} ${task}`) ?? happens(switches.kill[point]),
    takeRequestFault: (operation) => requests.take(operation) ?? chanceOf(switches, fraction),
    happens,
    upTo: (most) => 1 + Math.floor(fraction() * most),
    around: (most) => (fraction() * 2 - 1) * most,
  }
}

function chanceOf(switches: ResolvedFaults, fraction: () => number): RequestFault | undefined {
  const { loseRequest, loseResponse, throttle } = switches
  if (loseRequest + loseResponse + throttle === 0) return undefined
  const dice = fraction()
  if (dice < loseRequest) return 'loseRequest'
  if (dice < loseRequest + loseResponse) return 'loseResponse'
  return dice < loseRequest + loseResponse + throttle ? 'throttle' : undefined
}

function checkError(error: Error): Error {
  if (error instanceof Error) return error
  throw new InvalidOptionError(
    `the error to fail with is ${showValue(error)}, expected an Error, as in new Error('busy')`,
  )
}
