import { createClient, type Stats } from 'errand'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { inLanes } from '../support/lanes.ts'
import { startWireServers, startWireWorkers, type WireServers } from '../support/wire-fleet.ts'
import { config, createParityExecutor, errors } from './parity-app.ts'
import { type ParityCluster, startParityCluster } from './parity-cluster.ts'
import { type Program, programs, type Stage } from './programs.ts'
import * as tasks from './tasks.ts'

// One set of programs, one observable trace: eager, the in-process emulator, the AWS backend on the wire with Lambda's
// handlers beside the programs, and `errand cluster`, whose workers are processes of their own.

const kinds = ['eager', 'local', 'aws', 'cluster'] as const
type Kind = (typeof kinds)[number]

/** Programs that a cluster cannot run, each with the reason. There are none: a program sees no more than futures. */
const notOnCluster: Readonly<Record<string, string>> = {}

/** Programs at a time: enough to meet each other, and few enough for servers on a busy machine. */
const LANES = 20

let wire: WireServers
let cluster: ParityCluster
let clusterStats: Stats

const isOn = (kind: Kind, name: string) => kind !== 'cluster' || !Object.hasOwn(notOnCluster, name)

/** What executors and clients are given; those of a cluster get nothing but the variables that it printed. */
async function optionsOf(kind: Kind) {
  if (kind !== 'cluster') return { backend: kind, aws: wire.aws }
  for (const [name, value] of Object.entries(await cluster.variables)) vi.stubEnv(name, value)
  return {}
}

async function runAll(kind: Kind): Promise<Record<string, unknown>> {
  const options = await optionsOf(kind)
  const executor = createParityExecutor(options)
  const client = createClient<object>(config, { ...options, errors }) as unknown as Stage['client']
  const stop = kind === 'aws' ? await startWireWorkers(executor) : async () => {}
  const unique = (name: string) => `${kind}-${name}`
  const chosen = Object.entries(programs).filter(([name]) => isOn(kind, name))
  try {
    // Loads what is loaded at the first call, before all programs call at once.
    await (await executor.submit(tasks.add, 0, 0)).result()
    const traces: Record<string, unknown> = {}
    await inLanes(chosen.length, LANES, async (index) => {
      const [name, program] = chosen[index] as [string, Program]
      traces[name] = await program({ executor, client, unique })
    })
    if (kind === 'cluster') clusterStats = await executor.inspect.stats()
    return traces
  } finally {
    await stop()
    await client.close()
    await executor.close()
    vi.unstubAllEnvs()
  }
}

describe('the same program has the same trace on every backend', () => {
  const traces = {} as Record<Kind, Record<string, unknown>>

  beforeAll(async () => {
    // Its processes start while the others run.
    cluster = startParityCluster()
    wire = await startWireServers(config.queues)
    for (const kind of kinds) traces[kind] = await runAll(kind)
  })

  afterAll(async () => {
    const ended = cluster.stop()
    await wire?.close()
    expect(await ended).toBe(0)
  })

  test('there are at least 40 programs', () => {
    expect(Object.keys(programs).length).toBeGreaterThanOrEqual(40)
  })

  test('what a cluster cannot run is few, and told with a reason', () => {
    expect(Object.keys(programs)).toEqual(expect.arrayContaining(Object.keys(notOnCluster)))
    expect(Object.keys(notOnCluster).length).toBeLessThanOrEqual(3)
  })

  test('the workers of the cluster were processes of their own', () => {
    const { main, urgent } = clusterStats.workers
    for (const worker of [main, urgent]) {
      expect(worker).toMatchObject({ state: 'OK', processes: [{ processId: expect.any(String) }] })
      expect(worker?.processes[0]?.processId).not.toContain(`-${process.pid}-`)
    }
  })

  for (const name of Object.keys(programs)) {
    test(name, () => {
      expect(traces.eager[name]).toBeDefined()
      for (const kind of kinds)
        if (isOn(kind, name)) expect(traces[kind][name], kind).toEqual(traces.eager[name])
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
