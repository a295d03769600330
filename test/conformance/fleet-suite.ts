/**
 * What every implementation of the fleet port does. It runs over AWS's wire and over the local backend.
 * @module
 */
import { describe, expect, test } from 'vitest'
import { deadLettersOf } from '../../src/runtime/config/dead-letter-names.ts'
import type { Fleet } from '../../src/runtime/ports/fleet.ts'
import type { Queue } from '../../src/runtime/ports/queue.ts'

/** The config that a fleet under test is of. */
export const fleetConfig = {
  name: 'shop',
  queues: ['low', 'high'],
  workers: { foo: { queues: ['low', 'high'] }, bar: { queues: ['high'] } },
} as const

/** The tasks of its workers. */
export const fleetTasks = { add: (a: number, b: number) => a + b, mail: () => 'sent' }

/** One implementation, its workers there and its queues empty; nothing takes the messages of `low`. */
export interface FleetUnderTest {
  readonly fleet: Fleet
  readonly queue: Queue
  close(): Promise<void>
}

/** Runs the suite over one implementation; `setup` is called for each test. */
export function describeFleet(name: string, setup: () => Promise<FleetUnderTest>): void {
  const using = (run: (under: FleetUnderTest) => Promise<void>) => async () => {
    const under = await setup()
    try {
      await run(under)
    } finally {
      await under.close()
    }
  }
  describe(`fleet: ${name}`, () => {
    describeWorkers(using)
    describeQueues(using)
  })
}

type Using = (run: (under: FleetUnderTest) => Promise<void>) => () => Promise<void>

function describeWorkers(using: Using): void {
  test(
    'a ping is answered by every worker, in the order of the config',
    using(async ({ fleet }) => {
      const answers = await fleet.ping()
      expect(answers.map(({ worker }) => worker)).toEqual(['foo', 'bar'])
      for (const { worker, report } of answers) {
        expect(report).toMatchObject({ app: 'shop', worker, running: 0, tasks: ['add', 'mail'] })
        expect(report?.nodeVersion).toBe(process.versions.node)
        expect(report?.memoryBytes).toBeGreaterThan(1_000_000)
        expect(report?.uptimeSeconds).toBeGreaterThanOrEqual(0)
      }
    }),
  )
  test(
    'a queue is paused for all its workers, and for them alone, until it is resumed',
    using(async ({ fleet }) => {
      const nothing = new Set<string>()
      // `low` is paused by the setup, so that nothing takes its messages.
      await fleet.resume('low')
      expect(await fleet.paused()).toEqual(
        new Map([...(['foo', 'bar'] as const)].map((each) => [each, nothing])),
      )
      await fleet.pause('high')
      await fleet.pause('high')
      const high = new Set(['high'])
      expect(await fleet.paused()).toEqual(
        new Map([...(['foo', 'bar'] as const)].map((each) => [each, high])),
      )
      await fleet.pause('low')
      expect((await fleet.paused())?.get('foo')).toEqual(new Set(['low', 'high']))
      await fleet.resume('high')
      await fleet.resume('high')
      expect(await fleet.paused()).toEqual(
        new Map([
          ['foo', new Set(['low'])],
          ['bar', nothing],
        ]),
      )
    }),
  )
}

function describeQueues(using: Using): void {
  test(
    'tells what a queue holds: visible, in flight, delayed, dead',
    using(async ({ fleet, queue }) => {
      expect(await fleet.holdings('low')).toEqual({ visible: 0, inFlight: 0, delayed: 0, dead: 0 })
      await queue.send('low', [{ body: 'a' }, { body: 'b' }, { body: 'c' }, { body: 'd', delaySeconds: 60 }])
      await queue.receive('low', { maxMessages: 1, waitSeconds: 0 })
      await queue.send(deadLettersOf('low'), [{ body: 'x' }, { body: 'y' }])
      const { oldestSeconds, ...counts } = await fleet.holdings('low')
      expect(counts).toEqual({ visible: 2, inFlight: 1, delayed: 1, dead: 2 })
      if (oldestSeconds !== undefined) expect(oldestSeconds).toBeGreaterThanOrEqual(0)
    }),
  )
  test(
    'a purge deletes what is visible, in flight or delayed, and neither dead letters nor another queue',
    using(async ({ fleet, queue }) => {
      await queue.send('low', [{ body: 'a' }, { body: 'b' }, { body: 'd', delaySeconds: 60 }])
      const [taken] = await queue.receive('low', { maxMessages: 1, waitSeconds: 0 })
      await queue.send(deadLettersOf('low'), [{ body: 'x' }])
      await fleet.pause('high')
      await queue.send('high', [{ body: 'h' }])
      await fleet.purge('low')
      expect(await fleet.holdings('low')).toMatchObject({ visible: 0, inFlight: 0, delayed: 0, dead: 1 })
      expect((await fleet.holdings('high')).visible).toBe(1)
      // Whoever held it is late, and no error.
      await queue.delete('low', [taken?.receiptHandle ?? ''])
      await queue.send('low', [{ body: 'new' }])
      const received = await queue.receive('low', { maxMessages: 10, waitSeconds: 0 })
      expect(received.map(({ body }) => body)).toEqual(['new'])
    }),
  )
}
