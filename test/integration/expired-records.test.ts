import { defineConfig } from 'errand'
import { expect, test, vi } from 'vitest'
import { workerStage } from '../support/worker-stage.ts'

// DynamoDB deletes records days after their time is over.

test('a call without a record, under the id of an expired one, runs at its second delivery (F-43)', async () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const add = (a: number, b: number) => a + b
  const config = defineConfig({
    name: 'expired',
    workers: { main: { timeoutSeconds: 60, logLevel: 'error' } },
    record: 'on-claim',
  })
  const on = workerStage(config, { add })
  const future = await on.executor.with({ id: 'used-before' }).submit(add, 1, 2)
  const old = { id: future.id, task: 'add', queue: 'default', payloadHash: 'of old', createdAt: 0, dueAt: 0 }
  const over = { expiresAtSeconds: 1, attempts: 1, failures: 0, finishedAt: 1 }
  await on.store.put({ ...old, ...over, state: 'succeeded', result: '{"json":7}' }, ['id', 'absent'])
  expect(await on.invoke(await on.receive())).toHaveLength(1)
  expect(await on.invoke(await on.receive())).toEqual([])
  expect(await future.result()).toBe(3)
})
