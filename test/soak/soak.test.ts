import { expect, test } from 'vitest'
import { runSoak, type SoakOptions } from './soak.ts'

const small = { calls: 300, kills: 15, workers: 2, seed: 1, patienceSeconds: 200 }

async function expectExact(options: SoakOptions): Promise<void> {
  const report = await runSoak(options)
  expect(report).toMatchObject({
    submitted: options.calls,
    unaccounted: 0,
    wrong: 0,
    changed: 0,
    wrongFollowUps: 0,
    messagesLeft: 0,
    deadLetters: 0,
    kills: options.kills,
  })
  expect(report.succeeded + report.failed + report.cancelled).toBe(options.calls)
  // Without attempts that ended in the middle it would show nothing.
  expect(report.killedAttempts).toBeGreaterThan(0)
}

test('300 calls, 15 kills of 2 workers: every call ends once, as it must (F-05, F-17, F-37, I1, I2, I9)', () =>
  expectExact({ ...small, kind: 'lambda' }))

test('200 calls, 10 kills of 2 process workers, whose leases are renewed: every call ends once, as it must', () =>
  expectExact({ ...small, calls: 200, kills: 10, kind: 'process' }))
