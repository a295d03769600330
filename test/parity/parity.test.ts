import { createClient, createExecutor, defineConfig, type Executor } from 'errand'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startWireServers, startWireWorkers, type WireServers } from '../support/wire-fleet.ts'
import { type Program, programs, type Stage } from './programs.ts'
import * as tasks from './tasks.ts'

// One set of programs, one observable trace: eager, the in-process emulator, and the AWS backend on the wire.

const queues = ['default', 'high'] as const

const config = defineConfig({
  name: 'parity',
  queues,
  workers: { main: { concurrency: 40, logLevel: 'error' } },
  routes: { slowAdd: 'high' },
  taskOptions: { '*': { maxAttempts: 3, backoff: { baseSeconds: 0 } } },
})

const kinds = ['eager', 'local', 'aws'] as const
type Kind = (typeof kinds)[number]

const functions = Object.fromEntries(Object.entries(tasks).filter(([name]) => name !== 'app'))

let wire: WireServers

beforeAll(async () => {
  wire = await startWireServers(queues)
})

afterAll(() => wire.close())

async function runAll(kind: Kind): Promise<Record<string, unknown>> {
  const options = { backend: kind, aws: wire.aws, errors: { PaymentDeclined: tasks.PaymentDeclined } }
  const { PaymentDeclined: _, ...registered } = functions
  const executor = createExecutor(config, { ...options, tasks: registered }) as unknown as Executor
  executor.use({
    run: async (call, next) => {
      await next()
      if (call.result === 'seen by middleware') call.result = `${call.task}, attempt ${call.attempt}`
    },
  })
  tasks.app.executor = executor
  const client = createClient<object>(config, options) as unknown as Stage['client']
  const stop = kind === 'aws' ? await startWireWorkers(executor) : async () => {}
  const unique = (name: string) => `${kind}-${name}`
  try {
    await executor.submit(tasks.add, 0, 0)
    const entries = Object.entries(programs).map(async ([name, program]: [string, Program]) => {
      return [name, await program({ executor, client, unique })] as const
    })
    return Object.fromEntries(await Promise.all(entries))
  } finally {
    await stop()
    await client.close()
    await executor.close()
  }
}

describe('the same program has the same trace on every backend', async () => {
  const traces = {} as Record<Kind, Record<string, unknown>>

  beforeAll(async () => {
    for (const kind of kinds) traces[kind] = await runAll(kind)
  }, 120_000)

  test('there are at least 40 programs', () => {
    expect(Object.keys(programs).length).toBeGreaterThanOrEqual(40)
  })

  for (const name of Object.keys(programs)) {
    test(name, () => {
      expect(traces.eager[name]).toBeDefined()
      expect(traces.local[name]).toEqual(traces.eager[name])
      expect(traces.aws[name]).toEqual(traces.eager[name])
      expect(normalise(traces.eager[name])).toMatchSnapshot()
    })
  }
})

/** A snapshot shows values that JSON has no word for as text, in ASCII, and cuts what is long. */
function normalise(trace: unknown): unknown {
  const text = JSON.stringify(trace, (_, value) => {
    // A file of text cannot hold a lone surrogate.
    if (typeof value === 'string')
      return value.slice(0, 200).replace(/[^ -~]/g, (unit) => `<${unit.charCodeAt(0).toString(16)}>`)
    if (typeof value === 'bigint') return `${value}n`
    if (value instanceof Map || value instanceof Set) return [...value]
    return value
  })
  return JSON.parse(text ?? 'null')
}
