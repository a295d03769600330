import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inProcessStore } from '../../src/local-emulator/in-process-store.ts'
import {
  type CallRecord,
  type CallState,
  type Claim,
  cancelChange,
  claimChange,
  endMarkedChange,
  expiryOf,
  finishChange,
  followsKill,
  isEchoOfFinish,
  isEchoOfRetry,
  isFinal,
  isLive,
  killsOf,
  markChange,
  mayCreate,
  progressChange,
  refusalOf,
  retryChange,
} from '../../src/runtime/call/record.ts'
import type { Change } from '../../src/runtime/ports/store.ts'

const NOW = Date.UTC(2026, 0, 1)
const DAY = 86_400
const call = { task: 'add', queue: 'q', payloadHash: 'h', createdAt: NOW, dueAt: NOW, failures: 0 }
const waiting: CallRecord = {
  ...call,
  id: 'c',
  state: 'pending',
  expiresAtSeconds: NOW / 1000 + 5 * DAY,
  attempts: 0,
}
const running: CallRecord = {
  ...waiting,
  state: 'running',
  owner: 'other',
  leaseUntil: NOW + 60_000,
  startedAt: NOW,
  attempts: 1,
}

function claimAt(now: number, owner = 'me'): Claim {
  return {
    id: 'c',
    call: { ...call, failures: 0 },
    owner,
    now,
    leaseUntil: now + 63_000,
    retentionSeconds: 4 * DAY,
    isAttempt: true,
  }
}

/** Applies a change to a record, or to none. */
async function apply(record: CallRecord | undefined, change: Change) {
  const store = inProcessStore({ clock: { now: () => NOW, setTimer: () => ({ cancel() {} }) } })
  if (record !== undefined) await store.put(record, ['id', 'absent'])
  return store.update('c', change)
}

/** What a claim comes to: the state it makes, or why it is refused. */
async function claim(record: CallRecord | undefined, now = NOW, owner = 'me'): Promise<string> {
  const made = claimAt(now, owner)
  const answer = await apply(record, claimChange(made))
  return answer.written ? `attempt ${answer.record.attempts}` : refusalOf(made, answer.existing).kind
}

describe('a claim', () => {
  const rows: readonly (readonly [string, CallRecord | undefined, number, string])[] = [
    ['no record', undefined, 0, 'attempt 1'],
    ['no record, and the call long forgotten', undefined, 5 * DAY, 'stale'],
    ['no record, at the end of its minimum life', undefined, 4.5 * DAY - 1, 'attempt 1'],
    ['pending', waiting, 0, 'attempt 1'],
    ['pending and expired', { ...waiting, expiresAtSeconds: NOW / 1000 }, 0, 'expired'],
    ['pending of another payload', { ...waiting, payloadHash: 'x' }, 0, 'stale'],
    ['scheduled and due', { ...waiting, state: 'scheduled' }, 0, 'attempt 1'],
    [
      'scheduled and due within a second',
      { ...waiting, state: 'scheduled', dueAt: NOW + 1000 },
      0,
      'attempt 1',
    ],
    ['scheduled', { ...waiting, state: 'scheduled', dueAt: NOW + 1001 }, 0, 'waiting'],
    ['retrying and due', { ...waiting, state: 'retrying', attempts: 1, failures: 1 }, 0, 'attempt 2'],
    ['retrying', { ...waiting, state: 'retrying', dueAt: NOW + 5000 }, 0, 'waiting'],
    ['running under a live lease', running, 0, 'postponed'],
    ['running at the last moment of its lease', running, 60, 'postponed'],
    ['running, its lease over', running, 60.001, 'attempt 2'],
    ['running by ourselves', { ...running, owner: 'me' }, 0, 'echo'],
    ['marked under a live lease', { ...running, abortReason: 'x' }, 0, 'postponed'],
    ['marked, its lease over', { ...running, abortReason: 'x' }, 61, 'marked'],
    ['marked and retrying', { ...waiting, state: 'retrying', abortReason: 'x' }, 0, 'marked'],
    ['succeeded', { ...running, state: 'succeeded' }, 0, 'final'],
    ['failed', { ...running, state: 'failed' }, 100, 'final'],
    ['cancelled', { ...waiting, state: 'cancelled' }, 0, 'final'],
    ['final and of another payload', { ...running, state: 'failed', payloadHash: 'x' }, 0, 'stale'],
  ]
  test.each(rows)('of %s', async (_, record, seconds, expected) => {
    expect(await claim(record, NOW + seconds * 1000)).toBe(expected)
  })

  test('says until when to hide what it postpones', () => {
    const until = (record: CallRecord) => refusalOf(claimAt(NOW), record)
    expect(until(running)).toEqual({ kind: 'postponed', until: NOW + 60_001 })
    expect(until({ ...waiting, state: 'scheduled', dueAt: NOW + 5 })).toMatchObject({
      kind: 'waiting',
      record: { dueAt: NOW + 5 },
    })
  })

  test('makes the record of a call that has none, and clears the last progress', async () => {
    const made = await apply(undefined, claimChange(claimAt(NOW)))
    expect(made.written && made.record).toMatchObject({ ...call, id: 'c', state: 'running', owner: 'me' })
    const again = await apply({ ...running, progress: 'old' }, claimChange(claimAt(NOW + 61_000)))
    expect(again.written && again.record.progress).toBeUndefined()
  })
})

describe('the owner is the fence', () => {
  const changes: Readonly<Record<string, Change>> = {
    progress: progressChange('me', 'p', 1),
    finish: finishChange('me', { state: 'succeeded', result: 'r', failure: false }, NOW, 1),
    failure: finishChange('me', { state: 'failed', reason: 'threw', failure: true }, NOW, 1),
    retry: retryChange('me', NOW, 'Error', 1),
  }
  test.each(Object.entries(changes))('of %s', async (_, change) => {
    expect((await apply({ ...running, owner: 'me' }, change)).written).toBe(true)
    for (const record of [
      running,
      waiting,
      { ...running, owner: 'me', state: 'retrying' as const },
      undefined,
    ]) {
      expect((await apply(record, change)).written).toBe(false)
    }
  })

  test('a retry is refused where somebody asked the call to stop', async () => {
    const marked = { ...running, owner: 'me', abortReason: 'x' }
    expect((await apply(marked, retryChange('me', NOW, 'Error', 1))).written).toBe(false)
  })
})

describe('final is final', () => {
  const states = ['succeeded', 'failed', 'cancelled'] as const
  const changes: Readonly<Record<string, Change>> = {
    claim: claimChange(claimAt(NOW + 100_000)),
    progress: progressChange('other', 'p', 1),
    finish: finishChange('other', { state: 'failed', failure: true }, NOW, 1),
    retry: retryChange('other', NOW, 'x', 1),
    cancel: cancelChange(NOW),
    mark: markChange('x'),
    'the end of a mark': endMarkedChange(NOW + 100_000),
  }
  test.each(Object.entries(changes))('for %s', async (_, change) => {
    for (const state of states) {
      for (const extra of [{}, { abortReason: 'x' }]) {
        const record: CallRecord = { ...running, ...extra, state }
        expect(await apply(record, change)).toEqual({ written: false, existing: record })
      }
    }
  })

  test('for any order of any changes (F-42, I2)', async () => {
    const all: readonly Change[] = Object.values(changes)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(all.length - 1), { maxLength: 12 }), async (order) => {
        let record: CallRecord | undefined = waiting
        for (const index of order) {
          const answer = await apply(record, all[index] as Change)
          const before: CallRecord | undefined = record
          record = answer.written ? answer.record : record
          if (before !== undefined && isFinal(before.state)) expect(record).toEqual(before)
          expect(record!.attempts).toBeGreaterThanOrEqual(before!.attempts)
          expect(killsOf(record!)).toBeGreaterThanOrEqual(0)
        }
      }),
    )
  })
})

describe('cancel and mark', () => {
  const cancellable: readonly (readonly [CallState, boolean, boolean])[] = [
    ['pending', true, false],
    ['scheduled', true, false],
    ['retrying', true, false],
    ['running', false, true],
    ['succeeded', false, false],
    ['failed', false, false],
    ['cancelled', false, false],
  ]
  test.each(cancellable)('of a %s call', async (state, cancelled, marked) => {
    expect((await apply({ ...running, state }, cancelChange(NOW))).written).toBe(cancelled)
    expect((await apply({ ...running, state }, markChange('x'))).written).toBe(marked)
  })

  test('a second mark does not change the first reason', async () => {
    expect((await apply({ ...running, abortReason: 'first' }, markChange('second'))).written).toBe(false)
  })

  test('an expired call is not cancelled', async () => {
    expect((await apply({ ...waiting, expiresAtSeconds: NOW / 1000 }, cancelChange(NOW))).written).toBe(false)
  })

  test('a marked call ends only where nobody runs it', async () => {
    const marked = { ...running, abortReason: 'x' }
    expect((await apply(marked, endMarkedChange(NOW))).written).toBe(false)
    expect((await apply(marked, endMarkedChange(NOW + 60_001))).written).toBe(true)
    expect((await apply(running, endMarkedChange(NOW + 60_001))).written).toBe(false)
  })
})

test('echoes are told by the owner', () => {
  const mine: CallRecord = { ...running, owner: 'me' }
  expect(isEchoOfFinish({ ...mine, state: 'succeeded' }, 'me')).toBe(true)
  expect(isEchoOfFinish({ ...running, state: 'succeeded' }, 'me')).toBe(false)
  expect(isEchoOfFinish(mine, 'me')).toBe(false)
  expect(isEchoOfFinish(undefined, 'me')).toBe(false)
  expect(isEchoOfRetry({ ...mine, state: 'retrying' }, 'me')).toBe(true)
  expect(isEchoOfRetry(mine, 'me')).toBe(false)
})

test('kills are the attempts that ended without a word', () => {
  const of = (state: CallState, attempts: number, failures: number) =>
    killsOf({ ...waiting, state, attempts, failures })
  expect([of('pending', 0, 0), of('running', 1, 0), of('retrying', 1, 1)]).toEqual([0, 0, 0])
  expect([of('running', 3, 1), of('retrying', 3, 1)]).toEqual([1, 2])
})

test.each([
  ['the first attempt', { attempts: 1 }, false],
  ['an attempt after a failure', { attempts: 2, failures: 1 }, false],
  ['an attempt after a kill', { attempts: 2 }, true],
  ['an attempt after two kills', { attempts: 3 }, true],
  ['an attempt after a failure, and a kill since', { attempts: 3, failures: 1 }, true],
  ['an attempt after a kill, and a failure since', { attempts: 3, failures: 1, killsBefore: 1 }, false],
  ['an attempt after kill, failure, kill', { attempts: 4, failures: 1, killsBefore: 1 }, true],
  ['the first after a retry by hand', { attempts: 4, forgiven: 3 }, false],
])('%s: whether it follows a kill', (_, counts, follows) => {
  expect(followsKill({ ...running, ...counts }, { isAttempt: true })).toBe(follows)
  // A dead letter's claim counts no attempt of its own.
  const { attempts } = counts
  expect(followsKill({ ...running, ...counts, attempts: attempts - 1 }, { isAttempt: false })).toBe(follows)
})

test('a record lives for its due time, the retention and a day; a new one may be made after that', async () => {
  const expiresAtSeconds = expiryOf(NOW + 1, 4 * DAY)
  expect(expiresAtSeconds).toBe(NOW / 1000 + 1 + 5 * DAY)
  const record = { ...waiting, expiresAtSeconds }
  const store = inProcessStore({ clock: { now: () => NOW, setTimer: () => ({ cancel() {} }) } })
  await store.put(record, ['id', 'absent'])
  for (const [late, live] of [
    [-1, true],
    [0, false],
    [1, false],
  ] as const) {
    const now = expiresAtSeconds * 1000 + late
    expect(isLive(record, now)).toBe(live)
    expect((await store.put(record, mayCreate(now))).written).toBe(!live)
  }
})
