/**
 * One seed, from its first submit to the last checker.
 * @module
 */
import { hash } from 'node:crypto'
import { mayCreate } from '../../src/runtime/call/record.ts'
import { deadLettersOf } from '../../src/runtime/config/dead-letter-names.ts'
import { check, type Violation } from './checkers.ts'
import { type Clients, clientsOf } from './clients.ts'
import { pollQueue } from './deliveries.ts'
import { deadLetterEnvironment, type LambdaSide, lambdaSide } from './fleet.ts'
import { lineOf, type RunResult } from './history.ts'
import type { Mode } from './modes.ts'
import { RETENTION_SECONDS } from './plan.ts'
import { queueNames, RECURRING, type Simulation, START_MS, simulationOf } from './simulation.ts'

/** How long everything may take to come to rest once the faults are over: an unknown task waits for an hour. */
const QUIET_MS = 4 * 3600 * 1000

/** The same where calls are delayed, and wait for retries, for half a day each. */
const LONG_QUIET_MS = 80 * 3600 * 1000

/** When every record has expired, and DynamoDB has deleted it. */
const AFTER_EXPIRY_MS = (RETENTION_SECONDS + 2 * 86_400) * 1000

let unhandled: ((error: unknown) => void) | undefined
process.on('unhandledRejection', (error) => unhandled?.(error))

/** Runs a seed; `only` are the faults that may happen, all where absent. */
export async function runSeed(seed: number, mode: Mode, only?: ReadonlySet<string>): Promise<RunResult> {
  const sim = simulationOf(seed, mode, only)
  unhandled = (error) => sim.history.add({ kind: 'unhandled', error: String(error) })
  const lambdas = startPolling(sim)
  const clients = clientsOf(sim)
  clients.begin()
  sendPoison(sim)
  fireSchedule(sim)
  const { world, plan } = sim
  const isOver = () => sim.isQuiet && isAtRest(sim, lambdas, clients)
  await world.run(() => false, START_MS + plan.quietAtMs)
  beQuiet(sim, lambdas, clients)
  await world.run(isOver, world.now() + (plan.longDelays ? LONG_QUIET_MS : QUIET_MS))
  let settled = isOver()
  if (settled) {
    clients.waitForAll()
    await world.run(clients.areIdle, world.now() + 120_000)
    settled = clients.areIdle()
    // What an environment sends once it thaws may come as late as this.
    if (settled) await world.run(isOver, world.now() + QUIET_MS)
  }
  if (settled && plan.echoesLater) {
    for (const lambda of lambdas) lambda.endIdle()
    await deliverLater(sim)
    await world.run(isOver, world.now() + QUIET_MS)
    settled = isOver()
  }
  unhandled = undefined
  return resultOf(sim, settled)
}

function startPolling(sim: Simulation): LambdaSide[] {
  const lambda = lambdaSide(sim, 'worker')
  const undertaker = lambdaSide(sim, 'dead-letters', deadLetterEnvironment)
  const names = [...sim.resolved.queues.keys()]
  const polls = names.map((name) => pollQueue(sim, name, lambda))
  if (sim.mode.handlesDeadLetters) {
    polls.push(...names.map((name) => pollQueue(sim, deadLettersOf(name), undertaker)))
  }
  // Room in the function concerns every queue.
  sim.onQueueChange = () => {
    for (const poll of polls) poll()
  }
  return [lambda, undertaker]
}

function sendPoison(sim: Simulation): void {
  for (const { body, atMs } of sim.plan.poison) {
    sim.world.after(atMs, () => {
      // SQS takes no empty body.
      void sim.queue
        .send('default', [{ body: body === '' ? ' ' : body }])
        .then(() => sim.onQueueChange('default'))
    })
  }
}

function fireSchedule({ plan, resolved, schedules }: Simulation): void {
  const schedule = resolved.schedules.get(RECURRING)
  for (const atMs of plan.schedule?.dueAtMs ?? []) {
    if (schedule !== undefined) schedules.recur(schedule.body, schedule.queue, START_MS + atMs)
  }
}

/** The faults are over, and what was lost to them is taken up again. */
function beQuiet(sim: Simulation, lambdas: readonly LambdaSide[], clients: Clients): void {
  sim.faults.stop()
  sim.isQuiet = true
  sim.history.add({ kind: 'quiet' })
  for (const lambda of lambdas) lambda.endFrozen()
  clients.recover()
}

function isAtRest(sim: Simulation, lambdas: readonly LambdaSide[], clients: Clients): boolean {
  return (
    lambdas.every((lambda) => lambda.busy() === 0) &&
    clients.areIdle() &&
    sim.queue.unfinished() === 0 &&
    sim.schedules.size() === 0 &&
    (!sim.mode.handlesDeadLetters || deadLetters(sim) === 0)
  )
}

function deadLetters(sim: Simulation): number {
  let count = 0
  for (const name of sim.resolved.queues.keys()) count += sim.queue.inspect(deadLettersOf(name)).length
  return count
}

/** Records expire; then all messages come once more, as a redrive of old dead letters would bring them. */
async function deliverLater(sim: Simulation): Promise<void> {
  const { world, store, queue } = sim
  await world.run(() => false, world.now() + AFTER_EXPIRY_MS)
  const nowSeconds = Math.floor(world.now() / 1000)
  for (let other = 0; other < 20; other++) {
    // The writes of other calls are what drives the removal of expired records.
    const id = `other-${other}`
    const record = { id, task: 'other', queue: 'default', payloadHash: '', state: 'cancelled' as const }
    const times = { createdAt: world.now(), dueAt: world.now(), expiresAtSeconds: nowSeconds + 60 }
    await store.put({ ...record, ...times, attempts: 0, failures: 0 }, mayCreate(world.now()))
  }
  for (const body of new Set(sim.bodies.values())) await queue.send('default', [{ body }])
  sim.onQueueChange('default')
}

function resultOf(sim: Simulation, settled: boolean): RunResult {
  const ids = new Set(sim.versions.keys())
  const records = new Map<string, NonNullable<ReturnType<typeof sim.store.peek>>>()
  for (const id of ids) {
    const record = sim.store.peek(id)
    if (record !== undefined) records.set(id, record)
  }
  const left = new Map(
    queueNames(sim).map((name) => [name, sim.queue.inspect(name).map(({ body }) => body)] as const),
  )
  return {
    plan: sim.plan,
    history: sim.history.all,
    records,
    left,
    faults: sim.faults.happened,
    settled,
    events: sim.world.events(),
  }
}

/** What a seed came to. */
export interface Verdict {
  readonly result: RunResult
  readonly violations: readonly Violation[]
}

/** Runs a seed and checks it. */
export async function trySeed(seed: number, mode: Mode, only?: ReadonlySet<string>): Promise<Verdict> {
  const result = await runSeed(seed, mode, only)
  return { result, violations: check(result, mode) }
}

/** The whole trace of a run, as text. */
export function traceOf(result: RunResult): string {
  return result.history.map((happening) => lineOf(happening, START_MS)).join('\n')
}

/** Tells two runs apart: two of the same seed must have the same. */
export function hashOfTrace(result: RunResult): string {
  return hash('sha256', traceOf(result)).slice(0, 16)
}
