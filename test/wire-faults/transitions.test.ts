import { afterAll, expect, test } from 'vitest'
import { faultsAtRates } from '../support/fault-plan.ts'
import { startFaultyWire } from '../support/faulty-wire.ts'
import { FAULT_RATES } from './fault-rates.ts'
import { changeUnderFaults } from './transitions.ts'

const wire = await startFaultyWire({ queues: {} })
afterAll(() => wire.close())

test('7,000 conditional writes by sole writers: each is made once, and its echo recognised (F-07, I5)', async () => {
  const { writes, echoes, ...report } = await changeUnderFaults(wire, {
    writes: 7000,
    plan: faultsAtRates(2, FAULT_RATES),
  })
  expect(report).toMatchObject({ falseRefusals: 0, wrongRecords: 0 })
  expect(writes).toBeGreaterThanOrEqual(7000)
  // Without lost answers it would show nothing.
  expect(echoes).toBeGreaterThan(200)
})
