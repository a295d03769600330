import { createExecutor, defineConfig, IdempotencyConflictError, SubmitUncertainError } from 'errand'
import { afterAll, expect, test } from 'vitest'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { faultsAtRates, noFaults } from '../support/fault-plan.ts'
import { startFaultyWire } from '../support/faulty-wire.ts'
import { shiftedClock } from '../support/shifted-clock.ts'
import { drain } from './drain.ts'
import { FAULT_RATES } from './fault-rates.ts'

const KEYS = 20
const SENDERS = 10

const wire = await startFaultyWire({ queues: { default: { VisibilityTimeout: '43200' } } })
afterAll(() => wire.close())

const config = defineConfig({ name: 'keys', queues: ['default'], workers: ['main'], listing: false })
const clock = shiftedClock()
const resolved = resolveConfig(config)
const through = awsBackend(resolved, { ...wire.faulty, clock })
const past = awsBackend(resolved, { ...wire.direct, clock })
const runs = new Map<number, number>()
const charge = async (customer: number) => {
  runs.set(customer, (runs.get(customer) ?? 0) + 1)
  return customer
}
const executor = createExecutor(config, { backend: through, tasks: { charge } })
afterAll(async () => {
  await Promise.all([executor.close(), past.close()])
})

/** The id that a submit comes to, whether it returns or is not sure; any other error is thrown. */
async function idOf(customer: number, idempotencyKey: string): Promise<string> {
  try {
    return (await executor.with({ idempotencyKey }).submit(charge, customer)).id
  } catch (error) {
    if (!SubmitUncertainError.is(error) || error.ids.length !== 1) throw error
    // Nobody knows: it is submitted again, as the error says.
    return idOf(customer, idempotencyKey)
  }
}

test(`one key, ${SENDERS} submits at once, answers lost: one call, one id (F-48, F-06, F-07, I10)`, async () => {
  wire.setPlan(faultsAtRates(4, FAULT_RATES))
  const customers = Array.from({ length: KEYS }, (_, customer) => customer)
  const ids = await Promise.all(
    customers.map((customer) =>
      Promise.all(Array.from({ length: SENDERS }, () => idOf(customer, `order-${customer}`))),
    ),
  )
  expect(ids.map((of) => new Set(of).size)).toEqual(customers.map(() => 1))
  expect(new Set(ids.flat()).size).toBe(KEYS)
  const bodies = await wire.bodiesIn('default')
  expect(new Set(bodies.map((body) => (JSON.parse(body) as { id: string }).id)).size).toBe(KEYS)

  const others = await Promise.allSettled(
    customers.map((customer) => idOf(customer + 1, `order-${customer}`)),
  )
  const conflicts = others.filter(
    (answer) => answer.status === 'rejected' && IdempotencyConflictError.is(answer.reason),
  )
  expect(conflicts).toHaveLength(KEYS)

  wire.setPlan(noFaults)
  const handler = createWorkerHandler(internalsOf(executor).app, through, 'main')
  await drain({ past: past.queue, through: through.queue, handler, clock })
  expect(customers.map((customer) => runs.get(customer))).toEqual(customers.map(() => 1))
  const results = await Promise.all(ids.map(([id]) => executor.future<number>(id as string).result()))
  expect(results).toEqual(customers)
})
