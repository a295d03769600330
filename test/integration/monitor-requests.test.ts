import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { SQSClient } from '@aws-sdk/client-sqs'
import { createExecutor, defineConfig } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { monitor } from 'errand/monitor'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startDynalite } from '../support/dynalite.ts'
import { createTable } from '../support/dynamodb-table.ts'
import { type FauxqsServer, startFauxqs } from '../support/fauxqs.ts'
import { type DeployedFleet, deployFleet } from '../support/lambda-fleet.ts'
import { connectionTo, loopbackRegion, type WireServer } from '../support/loopback-connection.ts'

// What docs/monitor.md says that an open page asks of AWS in a minute, counted at the SDK.

const config = defineConfig({
  name: 'watched',
  queues: ['low', 'high'],
  workers: { foo: {}, bar: { queues: ['high'] } },
})
const tasks = { add: (a: number, b: number) => a + b }

let sqs: FauxqsServer
let dynamodb: WireServer
let fleet: DeployedFleet
beforeAll(async () => {
  sqs = await startFauxqs()
  dynamodb = await startDynalite()
  await createTable(dynamodb, 'watched')
  fleet = await deployFleet({ sqs, dynamodb, tableName: 'watched' }, config, tasks)
})
afterAll(async () => {
  await fleet?.close()
  await sqs?.close()
  await dynamodb?.close()
})

/** Has every request of a client counted by its command. */
function counted<Client extends { middlewareStack: { add(...given: never[]): void } }>(
  client: Client,
  requests: Map<string, number>,
): Client {
  const add = client.middlewareStack.add.bind(client.middlewareStack) as (...given: unknown[]) => void
  const layer = (next: (args: unknown) => unknown, context: { commandName?: string }) => (args: unknown) => {
    const command = context.commandName?.replace(/Command$/, '') ?? ''
    requests.set(command, (requests.get(command) ?? 0) + 1)
    return next(args)
  }
  add(layer, { step: 'initialize' })
  return client
}

/** A monitor of the fleet, and what a minute of its overview, open for so many viewers, asks of AWS. */
function openMonitor() {
  const requests = new Map<string, number>()
  const region = loopbackRegion
  const lambda = (fleet.aws.lambda ?? {}) as ConstructorParameters<typeof LambdaClient>[0]
  const clients = {
    sqs: counted(new SQSClient({ region, ...connectionTo(sqs) }), requests),
    dynamodb: counted(new DynamoDBClient({ region, ...connectionTo(dynamodb) }), requests),
    lambda: counted(new LambdaClient({ region, ...lambda }), requests),
  }
  const clock = virtualClock(Date.now())
  const { functions } = fleet.aws
  const executor = createExecutor(config, {
    ...{ tasks, backend: 'aws' },
    aws: {
      ...{ ...fleet.aws, clock, ...(functions && { functions }) },
      ...{ sqs: { client: clients.sqs }, dynamodb: { client: clients.dynamodb } },
      lambda: { client: clients.lambda },
    },
  })
  onTestFinished(async () => {
    await executor.close()
    for (const client of Object.values(clients)) client.destroy()
  })
  const app = monitor(executor, { authorize: () => 'read' })
  const minute = async (viewers: number) => {
    requests.clear()
    for (let turn = 0; turn < 6; turn++) {
      const answers = await Promise.all(Array.from({ length: viewers }, () => app.request('/')))
      for (const answer of answers) expect(await answer.text()).not.toContain('cannot be read')
      await clock.advance({ seconds: 10 })
    }
    return Object.fromEntries(requests)
  }
  return { executor, minute }
}

const quiet = {
  // Three mappings: of one function from both queues, of the other from one.
  ...{ GetQueueAttributes: 7 * 2 * 2, GetEventSourceMapping: 7 * 3, Invoke: 2 },
  Query: 7 + 6 * 2 * 4,
}

test('an open overview of two queues and two functions makes 106 requests a minute, however many look', async () => {
  const { minute } = openMonitor()
  expect(await minute(1)).toEqual(quiet)
  expect(await minute(20)).toEqual(quiet)
  expect(Object.values(quiet).reduce((sum, each) => sum + each)).toBe(106)
})

test('after a burst, of which all calls wait, it reads at most a thousand of them, and asks hardly more for which', async () => {
  const { executor, minute } = openMonitor()
  await executor.map(
    tasks.add,
    Array.from({ length: 1200 }, (_, index) => [index, 1] as const),
  )
  const { Query, ...rest } = await minute(1)
  const { Query: least, ...others } = quiet
  expect(rest).toEqual({ ...others, BatchGetItem: 6 * 10 })
  // Of a shard that holds more than its share of the newest a second stretch is read.
  expect(Query).toBeGreaterThanOrEqual(least)
  expect(Query).toBeLessThanOrEqual(least + 6 * 4)
})
