import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SQSClient } from '@aws-sdk/client-sqs'
import { type Clock, type Config, createExecutor, defineConfig, type Executor } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/runtime/clock.ts'
import { countCapacity } from '../support/capacity-counter.ts'
import { startDynalite } from '../support/dynalite.ts'
import { startDynamoDbLocal } from '../support/dynamodb-local.ts'
import { loopbackRegion, type WireServer } from '../support/loopback-connection.ts'
import { PATIENCE } from '../support/patience.ts'
import { startWireServers, startWireWorkers, type WireServers } from '../support/wire-fleet.ts'

// What AWS bills, counted over whole calls: submit, run, and wait, through the real SDK.

const add = (a: number, b: number) => a + b
const config = {
  name: 'call-cost',
  queues: ['default'],
  workers: { main: { concurrency: 200, logLevel: 'error' } },
} as const satisfies Config

interface Counted {
  readonly executor: Executor
  /** Requests by command, since the last reset. */
  readonly requests: Map<string, number>
  readonly writeUnits: () => number
  /** How many requests to DynamoDB were answered, since the last reset. */
  readonly answered: () => number
  reset(): void
}

/** What the middleware stacks of the two clients, of different types, have in common. */
interface Stack {
  add(
    layer: (
      next: (args: unknown) => unknown,
      context: { commandName?: string },
    ) => (args: unknown) => unknown,
    options: { step: 'initialize' },
  ): void
}

function countRequests(client: SQSClient | DynamoDBClient, requests: Map<string, number>): void {
  const stack = client.middlewareStack as unknown as Stack
  stack.add(
    (next, context) => (args) => {
      const command = context.commandName?.replace(/Command$/, '') ?? ''
      requests.set(command, (requests.get(command) ?? 0) + 1)
      return next(args)
    },
    { step: 'initialize' },
  )
}

const writes = ['PutItem', 'UpdateItem', 'DeleteItem']

function counting(wire: WireServers, declared: Config, clock: Clock = systemClock): Counted {
  const { sqs, dynamodb, ...aws } = wire.aws
  const sqsClient = new SQSClient({ region: loopbackRegion, ...sqs })
  const dynamoDbClient = new DynamoDBClient({ region: loopbackRegion, ...dynamodb })
  const requests = new Map<string, number>()
  for (const client of [sqsClient, dynamoDbClient]) countRequests(client, requests)
  const billed = countCapacity(dynamoDbClient)
  const backend = { ...aws, sqs: { client: sqsClient }, dynamodb: { client: dynamoDbClient }, clock }
  const executor = createExecutor(defineConfig(declared), { tasks: { add }, backend: 'aws', aws: backend })
  return {
    executor: executor as unknown as Executor,
    requests,
    writeUnits: () =>
      billed.filter(({ command }) => writes.includes(command)).reduce((sum, { units }) => sum + units, 0),
    answered: () => billed.length,
    reset() {
      requests.clear()
      billed.length = 0
    },
  }
}

const java: WireServer | undefined = await startDynamoDbLocal()

afterAll(() => java?.close())

describe.runIf(java !== undefined)('write units of a call, on DynamoDB Local', () => {
  const calls = 5
  const cases = [
    { what: 'without the listing index', units: 3, options: { listing: false } },
    { what: 'with the listing index', units: 4, options: { listing: true } },
    {
      what: 'with keepArguments',
      units: 4,
      options: { listing: false, taskOptions: { add: { keepArguments: true } } },
    },
    { what: "with record: 'on-claim'", units: 2, options: { listing: false, record: 'on-claim' } },
  ] as const

  test.each(cases)('$units $what', async ({ units, options }) => {
    const wire = await startWireServers(['default'], await freshTable())
    const counted = counting(wire, { ...config, ...options })
    const stop = await startWireWorkers(counted.executor)
    try {
      for (let index = 0; index < calls; index++) {
        const future = await counted.executor.submit(add, index, 1)
        expect(await future.result()).toBe(index + 1)
      }
      // A result may be read before the answer to its write is counted: when the workers have stopped, all is.
      await stop()
      expect(counted.writeUnits()).toBe(units * calls)
    } finally {
      await stop()
      await wire.close()
    }
  })

  async function freshTable(): Promise<WireServer> {
    const server = await startDynamoDbLocal()
    if (server === undefined) throw new Error('Java was there a moment ago')
    servers.push(server)
    return server
  }

  const servers: WireServer[] = []
  afterAll(() => Promise.all(servers.map((server) => server.close())))
})

describe('requests of a map and of a wait', () => {
  let wire: WireServers
  let database: WireServer

  // Servers of its own for each test: what one leaves in the queue would be billed to the next.
  beforeEach(async () => {
    database = await startDynalite()
    wire = await startWireServers(['default'], database)
  })

  afterEach(async () => {
    await wire.close()
    await database.close()
  })

  test('a map of 1,000 calls makes 100 send requests, and a look at all of them 10 reads', async () => {
    const clock = virtualClock()
    const counted = counting(wire, { ...config, listing: false }, clock)
    const lists = Array.from({ length: 1000 }, (_, index) => [index, 1] as const)
    const group = await counted.executor.map(add, lists)
    expect(Object.fromEntries(counted.requests)).toEqual({ PutItem: 1000, SendMessageBatch: 100 })

    counted.reset()
    expect((await group.counts()).pending).toBe(1000)
    expect(Object.fromEntries(counted.requests)).toEqual({ BatchGetItem: 10 })

    // Everybody waits, on virtual time, and no worker runs: each round is 10 reads, however long the waiters wait.
    counted.reset()
    const stop = new AbortController()
    const waiting = Promise.allSettled([...group].map((future) => future.result({ signal: stop.signal })))
    const reads = () => counted.requests.get('BatchGetItem') ?? 0
    for (let round = 1; round <= 4; round++) {
      await vi.waitFor(() => expect(counted.answered()).toBeGreaterThanOrEqual(10 * round), PATIENCE)
      expect(reads() % 10).toBe(0)
      await clock.advance({ milliseconds: 200 })
    }
    await vi.waitFor(() => expect(counted.answered()).toBe(reads()), PATIENCE)
    expect(reads() % 10).toBe(0)
    stop.abort()
    await waiting
    expect([...counted.requests.keys()]).toEqual(['BatchGetItem'])
  })

  test('three write units a call of a map, with workers', async () => {
    const counted = counting(wire, { ...config, listing: false })
    const stop = await startWireWorkers(counted.executor)
    try {
      const lists = Array.from({ length: 300 }, (_, index) => [index, 2] as const)
      const group = await counted.executor.map(add, lists)
      const results = await group.results()
      expect(results).toEqual(lists.map(([a, b]) => a + b))
      await stop()
      expect(counted.writeUnits()).toBe(900)
    } finally {
      await stop()
    }
  })
})
