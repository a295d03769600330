import { expect, onTestFinished, test } from 'vitest'
import { startSchedules, virtualClock } from '../../src/local-emulator/index.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

/** One schedule that is due at each hour, whose state is asked for and answered as `answers` say. */
function stage(answers: readonly (boolean | Error)[]) {
  const config = resolveConfig({ name: 'shop', schedules: { hourly: { task: 'build', rate: { hours: 1 } } } })
  const clock = virtualClock(Date.UTC(2026, 0, 1, 0, 30))
  const sent: number[] = []
  let asked = 0
  const firing = startSchedules({
    config,
    schedules: config.schedules.values(),
    clock,
    entropy: { fraction: () => 0 },
    queue: {
      async send() {
        sent.push(clock.now())
        if (sent.length === 1) throw new Error('SQS is away')
        return [{ messageId: 'a' }]
      },
    },
    states: {
      async isEnabled() {
        const answer = answers[asked++] ?? false
        if (answer instanceof Error) throw answer
        return answer
      },
    },
  })
  onTestFinished(() => firing.stop())
  return { clock, sent, asked: () => asked }
}

test('a paused schedule whose state cannot be read at once does not fire', async () => {
  const { clock, sent, asked } = stage([new Error('the store is away'), false])
  await clock.advance({ hours: 1 })
  expect(asked()).toBe(2)
  expect(sent).toEqual([])
})

test('what has fired is sent again, whatever was paused meanwhile', async () => {
  const { clock, sent, asked } = stage([true, false])
  await clock.advance({ minutes: 45 })
  expect(asked()).toBe(1)
  expect(sent).toHaveLength(2)
})
