/**
 * What every implementation of the port of one-time schedules does. It runs over EventBridge Scheduler on the wire and
 * over the in-process one, both on virtual time.
 * @module
 */
import { describe, expect, test } from 'vitest'
import type { VirtualClock } from '../../src/local-emulator/index.ts'
import { type OneTimeSchedules, scheduleName } from '../../src/runtime/ports/one-time-schedules.ts'

/** A message that came to a queue. */
export interface ArrivedMessage {
  readonly queue: string
  readonly body: string
  readonly groupId: string | undefined
  /** When a worker can receive it, in epoch milliseconds. */
  readonly visibleAt: number
}

/** One implementation, ready to be used, with no schedules. Its queues are `default` and `high`. */
export interface SchedulesUnderTest {
  readonly schedules: OneTimeSchedules
  readonly clock: VirtualClock
  /** Moves time on; what falls due has been sent when it resolves. */
  advance(seconds: number): Promise<void>
  /** All messages so far, in the order in which they came. */
  arrived(): readonly ArrivedMessage[]
  close(): Promise<void>
}

const DAY = 86_400
const MINUTE_MS = 60_000
const nameOf = (id: string) => scheduleName({ id, attempts: 0 })

/** Runs the suite over one implementation; `setup` is called for each test. */
export function describeSchedules(name: string, setup: () => Promise<SchedulesUnderTest>): void {
  /** A test with an implementation of its own. */
  const withSchedules = (run: (stage: SchedulesUnderTest) => Promise<void>) => async () => {
    const stage = await setup()
    try {
      await run(stage)
    } finally {
      await stage.close()
    }
  }
  const inSeconds = ({ clock }: SchedulesUnderTest, seconds: number) => clock.now() + seconds * 1000

  describe(`one-time schedules: ${name}`, () => {
    test.each([901, 1200, 1259, 3599.5, DAY, 30 * DAY + 17, 365 * DAY])(
      'a message that is due in %s s comes within the minute before, and not after',
      (seconds) =>
        withSchedules(async (stage) => {
          const dueAt = inSeconds(stage, seconds)
          await stage.schedules.create({ name: nameOf('a'), queue: 'high', message: { body: 'x' }, dueAt })
          await stage.advance(seconds - 180)
          expect(stage.arrived()).toEqual([])
          await stage.advance(180)
          expect(stage.arrived()).toMatchObject([{ queue: 'high', body: 'x' }])
          const [{ visibleAt } = { visibleAt: 0 }] = stage.arrived()
          expect(visibleAt).toBeLessThanOrEqual(dueAt)
          expect(visibleAt).toBeGreaterThan(dueAt - MINUTE_MS - 1000)
        })(),
    )

    test(
      'created twice it is one, whatever the second would send',
      withSchedules(async (stage) => {
        const once = { name: nameOf('a'), queue: 'default', dueAt: inSeconds(stage, 2000) }
        await stage.schedules.create({ ...once, message: { body: 'first' } })
        await stage.schedules.create({ ...once, message: { body: 'first' } })
        await stage.schedules.create({ ...once, message: { body: 'second' } })
        await stage.advance(3000)
        expect(stage.arrived().map(({ body }) => body)).toEqual(['first'])
      }),
    )

    test(
      'one that was deleted sends nothing, and the others do',
      withSchedules(async (stage) => {
        const dueAt = inSeconds(stage, 5000)
        const names = ['a', 'b', 'c']
        for (const id of names) {
          await stage.schedules.create({ name: nameOf(id), queue: 'default', message: { body: id }, dueAt })
        }
        await stage.schedules.delete(nameOf('b'))
        await stage.advance(6000)
        expect(stage.arrived().map(({ body }) => body)).toEqual(['a', 'c'])
      }),
    )

    test(
      'deleting what was never made, or has fired, is deleting it',
      withSchedules(async (stage) => {
        await stage.schedules.delete(nameOf('never'))
        const dueAt = inSeconds(stage, 1000)
        await stage.schedules.create({ name: nameOf('a'), queue: 'default', message: { body: 'a' }, dueAt })
        await stage.advance(2000)
        await stage.schedules.delete(nameOf('a'))
        expect(stage.arrived()).toHaveLength(1)
      }),
    )

    test(
      'the group goes along, for fairness between tenants',
      withSchedules(async (stage) => {
        const message = { body: 'x', groupId: 'acme' }
        const dueAt = inSeconds(stage, 1000)
        await stage.schedules.create({ name: nameOf('a'), queue: 'default', message, dueAt })
        await stage.advance(2000)
        expect(stage.arrived()).toMatchObject([{ groupId: 'acme' }])
      }),
    )

    test.each([
      ['quotes, backslashes and line ends', '{"a":"\\"\\\\\\n"}'],
      ['characters of two to four bytes', JSON.stringify('é ∑ 😀 \u2028')],
      [
        'what EventBridge Scheduler would replace',
        JSON.stringify('<aws.scheduler.scheduled-time> <aws.x> \\<aws.'),
      ],
      ['250 KB', JSON.stringify('x'.repeat(250_000))],
    ])('a body comes as it was: %s', (_, body) =>
      withSchedules(async (stage) => {
        const dueAt = inSeconds(stage, 1000)
        await stage.schedules.create({ name: nameOf('a'), queue: 'default', message: { body }, dueAt })
        await stage.advance(2000)
        expect(stage.arrived().map((message) => JSON.parse(message.body))).toEqual([JSON.parse(body)])
      })(),
    )

    test(
      'many at once do not disturb each other',
      withSchedules(async (stage) => {
        const ids = Array.from({ length: 50 }, (_, index) => `call-${index}`)
        const at = (index: number) => inSeconds(stage, 1000 + index * 61)
        await Promise.all(
          ids.map((id, index) =>
            stage.schedules.create({
              name: nameOf(id),
              queue: index % 2 === 0 ? 'default' : 'high',
              message: { body: id },
              dueAt: at(index),
            }),
          ),
        )
        await stage.advance(5000)
        expect(stage.arrived().map(({ body }) => body)).toEqual(ids)
      }),
    )
  })
}
