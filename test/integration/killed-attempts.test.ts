import { createExecutor, currentTask, defineConfig } from 'errand'
import {
  arnOf,
  inProcessQueue,
  inProcessStore,
  lambdaFunction,
  startEventSourceMapping,
  virtualClock,
} from 'errand/local-emulator'
import fc from 'fast-check'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import type { Backend } from '../../src/runtime/backend.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { isFinal } from '../../src/runtime/record.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

// How long a killed attempt is missed: the formula of docs/reliability.md, on virtual time.

/** How an environment dies: its runtime exits, or its loop is blocked until Lambda's time-out. */
type Death = { readonly kind: 'exit'; readonly afterPart: number } | { readonly kind: 'blocked' }

interface Fleet {
  readonly timeoutSeconds: number
  readonly batchWindowSeconds: number
  readonly batchSize: number
  readonly maxKills: number
  readonly calls: number
  readonly deaths: readonly Death[]
}

/** From each kill to the next attempt or the end, in seconds, and how long the formula allows. */
interface Missed {
  readonly seconds: number
  readonly allowed: number
}

const fleets: fc.Arbitrary<Fleet> = fc
  .record({
    timeoutSeconds: fc.integer({ min: 10, max: 900 }),
    batchWindowSeconds: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 })),
    batchSize: fc.integer({ min: 1, max: 10 }),
    maxKills: fc.integer({ min: 1, max: 4 }),
    calls: fc.integer({ min: 1, max: 8 }),
    deaths: fc.array(
      fc.oneof(
        fc.record({
          kind: fc.constant('exit' as const),
          afterPart: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        fc.record({ kind: fc.constant('blocked' as const) }),
      ),
      { minLength: 1, maxLength: 5 },
    ),
  })
  // Killed calls run alone, one a window: with more of them than windows in a visibility they would queue up.
  .map((fleet) => {
    const { batchWindowSeconds, timeoutSeconds, calls } = fleet
    return {
      ...fleet,
      batchWindowSeconds: Math.min(batchWindowSeconds, Math.floor((timeoutSeconds + 30) / calls)),
    }
  })

/** A blocked loop: nothing that was to happen later happens. */
function blocked(clock: Clock): Clock {
  return { now: clock.now, setTimer: () => ({ cancel: () => {} }) }
}

/** Runs a fleet whose every attempt is killed, until all calls have failed. */
async function runFleet(fleet: Fleet): Promise<{ missed: Missed[]; ends: number[] }> {
  const { timeoutSeconds, batchWindowSeconds, batchSize, maxKills, calls, deaths } = fleet
  const config = defineConfig({
    name: 'killed',
    workers: { main: { timeoutSeconds, batchWindowSeconds, batchSize, concurrency: 200, logLevel: 'error' } },
    taskOptions: { '*': { maxKills } },
  })
  const resolved = resolveConfig(config)
  const { visibilitySeconds } = resolved.queues.get('default')!
  const clock = virtualClock()
  const queue = inProcessQueue({ queues: resolved.queues, clock, entropy: systemEntropy })
  const store = inProcessStore({ clock })
  const ports = { clock, entropy: systemEntropy, queue, store }
  const backend: Backend = { ...ports, kind: 'aws', start: async () => {}, close: async () => {} }

  /** When the message of each call was received last, and when its attempt was killed. */
  const receivedAt = new Map<string, number>()
  const killedAt = new Map<string, number>()
  const firstReceivedAt = new Map<string, number>()
  const missed: Missed[] = []
  const ends: number[] = []
  /** A kill is missed no longer: its call is tried again, or has ended. */
  const noticed = (id: string) => {
    const at = killedAt.get(id)
    if (at === undefined) return
    killedAt.delete(id)
    const sinceReceipt = at - (receivedAt.get(`killed ${id}`) ?? at)
    const allowed = visibilitySeconds - sinceReceipt / 1000 + calls * batchWindowSeconds
    missed.push({ seconds: (clock.now() - at) / 1000, allowed })
  }
  let deathsSoFar = 0
  const kills = new Map<string, () => void>()
  const hang = () => {
    const { id } = currentTask
    noticed(id)
    running.add(id)
    kills.get('current')?.()
    return new Promise<never>(() => {})
  }
  const running = new Set<string>()
  const executor = createExecutor(config, { tasks: { hang }, backend })
  const { app } = internalsOf(executor)

  const lambda = lambdaFunction({
    name: 'main',
    ports,
    timeoutSeconds,
    clock,
    makeHandler(own, { exit, ended }) {
      const death = deaths[deathsSoFar++ % deaths.length]!
      const mine = new Set<string>()
      ended.addEventListener('abort', () => {
        for (const id of mine) {
          killedAt.set(id, clock.now())
          receivedAt.set(`killed ${id}`, receivedAt.get(id) ?? 0)
        }
      })
      const handler = createWorkerHandler(
        app,
        death.kind === 'blocked' ? { ...own, clock: blocked(own.clock) } : own,
        'main',
      )
      return (event, context) => {
        if (death.kind === 'exit') {
          clock.setTimer(exit, death.afterPart * Math.max(timeoutSeconds - 6, 0) * 1000)
        }
        kills.set('current', () => {
          for (const id of running) mine.add(id)
          running.clear()
        })
        return handler(event, context)
      }
    },
  })
  store.watch((record) => {
    if (!isFinal(record.state)) return
    noticed(record.id)
    ends.push((clock.now() - (firstReceivedAt.get(record.id) ?? 0)) / 1000)
  })
  const idOf = (body: string) => (JSON.parse(body) as { id: string }).id
  const mapping = startEventSourceMapping({
    queue: {
      receive: async (name, how) => {
        const messages = await queue.receive(name, how)
        for (const { body, firstReceivedAt: first } of messages) {
          receivedAt.set(idOf(body), clock.now())
          firstReceivedAt.set(idOf(body), first)
        }
        return messages
      },
      delete: queue.delete,
    },
    queueName: 'default',
    arn: arnOf('default'),
    batchSize,
    batchWindowSeconds,
    maximumConcurrency: 20,
    invoke: lambda.invoke,
    clock,
    pollSeconds: Number.POSITIVE_INFINITY,
  })
  const group = await executor.map(
    hang,
    Array.from({ length: calls }, (): [] => []),
  )
  const outcomes = await clock.runUntil(group.outcomes())
  expect(outcomes).toEqual(
    outcomes.map(() =>
      expect.objectContaining({ state: 'failed', reason: 'killed', attempts: maxKills + 1 }),
    ),
  )
  await clock.runUntil(mapping.stop())
  lambda.killAll()
  return { missed, ends }
}

const all: Missed[] = []

afterAll(() => {
  const seconds = all.map((one) => one.seconds).sort((a, b) => a - b)
  const parts = all.map((one) => one.seconds / one.allowed).sort((a, b) => a - b)
  const at = (sorted: number[], part: number) =>
    (sorted[Math.floor((sorted.length - 1) * part)] ?? 0).toFixed(2)
  console.info(
    `${all.length} kills; from kill to next attempt or end: p50 ${at(seconds, 0.5)} s, p99 ${at(seconds, 0.99)} s, ` +
      `max ${at(seconds, 1)} s; of what the formula allows: p99 ${at(parts, 0.99)}, max ${at(parts, 1)}`,
  )
})

describe('a killed attempt (F-15, F-36, F-37)', () => {
  test('is followed by the next, or by the end, within the visibility less the time since its receipt', async () => {
    vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    await fc.assert(
      fc.asyncProperty(fleets, async (fleet) => {
        const { missed, ends } = await runFleet(fleet)
        expect(ends).toHaveLength(fleet.calls)
        // Each call is killed so often, and its end is what follows the last kill.
        expect(missed).toHaveLength(fleet.calls * fleet.maxKills)
        for (const one of missed) expect(one.seconds).toBeLessThanOrEqual(one.allowed)
        const { maxKills, calls, batchWindowSeconds, timeoutSeconds } = fleet
        const visibility = timeoutSeconds + batchWindowSeconds + 30
        for (const end of ends) {
          expect(end).toBeLessThanOrEqual(maxKills * (visibility + calls * batchWindowSeconds))
        }
        all.push(...missed)
      }),
      { numRuns: 150, seed: 4 },
    )
  })
})
