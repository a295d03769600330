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
import { isFinal } from '../../src/runtime/call/record.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
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

/** What becomes of each call, as seen from outside. */
function watchCalls(clock: Clock, allowedAfterReceipt: number) {
  const receivedAt = new Map<string, number>()
  const firstReceivedAt = new Map<string, number>()
  const kills = new Map<string, { readonly at: number; readonly allowed: number }>()
  const missed: Missed[] = []
  const ends: number[] = []
  /** Its call is tried again, or has ended: the kill is missed no longer. */
  const noticed = (id: string) => {
    const kill = kills.get(id)
    if (kill !== undefined) missed.push({ seconds: (clock.now() - kill.at) / 1000, allowed: kill.allowed })
    kills.delete(id)
  }
  return {
    missed,
    ends,
    noticed,
    received(id: string, firstAt: number) {
      receivedAt.set(id, clock.now())
      firstReceivedAt.set(id, firstAt)
    },
    killed(id: string) {
      const at = clock.now()
      const allowed = allowedAfterReceipt - (at - (receivedAt.get(id) ?? at)) / 1000
      kills.set(id, { at, allowed })
    },
    ended(id: string) {
      noticed(id)
      ends.push((clock.now() - (firstReceivedAt.get(id) ?? 0)) / 1000)
    },
  }
}

/** An app, its ports, and a task whose attempts never end. */
function startApp({ timeoutSeconds, batchWindowSeconds, batchSize, maxKills, calls }: Fleet) {
  const config = defineConfig({
    name: 'killed',
    workers: { main: { timeoutSeconds, batchWindowSeconds, batchSize, concurrency: 200, logLevel: 'error' } },
    taskOptions: { '*': { maxKills } },
  })
  const { queues } = resolveConfig(config)
  const clock = virtualClock()
  const queue = inProcessQueue({ queues, clock, entropy: systemEntropy })
  const ports = { clock, entropy: systemEntropy, queue, store: inProcessStore({ clock }) }
  const backend: Backend = { ...ports, kind: 'aws', start: async () => {}, close: async () => {} }
  const { visibilitySeconds } = queues.get('default')!
  const watch = watchCalls(clock, visibilitySeconds + calls * batchWindowSeconds)
  /** The calls that began in the invocation that runs now. */
  const begun = new Set<string>()
  const hang = () => {
    watch.noticed(currentTask.id)
    begun.add(currentTask.id)
    return new Promise<never>(() => {})
  }
  const executor = createExecutor(config, { tasks: { hang }, backend })
  ports.store.watch(({ id, state }) => {
    if (isFinal(state)) watch.ended(id)
  })
  return { ports, executor, hang, watch, begun }
}

type App = ReturnType<typeof startApp>

/** The worker's function; each of its environments dies, with all that it runs. */
function deadlyFunction({ ports, executor, watch, begun }: App, { timeoutSeconds, deaths }: Fleet) {
  const { clock } = ports
  let environments = 0
  return lambdaFunction({
    name: 'main',
    ports,
    timeoutSeconds,
    clock,
    makeHandler(own, { exit, ended }) {
      const death = deaths[environments++ % deaths.length]!
      const mine = new Set<string>()
      ended.addEventListener('abort', () => mine.forEach(watch.killed))
      const seen = death.kind === 'blocked' ? { ...own, clock: blocked(own.clock) } : own
      const handler = createWorkerHandler(internalsOf(executor).app, seen, 'main')
      return (event, context) => {
        if (death.kind === 'exit') {
          clock.setTimer(exit, death.afterPart * Math.max(timeoutSeconds - 6, 0) * 1000)
        }
        // What begins in this turn is of this invocation: on virtual time there is no other meanwhile.
        begun.clear()
        setImmediate(() => {
          for (const id of begun) mine.add(id)
        })
        return handler(event, context)
      }
    },
  })
}

/** Runs a fleet whose every attempt is killed, until all calls have failed. */
async function runFleet(fleet: Fleet): Promise<App['watch']> {
  const app = startApp(fleet)
  const { ports, executor, hang, watch } = app
  const { clock, queue } = ports
  const lambda = deadlyFunction(app, fleet)
  const mapping = startEventSourceMapping({
    queue: {
      receive: async (name, how) => {
        const messages = await queue.receive(name, how)
        for (const { body, firstReceivedAt } of messages) watch.received(JSON.parse(body).id, firstReceivedAt)
        return messages
      },
      delete: queue.delete,
    },
    queueName: 'default',
    arn: arnOf('default'),
    batchSize: fleet.batchSize,
    batchWindowSeconds: fleet.batchWindowSeconds,
    maximumConcurrency: 20,
    invoke: lambda.invoke,
    clock,
    pollSeconds: Number.POSITIVE_INFINITY,
  })
  const group = await executor.map(
    hang,
    Array.from({ length: fleet.calls }, (): [] => []),
  )
  const outcomes = await clock.runUntil(group.outcomes())
  const killed = { state: 'failed', reason: 'killed', attempts: fleet.maxKills + 1 }
  expect(outcomes).toEqual(outcomes.map(() => expect.objectContaining(killed)))
  await clock.runUntil(mapping.stop())
  lambda.killAll()
  return watch
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
