import {
  AccessDeniedError,
  type Config,
  createExecutor,
  currentTask,
  defineConfig,
  InvalidOptionError,
  ResourceNotFoundError,
  SubmitUncertainError,
} from 'errand'
import { inProcessQueue, inProcessStore, virtualClock } from 'errand/local-emulator'
import { describe, expect, test } from 'vitest'
import { decodeEnvelope } from '../../src/runtime/call/envelope.ts'
import { LIMITS } from '../../src/runtime/config/config.ts'
import { type RunningTask, runAs } from '../../src/runtime/current-task.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import type { OutgoingMessage, Queue } from '../../src/runtime/ports/queue.ts'
import type { Store } from '../../src/runtime/ports/store.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

const base = defineConfig({
  name: 'submit',
  queues: { default: {}, high: {}, ordered: { fifo: true } },
  routes: { 'mail.*': 'high', 'mail.slow': 'default' },
})

interface Faults {
  readonly queue?: Partial<Queue>
  readonly store?: Partial<Store>
}

/** An executor whose messages nobody takes. */
function stage(config: Config = base, faults: Faults = {}) {
  const clock = virtualClock()
  const queue = inProcessQueue({ queues: resolveConfig(config).queues, clock, entropy: systemEntropy })
  const store = inProcessStore({ clock })
  const sent: [string, readonly OutgoingMessage[]][] = []
  const backend: Backend = {
    kind: 'aws',
    clock,
    entropy: systemEntropy,
    store: { ...store, ...faults.store },
    queue: {
      ...queue,
      send: async (name, messages) => {
        sent.push([name, messages])
        return queue.send(name, messages)
      },
      ...faults.queue,
    },
    start: async () => {},
    close: async () => {},
  }
  const tasks = {
    add: (a: number, b: number) => a + b,
    mail: { send: (to: string) => to, slow: (to: string) => to },
  }
  return { clock, sent, store, tasks, executor: createExecutor(config, { tasks, backend }) }
}

describe('where a call goes', () => {
  test('to the first queue, its route, or where the sender says', async () => {
    const { executor, tasks, sent } = stage()
    await executor.submit(tasks.add, 1, 2)
    await executor.submit(tasks.mail.send, 'x')
    await executor.submit(tasks.mail.slow, 'x')
    await executor.with({ queue: 'ordered' }).submit(tasks.mail.send, 'x')
    expect(sent.map(([name]) => name)).toEqual(['default', 'high', 'default', 'ordered'])
  })

  test('with the tenant for a group: fairness on a standard queue, order on a FIFO one', async () => {
    const { executor, tasks, sent } = stage()
    await executor.with({ tenant: 'acme' }).submit(tasks.add, 1, 2)
    await executor.with({ queue: 'ordered', tenant: 'acme' }).submit(tasks.add, 1, 2)
    const last = await executor.with({ queue: 'ordered' }).submit(tasks.add, 1, 2)
    const groups = sent.map(([, [message]]) => [message?.groupId, message?.deduplicationId])
    expect(groups[0]).toEqual(['acme', undefined])
    expect(groups[1]?.[0]).toBe('acme')
    expect(groups[2]).toEqual(['default', `${last.id}:1`])
  })

  test.each([0, 0.2, 1, 899.5, 900])(
    'after a delay of %d s, in whole seconds of SQS',
    async (delaySeconds) => {
      const { executor, tasks, sent } = stage()
      const future = await executor.with({ delaySeconds }).submit(tasks.add, 1, 2)
      const { state, createdAt, dueAt } = await future.snapshot()
      expect(state).toBe(delaySeconds > 0 ? 'scheduled' : 'pending')
      expect(+dueAt - +createdAt).toBe(delaySeconds * 1000)
      expect(sent[0]?.[1][0]?.delaySeconds).toBe(delaySeconds === 0 ? undefined : Math.ceil(delaySeconds))
    },
  )
})

describe('what is written', () => {
  test('the record first, and without the arguments', async () => {
    const order: string[] = []
    const on = stage()
    const { executor, tasks, store } = stage(base, {
      store: {
        put: async (record, when) => {
          order.push('put')
          expect(JSON.stringify(record)).not.toContain('secret')
          return on.store.put(record, when)
        },
      },
      queue: {
        send: async (_, messages) => {
          order.push('send')
          return messages.map(() => ({ messageId: 'm' }))
        },
      },
    })
    await executor.submit(tasks.mail.send, 'secret')
    expect(order).toEqual(['put', 'send'])
    expect(await store.read(['x'])).toEqual([undefined])
  })

  test("nothing before the claim with record: 'on-claim'; the message is enough", async () => {
    const { executor, tasks, store, sent } = stage({ ...base, record: 'on-claim' })
    const future = await executor.submit(tasks.add, 1, 2)
    expect(await store.read([future.id])).toEqual([undefined])
    expect(decodeEnvelope(sent[0]?.[1][0]?.body ?? '')).toMatchObject({ id: future.id, task: 'add' })
    expect(await future.state()).toBe('pending')
    expect(await future.cancel()).toBe(false)
  })

  test('a map is refused whole where one value cannot be sent', async () => {
    const { executor, tasks, sent } = stage()
    const bad = (() => 1) as unknown as number
    await expect(
      executor.map(tasks.add, [
        [1, 2],
        [3, bad],
      ]),
    ).rejects.toThrow('arguments[1]')
    expect(sent).toEqual([])
  })

  test.each([0, 1, 10, 11, 101])('a map of %i calls has its ids from the group, in order', async (size) => {
    const { executor, tasks, sent } = stage()
    const lists = Array.from({ length: size }, (_, index) => [index, 1] as const)
    const group = await executor.map(tasks.add, lists)
    expect([...group].map(({ id }) => id)).toEqual(lists.map((_, index) => `${group.id}-${index}`))
    const bodies = sent.flatMap(([, messages]) => messages.map(({ body }) => decodeEnvelope(body)))
    expect(bodies.map(({ id }) => id).sort()).toEqual([...group].map(({ id }) => id).sort())
    expect(sent).toHaveLength(Math.ceil(size / 10))
    expect(executor.group(group.id)).toHaveLength(size)
  })

  test('a map takes any iterable, also one that comes by and by', async () => {
    const { executor, tasks } = stage()
    async function* lists() {
      yield [1, 2] as const
      await Promise.resolve()
      yield [3, 4] as const
    }
    expect(await executor.map(tasks.add, lists())).toHaveLength(2)
    expect(await executor.map(tasks.add, new Set([[1, 2] as const]))).toHaveLength(1)
  })
})

describe('what AWS refuses', () => {
  test.each([new AccessDeniedError('no grant'), new ResourceNotFoundError('no table')])(
    'for good is thrown as it is: $name',
    async (error) => {
      const { executor, tasks, sent } = stage(base, { store: { put: () => Promise.reject(error) } })
      await expect(executor.submit(tasks.add, 1, 2)).rejects.toBe(error)
      expect(sent).toEqual([])
    },
  )

  test('of a batch: the ids of what was not sent, and only those (F-10)', async () => {
    const { executor, tasks } = stage(base, {
      queue: {
        send: async (_, messages) =>
          messages.map((message, index) =>
            index % 4 === 1 ? { error: new Error('InternalError') } : { messageId: message.body.slice(0, 9) },
          ),
      },
    })
    const lists = Array.from({ length: 6 }, (_, index) => [index, 1] as const)
    const error = await executor.map(tasks.add, lists).catch((reason: unknown) => reason)
    if (!SubmitUncertainError.is(error)) throw error
    expect(error.ids.map((id) => id.slice(id.lastIndexOf('-')))).toEqual(['-1', '-5'])
    for (const part of [
      '2 calls of task "add" of the group',
      'may not have been sent (Error: InternalError)',
    ]) {
      expect(error.message).toContain(part)
    }
  })
})

describe('tasks that submit tasks', () => {
  const running = (depth: number) => ({ id: 'parent', depth }) as RunningTask

  test('say who their parent is, and how deep they are', async () => {
    const { executor, tasks, sent } = stage()
    await runAs(running(4), () => executor.submit(tasks.add, 1, 2))
    expect(decodeEnvelope(sent[0]?.[1][0]?.body ?? '')).toMatchObject({ parent: 'parent', depth: 5 })
  })

  test('end at the depth limit, in words (F-38)', async () => {
    const { executor, tasks } = stage()
    const submitAt = (depth: number) => runAs(running(depth), () => executor.submit(tasks.add, 1, 2))
    await submitAt(LIMITS.depth - 1)
    const error = await submitAt(LIMITS.depth).catch((reason: unknown) => reason)
    expect(InvalidOptionError.is(error)).toBe(true)
    for (const part of ['task "add" would be call 101', 'at most 100', 'end the chain']) {
      expect((error as Error).message).toContain(part)
    }
    expect(currentTask.active).toBe(false)
  })
})

test('a closed executor refuses in words', async () => {
  const { executor, tasks } = stage()
  await executor.close()
  await expect(executor.submit(tasks.add, 1, 2)).rejects.toThrow('"submit" was closed; make a new one')
  await expect(executor.map(tasks.add, [])).rejects.toThrow('make a new one')
})
