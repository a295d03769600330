import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SQSClient } from '@aws-sdk/client-sqs'
import {
  AccessDeniedError,
  createExecutor,
  defineConfig,
  ErrandError,
  InvalidOptionError,
  NotWiredError,
  ResourceNotFoundError,
} from 'errand'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { AwsOptions } from '../../src/runtime/aws/aws-backend.ts'
import { ENV } from '../../src/runtime/config/config.ts'
import { startDynalite } from '../support/dynalite.ts'
import { createTable } from '../support/dynamodb-table.ts'
import { type FauxqsServer, startFauxqs } from '../support/fauxqs.ts'
import { type DeployedFleet, deployFleet } from '../support/lambda-fleet.ts'
import { connectionTo, loopbackRegion, type WireServer } from '../support/loopback-connection.ts'
import { startRefusingApi } from '../support/refusing-api.ts'

const config = defineConfig({
  name: 'deployed',
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
  await createTable(dynamodb, 'deployed')
})
afterAll(async () => {
  await sqs.close()
  await dynamodb.close()
})
beforeEach(async () => {
  fleet = await deployFleet({ sqs, dynamodb, tableName: 'deployed' }, config, tasks)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await fleet.close()
})

/** The executor of a client that is wired otherwise. */
const wired = (change: Partial<AwsOptions>) => {
  const { functions, ...aws } = { ...fleet.aws, ...change }
  const given = functions === undefined ? aws : { ...aws, functions }
  return createExecutor(config, { tasks, backend: 'aws', aws: given })
}

const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it was not refused'),
    (error: unknown) => error,
  )

describe('a worker that does not answer', () => {
  test.each([
    ['is throttled', { status: 429, type: 'TooManyRequestsException' }, 'refused'],
    ['cannot start', { status: 502, type: 'EFSMountFailureException' }, 'refused'],
    [
      'is gone',
      { status: 404, type: 'ResourceNotFoundException' },
      'function "deployed-bar" of worker "bar" is not there',
    ],
  ])('%s: the others are told of all the same', async (_, refusal, why) => {
    fleet.api.refuse('Invoke deployed-bar', refusal)
    expect(await fleet.executor.status()).toEqual({ ping: false, workers: { foo: 'OK', bar: 'no answer' } })
    expect((await fleet.executor.inspect.stats()).workers.bar?.error).toContain(why)
    expect(Object.keys(await fleet.executor.inspect.registered())).toEqual(['foo'])
  })

  test.each([
    ['the function of another worker', { bar: 'deployed-foo' }, 'its function is worker "foo" of "deployed"'],
    ['no function', { bar: 'deployed-baz' }, 'is not there'],
  ])('%s: what is wrong is named', async (_, names, why) => {
    const functions = Object.entries({ foo: 'deployed-foo', ...names }).map(
      ([worker, name]) => [worker, { name, mappings: {} }] as const,
    )
    const executor = wired({ functions: Object.fromEntries(functions) })
    const { bar } = await executor.inspect.stats().then(({ workers }) => workers)
    expect(bar).toMatchObject({ state: 'no answer', error: expect.stringContaining(why) })
    await executor.close()
  })
})

describe('a client that may not, or does not know', () => {
  const denied = { status: 403, type: 'AccessDeniedException' }

  test.each([
    ['Invoke', 'lambda:InvokeFunction on function "deployed-foo" of worker "foo"', 'status', 'inspect'],
    [
      'Get',
      'lambda:GetEventSourceMapping on event source mapping "deployed-foo-0" of queue "low" of worker "foo"',
      'status',
      'inspect',
    ],
    [
      'Update',
      'lambda:UpdateEventSourceMapping on event source mapping "deployed-foo-0" of queue "low"',
      'pause',
      'operate',
    ],
  ])('is told that %s is denied, and what to grant', async (action, what, method, access) => {
    fleet.api.refuse(action, denied)
    const { executor } = fleet
    const error = await errorOf(method === 'pause' ? executor.queues.pause('low') : executor.status())
    expect(AccessDeniedError.is(error)).toBe(true)
    expect(String(error)).toContain(what)
    expect(String(error)).toContain(`fleet.addClient(fn, { ${access}: true })`)
  })

  test('is told that the listing index is denied', async () => {
    const server = await startRefusingApi('AccessDeniedException')
    const executor = wired({ dynamodb: connectionTo(server) })
    const error = await errorOf(executor.inspect.calls())
    expect(AccessDeniedError.is(error)).toBe(true)
    expect(String(error)).toContain('dynamodb:Query on index "listing" of table "deployed"')
    expect(String(error)).toContain('fleet.addClient(fn, { inspect: true })')
    await executor.close()
    await server.close()
  })

  test('does not know the functions: status and pause say what to set, and queues are counted all the same', async () => {
    const executor = wired({ functions: undefined as never })
    for (const refused of [executor.status(), executor.queues.pause('low'), executor.inspect.registered()]) {
      const error = await errorOf(refused)
      expect(NotWiredError.is(error)).toBe(true)
      expect(String(error)).toContain('set ERRAND_FUNCTIONS')
    }
    const { low } = await executor.inspect.queues()
    expect(low).toEqual({ visible: 0, inFlight: 0, delayed: 0, dead: 0 })
    expect(fleet.api.requests).toEqual([])
    await executor.close()
  })

  test('takes the functions from the variable, and refuses one that is no map', async () => {
    vi.stubEnv(ENV.functions, JSON.stringify(fleet.aws.functions))
    const executor = wired({ functions: undefined as never })
    expect(await executor.status()).toEqual({ ping: true, workers: { foo: 'OK', bar: 'OK' } })
    await executor.close()
    for (const wrong of [
      '["deployed-foo"]',
      '{"foo":"deployed-foo"}',
      '{"foo":{"name":"deployed-foo"}}',
      '{"foo":{"name":"deployed-foo","mappings":{"low":1}}}',
      '{',
    ]) {
      vi.stubEnv(ENV.functions, wrong)
      const error = await errorOf(wired({ functions: undefined as never }).status())
      expect(InvalidOptionError.is(error)).toBe(true)
      expect(String(error)).toContain(`ERRAND_FUNCTIONS is ${wrong}, expected a JSON object of functions`)
    }
  })

  test('has workers that are processes alone: they are told by notices, and no function is asked', async () => {
    const executor = wired({ functions: {} })
    expect(await executor.status()).toEqual({ ping: false, workers: { foo: 'no answer', bar: 'no answer' } })
    await executor.queues.pause('low')
    expect((await executor.inspect.queues()).low.paused).toBe(true)
    await executor.queues.resume('low')
    expect((await executor.inspect.queues()).low.paused).toBe(false)
    expect(fleet.api.requests).toEqual([])
    await executor.close()
  })
})

describe('pausing', () => {
  test('disables the mappings of the queue in every function, and of no other queue', async () => {
    const { executor, api } = fleet
    await executor.queues.pause('high')
    const states = Object.entries(api.states()).map(([name, state]) => [name.replace(/-\d+$/, ''), state])
    expect(Object.fromEntries(states)).toEqual({
      'deployed-foo deployed-low': 'Enabled',
      'deployed-foo deployed-high': 'Disabling',
      'deployed-bar deployed-high': 'Disabling',
    })
    const before = api.requests.length
    await executor.queues.pause('high')
    expect(api.requests.slice(before).filter((request) => request.startsWith('Update'))).toEqual([])
    await executor.queues.resume('high')
    expect(new Set(Object.values(api.states()))).toEqual(new Set(['Enabled', 'Enabling']))
  })

  test('a mapping that is being changed is named, to be tried again', async () => {
    fleet.api.refuse('Update deployed-bar-0', { status: 400, type: 'ResourceInUseException' })
    const error = await errorOf(fleet.executor.queues.pause('high'))
    expect(ErrandError.is(error)).toBe(true)
    expect(String(error)).toContain(
      'mapping "deployed-bar-0" of queue "high" is being changed at this moment',
    )
  })

  test.each([
    ['of another queue', 'deployed-bar-0', '("deployed-bar-0" is of arn:aws:sqs:'],
    ['that is gone', 'gone', 'event source mapping "gone" of queue "low" of worker "bar" is not there'],
  ])(
    'a mapping %s is named, and nothing was changed; nobody is said to have paused it',
    async (_, id, why) => {
      const wider = defineConfig({ ...config, workers: { foo: {}, bar: {} } })
      const { foo, bar } = fleet.aws.functions as Required<NonNullable<AwsOptions['functions']>>
      const functions = {
        foo,
        bar: { name: 'deployed-bar', mappings: { ...bar?.mappings, low: id } },
      } as never
      const executor = createExecutor(wider, { tasks, backend: 'aws', aws: { ...fleet.aws, functions } })
      const error = await errorOf(executor.queues.pause('low'))
      expect(ResourceNotFoundError.is(error)).toBe(true)
      expect(String(error)).toContain(why)
      expect(new Set(Object.values(fleet.api.states()))).toEqual(new Set(['Enabled']))
      expect((await executor.inspect.queues()).low.paused).toBe(false)
      await executor.close()
    },
  )

  test('a function without a mapping of the queue is named, and nothing was changed', async () => {
    // Deployed by a config in which bar does not consume `low`.
    const wider = defineConfig({ ...config, workers: { foo: {}, bar: {} } })
    const executor = createExecutor(wider, { tasks, backend: 'aws', aws: fleet.aws })
    const error = await errorOf(executor.queues.pause('low'))
    expect(ResourceNotFoundError.is(error)).toBe(true)
    expect(String(error)).toContain(
      'function "deployed-bar" of worker "bar" has no event source mapping of queue "low"',
    )
    expect(Object.values(fleet.api.states())).toEqual(['Enabled', 'Enabled', 'Enabled'])
    await executor.close()
  })
})

test('a purge within a minute of the last says so', async () => {
  const server = await startRefusingApi('PurgeQueueInProgress')
  const executor = wired({ sqs: connectionTo(server) })
  const error = await errorOf(executor.queues.purge('low'))
  expect(ErrandError.is(error)).toBe(true)
  expect(String(error)).toMatch(/queue "low" \(.*\) was purged less than 60 s ago.*again in a minute/)
  await executor.close()
  await server.close()
})

test('a dead-letter queue whose URL is not known is found beside its queue', async () => {
  const { low = '', high = '' } = fleet.aws.queueUrls ?? {}
  const executor = wired({ queueUrls: { low, high } })
  expect((await executor.inspect.queues()).low.dead).toBe(0)
  await executor.close()
})

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

test('each method makes the requests that the documentation says', async () => {
  const { sqs: toSqs, dynamodb: toDynamoDb } = fleet.aws
  const sqsClient = new SQSClient({ region: loopbackRegion, ...toSqs } as object)
  const dynamoDbClient = new DynamoDBClient({ region: loopbackRegion, ...toDynamoDb } as object)
  const requests: string[] = []
  for (const { middlewareStack } of [sqsClient, dynamoDbClient]) {
    const stack = middlewareStack as unknown as Stack
    stack.add(
      (next, { commandName = '' }) =>
        (args) => {
          requests.push(commandName.replace('Command', ''))
          return next(args)
        },
      { step: 'initialize' },
    )
  }
  const executor = wired({ sqs: { client: sqsClient }, dynamodb: { client: dynamoDbClient } })
  for (let index = 0; index < 3; index++) await executor.submit(tasks.add, index, 1)
  /** What `run` asks for, by request. */
  const asked = async (run: () => Promise<unknown>) => {
    requests.length = 0
    fleet.api.requests.length = 0
    await run()
    const counts: Record<string, number> = {}
    for (const request of [...requests, ...fleet.api.requests.map((each) => each.split(' ')[0] ?? '')]) {
      counts[request] = (counts[request] ?? 0) + 1
    }
    return counts
  }
  // 2 functions with 2 mappings and 1; 2 queues, each with its dead-letter queue, of 4 shards each.
  const [mappings, queues] = [{ Get: 3 }, { GetQueueAttributes: 4 }]
  expect(await asked(executor.status)).toEqual({ Invoke: 2, ...mappings, Query: 1 })
  expect(await asked(executor.inspect.registered)).toEqual({ Invoke: 2, Query: 1 })
  expect(await asked(executor.inspect.queues)).toEqual({ ...mappings, ...queues, Query: 1 })
  expect(await asked(executor.inspect.stats)).toEqual({ Invoke: 2, ...mappings, ...queues, Query: 1 })
  expect(await asked(() => executor.inspect.calls())).toEqual({ Query: 8, BatchGetItem: 1 })
  expect(await asked(() => executor.inspect.active({ queue: 'low' }))).toEqual({ Query: 4, BatchGetItem: 1 })
  expect(await asked(() => executor.inspect.reserved())).toEqual({ ...queues, Query: 8, BatchGetItem: 1 })
  expect(await asked(() => executor.queues.pause('high'))).toEqual({ Get: 2, Update: 2, PutItem: 1 })
  expect(await asked(() => executor.queues.resume('high'))).toEqual({ Get: 2, Update: 2, PutItem: 1 })
  expect(await asked(() => executor.queues.purge('low'))).toMatchObject({
    PurgeQueue: 1,
    Query: 4,
    BatchGetItem: 1,
  })
  await executor.close()
})
