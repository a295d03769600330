import { type Config, IdempotencyConflictError, PayloadTooLargeError, SubmitUncertainError } from 'errand'
import { describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../src/runtime/config/config.ts'
import type { Blobs } from '../../src/runtime/ports/blobs.ts'
import { workerStage } from '../support/worker-stage.ts'

// Arguments and results at and over every limit, and what goes wrong on their way, on virtual time.

const KIB = 1024
const MIB = 1024 * 1024
const units = ['x', 'é', '日', '😀', '"', '\ud800', '\uffff'] as const

const base: Config = {
  name: 'shop',
  workers: { main: { logLevel: 'error' } },
  taskOptions: { '*': { maxAttempts: 3 } },
}

function stageOf(more: Partial<Config> = { blobs: true }) {
  let runs = 0
  const length = (text: string) => {
    runs += 1
    return text.length
  }
  const repeat = (unit: string, count: number, end = '') => unit.repeat(count) + end
  const total = (sizes: Record<string, string>) => Object.values(sizes).join('').length
  const stage = workerStage({ ...base, ...more }, { length, repeat, total })
  const run = async <T>(work: Promise<T>): Promise<T> => {
    await stage.drain()
    return stage.clock.runUntil(work)
  }
  const recordOf = async (id: string) => (await stage.store.read([id]))[0]
  return { ...stage, length, repeat, total, run, recordOf, runs: () => runs }
}

type Stage = ReturnType<typeof stageOf>

/** A text of `unit` whose message has exactly `bytes` bytes. */
async function textOf({ executor, length, queue }: Stage, unit: string, bytes: number): Promise<string> {
  const sizes: number[] = []
  for (const text of ['', unit]) {
    await executor.submit(length, text)
    const [message] = queue.inspect('default').slice(-1)
    sizes.push(Buffer.byteLength(message?.body ?? ''))
  }
  const [empty = 0, one = 0] = sizes
  const perUnit = one - empty
  const count = Math.floor((bytes - empty) / perUnit)
  return unit.repeat(count) + 'x'.repeat((bytes - empty) % perUnit)
}

describe('arguments (F-27)', () => {
  test.each(units)('of %j are in the message up to 1 MiB, and in a blob from one byte more', async (unit) => {
    const stage = stageOf()
    const full = await textOf(stage, unit, LIMITS.messageBytes)
    await stage.drain()
    for (const [text, blobs] of [
      [full.slice(0, -1), 0],
      [full, 0],
      [`${full}x`, 1],
    ] as const) {
      const future = await stage.executor.submit(stage.length, text)
      expect(stage.blobs.keys()).toHaveLength(blobs)
      const [message] = stage.queue.inspect('default').slice(-1)
      expect(Buffer.byteLength(message?.body ?? '') < 1000).toBe(blobs === 1)
      expect(await stage.run(future.result())).toBe(text.length)
    }
  })

  test('lie under the id, and the message tells size and hash alone', async () => {
    const stage = stageOf()
    const { id } = await stage.executor.submit(stage.length, 'é'.repeat(MIB))
    const [message] = stage.queue.inspect('default')
    const body = JSON.parse(message?.body ?? '')
    const bytes = Buffer.byteLength(JSON.stringify({ json: ['é'.repeat(MIB)] }))
    expect(body.blob).toEqual({ bytes, hash: expect.stringMatching(/^[\w-]{43}$/) })
    expect(body).not.toHaveProperty('args')
    expect(stage.blobs.keys()).toEqual([`${id}/arguments-${body.blob.hash}`])
  })

  test('up to 64 MiB run; one byte more is refused, and nothing is sent', async () => {
    const stage = stageOf()
    // 13 bytes are around the text: {"json":["…"]}
    const full = `${'é'.repeat(LIMITS.blobBytes / 2 - 7)}x`
    const { executor, length, store, queue, blobs } = stage
    const future = await executor.submit(length, full)
    expect(await stage.run(future.result())).toBe(full.length)
    const calls = [vi.spyOn(store, 'put'), vi.spyOn(queue, 'send'), vi.spyOn(blobs, 'put')]
    const over = `${full}x`
    const parts = `make a blob of ${LIMITS.blobBytes + 1} bytes, at most ${LIMITS.blobBytes}`
    await expect(executor.submit(length, over)).rejects.toThrow(parts)
    await expect(executor.map(length, [['x'], [over]])).rejects.toSatisfy((e) => PayloadTooLargeError.is(e))
    for (const spy of calls) expect(spy).not.toHaveBeenCalled()
  })

  test('without a bucket are refused from one byte over 1 MiB, and nothing is sent', async () => {
    const stage = stageOf({})
    const full = await textOf(stage, '日', LIMITS.messageBytes)
    await stage.drain()
    expect(await stage.run((await stage.executor.submit(stage.length, full)).result())).toBe(full.length)
    const calls = [vi.spyOn(stage.store, 'put'), vi.spyOn(stage.queue, 'send'), vi.spyOn(stage.blobs, 'put')]
    const refused = stage.executor.submit(stage.length, `${full}x`)
    await expect(refused).rejects.toSatisfy((error) => PayloadTooLargeError.is(error))
    await expect(refused).rejects.toThrow('a message of 1048577 bytes, at most 1048576')
    await expect(refused).rejects.toThrow('or configure a bucket (`blobs`)')
    for (const spy of calls) expect(spy).not.toHaveBeenCalled()
  })

  test('of a map go each their own way', async () => {
    const stage = stageOf()
    const texts = ['a', 'b'.repeat(2 * MIB), 'c'.repeat(500_000), 'd'.repeat(3 * MIB)]
    const group = await stage.executor.map(
      stage.length,
      texts.map((text) => [text]),
    )
    expect(stage.blobs.keys()).toHaveLength(2)
    expect(await stage.run(group.results())).toEqual(texts.map((text) => text.length))
  })

  test("with record: 'on-claim' are there before the message too", async () => {
    const stage = stageOf({ blobs: true, record: 'on-claim' })
    const put = vi.spyOn(stage.store, 'put')
    const future = await stage.executor.submit(stage.length, 'x'.repeat(2 * MIB))
    expect(put).not.toHaveBeenCalled()
    expect(stage.blobs.keys()).toHaveLength(1)
    expect(await stage.run(future.result())).toBe(2 * MIB)
  })

  test('under one key are one call, in whatever order their properties stand', async () => {
    const stage = stageOf()
    const [a, b] = ['a'.repeat(MIB), 'b'.repeat(MIB)]
    const keyed = stage.executor.with({ idempotencyKey: 'order-17' })
    const first = await keyed.submit(stage.total, { a, b })
    const second = await keyed.submit(stage.total, { b, a })
    expect(second.id).toBe(first.id)
    await expect(keyed.submit(stage.total, { a, b: a })).rejects.toSatisfy((error) =>
      IdempotencyConflictError.is(error),
    )
    expect(await stage.run(first.result())).toBe(2 * MIB)
    expect((await first.snapshot()).attempts).toBe(1)
  })
})

/** How many of `unit`, and what to end with, for a result of exactly `bytes` bytes encoded. */
function resultOf(unit: string, bytes: number): [count: number, end: string] {
  const perUnit = Buffer.byteLength(JSON.stringify(unit)) - 2
  const room = bytes - Buffer.byteLength('{"json":""}')
  return [Math.floor(room / perUnit), 'x'.repeat(room % perUnit)]
}

describe('results (F-27)', () => {
  const kept = async (stage: Stage, unit: string, bytes: number) => {
    const [count, end] = resultOf(unit, bytes)
    const future = await stage.executor.submit(stage.repeat, unit, count, end)
    const outcome = await stage.run(future.outcome())
    const { state, reason, resultBytes, resultIn, result } = (await stage.recordOf(future.id)) ?? {}
    const isWhole = outcome.state === 'succeeded' && outcome.value === unit.repeat(count) + end
    return { isWhole, state, reason, resultBytes, resultIn, isInRecord: result !== undefined }
  }
  const succeeded = { isWhole: true, state: 'succeeded', reason: undefined, isInRecord: false }

  // '\uffff' is escaped on the way to SQS, which a result does not go.
  test.each(['x', 'é', '日', '😀', '"', '\ud800'])(
    'of %j are in a blob from one byte over 32 KiB',
    async (unit) => {
      const stage = stageOf()
      for (const [bytes, resultIn] of [
        [32 * KIB - 1, undefined],
        [32 * KIB, undefined],
        [32 * KIB + 1, 'blob'],
      ] as const) {
        expect(await kept(stage, unit, bytes)).toEqual({ ...succeeded, resultBytes: bytes, resultIn })
      }
      expect(stage.blobs.keys()).toEqual([expect.stringMatching(/^[\w-]+\/result-[\w-]{16}$/)])
    },
  )

  test.each(['x', '日'])(
    'of %j stay in an item up to its limit without a bucket, then fail',
    async (unit) => {
      const stage = stageOf({})
      const limit = LIMITS.resultBytes
      for (const bytes of [limit - 1, limit]) {
        expect(await kept(stage, unit, bytes)).toEqual({
          ...succeeded,
          resultBytes: bytes,
          resultIn: undefined,
        })
      }
      expect(await kept(stage, unit, limit + 1)).toMatchObject({
        state: 'failed',
        reason: 'result-too-large',
      })
      expect(stage.blobs.keys()).toEqual([])
    },
  )

  test('are in a blob up to 64 MiB, then fail', async () => {
    const stage = stageOf()
    const limit = LIMITS.blobBytes
    for (const bytes of [limit - 1, limit]) {
      const found = await kept(stage, '日', bytes)
      expect(found).toEqual({ ...succeeded, resultBytes: bytes, resultIn: 'blob' })
    }
    const [count, end] = resultOf('日', limit + 1)
    const future = await stage.executor.submit(stage.repeat, '日', count, end)
    const outcome = await stage.run(future.outcome())
    expect(outcome).toMatchObject({ state: 'failed', reason: 'result-too-large', attempts: 1 })
    expect(outcome.state === 'failed' && outcome.error.message).toContain(
      `returned ${limit + 1} bytes, at most ${limit}`,
    )
  })
})

describe('what a message says of its blob (S-07)', () => {
  const good = { bytes: 14, hash: 'A'.repeat(43) }
  const bodies: readonly (readonly [string, Record<string, unknown>])[] = [
    ['a key', { blob: { ...good, key: 'errand/shop/other/result-x' } }],
    ['a bucket', { blob: { ...good, bucket: 'theirs' } }],
    ['an address', { blob: 'http://169.254.169.254/latest/meta-data/' }],
    ['an address for a hash', { blob: { ...good, hash: 'https://example.com/arguments.json' } }],
    ['a way up for a hash', { blob: { ...good, hash: `${'../'.repeat(14)}x` } }],
    ['a size over the limit', { blob: { ...good, bytes: LIMITS.blobBytes + 1 } }],
    ['arguments beside it', { blob: good, args: { json: ['x'] } }],
    ['a flag', { blob: true }],
    ['nothing', { blob: null }],
  ]

  const send = async (stage: Stage, more: Record<string, unknown>) => {
    const now = stage.clock.now()
    const envelope = { v: 1, id: 'forged', task: 'length', queue: 'default', payloadHash: 'h' }
    const body = JSON.stringify({ ...envelope, createdAt: now, dueAt: now, ...more })
    await stage.queue.send('default', [{ body }])
    return stage.invoke(await stage.receive())
  }

  test.each(bodies)('%s is refused: nothing is read, claimed or run', async (_, more) => {
    const stage = stageOf()
    const get = vi.spyOn(stage.ports.blobs as Blobs, 'get')
    expect(await send(stage, more)).toHaveLength(1)
    expect(get).not.toHaveBeenCalled()
    expect(await stage.recordOf('forged')).toBeUndefined()
    expect(stage.runs()).toBe(0)
  })

  test('an id that is a path is asked for under its hash', async () => {
    const stage = stageOf()
    const asked: string[] = []
    const get = async (key: string) => {
      asked.push(key)
      return undefined
    }
    const worker = stage.environment({ blobs: { ...stage.blobs, get } })
    const now = stage.clock.now()
    const envelope = { v: 1, id: '../../other', task: 'length', queue: 'default', payloadHash: 'h' }
    const body = JSON.stringify({ ...envelope, createdAt: now, dueAt: now, blob: good })
    await stage.queue.send('default', [{ body }])
    await stage.invoke(await stage.receive(), worker)
    expect(asked).toEqual([expect.stringMatching(/^~[\w-]{43}\/arguments-A{43}$/)])
    expect(stage.runs()).toBe(0)
  })
})

describe('a submit whose blob fails', () => {
  const large = 'x'.repeat(2 * MIB)

  test('before it was written leaves neither record nor message, and says which id to try again', async () => {
    const stage = stageOf()
    const put = vi.spyOn(stage.ports.blobs as Blobs, 'put').mockRejectedValueOnce(new Error('ECONNRESET'))
    const error: unknown = await stage.executor.submit(stage.length, large).catch((thrown: unknown) => thrown)
    expect(SubmitUncertainError.is(error)).toBe(true)
    const [id = ''] = (error as SubmitUncertainError).ids
    expect(await stage.recordOf(id)).toBeUndefined()
    expect(stage.queue.inspect('default')).toEqual([])
    const future = await stage.executor.with({ id }).submit(stage.length, large)
    expect(await stage.run(future.result())).toBe(large.length)
    expect(put).toHaveBeenCalledTimes(2)
    expect(stage.runs()).toBe(1)
  })

  test('after it was written, its answer lost, is one call with one blob when it is tried again', async () => {
    const stage = stageOf()
    const { put } = stage.blobs
    vi.spyOn(stage.ports.blobs as Blobs, 'put').mockImplementationOnce(async (...written) => {
      await put(...written)
      throw new Error('ECONNRESET')
    })
    const error: unknown = await stage.executor.submit(stage.length, large).catch((thrown: unknown) => thrown)
    const [id = ''] = (error as SubmitUncertainError).ids
    const future = await stage.executor.with({ id }).submit(stage.length, large)
    expect(stage.blobs.keys()).toHaveLength(1)
    expect(await stage.run(future.result())).toBe(large.length)
    expect(stage.runs()).toBe(1)
  })

  test('does not take the rest of a map with it', async () => {
    const stage = stageOf()
    vi.spyOn(stage.ports.blobs as Blobs, 'put').mockRejectedValueOnce(new Error('ECONNRESET'))
    const error: unknown = await stage.executor
      .map(stage.length, [[large], ['small'], [`${large}2`]])
      .catch((thrown: unknown) => thrown)
    expect((error as SubmitUncertainError).ids).toHaveLength(1)
    await stage.drain()
    expect(stage.runs()).toBe(2)
  })
})
