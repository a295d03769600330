import { createExecutor, defineConfig, RetryAfterError } from 'errand'
import { testExecutor } from 'errand/testing'
import { expect, test } from 'vitest'

const runs: [string, number][] = []
let now = () => 0
const tasks = {
  note: (name: string) => {
    runs.push([name, now()])
    return name
  },
  busy: (until: number) => {
    runs.push(['busy', now()])
    if (now() < until) throw new RetryAfterError(new Date(until))
    return 'at last'
  },
}
const config = defineConfig({ name: 'delays', longDelays: true })

test('20 minutes and 30 days', async () => {
  const executor = createExecutor(config, { tasks, backend: 'local' })
  const t = testExecutor(executor)
  now = t.now
  const start = t.now()
  await executor.with({ delaySeconds: 1200 }).submit(tasks.note, 'minutes')
  await executor.with({ at: new Date(start + 30 * 86_400_000 + 17_000) }).submit(tasks.note, 'days')
  const third = await executor.submit(tasks.busy, start + 40 * 86_400_000 + 5000)
  await t.advance({ days: 41 })
  expect(runs.map(([name, at]) => [name, at - start])).toEqual([
    ['busy', 0],
    ['minutes', 1_200_000],
    ['days', 30 * 86_400_000 + 17_000],
    ['busy', 40 * 86_400_000 + 5000],
  ])
  expect(await third.result()).toBe('at last')
  await t.close()
})
