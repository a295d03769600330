import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Kitchen, runKitchen } from './run-kitchen.ts'

let kitchen: Kitchen
beforeAll(async () => {
  kitchen = await runKitchen()
})
afterAll(() => kitchen?.close())

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

test('200 calls of one FIFO group run in order in one environment, one that failed before those behind it', async () => {
  const calls = range(200).map((order) => ['A', order])
  const group = await kitchen.submit<number>({ task: 'orders.cook', calls, tenant: 'A' })
  expect(await group.results({ timeoutSeconds: 60 })).toEqual(range(200))
  const expected = range(200).flatMap((order) => (order === 7 ? ['A 7 1', 'A 7 2'] : [`A ${order} 1`]))
  await expect.poll(() => executions('orders', 'cook')).toEqual(expected)
  expect(kitchen.worker('orders').environments()).toHaveLength(1)
})

test('FIFO groups run beside each other, each in its order', async () => {
  const groups = await Promise.all(
    ['B', 'C'].map((tenant) =>
      kitchen.submit<number>({
        task: 'orders.cook',
        calls: range(20).map((order) => [tenant, order]),
        tenant,
      }),
    ),
  )
  for (const group of groups) expect(await group.results({ timeoutSeconds: 60 })).toEqual(range(20))
  const ran = executions('orders', 'cook').filter((each) => !each.startsWith('A'))
  const ofB = ran.filter((each) => each.startsWith('B'))
  expect(ofB).toEqual(range(20).flatMap((order) => (order === 7 ? ['B 7 1', 'B 7 2'] : [`B ${order} 1`])))
  expect(ran.slice(0, 10).some((each) => each.startsWith('C'))).toBe(true)
})

test('2,000 calls: each ends once, with its own value, and nothing is left over', async ({ annotate }) => {
  const began = performance.now()
  const calls = range(2000)
  const before = executions('main', 'double').length
  const group = await kitchen.submit<number>({ task: 'double', calls: calls.map((count) => [count]) })
  expect(await group.results({ timeoutSeconds: 120 })).toEqual(calls.map((count) => 2 * count))
  await annotate(`${Math.round(performance.now() - began)} ms`)
  const ran = () => executions('main', 'double').slice(before)
  await expect.poll(() => new Set(ran()).size, { timeout: 20_000 }).toBe(2000)
  expect(ran().length).toBeGreaterThanOrEqual(2000)
  for (const queue of ['main', 'main-dead-letters']) {
    const url = kitchen.queueUrl(queue)
    await expect.poll(() => kitchen.stack.messages(url), { timeout: 20_000 }).toBe(0)
  }
  expect(kitchen.stack.failures).toEqual([])
})
