/**
 * Every transition of `record.ts`, from every state it may meet, as a store applies it.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import {
  type CallRecord,
  type Claim,
  cancelChange,
  claimChange,
  endMarkedChange,
  finishChange,
  isEchoOfFinish,
  isEchoOfRetry,
  markChange,
  mayCreate,
  progressChange,
  refusalOf,
  retryChange,
} from '../../src/runtime/call/record.ts'
import type { Change, Store, Written } from '../../src/runtime/ports/store.ts'
import { given, NOW, newRecord, stored, type UsingStore } from './store-records.ts'

const RETENTION_SECONDS = 345_600
const EXPIRED = { expiresAtSeconds: Math.floor(NOW / 1000) - 10 }
const LATER = Math.ceil(NOW / 1000) + 864_000

/** The fields that a record has in each state. */
const inState = {
  pending: {},
  scheduled: { state: 'scheduled', dueAt: NOW + 60_000 },
  running: { state: 'running', owner: 'mine', leaseUntil: NOW + 30_000, attempts: 1, startedAt: NOW - 500 },
  retrying: { state: 'retrying', owner: 'mine', dueAt: NOW + 60_000, attempts: 1, failures: 1 },
  succeeded: { state: 'succeeded', owner: 'mine', attempts: 1, finishedAt: NOW, result: '1' },
  failed: { state: 'failed', owner: 'mine', attempts: 3, failures: 3, finishedAt: NOW, reason: 'threw' },
  cancelled: { state: 'cancelled', finishedAt: NOW },
} as const satisfies Record<CallRecord['state'], Partial<CallRecord>>

type Kind = CallRecord['state']
const kinds = Object.keys(inState) as Kind[]
const others = (...not: Kind[]) => kinds.filter((kind) => !not.includes(kind))

/** A claim of `record`'s call by a new owner, `now` being the suite's. */
function claimOf(record: CallRecord, change: Partial<Claim> = {}): Claim {
  const { id, task, queue, payloadHash, createdAt, dueAt } = record
  return {
    id,
    call: { task, queue, payloadHash, createdAt, dueAt, failures: 0 },
    owner: randomUUID(),
    leaseUntil: NOW + 63_000,
    now: NOW,
    retentionSeconds: RETENTION_SECONDS,
    isAttempt: true,
    ...change,
  }
}

/** Holds of `record` that `change` is refused, with the record, and that nothing changed. */
async function expectRefused(store: Store, record: CallRecord, change: Change): Promise<void> {
  expect(await store.update(record.id, change)).toEqual({ written: false, existing: record })
  expect(await stored(store, record.id)).toEqual(record)
}

/** Holds that `change` of `record` is written, with these differences; `undefined` means removed. */
async function expectWritten(
  store: Store,
  record: CallRecord,
  change: Change,
  differences: { readonly [Field in keyof CallRecord]?: CallRecord[Field] | undefined },
): Promise<void> {
  const entries = Object.entries({ ...record, ...differences }).filter(([, value]) => value !== undefined)
  const expected = Object.fromEntries(entries)
  expect(await store.update(record.id, change)).toEqual({ written: true, record: expected })
  expect(await stored(store, record.id)).toEqual(expected)
}

/** The tests of every transition. */
export function describeTransitions(using: UsingStore): void {
  describeCreate(using)
  describeClaim(using)
  describeRefusedClaims(using)
  describeForeignClaims(using)
  describeFinish(using)
  describeRetry(using)
  describeCancel(using)
  describeMark(using)
}

function describeCreate(using: UsingStore): void {
  test(
    'submit: creates where there is no record or an expired one, and never over a live one',
    using(async (store) => {
      const record = newRecord()
      expect(await store.put(record, mayCreate(NOW))).toEqual({ written: true, record })
      const again = { ...record, createdAt: NOW }
      expect(await store.put(again, mayCreate(NOW))).toEqual({ written: false, existing: record })
      for (const kind of kinds) {
        const live = await given(store, inState[kind])
        const refused = await store.put(newRecord({ id: live.id }), mayCreate(NOW))
        expect(refused).toEqual({ written: false, existing: live })
        const { id } = await given(store, { ...inState[kind], ...EXPIRED })
        const fresh = newRecord({ id })
        expect(await store.put(fresh, mayCreate(NOW))).toEqual({ written: true, record: fresh })
        expect(await stored(store, id)).toEqual(fresh)
      }
    }),
  )
}

function claimed(record: CallRecord, claim: Claim) {
  return {
    state: 'running',
    owner: claim.owner,
    leaseUntil: claim.leaseUntil,
    startedAt: NOW,
    attempts: record.attempts + 1,
    progress: undefined,
    expiresAtSeconds: Math.ceil(Math.max(NOW, claim.call.dueAt) / 1000) + RETENTION_SECONDS + 86_400,
  } as const
}

function describeClaim(using: UsingStore): void {
  test(
    'claim: makes the record where there is none, unless the call is older than a record lives',
    using(async (store) => {
      const absent = newRecord()
      const claim = claimOf(absent)
      const { progress: _, ...differences } = claimed(absent, claim)
      const record = { ...absent, ...differences }
      expect(await store.update(absent.id, claimChange(claim))).toEqual({ written: true, record })
      expect(await stored(store, absent.id)).toEqual(record)
      const forgotten = newRecord({ dueAt: NOW - (RETENTION_SECONDS + 50_000) * 1000 })
      const late = claimOf(forgotten)
      const refused = { written: false, existing: undefined }
      expect(await store.update(forgotten.id, claimChange(late))).toEqual(refused)
      expect(refusalOf(late, undefined)).toEqual({ kind: 'stale' })
    }),
  )
  test(
    'claim: takes what is pending, what is due within 1 s, and what is running with its lease over',
    using(async (store) => {
      const claimable: Partial<CallRecord>[] = [
        { ...inState.pending, progress: 'old', tenant: 'acme' },
        { ...inState.scheduled, dueAt: NOW },
        { ...inState.scheduled, dueAt: NOW + 1000 },
        { ...inState.retrying, dueAt: NOW + 1000, lastError: 'Error: x' },
        { ...inState.running, leaseUntil: NOW - 1, progress: '"half"' },
      ]
      for (const change of claimable) {
        const record = await given(store, change)
        const claim = claimOf(record)
        await expectWritten(store, record, claimChange(claim), claimed(record, claim))
      }
    }),
  )
  test(
    'claim: of 20 at once exactly one is written, and the others are told to wait for its lease',
    using(async (store) => {
      for (const record of [newRecord(), await given(store)]) {
        const claims = Array.from({ length: 20 }, () => claimOf(record))
        const claiming = claims.map((claim) => store.update(record.id, claimChange(claim)))
        const answers = (await Promise.all(claiming)) as Written[]
        const winner = answers.findIndex((answer) => answer.written)
        expect(answers.filter((answer) => answer.written)).toHaveLength(1)
        for (const [index, answer] of answers.entries()) {
          if (answer.written) continue
          expect(answer.existing?.owner).toBe(claims[winner]?.owner)
          const refusal = refusalOf(claims[index] as Claim, answer.existing)
          expect(refusal).toEqual({ kind: 'postponed', until: NOW + 63_001 })
        }
        expect(await stored(store, record.id)).toMatchObject({ attempts: 1, owner: claims[winner]?.owner })
      }
    }),
  )
}

function describeRefusedClaims(using: UsingStore): void {
  const cases: [name: string, change: Partial<CallRecord>, refusal: object][] = [
    ['final: succeeded', inState.succeeded, { kind: 'final' }],
    ['final: failed', inState.failed, { kind: 'final' }],
    ['final: cancelled', inState.cancelled, { kind: 'final' }],
    ['running', inState.running, { kind: 'postponed', until: NOW + 30_001 }],
    [
      'running to this very moment',
      { ...inState.running, leaseUntil: NOW },
      { kind: 'postponed', until: NOW + 1 },
    ],
    ['scheduled', inState.scheduled, { kind: 'waiting', record: { dueAt: NOW + 60_000 } }],
    [
      'retrying, due in 1.001 s',
      { ...inState.retrying, dueAt: NOW + 1001 },
      { kind: 'waiting', record: { dueAt: NOW + 1001 } },
    ],
    ['marked and waiting', { ...inState.retrying, abortReason: 'no' }, { kind: 'marked' }],
    [
      'marked, its lease over',
      { ...inState.running, leaseUntil: NOW - 1, abortReason: '' },
      { kind: 'marked' },
    ],
    ['marked and pending', { abortReason: 'no' }, { kind: 'marked' }],
  ]
  test(
    'claim: refused by every record that may not be claimed, and the record says why',
    using(async (store) => {
      for (const [name, change, refusal] of cases) {
        const record = await given(store, change)
        const claim = claimOf(record)
        await expectRefused(store, record, claimChange(claim))
        expect(refusalOf(claim, await stored(store, record.id)), name).toMatchObject(refusal)
      }
    }),
  )
}

function describeForeignClaims(using: UsingStore): void {
  test(
    'claim: refused where the record is of another payload',
    using(async (store) => {
      for (const change of [inState.pending, { ...inState.running, leaseUntil: NOW - 1 }]) {
        const record = await given(store, { ...change, payloadHash: 'other' })
        const claim = claimOf({ ...record, payloadHash: 'hash' })
        await expectRefused(store, record, claimChange(claim))
        expect(refusalOf(claim, record)).toEqual({ kind: 'stale' })
      }
    }),
  )
  test(
    'claim: refused by a record whose time is over',
    using(async (store) => {
      for (const change of [inState.pending, { ...inState.running, leaseUntil: NOW - 1 }]) {
        const record = await given(store, { ...change, ...EXPIRED })
        expect(await store.update(record.id, claimChange(claimOf(record)))).toMatchObject({ written: false })
      }
    }),
  )
  test(
    'claim: its own echo is refused and recognised, and counts nothing twice',
    using(async (store) => {
      const record = await given(store)
      const claim = claimOf(record)
      const first = await store.update(record.id, claimChange(claim))
      const echo = await store.update(record.id, claimChange(claim))
      expect(echo).toEqual({ written: false, existing: first.written ? first.record : undefined })
      expect(refusalOf(claim, await stored(store, record.id))).toMatchObject({ kind: 'echo' })
      expect(await stored(store, record.id)).toMatchObject({ attempts: 1 })
    }),
  )
}

const finish = { state: 'succeeded', result: '[1]', failure: false } as const

function describeFinish(using: UsingStore): void {
  test(
    'finish: the owner ends its call, as succeeded, failed or cancelled',
    using(async (store) => {
      const running = { ...inState.running, lastError: 'Error: before', progress: '1' }
      const ended = { finishedAt: NOW, expiresAtSeconds: LATER, leaseUntil: undefined }
      const succeeded = await given(store, running)
      const success = finishChange('mine', { ...finish, resultBytes: 9 }, NOW, LATER)
      const result = {
        ...ended,
        state: 'succeeded',
        result: '[1]',
        resultBytes: 9,
        lastError: undefined,
      } as const
      await expectWritten(store, succeeded, success, result)
      const failed = await given(store, { ...running, failures: 1, abortReason: 'stop' })
      const failure = { state: 'failed', reason: 'threw', result: '{}', failure: true } as const
      const { failure: _, ...outcome } = failure
      await expectWritten(store, failed, finishChange('mine', failure, NOW, LATER), {
        ...ended,
        ...outcome,
        failures: 2,
      })
      const stopped = await given(store, running)
      const cancelled = finishChange('mine', { state: 'cancelled', failure: false }, NOW, LATER)
      await expectWritten(store, stopped, cancelled, { ...ended, state: 'cancelled' })
    }),
  )
  test(
    'finish: its own echo is refused and recognised',
    using(async (store) => {
      const { id } = await given(store, inState.running)
      const change = finishChange('mine', { ...finish, failure: true }, NOW, LATER)
      expect(await store.update(id, change)).toMatchObject({ written: true, record: { failures: 1 } })
      const echo = await store.update(id, change)
      expect(echo).toMatchObject({ written: false, existing: { failures: 1 } })
      expect(isEchoOfFinish(echo.written ? undefined : echo.existing, 'mine')).toBe(true)
      expect(isEchoOfFinish(echo.written ? undefined : echo.existing, 'other')).toBe(false)
    }),
  )
}

function describeRetry(using: UsingStore): void {
  test(
    'retry: the owner gives its call back, unless it is marked',
    using(async (store) => {
      const change = retryChange('mine', NOW + 5000, 'Error: x', LATER)
      const record = await given(store, { ...inState.running, progress: '1' })
      const back = { state: 'retrying', dueAt: NOW + 5000, lastError: 'Error: x', failures: 1 } as const
      const differences = { ...back, expiresAtSeconds: LATER, leaseUntil: undefined }
      await expectWritten(store, record, change, differences)
      const echo = await store.update(record.id, change)
      expect(isEchoOfRetry(echo.written ? undefined : echo.existing, 'mine')).toBe(true)
      expect(await stored(store, record.id)).toMatchObject({ failures: 1 })
      await expectRefused(store, await given(store, { ...inState.running, abortReason: '' }), change)
      const known = { killsBefore: 2, history: '1:0:5:Error' }
      const killed = retryChange('mine', NOW + 5000, 'Error: x', LATER, known)
      await expectWritten(store, await given(store, record), killed, { ...differences, ...known })
    }),
  )
  test(
    'progress: the owner writes it, also where the call is marked or its lease over',
    using(async (store) => {
      const change = progressChange('mine', '{"done":3}', 1)
      for (const also of [{}, { progress: 'old' }, { abortReason: 'stop' }, { leaseUntil: NOW - 1 }]) {
        const record = await given(store, { ...inState.running, ...also })
        await expectWritten(store, record, change, { progress: '{"done":3}', progressNumber: 1 })
      }
    }),
  )
  test(
    'progress, finish and retry: refused for every other owner, every other state, and no record',
    using(async (store) => {
      const changes = [
        progressChange('mine', '1', 1),
        finishChange('mine', finish, NOW, LATER),
        retryChange('mine', NOW, 'Error', LATER),
      ]
      for (const change of changes) {
        await expectRefused(store, await given(store, { ...inState.running, owner: 'other' }), change)
        for (const kind of others('running')) {
          await expectRefused(store, await given(store, { ...inState[kind], owner: 'mine' }), change)
        }
        const id = randomUUID()
        expect(await store.update(id, change)).toEqual({ written: false, existing: undefined })
      }
    }),
  )
}

function describeCancel(using: UsingStore): void {
  test(
    'cancel: ends what nobody runs, and nothing else',
    using(async (store) => {
      for (const kind of ['pending', 'scheduled', 'retrying'] as const) {
        const record = await given(store, inState[kind])
        await expectWritten(store, record, cancelChange(NOW), { state: 'cancelled', finishedAt: NOW })
      }
      for (const kind of others('pending', 'scheduled', 'retrying')) {
        await expectRefused(store, await given(store, inState[kind]), cancelChange(NOW))
      }
      const expired = await given(store, EXPIRED)
      expect(await store.update(expired.id, cancelChange(NOW))).toMatchObject({ written: false })
      expect(await store.update(randomUUID(), cancelChange(NOW))).toEqual({
        written: false,
        existing: undefined,
      })
    }),
  )
}

function describeMark(using: UsingStore): void {
  test(
    'mark: asks a running call to stop, once',
    using(async (store) => {
      const record = await given(store, inState.running)
      await expectWritten(store, record, markChange('too slow'), { abortReason: 'too slow' })
      await expectRefused(store, { ...record, abortReason: 'too slow' }, markChange('again'))
      for (const kind of others('running')) {
        await expectRefused(store, await given(store, inState[kind]), markChange('stop'))
      }
    }),
  )
  test(
    'end of a marked call: only where nobody runs it',
    using(async (store) => {
      const ended = { state: 'cancelled', finishedAt: NOW, leaseUntil: undefined } as const
      const marked = { abortReason: 'stop' }
      for (const kind of ['pending', 'scheduled', 'retrying'] as const) {
        const record = await given(store, { ...inState[kind], ...marked })
        await expectWritten(store, record, endMarkedChange(NOW), ended)
        await expectRefused(store, await given(store, inState[kind]), endMarkedChange(NOW))
      }
      const dead = await given(store, { ...inState.running, ...marked, leaseUntil: NOW - 1 })
      await expectWritten(store, dead, endMarkedChange(NOW), ended)
      for (const kind of others('pending', 'scheduled', 'retrying')) {
        await expectRefused(store, await given(store, { ...inState[kind], ...marked }), endMarkedChange(NOW))
      }
    }),
  )
}
