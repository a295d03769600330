import { afterAll, expect, test } from 'vitest'
import { faultsAtRates } from '../support/fault-plan.ts'
import { startFaultyWire } from '../support/faulty-wire.ts'
import { submitUnderFaults } from './submits.ts'

const wire = await startFaultyWire({ queues: { default: {} } })
afterAll(() => wire.close())

const CALLS = 10_000

test('10,000 submits at 8 % lost responses: none lost, no false conflict (F-06, F-07)', async () => {
  const plan = faultsAtRates(1, { lostResponses: 0.08, lostRequests: 0.05, throttles: 0.05, errors: 0.02 })
  const report = await submitUnderFaults(wire, { calls: CALLS, plan })
  expect(report).toMatchObject({
    submitted: CALLS,
    lost: 0,
    falseConflicts: 0,
    otherErrors: 0,
    wrongRecords: 0,
    strays: 0,
  })
})
