/**
 * Waiting: all futures of a process share one poller, so that a thousand of them cost ten reads a round.
 * @module
 */

import { hasExpired } from '../call/call-record.ts'
import { type CallRecord, isFinal, isLive } from '../call/record.ts'
import type { Timer } from '../clock.ts'
import { LIMITS } from '../config/config.ts'
import { AccessDeniedError, CallNotFoundError, ResourceNotFoundError, WaitTimeoutError } from '../errors.ts'
import type { Ports } from '../ports/backend.ts'

/** How long to wait. */
export interface WaitOptions {
  /** Give up after this; 0 looks once. @default no limit */
  readonly timeoutSeconds?: number
  /** Give up when it is aborted; the wait rejects with the signal's reason. The call goes on. */
  readonly signal?: AbortSignal
}

/** Reads records for everybody who waits. */
export interface Poller {
  readonly ports: Ports
  /** Resolves with the first record that `until` accepts; rejects when the call is not found. `stop` gives up. */
  wait(id: string, until: (record: CallRecord) => boolean, isSeen?: boolean): Wait<CallRecord>
  /**
   * Resolves with the final records of these calls, in order, up to and with the first that `last` accepts, as soon
   * as all before it are final: one promise for them all.
   */
  waitInOrder(ids: readonly string[], last: (record: CallRecord) => boolean): Wait<readonly CallRecord[]>
  /** Rejects everybody who waits: no read will be made any more. */
  close(reason: unknown): void
}

/** One wait. */
export interface Wait<Answer> {
  readonly answer: Promise<Answer>
  stop(reason: unknown): void
}

// Taken when this module loads, so that a test runner's fake timers do not stop those who wait.
const { queueMicrotask } = globalThis

/** The first delay between reads of one call, and what it grows to. */
const FIRST_DELAY_MS = 50
const LAST_DELAY_MS = 2000
const GROWTH = 1.5
/** Waits due within this of a round join it: fuller batches for a little haste. */
const ROUND_SLACK_MS = 25
/** Rounds that may fail in a row (each retried by the SDK already) before those who wait are told. */
const FAILED_ROUNDS = 5

/** Somebody who waits for one call. */
interface Waiter {
  /** Whether this record ends the wait. */
  offer(record: CallRecord): boolean
  refuse(reason: unknown): void
}

/** Everybody who waits for one call. */
interface Watched {
  readonly waiters: Set<Waiter>
  delayMs: number
  nextAt: number
  failedRounds: number
}

interface PollerState {
  readonly ports: Ports
  readonly readLive: (ids: readonly string[]) => Promise<readonly (CallRecord | undefined)[]>
  readonly watched: Map<string, Watched>
  fresh: string[]
  timer: Timer | undefined
  timerAt: number
}

/**
 * Makes the poller of one connection.
 * @param readLive reads records, sure of those it does not find
 */
export function createPoller(ports: Ports, readLive: PollerState['readLive']): Poller {
  const state: PollerState = {
    ports,
    readLive,
    watched: new Map(),
    fresh: [],
    timer: undefined,
    timerAt: Number.POSITIVE_INFINITY,
  }
  ports.store.watch?.((record) => {
    const entry = state.watched.get(record.id)
    if (entry !== undefined) offer(state, record.id, entry, record)
  })
  return {
    ports,
    wait: (id, until, isSeen) => wait(state, id, until, isSeen),
    waitInOrder: (ids, last) => waitInOrder(state, ids, last),
    close(reason) {
      for (const id of [...state.watched.keys()]) refuse(state, id, reason)
    },
  }
}

function wait(
  state: PollerState,
  id: string,
  until: (record: CallRecord) => boolean,
  isSeen = false,
): Wait<CallRecord> {
  const { promise, resolve, reject } = Promise.withResolvers<CallRecord>()
  const waiter: Waiter = {
    offer(record) {
      if (!until(record)) return false
      resolve(record)
      return true
    },
    refuse: reject,
  }
  join(state, id, waiter, isSeen)
  const stop = (reason: unknown) => {
    leave(state, id, waiter)
    reject(reason)
  }
  return { answer: promise, stop }
}

function waitInOrder(
  state: PollerState,
  ids: readonly string[],
  last: (record: CallRecord) => boolean,
): Wait<readonly CallRecord[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly CallRecord[]>()
  const finals: CallRecord[] = []
  const waiters: Waiter[] = []
  let next = 0
  let over = ids.length === 0
  const leaveAll = () => {
    for (const [index, waiter] of waiters.entries()) leave(state, ids[index] as string, waiter)
  }
  const refuse = (reason: unknown) => {
    over = true
    leaveAll()
    reject(reason)
  }
  const take = (index: number, record: CallRecord) => {
    finals[index] = record
    for (let final = finals[next]; final !== undefined; final = finals[next]) {
      next += 1
      const ended = next === ids.length
      if (!ended && !last(final)) continue
      over = true
      if (!ended) leaveAll()
      resolve(finals.slice(0, next))
      return
    }
  }
  if (over) resolve([])
  for (const [index, id] of ids.entries()) {
    if (over) break
    const waiter: Waiter = {
      offer(record) {
        if (!isFinal(record.state)) return false
        take(index, record)
        return true
      },
      refuse,
    }
    waiters.push(waiter)
    join(state, id, waiter)
  }
  return { answer: promise, stop: refuse }
}

function join(state: PollerState, id: string, waiter: Waiter, isSeen = false): void {
  const { store, clock } = state.ports
  const record = store.peek?.(id)
  // One that has expired is read, which ends it.
  const known = isLive(record, clock.now()) && !hasExpired(record, clock.now())
  if (known && waiter.offer(record)) return
  const entry = state.watched.get(id)
  if (entry !== undefined) {
    entry.waiters.add(waiter)
    return
  }
  const nextAt = known || isSeen ? clock.now() + firstDelay(state) : 0
  state.watched.set(id, { waiters: new Set([waiter]), delayMs: firstDelay(state), nextAt, failedRounds: 0 })
  if (nextAt > 0) {
    if (state.timer === undefined || nextAt < state.timerAt) setNextRound(state)
    return
  }
  // One read for all who begin to wait in this turn.
  if (state.fresh.push(id) === 1) queueMicrotask(() => startFreshRound(state))
}

/** Where the store tells of changes, reading is only a safety net, and its timer what keeps the process waiting. */
function firstDelay(state: PollerState): number {
  return state.ports.store.watch === undefined ? FIRST_DELAY_MS : LAST_DELAY_MS
}

function startFreshRound(state: PollerState): void {
  const ids = [...new Set(state.fresh)]
  state.fresh = []
  void readRound(state, ids)
}

function leave(state: PollerState, id: string, waiter: Waiter): void {
  const entry = state.watched.get(id)
  if (entry === undefined) return
  entry.waiters.delete(waiter)
  if (entry.waiters.size === 0) state.watched.delete(id)
  if (state.watched.size > 0) return
  state.timer?.cancel()
  state.timer = undefined
  state.timerAt = Number.POSITIVE_INFINITY
}

function offer(state: PollerState, id: string, entry: Watched, record: CallRecord): void {
  for (const waiter of entry.waiters) {
    if (waiter.offer(record)) leave(state, id, waiter)
  }
}

function refuse(state: PollerState, id: string, reason: unknown): void {
  const entry = state.watched.get(id)
  if (entry === undefined) return
  for (const waiter of entry.waiters) {
    leave(state, id, waiter)
    waiter.refuse(reason)
  }
}

async function readRound(state: PollerState, ids: readonly string[]): Promise<void> {
  const batches: string[][] = []
  for (let from = 0; from < ids.length; from += LIMITS.readBatch) {
    batches.push(ids.slice(from, from + LIMITS.readBatch))
  }
  await Promise.all(batches.map((batch) => readBatch(state, batch)))
  // Together, whichever batch was answered last: those read in one round stay in one, and fill its batches.
  const now = state.ports.clock.now()
  for (const id of ids) {
    const entry = state.watched.get(id)
    if (entry !== undefined) reschedule(entry, now)
  }
  setNextRound(state)
}

async function readBatch(state: PollerState, ids: readonly string[]): Promise<void> {
  try {
    const records = await state.readLive(ids)
    for (const [index, id] of ids.entries()) {
      const record = records[index]
      const entry = state.watched.get(id)
      if (entry === undefined) continue
      entry.failedRounds = 0
      if (record === undefined) refuse(state, id, notFound(id))
      else offer(state, id, entry, record)
    }
  } catch (error) {
    const hopeless = AccessDeniedError.is(error) || ResourceNotFoundError.is(error)
    for (const id of ids) {
      const entry = state.watched.get(id)
      if (entry === undefined) continue
      entry.failedRounds += 1
      if (hopeless || entry.failedRounds >= FAILED_ROUNDS) refuse(state, id, error)
    }
  }
}

function reschedule(entry: Watched, now: number): void {
  entry.nextAt = now + entry.delayMs
  entry.delayMs = Math.min(entry.delayMs * GROWTH, LAST_DELAY_MS)
}

/** One timer, for the call that is due first. */
function setNextRound(state: PollerState): void {
  if (state.watched.size === 0) return
  let nextAt = Number.POSITIVE_INFINITY
  for (const entry of state.watched.values()) {
    if (entry.nextAt > 0 && entry.nextAt < nextAt) nextAt = entry.nextAt
  }
  if (nextAt >= state.timerAt || nextAt === Number.POSITIVE_INFINITY) return
  state.timer?.cancel()
  const { clock, entropy } = state.ports
  // A tenth of jitter, so that processes started together do not poll together.
  const delayMs = Math.max(nextAt - clock.now(), 1) * (1 + entropy.fraction() / 10)
  state.timerAt = nextAt
  state.timer = clock.setTimer(() => {
    state.timer = undefined
    state.timerAt = Number.POSITIVE_INFINITY
    const due = clock.now() + ROUND_SLACK_MS
    const ids: string[] = []
    for (const [id, entry] of state.watched) {
      if (entry.nextAt === 0 || entry.nextAt > due) continue
      ids.push(id)
      // Being read: no other round takes it meanwhile.
      entry.nextAt = 0
    }
    void readRound(state, ids)
  }, delayMs)
}

/** The error of a call that nobody knows (any more). */
export function notFound(id: string): CallNotFoundError {
  return new CallNotFoundError(
    `no record of the call ${JSON.stringify(id)}: it expired (records live for the queue's retention + 1 day after their last write), was never written, or the id is of another app`,
  )
}

/**
 * Waits for as long as the options say.
 * @param what names what is waited for, in the message of a time-out
 * @throws WaitTimeoutError, the signal's reason, CallNotFoundError
 */
export function waitLimited<Answer>(
  ports: Ports,
  waiting: Wait<Answer>,
  what: string,
  options: WaitOptions,
): Promise<Answer> {
  const unlimited = options.timeoutSeconds === undefined && options.signal === undefined
  return unlimited ? waiting.answer : withLimits(ports, waiting, what, options)
}

async function withLimits<Answer>(
  ports: Ports,
  waiting: Wait<Answer>,
  what: string,
  { timeoutSeconds, signal }: WaitOptions,
): Promise<Answer> {
  const abort = () => waiting.stop(signal?.reason)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort, { once: true })
  let timer: Timer | undefined
  if (timeoutSeconds !== undefined) {
    const giveUp = () =>
      waiting.stop(
        new WaitTimeoutError(
          `waited ${timeoutSeconds} s for ${what}, which goes on; wait longer, or look at its snapshot`,
        ),
      )
    timer = ports.clock.setTimer(giveUp, timeoutSeconds * 1000)
  }
  try {
    return await waiting.answer
  } finally {
    timer?.cancel()
    signal?.removeEventListener('abort', abort)
  }
}
