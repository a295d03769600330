import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { faultsAtRates } from '../support/fault-plan.ts'
import { startFaultyWire } from '../support/faulty-wire.ts'
import { attemptUnderFaults } from './attempts.ts'
import { FAULT_RATES } from './fault-rates.ts'
import { createWriteLog } from './write-log.ts'

const CALLS = 840

const log = createWriteLog()
// Hidden for as long as SQS allows: no message comes back before the test gives it back.
const wire = await startFaultyWire({
  queues: { default: { VisibilityTimeout: '43200' } },
  onExchange: log.onExchange,
})
afterAll(() => wire.close())
afterEach(() => {
  vi.restoreAllMocks()
})

test('3,000 conditional writes of attempts: no owner is refused its own, no call ends twice (F-06, F-07, F-11)', async () => {
  // It says what it returned, which is much here.
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const plan = faultsAtRates(3, FAULT_RATES)
  const { writes, echoes, runs, ...report } = await attemptUnderFaults(wire, log, { calls: CALLS, plan })
  expect(report).toEqual({
    calls: CALLS,
    falseRefusals: 0,
    doubleOutcomes: 0,
    wrongOutcomes: 0,
    wrongCounts: 0,
    unfinished: 0,
  })
  expect(writes).toBeGreaterThanOrEqual(3000)
  // Without lost answers it would show nothing.
  expect(echoes).toBeGreaterThan(100)
})
