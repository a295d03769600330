/**
 * The futures of a `map`, and waiting for several futures.
 * @module
 */

import { type CallRecord, type CallState, isFinal } from '../call/record.ts'
import { LIMITS } from '../config/config.ts'
import { showValue } from '../config/nearest-name.ts'
import { checkWord } from '../config/option-checks.ts'
import { idInGroup } from '../entropy.ts'
import { InvalidOptionError, WaitTimeoutError } from '../errors.ts'
import { type Calls, cancelledError, checkWait, type Outcome } from './calls.ts'
import { Future, finalOf, observe, type Snapshot, snapshotOf } from './future.ts'
import { notFound, type WaitOptions } from './waiting.ts'

/** Writes to a group's calls at once: the sockets of the SDK's client. */
const LANES = 50

/** The futures of a `map`, in the order of its arguments. */
export class FutureGroup<T> implements Iterable<Future<T>> {
  /** The group's id: `executor.group(id)` makes the same group in another process. */
  readonly id: string
  /** How many calls it has. */
  readonly length: number
  readonly #calls: Calls
  /** Whether its calls were submitted here, and so exist. */
  readonly #isKnown: boolean
  /** Made when asked for: an id that somebody sends may claim a million of them. */
  readonly #futures: Future<T>[] = []

  /** Groups are made by `map` and `executor.group`. */
  constructor(calls: Calls, id: string, length: number, isKnown = false) {
    this.#isKnown = isKnown
    this.id = id
    this.length = length
    this.#calls = calls
  }

  *[Symbol.iterator](): Generator<Future<T>, void, undefined> {
    for (let index = 0; index < this.length; index++) yield this.#future(index)
  }

  /** The future at `index`; negative ones count from the end. */
  at(index: number): Future<T> | undefined {
    const place = index < 0 ? this.length + index : index
    const exists = Number.isInteger(place) && place >= 0 && place < this.length
    return exists ? this.#future(place) : undefined
  }

  /**
   * All values, in order, under one deadline.
   * @throws the first error in order, without waiting for those after it; CancelledError; WaitTimeoutError
   */
  async results(options: WaitOptions = {}): Promise<T[]> {
    const records = await this.#finals(options, ({ state }) => state !== 'succeeded')
    const values: T[] = []
    for (const record of records) {
      const answer = this.#calls.outcomeOf(record)
      const outcome = (answer instanceof Promise ? await answer : answer) as Outcome<T>
      if (outcome.state === 'failed') throw outcome.error
      if (outcome.state === 'cancelled') throw cancelledError(record.id)
      values.push(outcome.value)
    }
    return values
  }

  /** How each call ended, in order, under one deadline; what succeeded is kept whatever else failed. */
  async outcomes(options: WaitOptions = {}): Promise<Outcome<T>[]> {
    const records = await this.#finals(options, () => false)
    return Promise.all(records.map((record) => this.#calls.outcomeOf(record) as Outcome<T>))
  }

  /** The futures as they end. `timeoutSeconds: 0` yields those that have ended, then throws if some have not. */
  asCompleted(options: WaitOptions = {}): AsyncGenerator<Future<T>, void, undefined> {
    return asCompleted(this, options)
  }

  /**
   * All calls as they are now, in order: one read request for a hundred of them. Those that have ended are not read
   * again by a later `results`.
   */
  async snapshots(): Promise<(Snapshot | undefined)[]> {
    const records = await this.#read()
    return records.map((record) => (record === undefined ? undefined : snapshotOf(this.#calls, record)))
  }

  /**
   * How many calls are in each state.
   * @throws CallNotFoundError where none of the calls has a record
   */
  async counts(): Promise<Record<CallState, number>> {
    const counts: Record<CallState, number> = {
      pending: 0,
      scheduled: 0,
      running: 0,
      retrying: 0,
      succeeded: 0,
      failed: 0,
      cancelled: 0,
    }
    for (const record of await this.#readKnown()) if (record !== undefined) counts[record.state] += 1
    return counts
  }

  /**
   * Whether all calls have ended.
   * @throws CallNotFoundError where none of the calls has a record
   */
  async done(): Promise<boolean> {
    const records = await this.#readKnown()
    return records.every((record) => record !== undefined && isFinal(record.state))
  }

  /** Cancels what has not begun: true if none of the calls will run. */
  async cancel(): Promise<boolean> {
    let all = true
    await this.#each(async (future) => {
      if (!(await future.cancel())) all = false
    })
    return all
  }

  /** Aborts every call that has not ended. */
  async abort(reason?: string | Error): Promise<void> {
    await this.#each((future) => future.abort(reason))
  }

  #future(index: number): Future<T> {
    this.#futures[index] ??= new Future<T>(this.#calls, idInGroup(this.id, index))
    return this.#futures[index]
  }

  /**
   * An id from a web request may claim a million calls: before anything is done to them all, one read tells whether
   * there is such a group.
   */
  async #checkExists(): Promise<void> {
    if (this.#isKnown || this.length <= LIMITS.readBatch) return
    const ids = Array.from({ length: LIMITS.readBatch }, (_, index) => idInGroup(this.id, index))
    const records = await this.#calls.readAll(ids)
    if (records.every((record) => record === undefined)) throw notFound(this.id)
  }

  /** Does something to every call, so many at a time. */
  async #each(work: (future: Future<T>) => Promise<unknown>): Promise<void> {
    await this.#checkExists()
    let next = 0
    const lane = async () => {
      while (next < this.length) await work(this.#future(next++))
    }
    await Promise.all(Array.from({ length: Math.min(LANES, this.length) }, lane))
  }

  async #read(): Promise<readonly (CallRecord | undefined)[]> {
    await this.#checkExists()
    const ids = Array.from({ length: this.length }, (_, index) => idInGroup(this.id, index))
    const records = await this.#calls.readAll(ids)
    for (const [index, record] of records.entries()) {
      if (record !== undefined && isFinal(record.state)) observe(this.#future(index), record)
    }
    return records
  }

  async #readKnown(): Promise<readonly (CallRecord | undefined)[]> {
    const records = await this.#read()
    if (this.length > 0 && records.every((record) => record === undefined)) throw notFound(this.id)
    return records
  }

  /** The final records, up to and with the first that `last` accepts. */
  async #finals(options: WaitOptions, last: (record: CallRecord) => boolean): Promise<readonly CallRecord[]> {
    checkWait(options)
    // What was seen to be final is not read again.
    const seen = Array.from(this.#futures, (future) => (future === undefined ? undefined : finalOf(future)))
    if (seen.length === this.length && seen.every((record) => record !== undefined)) return upTo(seen, last)
    if (options.timeoutSeconds === 0) return this.#finalsNow(last)
    await this.#checkExists()
    const ids = Array.from({ length: this.length }, (_, index) => idInGroup(this.id, index))
    return this.#calls.waitInOrder(ids, last, `the group ${this.id}`, options)
  }

  /** A look without waiting is made for all at once, not by each future for itself. */
  async #finalsNow(last: (record: CallRecord) => boolean): Promise<readonly CallRecord[]> {
    const records = await this.#readKnown()
    const finals = records.filter((record) => record !== undefined && isFinal(record.state)) as CallRecord[]
    if (finals.length === records.length) return upTo(finals, last)
    throw new WaitTimeoutError(`${records.length - finals.length} (of ${this.length}) futures unfinished`)
  }
}

/** The records up to and with the first that `last` accepts. */
function upTo(records: readonly CallRecord[], last: (record: CallRecord) => boolean): readonly CallRecord[] {
  const index = records.findIndex(last)
  return index < 0 ? records : records.slice(0, index + 1)
}

/** When `wait` returns. */
export type ReturnWhen = 'all-completed' | 'first-completed' | 'first-exception'

/** What `wait` returns. */
export interface Waited<T> {
  readonly done: ReadonlySet<Future<T>>
  readonly notDone: ReadonlySet<Future<T>>
}

/**
 * Waits for several futures, as `concurrent.futures.wait` does. A time-out is no error: what has not ended by then
 * is in `notDone`. The same future given twice counts once.
 * @throws InvalidOptionError, CallNotFoundError
 */
export async function wait<T>(
  futures: Iterable<Future<T>>,
  options: WaitOptions & { readonly returnWhen?: ReturnWhen } = {},
): Promise<Waited<T>> {
  const words = ['all-completed', 'first-completed', 'first-exception'] as const
  const returnWhen = checkWord('wait: `returnWhen`', options.returnWhen, words, 'all-completed')
  checkWait(options)
  const notDone = new Set(checkFutures(futures))
  const done = new Set<Future<T>>()
  const { returnWhen: _, ...waiting } = options
  try {
    for await (const [future, outcome] of completions(notDone, waiting)) {
      done.add(future)
      notDone.delete(future)
      if (returnWhen === 'first-completed') break
      if (returnWhen === 'first-exception' && outcome.state === 'failed') break
    }
  } catch (error) {
    if (!WaitTimeoutError.is(error)) throw error
  }
  return { done, notDone }
}

/**
 * Yields each future once, as it ends.
 * @throws WaitTimeoutError saying how many of how many have not
 */
export async function* asCompleted<T>(
  futures: Iterable<Future<T>>,
  options: WaitOptions = {},
): AsyncGenerator<Future<T>, void, undefined> {
  checkWait(options)
  for await (const [future] of completions(new Set(checkFutures(futures)), options)) yield future
}

function checkFutures<T>(futures: Iterable<Future<T>>): Future<T>[] {
  const list = [...futures]
  const stranger = list.find((future) => !(future instanceof Future))
  if (stranger === undefined) return list
  throw new InvalidOptionError(`expected futures, got ${showValue(stranger)}; await the submit that makes it`)
}

async function* completions<T>(
  futures: ReadonlySet<Future<T>>,
  options: WaitOptions,
): AsyncGenerator<[Future<T>, Outcome<T>], void, undefined> {
  const total = futures.size
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  const ended: [Future<T>, Outcome<T>][] = []
  let open = total
  let failure: { readonly error: unknown } | undefined
  let wake: () => void = () => {}
  for (const future of futures) {
    future.outcome({ ...options, signal }).then(
      (outcome) => {
        ended.push([future, outcome])
        open -= 1
        wake()
      },
      (error) => {
        // With `timeoutSeconds: 0` each looks for itself: one that has not ended must not hide one that has.
        if (WaitTimeoutError.is(error)) open -= 1
        if (failure === undefined || !WaitTimeoutError.is(error)) failure = { error }
        wake()
      },
    )
  }
  let yielded = 0
  try {
    while (yielded < total) {
      if (ended.length > 0) {
        for (const next of ended.splice(0)) {
          yielded += 1
          yield next
        }
      } else if (failure !== undefined && (open === 0 || !WaitTimeoutError.is(failure.error))) {
        if (!WaitTimeoutError.is(failure.error)) throw failure.error
        throw new WaitTimeoutError(`${total - yielded} (of ${total}) futures unfinished`)
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    stop.abort()
  }
}
