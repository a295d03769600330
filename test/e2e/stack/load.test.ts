import { expect, test } from 'vitest'
import { kitchenUnderTest } from './kitchen-under-test.ts'

const kitchen = kitchenUnderTest()

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

/** What the environments of a worker have said that they ran, in order. */
function executions(worker: string, task: string): string[] {
  const pattern = new RegExp(`ran ${task} ([^"]*)`)
  return kitchen.worker(worker).lines.flatMap((line) => pattern.exec(line)?.[1] ?? [])
}

test('a call of the web app runs in a worker, and its future and the web app know how it ended', async () => {
  const group = await kitchen.submit<number>({ task: 'double', calls: [[21]] })
  expect(await group.results({ timeoutSeconds: 30 })).toEqual([42])
  expect(await kitchen.ask('GET', `/calls/${group.id}`)).toEqual([{ state: 'succeeded', value: 42 }])
})

test('200 calls of one FIFO group run in their order, all in one environment', async () => {
  const calls = range(200).map((order) => ['A', order, false])
  const group = await kitchen.submit<number>({ task: 'orders.cook', calls, tenant: 'A' })
  expect(await group.results({ timeoutSeconds: 60 })).toEqual(range(200))
  await expect.poll(() => executions('orders', 'cook')).toEqual(range(200).map((order) => `A ${order} 1`))
  expect(kitchen.worker('orders').environments()).toHaveLength(1)
})

test('each FIFO group runs in its order, and waits for a call of it that is tried again', async () => {
  const tables = ['B', 'C']
  const groups = await Promise.all(
    tables.map((tenant) => {
      const calls = range(20).map((order) => [tenant, order, order === 7])
      return kitchen.submit<number>({ task: 'orders.cook', calls, tenant })
    }),
  )
  for (const group of groups) expect(await group.results({ timeoutSeconds: 60 })).toEqual(range(20))
  for (const table of tables) {
    const ran = () => executions('orders', 'cook').filter((each) => each.startsWith(table))
    const attempts = (order: number) => (order === 7 ? [1, 2] : [1])
    const expected = range(20).flatMap((order) => attempts(order).map((each) => `${table} ${order} ${each}`))
    await expect.poll(ran).toEqual(expected)
  }
})

test('2,000 calls: each ends once, with its own value, and nothing is left over', async ({ annotate }) => {
  const began = performance.now()
  const calls = range(2000)
  const before = executions('main', 'double').length
  const group = await kitchen.submit<number>({ task: 'double', calls: calls.map((count) => [count]) })
  expect(await group.results({ timeoutSeconds: 120 })).toEqual(calls.map((count) => 2 * count))
  const cold = kitchen
    .worker('main')
    .environments()
    .map((environment) => Math.round(environment.initMs() ?? 0))
  await annotate(
    `${Math.round(performance.now() - began)} ms; cold starts of the workers: ${cold.join(', ')} ms`,
  )
  const ran = () => executions('main', 'double').slice(before)
  await expect.poll(() => new Set(ran()).size, { timeout: 20_000 }).toBe(2000)
  expect(ran().length).toBeGreaterThanOrEqual(2000)
  for (const queue of ['main', 'main-dead-letters']) {
    const url = kitchen.queueUrl(queue)
    await expect.poll(() => kitchen.stack.messages(url), { timeout: 20_000 }).toBe(0)
  }
  expect(kitchen.stack.failures).toEqual([])
})
