import { expect, test } from 'vitest'
import { runSoak } from './soak.ts'

test('300 calls, 15 kills of 2 workers: every call ends once, as it must (F-05, F-17, F-37, I1, I2, I9)', {
  timeout: 300_000,
}, async () => {
  const report = await runSoak({ calls: 300, kills: 15, workers: 2, seed: 1, patienceSeconds: 200 })
  expect(report).toMatchObject({
    submitted: 300,
    unaccounted: 0,
    wrong: 0,
    changed: 0,
    wrongFollowUps: 0,
    messagesLeft: 0,
    deadLetters: 0,
    kills: 15,
  })
  expect(report.succeeded + report.failed + report.cancelled).toBe(300)
  // Without attempts that ended in the middle it would show nothing.
  expect(report.killedAttempts).toBeGreaterThan(0)
})
