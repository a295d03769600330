import { BlobLostError, type Config, currentTask, NonRetryableError, RetryRefusedError } from 'errand'
import { describe, expect, test, vi } from 'vitest'
import type { Blobs } from '../../src/runtime/ports/blobs.ts'
import { workerStage } from '../support/worker-stage.ts'

// What a worker does when blobs are gone, foreign, slow or refused; and what retries by hand and follow-ups make of them.

const MIB = 1024 * 1024
const large = 'x'.repeat(2 * MIB)

const config: Config = {
  name: 'shop',
  workers: { main: { timeoutSeconds: 60, logLevel: 'error' } },
  taskOptions: { '*': { maxAttempts: 3, backoff: { baseSeconds: 10 } } },
}

function stageOf(more: Partial<Config> = { blobs: true }) {
  const seen: unknown[] = []
  const length = (text: string) => {
    seen.push(text.length)
    return text.length
  }
  const repeat = (count: number) => 'y'.repeat(count)
  const failing = new Set<string>()
  const picky = (text: string) => {
    seen.push(text.length)
    if (failing.has('picky')) throw new NonRetryableError('not yet')
    return currentTask.attempt
  }
  const explode = (count: number) => {
    throw new NonRetryableError('boom', { cause: new Error('z'.repeat(count)) })
  }
  const handle = (error: Error) => {
    seen.push([error.name, error.message])
  }
  const tasks = { length, repeat, picky, explode, handle }
  const stage = workerStage({ ...config, ...more }, tasks)
  const recordOf = async (id: string) => (await stage.store.read([id]))[0]
  const blobs = stage.ports.blobs as Blobs
  /** A worker whose blob port differs. */
  const worker = (own: Partial<Blobs>) => stage.environment({ blobs: { ...blobs, ...own } })
  const outcomeOf = async (id: string) => {
    await stage.drain()
    return stage.clock.runUntil(stage.executor.future(id).outcome())
  }
  return { ...stage, ...tasks, seen, failing, recordOf, worker, outcomeOf }
}

describe('arguments in a blob', () => {
  test.each<[string, (kept: string) => string | undefined]>([
    ['gone', () => undefined],
    ['those of another call', () => JSON.stringify({ json: ['other'] })],
    ['changed in one byte', (kept) => kept.replace('x', 'y')],
    ['cut', (kept) => kept.slice(0, -1)],
  ])('that are %s end each attempt, then the call, and never reach the function', async (_, change) => {
    const stage = stageOf()
    const future = await stage.executor.submit(stage.length, large)
    const { get } = stage.blobs
    vi.spyOn(stage.ports.blobs as Blobs, 'get').mockImplementation(async (key, maxBytes) =>
      change((await get(key, maxBytes)) ?? ''),
    )
    const outcome = await stage.outcomeOf(future.id)
    expect(outcome).toMatchObject({ state: 'failed', reason: 'threw', attempts: 3 })
    expect(outcome.state === 'failed' && BlobLostError.is(outcome.error)).toBe(true)
    expect(stage.seen).toEqual([])
  })

  test('that come back are run by a later attempt', async () => {
    const stage = stageOf()
    const future = await stage.executor.submit(stage.length, large)
    vi.spyOn(stage.ports.blobs as Blobs, 'get').mockResolvedValueOnce(undefined)
    expect(await stage.outcomeOf(future.id)).toEqual({ state: 'succeeded', value: large.length })
    expect(await stage.recordOf(future.id)).toMatchObject({ attempts: 2, failures: 1 })
  })

  test('that never arrive end with the time limit, and do not begin after it', async () => {
    const stage = stageOf()
    const future = await stage.executor.submit(stage.length, large)
    let arrive = () => {}
    const get: Blobs['get'] = (key, maxBytes) =>
      new Promise((resolve) => {
        arrive = () => resolve(stage.blobs.get(key, maxBytes))
      })
    const back = await stage.invoke(await stage.receive(), stage.worker({ get }))
    expect(back).toHaveLength(1)
    expect(await stage.recordOf(future.id)).toMatchObject({ state: 'retrying', failures: 1 })
    arrive()
    await stage.clock.advance({ seconds: 1 })
    expect(stage.seen).toEqual([])
    expect(await stage.outcomeOf(future.id)).toEqual({ state: 'succeeded', value: large.length })
  })

  test('for a worker without a bucket say so', async () => {
    const stage = stageOf()
    const future = await stage.executor.submit(stage.length, large)
    const { blobs: _, ...ports } = stage.ports
    const blind = stage.environment({ ...ports, blobs: undefined as unknown as Blobs })
    for (let attempt = 0; attempt < 3; attempt++) {
      await stage.invoke(await stage.receive(), blind)
      await stage.clock.advance({ seconds: 60 })
    }
    expect((await stage.recordOf(future.id))?.lastError).toContain('this worker has none')
    expect(stage.seen).toEqual([])
  })
})

describe('a result in a blob', () => {
  test('that is refused for a while is written as soon as it can be, before the final write', async () => {
    const stage = stageOf()
    const future = await stage.executor.submit(stage.repeat, 100_000)
    const states: unknown[] = []
    let refusals = 3
    const put: Blobs['put'] = async (...written) => {
      states.push((await stage.recordOf(future.id))?.state)
      if (refusals-- > 0) throw new Error('ECONNRESET')
      await stage.blobs.put(...written)
    }
    expect(await stage.invoke(await stage.receive(), stage.worker({ put }))).toEqual([])
    expect(states).toEqual(['running', 'running', 'running', 'running'])
    expect(await stage.recordOf(future.id)).toMatchObject({
      state: 'succeeded',
      attempts: 1,
      resultIn: 'blob',
    })
  })

  test('whose answer is lost is written twice, and is one', async () => {
    const stage = stageOf()
    const future = await stage.executor.submit(stage.repeat, 100_000)
    let isLost = false
    const put: Blobs['put'] = async (...written) => {
      await stage.blobs.put(...written)
      if (isLost) return
      isLost = true
      throw new Error('ECONNRESET')
    }
    expect(await stage.invoke(await stage.receive(), stage.worker({ put }))).toEqual([])
    expect(stage.blobs.keys()).toHaveLength(1)
    expect(await stage.outcomeOf(future.id)).toEqual({ state: 'succeeded', value: 'y'.repeat(100_000) })
  })

  test('that can never be written leaves the message, and another worker runs the call again', async () => {
    const stage = stageOf()
    const future = await stage.executor.submit(stage.repeat, 100_000)
    const put = async () => {
      throw new Error('ECONNRESET')
    }
    expect(await stage.invoke(await stage.receive(), stage.worker({ put }))).toHaveLength(1)
    expect(await stage.recordOf(future.id)).toMatchObject({ state: 'running' })
    expect(await stage.outcomeOf(future.id)).toMatchObject({ state: 'succeeded' })
    expect(await stage.recordOf(future.id)).toMatchObject({ attempts: 2, failures: 0 })
  })

  test('of a zombie is its own, and the one of the owner is read', async () => {
    const stage = stageOf()
    const future = await stage.executor.submit(stage.repeat, 100_000)
    await stage.outcomeOf(future.id)
    const { owner } = (await stage.recordOf(future.id)) ?? {}
    await stage.blobs.put(`${future.id}/result-zombie`, 'late', 32_503_680_000)
    expect(stage.blobs.keys()).toContain(`${future.id}/result-${owner}`)
    expect(await stage.outcomeOf(future.id)).toMatchObject({ state: 'succeeded' })
  })

  test('that is gone, or another one, is an error of the read, and the call stays succeeded', async () => {
    const stage = stageOf()
    const future = await stage.executor.submit(stage.repeat, 100_000)
    await stage.outcomeOf(future.id)
    const get = vi.spyOn(stage.ports.blobs as Blobs, 'get')
    for (const found of [undefined, '{"json":"short"}']) {
      get.mockResolvedValueOnce(found)
      const again = stage.executor.future(future.id).result()
      await expect(again).rejects.toSatisfy((error) => BlobLostError.is(error))
    }
    expect(await stage.executor.future(future.id).state()).toBe('succeeded')
  })

  test('may be an error: it comes back whole', async () => {
    const stage = stageOf()
    // Causes are cut to 4 KiB of message and 8 KiB of stack each: an aggregate of them is more than 32 KiB.
    const many = stage.executor.task('many', () => {
      const errors = Array.from({ length: 8 }, (_, index) => new Error(`${index} ${'m'.repeat(5000)}`))
      throw new NonRetryableError('all of them', { cause: new AggregateError(errors) })
    })
    const future = await many.submit()
    const outcome = await stage.outcomeOf(future.id)
    const { cause } = (outcome.state === 'failed' ? outcome.error : {}) as { cause?: AggregateError }
    expect(cause?.errors).toHaveLength(8)
    expect(await stage.recordOf(future.id)).toMatchObject({ reason: 'threw', resultIn: 'blob' })
  })
})

describe('retried by hand', () => {
  test.each([
    ['in a blob', 2 * MIB],
    ['too large for an item, in their message', 600_000],
  ])('a failed call has its arguments back: %s', async (_, size) => {
    const stage = stageOf()
    stage.failing.add('picky')
    const { id } = await stage.executor.submit(stage.picky, 'x'.repeat(size))
    expect(await stage.outcomeOf(id)).toMatchObject({ state: 'failed', attempts: 1 })
    expect(Buffer.byteLength((await stage.store.readMessage(id)) ?? '')).toBeLessThan(1000)
    stage.failing.clear()
    await stage.executor.retry(id)
    expect(await stage.outcomeOf(id)).toEqual({ state: 'succeeded', value: 2 })
    expect(stage.seen).toEqual([size, size])
  })

  test('without a bucket, what no item can hold is not kept', async () => {
    const stage = stageOf({})
    stage.failing.add('picky')
    const { id } = await stage.executor.submit(stage.picky, 'x'.repeat(600_000))
    await stage.outcomeOf(id)
    await expect(stage.executor.retry(id)).rejects.toSatisfy((error) => RetryRefusedError.is(error))
  })

  test('on the last day of the record, and each time again, its blob lives on with it', async () => {
    const stage = stageOf()
    stage.failing.add('picky')
    const { id } = await stage.executor.submit(stage.picky, large)
    // Its message waits almost as long as its queue keeps it.
    await stage.clock.advance({ seconds: 345_000 })
    for (let round = 0; round < 4; round++) {
      await stage.outcomeOf(id)
      const { expiresAtSeconds = 0 } = (await stage.recordOf(id)) ?? {}
      await stage.clock.advance({ seconds: Math.floor(expiresAtSeconds - stage.clock.now() / 1000) - 10 })
      await stage.executor.retry(id)
    }
    stage.failing.clear()
    expect(await stage.outcomeOf(id)).toEqual({ state: 'succeeded', value: 5 })
  })

  test('a call whose blob is gone is refused, and stays failed', async () => {
    const stage = stageOf()
    stage.failing.add('picky')
    const { id } = await stage.executor.submit(stage.picky, large)
    await stage.outcomeOf(id)
    vi.spyOn(stage.ports.blobs as Blobs, 'get').mockResolvedValueOnce(undefined)
    const retried = stage.executor.retry(id)
    await expect(retried).rejects.toSatisfy((error) => RetryRefusedError.is(error))
    await expect(retried).rejects.toThrow(/are gone; .* submit it again/)
    expect(await stage.recordOf(id)).toMatchObject({ state: 'failed' })
    expect(stage.queue.inspect('default')).toEqual([])
  })
})

describe('follow-ups', () => {
  test.each([100_000, 2 * MIB])('get a value of %i bytes out of its blob', async (count) => {
    const stage = stageOf()
    const { executor, repeat, length } = stage
    const future = await executor.with({ then: length }).submit(repeat, count)
    await stage.outcomeOf(future.id)
    expect(await stage.outcomeOf(`${future.id}:then`)).toEqual({ state: 'succeeded', value: count })
  })

  test('get an error out of its blob', async () => {
    const stage = stageOf()
    const { executor, explode, handle } = stage
    const future = await executor.with({ catch: handle }).submit(explode, 5000)
    await stage.outcomeOf(future.id)
    expect(await stage.outcomeOf(`${future.id}:catch`)).toMatchObject({ state: 'succeeded' })
    expect(stage.seen).toEqual([['NonRetryableError', 'boom']])
  })

  test('that were not sent are sent by a redelivery, which reads the blob', async () => {
    const stage = stageOf()
    const { executor, repeat, length } = stage
    const future = await executor.with({ then: length }).submit(repeat, 2 * MIB)
    const put: Blobs['put'] = async (key, ...rest) => {
      // The result is kept; the arguments of the follow-up are not, for as long as this worker lives.
      if (key.includes('/arguments-')) throw new Error('ECONNRESET')
      await stage.blobs.put(key, ...rest)
    }
    expect(await stage.invoke(await stage.receive(), stage.worker({ put }))).toHaveLength(1)
    expect(await stage.recordOf(future.id)).toMatchObject({ state: 'succeeded' })
    expect(await stage.recordOf(`${future.id}:then`)).toBeUndefined()
    await stage.drain()
    expect(await stage.outcomeOf(`${future.id}:then`)).toEqual({ state: 'succeeded', value: 2 * MIB })
    expect(stage.seen).toEqual([2 * MIB])
  })
})
