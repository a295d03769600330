import { virtualClock } from 'errand/local-emulator'
import { expect, test } from 'vitest'
import { inProcessStore } from '../../src/local-emulator/in-process-store.ts'
import { createLeases } from '../../src/runtime/attempt/leases.ts'
import { heed, type WatchedAttempt } from '../../src/runtime/attempt/marks.ts'
import { type CallRecord, extendLeaseChange, progressChange } from '../../src/runtime/call/record.ts'
import type { Ports } from '../../src/runtime/ports/backend.ts'

// A request that its sender gave up may still arrive, after those that came later (F-02), and a read may lag (F-44).

const running = {
  id: 'c',
  task: 'add',
  queue: 'default',
  payloadHash: 'h',
  state: 'running',
  createdAt: 0,
  dueAt: 0,
  expiresAtSeconds: 9_999_999_999,
  attempts: 2,
  failures: 0,
  owner: 'me',
  leaseUntil: 63_000,
} satisfies CallRecord

async function stored(clock = virtualClock()) {
  const store = inProcessStore({ clock })
  await store.put(running, ['id', 'absent'])
  return store
}

test('progress that comes late goes over none that came after it; its own echo is written (F-02, I6)', async () => {
  const store = await stored()
  await store.update('c', progressChange('me', 'second', 2))
  expect((await store.update('c', progressChange('me', 'second', 2))).written).toBe(true)
  expect((await store.update('c', progressChange('me', 'first', 1))).written).toBe(false)
  expect(store.peek('c')).toMatchObject({ progress: 'second', progressNumber: 2 })
})

test('a renewal that comes late does not shorten the lease; its own echo is written (F-02, F-18, I4)', async () => {
  const store = await stored()
  await store.update('c', extendLeaseChange('me', 83_000))
  expect((await store.update('c', extendLeaseChange('me', 83_000))).written).toBe(true)
  expect((await store.update('c', extendLeaseChange('me', 63_000))).written).toBe(false)
  expect(store.peek('c')?.leaseUntil).toBe(83_000)
})

function watched() {
  const aborted: Error[] = []
  const attempt: WatchedAttempt = {
    id: 'c',
    owner: 'me',
    attempt: 2,
    startedAt: 0,
    abort: (reason) => void aborted.push(reason),
  }
  return { attempt, aborted }
}

test.each([
  ['a longer lease of its own, its clock set back: it goes on (F-20)', 'me', 0],
  ['the lease of another: it stops', 'other', 1],
])('a renewal that meets %s', async (_, owner, count) => {
  const clock = virtualClock()
  const store = await stored(clock)
  await store.update('c', { when: ['id', 'present'], set: { owner, leaseUntil: clock.now() + 900_000 } })
  const leases = createLeases({ clock, store } as unknown as Ports)
  const { attempt, aborted } = watched()
  leases.watch({ ...attempt, startedAt: clock.now() })
  await clock.advance({ seconds: 25 })
  expect(aborted).toHaveLength(count)
})

test.each<[string, Partial<CallRecord>, number]>([
  ['of the attempt before it, which runs there', { attempts: 1, owner: 'before' }, 0],
  ['of the failure that was retried by hand', { attempts: 1, owner: 'before', state: 'failed' }, 0],
  ['of its own attempt', {}, 0],
  ['of its own attempt, marked', { abortReason: 'enough' }, 1],
  ['of the attempt after it', { attempts: 3, owner: 'after' }, 1],
  ['of its own attempt, ended by others', { state: 'cancelled' }, 1],
  ['of a dead letter that took it over', { owner: 'dead-letters' }, 1],
])('an attempt that reads a record %s (F-44)', (_, fields, count) => {
  const { attempt, aborted } = watched()
  heed({ ...running, ...fields }, attempt)
  expect(aborted).toHaveLength(count)
})
