import { setTimeout as sleep } from 'node:timers/promises'
import { createExecutor, currentTask, defineConfig, TaskTimeoutError } from 'errand'
import { type TestExecutorOptions, testExecutor } from 'errand/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { shopUnderTest } from '../support/shop-under-test.ts'

const config = defineConfig({ name: 'shop' })
const setup = () => shopUnderTest(config)

/** An executor under test, until the test has ended. */
function underTest(options?: TestExecutorOptions) {
  const executor = createExecutor(config)
  const t = testExecutor(executor, options)
  onTestFinished(() => t.close())
  return { executor, t }
}

describe('runTask', () => {
  test('runs a function as a worker would, at once and without a queue', async () => {
    const { executor, t, add } = setup()
    executor.onWorkerStart(() => ({ db: 'open' }))
    const seen: unknown[] = []
    executor.use({
      run: async (call, next) => {
        seen.push(call.task, call.args, call.attempt)
        await next()
      },
    })
    const look = executor.task('look', async (day: Date) => {
      await currentTask.progress({ done: 1 })
      const { attempt, task: name, context, signal } = currentTask
      return { day, attempt, name, context, aborted: signal.aborted }
    })
    expect(await t.runTask(add, [1, 2])).toBe(3)
    const day = new Date(0)
    const answer = await t.runTask(look, [day], { attempt: 4 })
    expect(answer).toEqual({ day, attempt: 4, name: 'look', context: { db: 'open' }, aborted: false })
    expect(answer.day).not.toBe(day)
    expect(seen).toEqual(['math.add', [1, 2], 1, 'look', [day], 4])
    expect(t.submitted(look)).toEqual([])
    expect(await t.runTask('math.add', [3, 4])).toBe(7)
  })

  test('parses the input, and refuses what the codec refuses', async () => {
    const { executor, t } = underTest()
    const mail = executor.task('mail', { input: z.object({ to: z.email() }), run: ({ to }) => `sent ${to}` })
    const bad = executor.task('bad', () => () => 1)
    expect(await t.runTask(mail, [{ to: 'ada@example.com' }])).toBe('sent ada@example.com')
    await expect(t.runTask(mail, [{ to: 'ada' }])).rejects.toThrow('refused its input: to')
    await expect(t.runTask(bad, [])).rejects.toThrow('result is a function')
    await expect(t.runTask('mail', [() => 1])).rejects.toThrow('arguments[0]')
  })

  test('throws what the function throws, and what aborts it', async () => {
    const { executor, t } = underTest()
    const error = new RangeError('no such month')
    const broken = executor.task('broken', () => {
      throw error
    })
    const patient = executor.task('patient', async () => {
      const { signal } = currentTask
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
      signal.throwIfAborted()
    })
    expect(await t.runTask(broken, []).catch((thrown: unknown) => thrown)).toBe(error)
    const controller = new AbortController()
    const running = t.runTask(patient, [], { signal: controller.signal })
    controller.abort(new Error('shop closes'))
    await expect(running).rejects.toThrow('shop closes')
    await expect(t.runTask(patient, [], { signal: AbortSignal.abort('early') })).rejects.toThrow('early')
  })

  test('what it submits is submitted, with its call as parent', async () => {
    const { t, parent, charge, charges } = setup()
    const id = await t.runTask(parent, ['order-1'])
    expect(t.submitted(charge)).toMatchObject([{ id, args: ['order-1'], state: 'pending' }])
    await t.drain()
    expect(charges).toEqual(['order-1'])
  })

  test('the future and the key of what it submits are those of the test', async () => {
    const { executor, t, charge, charges } = setup()
    const keyed = executor.task('keyed', async () => {
      const future = await executor.with({ idempotencyKey: 'order-1' }).submit(charge, 'order-1')
      return future.id
    })
    const [one, other] = [await t.runTask(keyed, []), await t.runTask(keyed, [])]
    expect(other).toBe(one)
    await t.drain()
    expect(await executor.future(one).result()).toBe(1)
    expect(charges).toEqual(['order-1'])
  })

  test('a function that never settles ends by its time limit, and no queue moves meanwhile', async () => {
    const { executor, t } = underTest({ realWaitSeconds: 0.02 })
    const ran: string[] = []
    const note = executor.task('note', (text: string) => void ran.push(text))
    const stuck = executor.task('stuck', { timeoutSeconds: 7, run: () => new Promise<void>(() => {}) })
    await note.submit('now')
    await note.with({ delaySeconds: 3 }).submit('later')
    const started = t.now()
    await expect(t.runTask(stuck, [])).rejects.toSatisfy((error) => TaskTimeoutError.is(error))
    expect(t.now() - started).toBe(7000)
    expect(ran).toEqual([])
    await t.drain()
    expect(ran.toSorted()).toEqual(['later', 'now'])
  })

  test('a function that waits on real time is waited for, and so is a slow start hook', async () => {
    const { executor, t } = underTest({ realWaitSeconds: 20 })
    const slow = executor.task('slow', () => sleep(20, 'slow'))
    const started = t.now()
    expect(await t.runTask(slow, [])).toBe('slow')
    expect(t.now()).toBe(started)
    const other = underTest({ realWaitSeconds: 0.01 })
    other.executor.onWorkerStart(() => sleep(60))
    const quick = other.executor.task('quick', () => 1)
    expect(await other.t.runTask(quick, [])).toBe(1)
  })

  test('moves no time, and leaves no record', async () => {
    const { executor, t } = underTest()
    const look = executor.task('look', async () => {
      await currentTask.progress('half way')
      return currentTask.id
    })
    const before = t.now()
    const id = await t.runTask(look, [])
    expect(t.now()).toBe(before)
    await expect(executor.future(id).state()).rejects.toThrow('no record of the call')
  })
})
