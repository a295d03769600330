import { defineConfig } from 'errand'
import { describe, expect, test } from 'vitest'
import { type Clock, delay } from '../../src/runtime/clock.ts'
import { processStage, taking } from '../support/process-stage.ts'

const config = (own: object = {}, queues: object = { default: {} }) =>
  defineConfig({
    name: 'shop',
    queues: queues as Record<string, object>,
    workers: { main: { concurrency: 5, timeoutSeconds: 900, logLevel: 'error', ...own } },
  })

/** A task that notes how many of it run at once. */
function counted(clock: Clock, counts: { running: number; most: number }) {
  return async () => {
    counts.running += 1
    counts.most = Math.max(counts.most, counts.running)
    await delay(clock, 30_000)
    counts.running -= 1
  }
}

describe('a process that is killed', () => {
  test('loses nothing: its calls run elsewhere within a lease and its margin', async () => {
    const on = processStage(config(), (clock) => ({ slow: taking(clock, 300_000) }))
    const doomed = await on.startMortal()
    const futures = await on.submitMany('slow', 5)
    await on.clock.advance({ seconds: 130 })
    expect(doomed.worker.load().running).toBe(5)
    doomed.kill()
    const killedAt = on.clock.now()
    await on.start({ concurrency: 1 })
    await on.clock.advance({ seconds: 70 })
    const records = await on.recordsOf(futures)
    const begun = records.filter((record) => (record?.startedAt ?? 0) > killedAt)
    expect(begun).toHaveLength(1)
    expect((begun[0]?.startedAt ?? 0) - killedAt).toBeLessThanOrEqual(64_000)
    await on.clock.runUntil(futures.results({ timeoutSeconds: 7200 }))
    expect((await on.recordsOf(futures)).map((record) => record?.attempts)).toEqual([2, 2, 2, 2, 2])
  })

  test('has its calls run one at a time, beside those that were not killed', async () => {
    const counts = { running: 0, most: 0 }
    const on = processStage(config(), (clock) => ({
      suspect: counted(clock, counts),
      other: taking(clock, 30_000),
    }))
    // With all its turns taken it does not poll, and its death takes no message with it that nobody got.
    const doomed = await on.startMortal({ concurrency: 4 })
    const killed = await on.submitMany('suspect', 4)
    await on.clock.advance({ seconds: 5 })
    doomed.kill()
    await on.clock.advance({ seconds: 60 })
    Object.assign(counts, { running: 0, most: 0 })
    const worker = await on.start()
    await on.clock.advance({ seconds: 1 })
    expect(worker.load()).toEqual({ running: 1, waiting: 3 })
    const others = await on.submitMany('other', 1)
    await on.clock.advance({ seconds: 1 })
    expect(worker.load()).toEqual({ running: 2, waiting: 3 })
    await on.clock.runUntil(others.results())
    await on.clock.runUntil(killed.results({ timeoutSeconds: 3600 }))
    expect(counts.most).toBe(1)
  })

  test('in a FIFO group is followed in order', async () => {
    const begun: number[] = []
    const on = processStage(config({}, { default: { fifo: true } }), (clock) => ({
      work: async (index: number) => {
        begun.push(index)
        await delay(clock, 10_000)
      },
    }))
    const doomed = await on.startMortal()
    const futures = await on.submitMany('work', 4, { tenant: 'acme' })
    await on.clock.advance({ seconds: 15 })
    doomed.kill()
    await on.start()
    await on.clock.runUntil(futures.results({ timeoutSeconds: 3600 }))
    expect(begun).toEqual([0, 1, 1, 2, 3])
  })
})

describe('what waits too long for its turn', () => {
  test('goes back for other processes after 20 to 40 s', async () => {
    const on = processStage(config({ concurrency: 1 }), (clock) => ({
      short: taking(clock, 100),
      long: taking(clock, 600_000),
    }))
    const first = await on.start()
    await on.submitMany('short', 5)
    await on.clock.advance({ seconds: 2 })
    const futures = await on.submitMany('long', 3)
    await on.clock.advance({ seconds: 5 })
    expect(first.load()).toEqual({ running: 1, waiting: 2 })
    await on.clock.advance({ seconds: 35 })
    expect(first.load()).toEqual({ running: 1, waiting: 0 })
    const [second, third] = [await on.start(), await on.start()]
    await on.clock.advance({ seconds: 60 })
    expect([second.load().running, third.load().running]).toEqual([1, 1])
    await on.clock.runUntil(futures.results({ timeoutSeconds: 3600 }))
    expect((await on.recordsOf(futures)).map((record) => record?.attempts)).toEqual([1, 1, 1])
  })

  test('of suspects goes back for longer each time: SQS does not give up on it while one runs for 11 hours', async () => {
    const on = processStage(config({ runsOn: 'container', timeoutSeconds: 39_600 }), (clock) => ({
      suspect: taking(clock, 39_000_000),
    }))
    const doomed = await on.startMortal()
    const futures = await on.submitMany('suspect', 2)
    await on.clock.advance({ seconds: 5 })
    doomed.kill()
    await on.start()
    await on.clock.advance({ hours: 11.5 })
    const received = on.queue.inspect('default').map(({ receiveCount }) => receiveCount)
    expect(Math.max(...received)).toBeLessThan(100)
    await on.clock.runUntil(futures.results({ timeoutSeconds: 24 * 3600 }))
    expect((await on.recordsOf(futures)).map((record) => record?.attempts)).toEqual([2, 2])
  })
})

describe('a FIFO group', () => {
  test('stops at a call that fails, and goes on with it', async () => {
    const ended: string[] = []
    const on = processStage(
      {
        ...config({}, { default: { fifo: true } }),
        taskOptions: { work: { backoff: { baseSeconds: 5, factor: 1 } } },
      },
      () => ({
        work: (index: number) => {
          if (index === 1 && !ended.includes('1 failed')) {
            ended.push('1 failed')
            throw new Error('the first attempt fails')
          }
          ended.push(String(index))
        },
      }),
    )
    const futures = await on.submitMany('work', 4, { tenant: 'acme' })
    await on.start()
    await on.clock.runUntil(futures.results())
    expect(ended).toEqual(['0', '1 failed', '1', '2', '3'])
  })

  test('does not begin what SQS would show to others before its end', async () => {
    const on = processStage(
      config({ runsOn: 'container', timeoutSeconds: 39_600 }, { default: { fifo: true } }),
      (clock) => ({ work: taking(clock, 10_800_000) }),
    )
    const futures = await on.submitMany('work', 2, { tenant: 'acme' })
    await on.start()
    await on.clock.advance({ hours: 3.1 })
    const records = await on.recordsOf(futures)
    expect(records.map((record) => record?.state)).toEqual(['succeeded', 'running'])
    // Received anew, so that its twelve hours begin with it.
    expect(on.queue.inspect('default')).toMatchObject([{ receiveCount: 2 }])
  })
})
