import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Kitchen, runKitchen } from './run-kitchen.ts'

let kitchen: Kitchen
beforeAll(async () => {
  kitchen = await runKitchen()
})
afterAll(() => kitchen?.close())

test('a call that the web app submits runs in a worker, and both its future and the web app know how it ended', async () => {
  const group = await kitchen.submit<number>({ task: 'double', calls: [[21]] })
  expect(await group.results({ timeoutSeconds: 30 })).toEqual([42])
  expect(await kitchen.ask('GET', `/calls/${group.id}`)).toEqual(['succeeded'])
})

test('2,000 calls: each ends once, with its own value', async () => {
  const indexes = Array.from({ length: 2000 }, (_, index) => index)
  const group = await kitchen.submit<number>({ task: 'double', calls: indexes.map((index) => [index]) })
  expect(await group.results({ timeoutSeconds: 120 })).toEqual(indexes.map((index) => 2 * index))
  const queueUrl = kitchen.queueUrl('main')
  await expect.poll(() => kitchen.stack.messages(queueUrl), { timeout: 20_000 }).toBe(0)
})
