import {
  type Config,
  createClient,
  createExecutor,
  currentTask,
  type Future,
  InvalidInputError,
  RetryAfterError,
  task,
} from 'errand'
import { localBackend, seededEntropy, virtualClock } from 'errand/local-emulator'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { TaskTree } from '../../src/runtime/registry.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

// Calls outlive deployments: clients and workers of different versions meet over one set of queues and one store.

type AnyTasks = Readonly<Record<string, (...args: unknown[]) => unknown>>
type AnyExecutor = ReturnType<typeof createExecutor<Config, AnyTasks>>

/** What the log has said. */
let log: string[]

beforeEach(() => {
  log = []
  vi.spyOn(process.stderr, 'write').mockImplementation((line) => log.push(String(line)) > 0)
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** Queues and store that stay, whatever is deployed. */
function stage(config: Config) {
  const clock = virtualClock()
  let workerVersion = 'worker-1'
  const backend = localBackend(resolveConfig(config), {
    clock,
    // One back-off in 120 would be over at once.
    entropy: seededEntropy(1),
    makeHandler: (app, ports, name) => createWorkerHandler(app, { ...ports, version: workerVersion }, name),
    makeDeadLetterHandler: createDeadLetterHandler,
  })
  onTestFinished(() => backend.abandon())
  /** Replaces the workers' code. */
  const deploy = <Tasks extends TaskTree>(tasks: Tasks, version = 'worker-1', changed: Config = config) => {
    workerVersion = version
    const executor = createExecutor(changed, { tasks, backend })
    backend.attach(internalsOf(executor).app)
    return executor
  }
  /** A client of some version, which knows what it likes. */
  const clientOf = (version?: string, known: Config = config) =>
    createClient<AnyExecutor>(known, {
      backend: { ...backend, ...(version !== undefined && { version }) },
    })
  const settle = <T>(future: Future<T>) => clock.runUntil(future.outcome())
  return { clock, backend, deploy, clientOf, settle }
}

const config: Config = { name: 'deployments', taskOptions: { '*': { backoff: { baseSeconds: 60 } } } }

describe('a new client before the new workers', () => {
  test('its calls wait 20 minutes for the deployment, uncounted, and then run, each once', async () => {
    const { clock, deploy, clientOf } = stage(config)
    deploy({ add: (a: number, b: number) => a + b })
    const calls = await clientOf('client-2').map(
      'multiply',
      Array.from({ length: 25 }, (_, n) => [n, 2]),
    )
    await clock.advance({ minutes: 20 })
    expect(await calls.counts()).toMatchObject({ pending: 25 })
    for (const call of calls) expect((await call.snapshot()).attempts).toBe(0)
    expect(log.join()).toContain('no task \\"multiply\\" here, its call waits up to an hour')
    expect(log.join()).toContain('"senderVersion":"client-2","workerVersion":"worker-1"')

    const runs: number[] = []
    deploy({ multiply: (a: number, b: number) => runs.push(a) && a * b }, 'worker-2')
    const results = await clock.runUntil(calls.results())
    expect(results).toEqual(Array.from({ length: 25 }, (_, n) => n * 2))
    expect(runs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, n) => n))
    for (const call of calls) expect(await call.snapshot()).toMatchObject({ attempts: 1, failures: 0 })
  })

  test.each([
    ['client-2', 'sent by the code version client-2, this worker'],
    [undefined, 'sent by the code version unknown, this worker'],
  ])('and after an hour they fail, with both versions (%s), to be retried by hand', async (version, part) => {
    const { deploy, clientOf, settle } = stage(config)
    deploy({ add: (a: number, b: number) => a + b })
    const future = await clientOf(version).submit('multiply', 3, 2)
    const outcome = await settle(future)
    expect(outcome).toMatchObject({ state: 'failed', reason: 'unknown-task', attempts: 1 })
    const { message } = (outcome as { error: Error }).error
    expect(message).toContain(
      `no worker of "deployments" has had a task "multiply" for an hour; ${part}'s is worker-1`,
    )
    expect(message).toContain('registered: "add"')

    const executor = deploy({ multiply: (a: number, b: number) => a * b })
    expect(await settle(await executor.retry(future.id))).toEqual({ state: 'succeeded', value: 6 })
  })
})

describe('an old client after the new workers', () => {
  test('sends what the new schema refuses: that fails at once, and says where', async () => {
    const { deploy, clientOf, settle } = stage(config)
    const input = z.object({ to: z.string(), subject: z.string(), copies: z.number().default(1) })
    deploy({ mail: task({ input, run: ({ to, copies }) => `${copies} to ${to}` }) })
    const old = clientOf()
    const sent = await old.submit('mail', { to: 'ada' })
    const outcome = await settle(sent)
    expect(outcome).toMatchObject({ state: 'failed', reason: 'threw', attempts: 1 })
    const { error } = outcome as { error: Error }
    expect(InvalidInputError.is(error) && error.issues.map(({ path }) => path)).toEqual(['subject'])
    expect(error.message).toContain('task "mail" refused its input: subject: ')
    const sound = await old.submit('mail', { to: 'ada', subject: 'hi', gone: true })
    expect(await settle(sound)).toEqual({ state: 'succeeded', value: '1 to ada' })
  })

  test('sends more arguments, or fewer, than the function takes today: it runs', async () => {
    const { deploy, clientOf, settle } = stage(config)
    deploy({ greet: (name: string, greeting = 'hello') => `${greeting} ${name}` })
    const old = clientOf()
    for (const args of [['ada'], ['ada', 'hello', 'gone']]) {
      expect(await settle(await old.submit('greet', ...args))).toMatchObject({
        value: 'hello ada',
      })
    }
  })
})

test('a task that is renamed while its calls wait, back off and follow', async () => {
  const { clock, deploy, clientOf, settle } = stage(config)
  deploy({
    make: () => {
      throw new Error('no paper')
    },
  })
  const old = clientOf()
  const begun = await old.submit('make', 'begun')
  await clock.advance({ milliseconds: 1 })
  expect(await begun.snapshot()).toMatchObject({ state: 'retrying', attempts: 1 })
  const waiting = await old.with({ delaySeconds: 900, then: 'make' }).submit('make', 'waiting')

  const build = task({ formerly: ['make'], run: (text: string) => `${currentTask.task}: ${text}` })
  const executor = deploy({ build })
  expect(await settle(begun)).toEqual({ state: 'succeeded', value: 'build: begun' })
  expect(await begun.snapshot()).toMatchObject({ task: 'make', attempts: 2, failures: 1 })
  expect(await settle(waiting)).toMatchObject({ value: 'build: waiting' })
  const later = await clientOf().submit('make', 'later')
  expect(await settle(later)).toMatchObject({ value: 'build: later' })
  expect(await settle(executor.future(`${waiting.id}:then`))).toMatchObject({
    value: 'build: build: waiting',
  })
})

test('a schedule that is taken out while its run waits for its next attempt fires no more, and the run ends', async () => {
  const { clock, backend, deploy } = stage(config)
  const runs: string[] = []
  const build = async (what: string) => {
    runs.push(`${currentTask.id} ${currentTask.attempt} ${what}`)
    if (currentTask.attempt === 1) throw new RetryAfterError(600)
    return what
  }
  const nightly = { task: 'build', cron: '0 2 * * *', overlap: 'skip', args: ['sales'] } as const
  deploy({ build }, 'worker-1', { ...config, schedules: { nightly } })
  await backend.start()
  await clock.advance({ hours: 2 })
  expect(runs).toHaveLength(1)
  const executor = deploy({ build }, 'worker-2')
  await clock.advance({ days: 3 })
  const [id = ''] = (runs[0] as string).split(' ')
  expect(runs).toEqual([`${id} 1 sales`, `${id} 2 sales`])
  expect(await executor.future(id).outcome()).toEqual({ state: 'succeeded', value: 'sales' })
  expect(await backend.store.read([id])).toMatchObject([{ state: 'succeeded', attempts: 2 }])
})

describe('a queue', () => {
  const before: Config = { ...config, queues: ['default', 'old'] }

  test('that was taken out of the config: what still arrives runs, and a failure says how to retry it', async () => {
    const { clock, backend, deploy, clientOf, settle } = stage(before)
    let isUp = true
    const count = (n: number) => {
      if (!isUp) throw new Error('down')
      return n + 1
    }
    const after: Config = { ...config, taskOptions: { count: { maxAttempts: 1 } } }
    const executor = deploy({ count }, 'worker-2', after)
    const old = clientOf(undefined, before).with({ queue: 'old' })
    const future = await old.submit('count', 1)
    expect(await settle(future)).toEqual({ state: 'succeeded', value: 2 })
    expect((await future.snapshot()).queue).toBe('old')
    const [record] = await backend.store.read([future.id])
    // SQS's longest retention, and a day: nobody knows any more what the queue's was.
    const life = (record?.expiresAtSeconds ?? 0) - clock.now() / 1000
    expect(Math.round(life / 86_400)).toBe(15)

    isUp = false
    const failed = await old.submit('count', 1)
    expect(await settle(failed)).toMatchObject({ state: 'failed' })
    await expect(executor.retry(failed.id)).rejects.toThrow(
      'is of the queue "old", which is not declared (any more): "default"; declare it again, with `draining: true`, or submit the call again',
    )
  })

  test('that is draining runs what it holds and what old clients send, and refuses the new', async () => {
    const { clock, deploy, clientOf, settle } = stage(before)
    const count = (n: number) => n + 1
    deploy({ add: () => 0 })
    const old = clientOf(undefined, before).with({ queue: 'old' })
    const held = await old.submit('count', 1)
    await clock.advance({ minutes: 5 })
    const draining: Config = { ...config, queues: { default: {}, old: { draining: true } } }
    const executor = deploy({ count }, 'worker-2', draining)
    const late = await old.submit('count', 2)
    await expect(executor.with({ queue: 'old' }).submit(count, 3)).rejects.toThrow('queue "old" is draining')
    expect(await settle(held)).toMatchObject({ value: 2 })
    expect(await settle(late)).toMatchObject({ value: 3 })
  })
})

test('a message of a newer version is not lost: it goes back, and as a dead letter it waits', async () => {
  const { clock, backend, deploy } = stage(config)
  deploy({ add: () => 0 })
  await backend.start()
  const body = JSON.stringify({ v: 2, id: 'of-tomorrow', call: { task: 'add' } })
  const [sent] = await backend.queue.send('default', [{ body }])
  await clock.advance({ minutes: 90 })
  expect(backend.inspect('default')).toMatchObject([{ body }])
  expect(log.join()).toContain('its version is 2, this worker reads 1; deploy the workers before the clients')
  await clock.advance({ hours: 10 })
  expect(backend.inspect('default')).toEqual([])
  expect(backend.inspect('default-dead-letters')).toMatchObject([{ body }])
  expect(log.join()).toContain('a dead letter is of a newer version, and waits for its deployment')
  const id = sent !== undefined && 'messageId' in sent ? sent.messageId : ''
  expect(await backend.store.read([id, 'of-tomorrow'])).toEqual([undefined, undefined])
})
