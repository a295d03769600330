import { DeleteQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import {
  AccessDeniedError,
  createExecutor,
  currentTask,
  defineConfig,
  ResourceNotFoundError,
  SubmitUncertainError,
} from 'errand'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { eventOf } from '../../src/local-emulator/event-source-mapping.ts'
import { type AwsOptions, awsBackend } from '../../src/runtime/aws/aws-backend.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { type Fault, noFaults, type ProxiedRequest, throttleAnswer } from '../support/fault-plan.ts'
import { startFaultyWire } from '../support/faulty-wire.ts'
import { loopbackRegion } from '../support/loopback-connection.ts'
import { shiftedClock } from '../support/shifted-clock.ts'
import { drain } from './drain.ts'

const config = defineConfig({
  name: 'refusals',
  queues: { default: {}, ordered: { fifo: true }, gone: {} },
  workers: { main: { logLevel: 'error' } },
})
const long = { VisibilityTimeout: '43200' }
const wire = await startFaultyWire({ queues: { default: long, 'ordered.fifo': long, gone: long } })
const queueUrls: Record<string, string> = {
  ...wire.direct.queueUrls,
  ordered: wire.direct.queueUrls?.['ordered.fifo'] ?? '',
}
const clock = shiftedClock()
const attempts: number[] = []
const tasks = {
  job: async (index: number) => {
    attempts.push(currentTask.attempt)
    return index
  },
}

function open(options: Partial<AwsOptions> = {}) {
  const through = awsBackend(resolveConfig(config), { ...wire.faulty, queueUrls, clock, ...options })
  return { through, executor: createExecutor(config, { backend: through, tasks }) }
}

const { through, executor } = open()
const past = awsBackend(resolveConfig(config), { ...wire.direct, queueUrls, clock })
afterEach(() => wire.setPlan(noFaults))
afterAll(async () => {
  await Promise.all([executor.close(), past.close()])
  await wire.close()
})

async function emptyQueue(): Promise<void> {
  const handler = createWorkerHandler(internalsOf(executor).app, through, 'main')
  await drain({ past: past.queue, through: through.queue, handler, clock })
}

const errorOf = (run: Promise<unknown>): Promise<unknown> =>
  run.then(
    () => undefined,
    (error: unknown) => error,
  )

const idsIn = async (queue: string) =>
  (await wire.bodiesIn(queue)).map((body) => (JSON.parse(body) as { id: string }).id)

/** The ids of a batch's entries, which are the numbers of its messages. */
function entriesOf({ body }: ProxiedRequest): { readonly Id: string; readonly MessageBody: string }[] {
  return (JSON.parse(body) as { Entries: { Id: string; MessageBody: string }[] }).Entries
}

function failing(ids: readonly string[], senderFault: boolean): Fault | undefined {
  const code = senderFault ? 'InvalidMessageContents' : 'InternalError'
  const failed = ids.map((id) => ({ id, senderFault, code }))
  return failed.length === 0 ? undefined : { kind: 'partial', failed }
}

describe('a batch that fails in part (F-10)', () => {
  test('only what failed is sent again, and each call has one message', async () => {
    const requests: string[][] = []
    wire.setPlan((request) => {
      if (request.action !== 'SendMessageBatch') return undefined
      const ids = entriesOf(request).map(({ Id }) => Id)
      requests.push(ids)
      // Of a whole batch the odd ones fail, of the rest of it all but the first, and then nothing.
      if (ids.length === 10)
        return failing(
          ids.filter((id) => Number(id) % 2 === 1),
          false,
        )
      return ids.length === 5 ? failing(ids.slice(1), false) : undefined
    })
    const group = await executor.map(
      tasks.job,
      Array.from({ length: 30 }, (_, index) => [index] as const),
    )
    const ids = [...group].map(({ id }) => id)
    expect((await idsIn('default')).toSorted()).toEqual(ids.toSorted())
    expect(requests.toSorted((a, b) => b.length - a.length)).toEqual([
      ...Array.from({ length: 3 }, () => ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']),
      ...Array.from({ length: 3 }, () => ['1', '3', '5', '7', '9']),
      ...Array.from({ length: 3 }, () => ['3', '5', '7', '9']),
    ])
    wire.setPlan(noFaults)
    await emptyQueue()
    // The results are in the order of the arguments, whatever was sent twice.
    expect(await group.results()).toEqual(Array.from({ length: 30 }, (_, index) => index))
  })

  test('what the sender is to blame for is not sent again, and the error names it and nothing else', async () => {
    let requests = 0
    wire.setPlan((request) => {
      if (request.action !== 'SendMessageBatch') return undefined
      requests += 1
      return failing(['2', '5'], true)
    })
    const error = await errorOf(
      executor.map(
        tasks.job,
        Array.from({ length: 10 }, (_, i) => [i] as const),
      ),
    )
    expect(SubmitUncertainError.is(error)).toBe(true)
    const { ids } = error as SubmitUncertainError
    expect(ids.map((id) => id.slice(id.lastIndexOf('-') + 1))).toEqual(['2', '5'])
    expect(requests).toBe(1)
    expect(await idsIn('default')).toHaveLength(8)
    wire.setPlan(noFaults)
    await Promise.all(ids.map((id, at) => executor.with({ id }).submit(tasks.job, [2, 5][at] ?? 0)))
    expect(await idsIn('default')).toHaveLength(10)
    await emptyQueue()
  })

  test('on a FIFO queue requests that are lost as a whole change no order and repeat nothing', async () => {
    wire.setPlan(({ action, attempt }) => {
      if (action !== 'SendMessageBatch' || attempt === 3) return undefined
      return { kind: attempt === 1 ? 'lost-response' : 'lost-request' }
    })
    const lists = Array.from({ length: 5 }, (_, index) => [index] as const)
    const group = await executor.with({ queue: 'ordered' }).map(tasks.job, lists)
    expect((await idsIn('ordered.fifo')).slice(-5)).toEqual([...group].map(({ id }) => id))
  })

  test('on a FIFO queue an entry that is refused once is overtaken by none', async () => {
    let requests = 0
    wire.setPlan((request) => {
      if (request.action !== 'SendMessageBatch') return undefined
      requests += 1
      return requests === 3 ? failing([entriesOf(request)[0]!.Id], false) : undefined
    })
    const lists = Array.from({ length: 10 }, (_, index) => [index] as const)
    const group = await executor.with({ queue: 'ordered' }).map(tasks.job, lists)
    expect((await idsIn('ordered.fifo')).slice(-10)).toEqual([...group].map(({ id }) => id))
  })

  test('on a FIFO queue what cannot be sent stops what is behind it; sent again, all are in order', async () => {
    const before = (await idsIn('ordered.fifo')).length
    wire.setPlan((request) => {
      if (request.action !== 'SendMessageBatch') return undefined
      const [entry] = entriesOf(request)
      return entry!.MessageBody.includes('-3"') ? failing([entry!.Id], true) : undefined
    })
    const lists = Array.from({ length: 12 }, (_, index) => [index] as const)
    const error = await errorOf(executor.with({ queue: 'ordered' }).map(tasks.job, lists))
    const { ids } = error as SubmitUncertainError
    const places = ids.map((id) => Number(id.slice(id.lastIndexOf('-') + 1)))
    expect(places).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect((await idsIn('ordered.fifo')).length).toBe(before + 3)
    wire.setPlan(noFaults)
    for (const [at, id] of ids.entries()) {
      await executor.with({ queue: 'ordered', id }).submit(tasks.job, places[at] ?? 0)
    }
    expect((await idsIn('ordered.fifo')).slice(-9)).toEqual(ids)
  })
})

describe('throttled (F-11)', () => {
  test('at every claim: backed off, the message goes back, and no attempt is burnt', async () => {
    const future = await executor.submit(tasks.job, 7)
    attempts.length = 0
    const handler = createWorkerHandler(internalsOf(executor).app, through, 'main')
    const [message] = await past.queue.receive('default', { maxMessages: 1, waitSeconds: 0 })
    const event = eventOf(
      [message as NonNullable<typeof message>],
      'arn:aws:sqs:us-east-1:000000000000:default',
    )
    const before = wire.dynamodb.tally.count({ action: 'UpdateItem', kind: 'throttle' })
    wire.setPlan(({ action, service }) =>
      action === 'UpdateItem' ? { kind: 'throttle', answer: throttleAnswer(service) } : undefined,
    )
    const answer = await handler(event, { getRemainingTimeInMillis: () => 60_000 })
    expect(answer.batchItemFailures).toEqual([{ itemIdentifier: message?.messageId }])
    // Bounded: the SDK's four tries, twice.
    expect(wire.dynamodb.tally.count({ action: 'UpdateItem', kind: 'throttle' }) - before).toBe(8)
    expect(await past.store.read([future.id], { consistent: true })).toMatchObject([
      { state: 'pending', attempts: 0 },
    ])
    wire.setPlan(noFaults)
    await past.queue.changeVisibility('default', [
      { receiptHandle: message?.receiptHandle ?? '', visibilitySeconds: 0 },
    ])
    await emptyQueue()
    expect(attempts).toEqual([1])
    expect(await future.result()).toBe(7)
  })

  test('at the final write: it is tried on, and the work is not done twice', async () => {
    const future = await executor.submit(tasks.job, 8)
    attempts.length = 0
    let refused = 0
    wire.setPlan(({ action, service, body }) => {
      // A finish is the one write that sets when the call ended.
      if (action !== 'UpdateItem' || !body.includes('#fi = ') || refused === 5) return undefined
      refused += 1
      return { kind: 'throttle', answer: throttleAnswer(service, 0.5) }
    })
    await emptyQueue()
    expect(refused).toBe(5)
    expect(attempts).toEqual([1])
    expect(await future.result()).toBe(8)
  })

  test.each(['RequestThrottled', 'KmsThrottled'])(
    'at the send (%s): the submit says that it is not sure, and with its id it is made good',
    async (name) => {
      const answer = { status: 400, type: `com.amazonaws.sqs#${name}`, message: 'Slower' }
      wire.setPlan(({ action }) => (action === 'SendMessageBatch' ? { kind: 'throttle', answer } : undefined))
      const error = await errorOf(executor.submit(tasks.job, 9))
      expect(SubmitUncertainError.is(error)).toBe(true)
      expect(String(error)).toContain(name)
      const [id = ''] = (error as SubmitUncertainError).ids
      expect(await idsIn('default')).toEqual([])
      wire.setPlan(noFaults)
      expect((await executor.with({ id }).submit(tasks.job, 9)).id).toBe(id)
      await emptyQueue()
      expect(await executor.future(id).result()).toBe(9)
    },
  )
})

describe('what is not there, or not allowed (F-12)', () => {
  const denied = (type: string): Fault => ({
    kind: 'refusal',
    answer: { status: 400, type, message: 'User: somebody is not authorized' },
  })

  test('a queue that was deleted is named; nothing is tried again', async () => {
    const { endpoint } = wire.sqs
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
    const client = new SQSClient({ region: loopbackRegion, endpoint, credentials })
    await client.send(new DeleteQueueCommand({ QueueUrl: queueUrls.gone ?? '' }))
    client.destroy()
    const before = wire.sqs.tally.count({ action: 'SendMessageBatch' })
    const error = await errorOf(executor.with({ queue: 'gone' }).submit(tasks.job, 1))
    expect(ResourceNotFoundError.is(error)).toBe(true)
    expect(String(error)).toContain('queue "gone"')
    expect(wire.sqs.tally.count({ action: 'SendMessageBatch' }) - before).toBe(1)
  })

  test('a table that is not there is named, and no message is sent', async () => {
    const other = open({ tableName: 'errand-elsewhere' })
    const error = await errorOf(other.executor.submit(tasks.job, 1))
    expect(ResourceNotFoundError.is(error)).toBe(true)
    expect(String(error)).toContain('table "errand-elsewhere"')
    expect(await idsIn('default')).toEqual([])
    await other.executor.close()
  })

  test.each([
    ['PutItem', 'com.amazon.coral.service#AccessDeniedException', 'dynamodb:PutItem on table "errand-calls"'],
    ['SendMessageBatch', 'com.amazonaws.sqs#AccessDenied', 'sqs:SendMessage on queue "default"'],
    ['SendMessageBatch', 'com.amazonaws.sqs#KmsAccessDenied', 'for lack of the key that encrypts it'],
  ])('access denied to %s (%s) is named; nothing is tried again', async (denying, type, named) => {
    const tries: number[] = []
    wire.setPlan(({ action, attempt }) => {
      if (action !== denying) return undefined
      tries.push(attempt)
      return denied(type)
    })
    const error = await errorOf(executor.submit(tasks.job, 1))
    expect(AccessDeniedError.is(error)).toBe(true)
    expect(String(error)).toContain(named)
    expect(tries).toEqual([1])
    expect(await idsIn('default')).toEqual([])
  })
})
