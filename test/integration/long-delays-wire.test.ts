/**
 * A long delay and a late retry on AWS's wire: the SDK's own clients, SQS, DynamoDB, and EventBridge Scheduler on virtual
 * time. What no test waits for is told to the server.
 */
import { createExecutor, defineConfig, type Executor, NotWiredError, RetryAfterError } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { messageSender } from '../../src/cli/local-aws/message-sender.ts'
import { type SchedulerServer, startSchedulerServer } from '../../src/cli/local-aws/scheduler-server.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { scheduleName } from '../../src/runtime/ports/one-time-schedules.ts'
import { connectionTo } from '../support/loopback-connection.ts'
import { startWireServers, startWireWorkers, type WireServers } from '../support/wire-fleet.ts'

const MINUTE_MS = 60_000
/** At whole minutes SQS, whose time is real, has no seconds to delay. */
const firstDue = (Math.floor(systemClock.now() / MINUTE_MS) + 30 * 1440) * MINUTE_MS
const secondDue = firstDue + 20 * 1440 * MINUTE_MS
const schedulerResources = {
  group: 'shop',
  role: 'arn:aws:iam::000000000000:role/shop',
  deadLetters: 'arn:aws:sqs:us-east-1:000000000000:shop-schedules',
}

let wire: WireServers
let scheduler: SchedulerServer
const time = virtualClock(systemClock.now())
let close: () => Promise<void>

beforeAll(async () => {
  wire = await startWireServers(['default'])
  const endpoint = new URL(wire.aws.queueUrls?.default ?? '').origin
  const sender = messageSender({ endpoint })
  scheduler = await startSchedulerServer({ clock: time, send: sender.send, onUnsent: () => {} })
  close = async () => {
    await sender.close()
    await scheduler.close()
    await wire.close()
  }
})
afterAll(() => close())

/** A clock that is as far ahead as the schedules' is. */
const shifted = (aheadMs: () => number) => ({
  now: () => systemClock.now() + aheadMs(),
  setTimer: systemClock.setTimer,
})

test('a call of 30 days, and a retry of 20 more, come by schedules, each of which is deleted', async () => {
  let aheadMs = 0
  let runs = 0
  const work = () => {
    runs += 1
    if (runs === 1) throw new RetryAfterError(new Date(secondDue))
    return 'done'
  }
  const config = defineConfig({
    name: 'shop',
    longDelays: true,
    workers: { main: { logLevel: 'error' } },
  })
  const aws = {
    ...wire.aws,
    clock: shifted(() => aheadMs),
    schedulerResources,
    scheduler: connectionTo(scheduler),
  }
  const executor = createExecutor(config, { tasks: { work }, backend: 'aws', aws })
  const stop = await startWireWorkers(executor as unknown as Executor)
  const { store } = await internalsOf(executor as unknown as Executor).connect()
  const attemptsOf = async (id: string) => (await store.read([id], { consistent: true }))[0]?.attempts
  /** Goes on to when a schedule fires, and on to what is due then. */
  const goOn = async (untilMs: number) => {
    aheadMs = untilMs - systemClock.now()
    await time.advance({ milliseconds: untilMs - time.now() })
  }
  try {
    const future = await executor.with({ at: new Date(firstDue), tenant: 'acme' }).submit(work)
    const { id } = future
    expect(scheduler.schedules().map(({ Name }) => Name)).toEqual([scheduleName({ id, attempts: 0 })])
    expect(await future.state()).toBe('scheduled')
    expect(runs).toBe(0)
    await goOn(firstDue)
    await expect.poll(() => attemptsOf(id)).toBe(1)
    await expect.poll(() => scheduler.schedules().length).toBe(1)
    expect(scheduler.schedules()[0]?.Name).toBe(scheduleName({ id, attempts: 1 }))
    await goOn(secondDue)
    expect(await future.result({ timeoutSeconds: 20 })).toBe('done')
    expect(scheduler.schedules()).toEqual([])
    expect(await future.snapshot()).toMatchObject({ attempts: 2, tenant: 'acme' })
  } finally {
    await stop()
    await executor.close()
  }
})

test('a cancelled call leaves no schedule', async () => {
  const work = () => {}
  const config = defineConfig({ name: 'shop', longDelays: true })
  const aws = { ...wire.aws, schedulerResources, scheduler: connectionTo(scheduler) }
  const executor = createExecutor(config, { tasks: { work }, backend: 'aws', aws })
  const future = await executor.with({ delaySeconds: 1000 }).submit(work)
  expect(scheduler.schedules()).toHaveLength(1)
  expect(await future.cancel()).toBe(true)
  expect(scheduler.schedules()).toEqual([])
  await executor.close()
})

test('a fleet whose schedules nobody made says what is missing', async () => {
  const work = () => {}
  const config = defineConfig({ name: 'shop', longDelays: true })
  const executor = createExecutor(config, { tasks: { work }, backend: 'aws', aws: wire.aws })
  const submitted = executor.submit(work)
  await expect(submitted).rejects.toSatisfy((error) => NotWiredError.is(error))
  await expect(submitted).rejects.toThrow('has `longDelays` and no ERRAND_SCHEDULER')
})
