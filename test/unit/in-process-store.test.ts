import { describe, expect, test } from 'vitest'
import { changed, holds } from '../../src/local-emulator/condition.ts'
import { inProcessStore } from '../../src/local-emulator/in-process-store.ts'
import { virtualClock } from '../../src/local-emulator/virtual-clock.ts'
import type { CallRecord } from '../../src/runtime/call/record.ts'
import type { Change, Condition } from '../../src/runtime/ports/store.ts'

const none: Condition = ['id', 'absent']
const always: Condition = { all: [] }

function record(id: string, fields: Partial<CallRecord> = {}): CallRecord {
  return {
    id,
    task: 'add',
    queue: 'jobs',
    payloadHash: 'hash',
    state: 'pending',
    createdAt: 0,
    dueAt: 0,
    expiresAtSeconds: 1000,
    attempts: 0,
    failures: 0,
    ...fields,
  }
}

describe('a condition', () => {
  const running = record('a', { state: 'running', leaseUntil: 50, owner: 'me' })
  test.each<[Condition, boolean, boolean]>([
    [['id', 'absent'], false, true],
    [['abortReason', 'absent'], true, true],
    [['owner', 'present'], true, false],
    [['state', '=', 'running'], true, false],
    [['state', '=', 'pending'], false, false],
    [['state', 'in', ['pending', 'running']], true, false],
    [['state', 'in', ['pending']], false, false],
    [['leaseUntil', '<', 51], true, false],
    [['leaseUntil', '<', 50], false, false],
    [['leaseUntil', '<=', 50], true, false],
    [['leaseUntil', '>', 49], true, false],
    [['leaseUntil', '>', 50], false, false],
    [['startedAt', '<', 51], false, false],
    [['owner', '<', 51], false, false],
    [{ all: [] }, true, true],
    [{ any: [] }, false, false],
    [
      {
        all: [
          ['owner', '=', 'me'],
          ['state', '=', 'pending'],
        ],
      },
      false,
      false,
    ],
    [
      {
        any: [none, { all: [['owner', '=', 'me']] }],
      },
      true,
      true,
    ],
  ])('%j', (condition, ofRecord, ofNone) => {
    expect(holds(condition, running)).toBe(ofRecord)
    expect(holds(condition, undefined)).toBe(ofNone)
  })
})

describe('a change', () => {
  test('sets, adds what is missing, counts from 0 and removes, leaving the old record as it was', () => {
    const old = Object.freeze(record('a', { progress: 'half', tenant: 'acme' }))
    const change: Change = {
      when: always,
      set: { state: 'running', owner: 'me' },
      initial: { tenant: 'other', depth: 2, failures: 5 },
      increment: ['attempts'],
      remove: ['progress', 'lastError'],
    }
    const next = changed('a', old, change)
    const { progress: _, ...rest } = old
    expect(next).toEqual({ ...rest, state: 'running', owner: 'me', depth: 2, attempts: 1 })
    expect(old.state).toBe('pending')
  })

  test('makes a record where there is none', () => {
    const made = changed('new', undefined, {
      when: none,
      set: { state: 'running' },
      initial: { task: 'add', failures: 0 },
      increment: ['attempts'],
      remove: ['progress'],
    })
    expect(made).toStrictEqual({ id: 'new', task: 'add', failures: 0, state: 'running', attempts: 1 })
  })
})

describe('inProcessStore', () => {
  test('writes where the condition holds, and otherwise shows what stood in the way', async () => {
    const store = inProcessStore({ clock: virtualClock(0) })
    expect(await store.put(record('a'), none)).toEqual({ written: true, record: record('a') })
    expect(await store.put(record('a', { task: 'other' }), none)).toEqual({
      written: false,
      existing: record('a'),
    })
    const change: Change = { when: ['state', '=', 'running'], set: { owner: 'me' } }
    expect(await store.update('a', change)).toEqual({ written: false, existing: record('a') })
    expect(await store.update('b', change)).toEqual({ written: false, existing: undefined })
    expect(await store.read(['b', 'a'])).toEqual([undefined, record('a')])
  })

  test('takes effect in the order of the calls, awaited or not', async () => {
    const store = inProcessStore({ clock: virtualClock(0) })
    const writes = [
      store.put(record('a'), none),
      store.update('a', { when: ['attempts', '=', 0], set: {}, increment: ['attempts'] }),
      store.update('a', { when: ['attempts', '=', 0], set: {}, increment: ['attempts'] }),
    ]
    expect((await Promise.all(writes)).map(({ written }) => written)).toEqual([true, true, false])
  })

  test('a write changes neither what was read nor what was put', async () => {
    const store = inProcessStore({ clock: virtualClock(0) })
    const mine = record('a')
    await store.put(mine, none)
    const [before] = await store.read(['a'])
    await store.update('a', { when: always, set: { state: 'running' } })
    expect(before).toEqual(record('a'))
    expect(mine).toEqual(record('a'))
  })

  test('a put leaves nothing of an older record', async () => {
    const store = inProcessStore({ clock: virtualClock(0) })
    await store.put(record('a', { result: '1', tenant: 'acme' }), none)
    await store.put(record('a'), always)
    expect(await store.read(['a'])).toStrictEqual([record('a')])
  })

  test('keeps results by id and owner', async () => {
    const store = inProcessStore({ clock: virtualClock(0) })
    await store.putResult('a', 'one', '1', 1000)
    await store.putResult('a', 'two', '2', 1000)
    expect(await store.readResult('a', 'one')).toBe('1')
    expect(await store.readResult('a', 'two')).toBe('2')
    expect(await store.readResult('b', 'one')).toBeUndefined()
  })

  test('tells of every write, and of no refusal, until it is not to', async () => {
    const store = inProcessStore({ clock: virtualClock(0) })
    const seen: string[] = []
    const stop = store.watch((written) => seen.push(written.state))
    await store.put(record('a'), none)
    await store.put(record('a'), none)
    await store.update('a', { when: always, set: { state: 'running' } })
    stop()
    await store.update('a', { when: always, set: { state: 'succeeded' } })
    expect(seen).toEqual(['pending', 'running'])
  })

  test('drops what expired, with its results, while others are written', async () => {
    const clock = virtualClock(0)
    const store = inProcessStore({ clock })
    const ids = Array.from({ length: 100 }, (_, index) => `old-${index}`)
    for (const id of ids) await store.put(record(id), none)
    for (const id of ids) await store.putResult(id, 'owner', 'large', 1000)
    await clock.advance({ seconds: 999 })
    for (let writes = 0; writes < 200; writes++)
      await store.put(record('a', { expiresAtSeconds: 5000 }), always)
    expect(await store.read(ids)).not.toContain(undefined)
    await clock.advance({ seconds: 1 })
    for (let writes = 0; writes < 200; writes++)
      await store.put(record('a', { expiresAtSeconds: 5000 }), always)
    expect(await store.read([...ids, 'a'])).toEqual([
      ...ids.map(() => undefined),
      record('a', { expiresAtSeconds: 5000 }),
    ])
    expect(await store.readResult('old-0', 'owner')).toBeUndefined()
  })
})
