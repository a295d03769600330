/**
 * The handle of a call, in any process: `concurrent.futures`' contract, with promises.
 * @module
 */

import { type CallRecord, type CallState, type FailureReason, isFinal } from '../call/record.ts'
import { WaitTimeoutError } from '../errors.ts'
import { type Calls, cancelledError, checkWait, type Outcome } from './calls.ts'
import type { WaitOptions } from './waiting.ts'

/** A call at one moment, from one read. */
export interface Snapshot {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly state: CallState
  /** Why it failed, where `state` is `failed`. */
  readonly reason?: FailureReason
  /** What the task last reported, `undefined` before it does. */
  readonly progress: unknown
  /** How often it was begun. */
  readonly attempts: number
  /** How many of these attempts ended in an error of their own. */
  readonly failures: number
  /** Name and message of the last failure, of a call that did not succeed (yet). */
  readonly lastError?: string
  readonly createdAt: Date
  /** When it may run (again). */
  readonly dueAt: Date
  /** Its expiry: where no attempt has begun by then, none will. */
  readonly startBy?: Date
  readonly startedAt?: Date
  readonly finishedAt?: Date
  readonly tenant?: string
  /** The call whose task submitted it. */
  readonly parent?: string
}

const isFinalRecord = (record: CallRecord) => isFinal(record.state)

const noLimit: WaitOptions = {}

/** Lets a future know a record that was read for it. */
export let observe: (future: Future<unknown>, record: CallRecord) => void

/** The final record of a future's call, where the future has seen it. */
export let finalOf: (future: Future<unknown>) => CallRecord | undefined

/** The handle of a call. It holds no connection and no timer; only waiting does. */
export class Future<T> {
  /** The call's id: `executor.future(id)` makes the same handle in another process. */
  readonly id: string
  readonly #calls: Calls
  /** The newest record seen. A read that lags behind it is not shown, so states never go backwards. */
  #seen: CallRecord | undefined

  static {
    observe = (future, record) => {
      future.#newest(record)
    }
    finalOf = (future) => {
      return future.#seen !== undefined && isFinal(future.#seen.state) ? future.#seen : undefined
    }
  }

  /** Futures are made by `submit`, `map` and `executor.future`. */
  constructor(calls: Calls, id: string) {
    this.#calls = calls
    this.id = id
  }

  /** @throws CallNotFoundError */
  async state(): Promise<CallState> {
    return (await this.#read()).state
  }

  /** Whether an attempt runs now. */
  async running(): Promise<boolean> {
    return (await this.state()) === 'running'
  }

  /** Whether it ended: succeeded, failed or cancelled. */
  async done(): Promise<boolean> {
    return isFinal(await this.state())
  }

  async cancelled(): Promise<boolean> {
    return (await this.state()) === 'cancelled'
  }

  /** Cancels a call that does not run: true if it will never run (again), or is cancelled already. */
  cancel(): Promise<boolean> {
    return this.#calls.cancel(this.id)
  }

  /**
   * Cancels the call if it does not run; else asks it to stop, by `currentTask.signal`: at the task's next progress
   * report, and without one within 10 s (workers look every 5 s, at attempts older than 5 s). It ends `cancelled` if
   * the task then stops, else as it ends. False only where it has ended. Of the reason 200 characters are kept.
   */
  abort(reason: string | Error = 'aborted'): Promise<boolean> {
    return this.#calls.abort(this.id, reason)
  }

  /**
   * The value. `timeoutSeconds: 0` looks once.
   * @throws what the task threw; CancelledError; WaitTimeoutError, the call going on; CallNotFoundError
   */
  async result(options: WaitOptions = noLimit): Promise<T> {
    const answer = this.#calls.outcomeOf(await this.#final(options))
    const outcome = (answer instanceof Promise ? await answer : answer) as Outcome<T>
    if (outcome.state === 'succeeded') return outcome.value
    if (outcome.state === 'cancelled') throw cancelledError(this.id)
    throw outcome.error
  }

  /**
   * The error the call ended in, `undefined` where it succeeded.
   * @throws CancelledError, WaitTimeoutError, CallNotFoundError
   */
  async exception(options: WaitOptions = noLimit): Promise<Error | undefined> {
    const outcome = await this.outcome(options)
    if (outcome.state === 'cancelled') throw cancelledError(this.id)
    return outcome.state === 'failed' ? outcome.error : undefined
  }

  /**
   * How the call ended; it throws only where waiting fails.
   * @throws WaitTimeoutError, CallNotFoundError
   */
  async outcome(options: WaitOptions = noLimit): Promise<Outcome<T>> {
    const outcome = this.#calls.outcomeOf(await this.#final(options))
    return (outcome instanceof Promise ? await outcome : outcome) as Outcome<T>
  }

  /** The call as it is now, from one read. */
  async snapshot(): Promise<Snapshot> {
    return snapshotOf(this.#calls, await this.#read())
  }

  /** What the task last reported with `currentTask.progress`, `undefined` before it does. */
  async progress(): Promise<unknown> {
    return (await this.snapshot()).progress
  }

  /** The call's snapshots as they change, the last one final. */
  async *updates(options: WaitOptions = noLimit): AsyncGenerator<Snapshot, void, undefined> {
    checkWait(options)
    let shown: CallRecord | undefined
    if (options.timeoutSeconds === 0) {
      shown = await this.#read()
      yield snapshotOf(this.#calls, shown)
      if (isFinal(shown.state)) return
      throw new WaitTimeoutError(
        `the call ${JSON.stringify(this.id)} is ${shown.state}; wait longer for its end`,
      )
    }
    while (shown === undefined || !isFinal(shown.state)) {
      const previous: CallRecord | undefined = shown
      shown = this.#newest(
        await this.#calls.wait(
          this.id,
          (record) => isNews(previous, record),
          options,
          previous !== undefined,
        ),
      )
      yield snapshotOf(this.#calls, shown)
    }
  }

  /**
   * Calls `callback` once when the call has ended, also if it already has. It lives as long as this process; what
   * it throws is a warning of the process, and stops no other callback.
   */
  addDoneCallback(callback: (future: Future<T>) => unknown): void {
    const warn = (error: unknown) => {
      process.emitWarning(
        `a done callback of the call ${JSON.stringify(this.id)} failed: ${String(error)}`,
        'ErrandWarning',
      )
    }
    this.#final(noLimit)
      .then(() => callback(this))
      .catch(warn)
  }

  async #read(): Promise<CallRecord> {
    if (this.#seen !== undefined && isFinal(this.#seen.state)) return this.#seen
    return this.#newest(await this.#calls.read(this.id))
  }

  #newest(record: CallRecord): CallRecord {
    if (this.#seen === undefined || !isBehind(record, this.#seen)) this.#seen = record
    return this.#seen
  }

  /** Without limits, as most wait, it is one promise. */
  #final(options: WaitOptions): Promise<CallRecord> {
    if (options !== noLimit) return this.#finalWithin(options)
    if (this.#seen !== undefined && isFinal(this.#seen.state)) return Promise.resolve(this.#seen)
    return this.#calls.wait(this.id, isFinalRecord, options).then((record) => {
      this.#seen = record
      return record
    })
  }

  async #finalWithin(options: WaitOptions): Promise<CallRecord> {
    checkWait(options)
    if (this.#seen !== undefined && isFinal(this.#seen.state)) return this.#seen
    if (options.timeoutSeconds === 0) {
      const record = await this.#read()
      if (isFinal(record.state)) return record
      throw new WaitTimeoutError(
        `the call ${JSON.stringify(this.id)} is ${record.state}; wait with a longer timeoutSeconds`,
      )
    }
    this.#seen = await this.#calls.wait(this.id, isFinalRecord, options)
    return this.#seen
  }
}

/** Where a state stands within one attempt's life. */
const rank: Readonly<Record<CallState, number>> = {
  pending: 0,
  scheduled: 0,
  running: 1,
  retrying: 2,
  succeeded: 3,
  failed: 3,
  cancelled: 3,
}

/** Whether `a` is an older state of the call than `b`: an eventually consistent read may show it after `b`. */
function isBehind(a: CallRecord, b: CallRecord): boolean {
  if (a.attempts !== b.attempts) return a.attempts < b.attempts
  if (rank[a.state] !== rank[b.state]) return rank[a.state] < rank[b.state]
  return (a.progressNumber ?? 0) < (b.progressNumber ?? 0)
}

function isNews(shown: CallRecord | undefined, record: CallRecord): boolean {
  if (shown === undefined) return true
  if (isBehind(record, shown)) return false
  return (
    record.state !== shown.state || record.attempts !== shown.attempts || record.progress !== shown.progress
  )
}

/** A record as users see it. */
export function snapshotOf(calls: Calls, record: CallRecord): Snapshot {
  const { reason, lastError, startBy, startedAt, finishedAt, tenant, parent } = record
  return {
    id: record.id,
    task: record.task,
    queue: record.queue,
    state: record.state,
    progress: record.progress === undefined ? undefined : calls.decode(record.progress),
    attempts: record.attempts,
    failures: record.failures,
    createdAt: new Date(record.createdAt),
    dueAt: new Date(record.dueAt),
    ...(reason !== undefined && { reason }),
    ...(lastError !== undefined && { lastError }),
    ...(startBy !== undefined && { startBy: new Date(startBy) }),
    ...(startedAt !== undefined && { startedAt: new Date(startedAt) }),
    ...(finishedAt !== undefined && { finishedAt: new Date(finishedAt) }),
    ...(tenant !== undefined && { tenant }),
    ...(parent !== undefined && { parent }),
  }
}
