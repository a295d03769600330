import { afterAll, describe, expect, test } from 'vitest'
import type { FaultPlan } from '../support/fault-plan.ts'
import { type FaultyWire, startFaultyWire } from '../support/faulty-wire.ts'
import { attemptUnderFaults } from './attempts.ts'
import { submitUnderFaults } from './submits.ts'
import { changeUnderFaults } from './transitions.ts'
import { createWriteLog } from './write-log.ts'

// The first answer to each request is lost, whatever was asked: each write meets its own echo, on a server that sends the
// record with its refusal, and on one (dynalite) where it has to be read. Few for each client: a
// retry costs 14 of the SDK's 500 tokens, and one that meets its own echo is an error to the SDK and gives none back.
function everyFirstAnswer(): FaultPlan {
  const seen = new Set<string>()
  return ({ action, body }) => {
    const isFirst = !seen.has(action + body)
    seen.add(action + body)
    return isFirst ? { kind: 'lost-response' } : undefined
  }
}

const visibleForEver = { VisibilityTimeout: '43200' }
const log = createWriteLog()
const wires: readonly (readonly [string, FaultyWire, ReturnType<typeof createWriteLog>])[] = [
  [
    'DynamoDB Local, where Java is there',
    await startFaultyWire({ queues: { default: visibleForEver }, onExchange: log.onExchange }),
    log,
  ],
  await startDynaliteWire(),
]
afterAll(async () => {
  await Promise.all(wires.map(([, wire]) => wire.close()))
})

async function startDynaliteWire() {
  const ownLog = createWriteLog()
  const { onExchange } = ownLog
  const wire = await startFaultyWire({
    queues: { default: visibleForEver },
    database: 'dynalite',
    onExchange,
  })
  return ['dynalite', wire, ownLog] as const
}

describe.each(wires)('every first answer lost, on %s', (_, wire, writeLog) => {
  test('each transition is made once, and knows itself again (F-07, I5)', async () => {
    const report = await changeUnderFaults(wire, { writes: 100, plan: everyFirstAnswer() })
    expect(report).toMatchObject({ falseRefusals: 0, wrongRecords: 0 })
    // All but progress, which may be written twice, are refused the second time.
    expect(report.echoes).toBeGreaterThan(report.writes / 2)
  })

  test('attempts run as often as they would without (F-07, I3, I5)', async () => {
    for (let round = 0; round < 3; round++) {
      const report = await attemptUnderFaults(wire, writeLog, { calls: 7, plan: everyFirstAnswer() })
      expect(report).toMatchObject({
        calls: 7,
        falseRefusals: 0,
        doubleOutcomes: 0,
        wrongOutcomes: 0,
        wrongCounts: 0,
        unfinished: 0,
        // One of each kind: the flaky and the bad one three times, the unwanted one never.
        runs: 10,
      })
    }
  })

  test('every message is sent twice, and stands for one call (F-06)', async () => {
    const report = await submitUnderFaults(wire, { calls: 12, plan: everyFirstAnswer() })
    expect(report).toEqual({
      submitted: 12,
      uncertain: 0,
      lost: 0,
      falseConflicts: 0,
      otherErrors: 0,
      wrongRecords: 0,
      strays: 0,
      duplicates: 12,
    })
  })
})
