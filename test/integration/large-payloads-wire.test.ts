import { createExecutor, defineConfig, type Executor, NonRetryableError } from 'errand'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/runtime/config/config.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { loopbackRegion } from '../support/loopback-connection.ts'
import { startWireServers, startWireWorkers, type WireServers } from '../support/wire-fleet.ts'

// Large payloads have one trace on eager, on the in-process emulator, and on SQS, DynamoDB and S3 on the wire (I13).

const MIB = 1024 * 1024

const repeat = (unit: string, count: number) => unit.repeat(count)
const count = (text: string) => [...text].length
const flip = (value: { readonly text: string; readonly bytes: Buffer }) => ({
  ...value,
  text: value.text.split('').reverse().join(''),
})
const explode = (size: number) => {
  const errors = Array.from({ length: 9 }, (_, index) => new Error(`${index} ${'m'.repeat(size)}`))
  throw new NonRetryableError('boom', { cause: new AggregateError(errors, 'many') })
}
const tasks = { repeat, count, flip, explode }

const configOf = (name: string, blobs: boolean, queue = blobs ? 'with' : 'none') =>
  defineConfig({
    name,
    // A queue each: what a worker that was stopped had asked for may still be given to it.
    queues: [queue],
    workers: { main: { concurrency: 20, logLevel: 'error' } },
    taskOptions: { '*': { backoff: { baseSeconds: 0 } } },
    blobs,
  })

const kinds = ['eager', 'local', 'aws'] as const
type Kind = (typeof kinds)[number]

let wire: WireServers
beforeAll(async () => {
  wire = await startWireServers(['with', 'none', 'read'])
})
afterAll(() => wire.close())

async function withExecutor<T>(
  kind: Kind,
  blobs: boolean,
  run: (executor: Executor) => Promise<T>,
  queue?: string,
): Promise<T> {
  const aws = blobs ? wire.awsWithBlobs : wire.aws
  const executor = createExecutor(configOf(`${kind}-${blobs}`, blobs, queue), { tasks, backend: kind, aws })
  const stop = kind === 'aws' ? await startWireWorkers(executor) : async () => {}
  try {
    return await run(executor as unknown as Executor)
  } finally {
    await stop()
    await executor.close()
  }
}

const anyId = /[0-9a-f]{8}-[0-9a-f-]{27}/g

/** All that is seen of one call. */
async function traceOf(submit: Promise<{ readonly id: string }>, executor: Executor): Promise<unknown> {
  try {
    const future = executor.future((await submit).id)
    const outcome = await future.outcome()
    const [record] = await (await internalsOf(executor).connect()).store.read([future.id])
    const { state, attempts, failures, resultBytes, resultIn, reason } = record ?? {}
    const told =
      outcome.state !== 'failed'
        ? outcome
        : { error: outcome.error.message, causes: (outcome.error.cause as AggregateError)?.errors?.length }
    // An error's size is its stacks', which differ from backend to backend.
    const bytes = reason === undefined ? resultBytes : undefined
    return { told, state, attempts, failures, bytes, resultIn, reason }
  } catch (error) {
    return String(error).replace(anyId, '<id>')
  }
}

const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 256))

/** Calls of every size; what each leaves is compared. */
function programs(executor: Executor): Record<string, Promise<unknown>> {
  const trace = (submit: Promise<{ readonly id: string }>) => traceOf(submit, executor)
  const text = 'é日😀\ud800\uffff\ufeff"\n'
  const key = executor.with({ idempotencyKey: 'large' })
  return {
    'large arguments': trace(executor.submit(count, '日'.repeat(MIB))),
    'large arguments of every character': trace(executor.submit(count, text.repeat(60_000))),
    'large arguments of every kind, and back': trace(
      executor.submit(flip, { text: text.repeat(10_000), bytes: Buffer.concat([bytes, bytes, bytes]) }),
    ),
    'a result of 32 KiB': trace(executor.submit(repeat, 'x', 32 * 1024 - 11)),
    'a result over 32 KiB': trace(executor.submit(repeat, 'é', 16 * 1024)),
    'a result of an item': trace(executor.submit(repeat, 'x', LIMITS.resultBytes - 11)),
    'a result over an item': trace(executor.submit(repeat, 'x', LIMITS.resultBytes - 10)),
    'a result of 5 MiB': trace(executor.submit(repeat, '日', (5 * MIB) / 3)),
    'an error over 32 KiB': trace(executor.submit(explode, 5000)),
    'a key, twice': trace(
      key.submit(count, 'k'.repeat(2 * MIB)).then(() => key.submit(count, 'k'.repeat(2 * MIB))),
    ),
  }
}

async function runAll(executor: Executor): Promise<Record<string, unknown>> {
  const running = Object.entries(programs(executor))
  return Object.fromEntries(await Promise.all(running.map(async ([name, trace]) => [name, await trace])))
}

describe.each([
  ['with a bucket', true],
  ['without a bucket', false],
])('large payloads %s', (_, blobs) => {
  test('have the same trace on every backend', async () => {
    const eager = await withExecutor('eager', blobs, runAll)
    for (const kind of ['local', 'aws'] as const) {
      const traces = await withExecutor(kind, blobs, runAll)
      for (const [name, trace] of Object.entries(eager))
        expect(traces[name], `${kind}: ${name}`).toEqual(trace)
    }
    const ends = Object.values(eager).map((trace) => (typeof trace === 'string' ? 'refused' : trace))
    expect(ends.filter((end) => end === 'refused')).toHaveLength(blobs ? 0 : 4)
    const inBlobs = ends.filter((end) => (end as { resultIn?: unknown }).resultIn === 'blob')
    expect(inBlobs).toHaveLength(blobs ? 6 : 0)
  })
})

test('a client with the bucket reads the result of a worker, and one without says what it lacks', async () => {
  const read = async (executor: Executor) => {
    const { id } = await executor.submit(repeat, 'x', 50_000)
    const reader = createExecutor(configOf('aws-true', true), { backend: 'aws', aws: wire.awsWithBlobs })
    expect(await reader.future(id).result()).toBe('x'.repeat(50_000))
    const blind = createExecutor(configOf('aws-true', false), { backend: 'aws', aws: wire.aws })
    await expect(blind.future(id).result()).rejects.toThrow('make it of a config that has `blobs`')
    await Promise.all([reader.close(), blind.close()])
  }
  await withExecutor('aws', true, read, 'read')
})

test('what lies in the bucket is below prefix, app and id, and nothing else is', async () => {
  const { ListObjectsV2Command, S3Client } = await import('@aws-sdk/client-s3')
  const { bucket: Bucket = '', s3 } = wire.awsWithBlobs
  const { endpoint = '', credentials } = s3 as { endpoint?: string; credentials: never }
  const client = new S3Client({ region: loopbackRegion, forcePathStyle: true, endpoint, credentials })
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }))
  client.destroy()
  expect(Contents.length).toBeGreaterThan(8)
  const form = /^errand\/aws-true\/[\w:-]+\/(?:arguments-[\w-]{43}|result-[\w-]{16})$/
  expect(Contents.filter(({ Key = '' }) => !form.test(Key))).toEqual([])
})
