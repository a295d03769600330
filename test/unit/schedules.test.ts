import { describe, expect, test } from 'vitest'
import { type Config, createExecutor, defineConfig, task } from '../../src/index.ts'
import { decodeEnvelope } from '../../src/runtime/call/envelope.ts'
import { messageDueAt, scheduledCallId } from '../../src/runtime/call/scheduled-call.ts'
import type { ConfigSchedule } from '../../src/runtime/config/config.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { timesOf } from '../../src/runtime/schedules/check-schedules.ts'

function resolved(schedule: Partial<ConfigSchedule>, config: Partial<Config> = {}) {
  const schedules = { nightly: { task: 'build', ...schedule } }
  const found = resolveConfig({ name: 'shop', ...config, schedules }).schedules.get('nightly')
  if (found === undefined) throw new Error('it is there')
  return found
}

describe('a schedule of the config is refused:', () => {
  const daily = { cron: '0 2 * * *' }
  test.each<[what: string, Partial<ConfigSchedule>, message: RegExp]>([
    ['without a time', {}, /none of them, expected exactly one of `cron`, `rate` and `at`/],
    ['with two', { ...daily, rate: { minutes: 5 } }, /`cron` and `rate`, expected exactly one/],
    ['every second', { cron: '* * * * * *' }, /no seconds.*exactly one of the two days is '\?'/],
    ['with seconds', { cron: '*/10 0 2 * * * *' }, /7 fields.*There are no seconds/],
    ['on February 30', { cron: '0 0 30 2 *' }, /never fires: FEB has no day 30/],
    ['on days of both kinds', { cron: '0 0 1 * MON' }, /Declare two schedules/],
    ['of an unknown queue', { ...daily, queue: 'defualt' }, /did you mean "default"/],
    ['of no zone', { ...daily, timezone: '+02:00' }, /IANA's name of a zone/],
    ['at a time that is none', { at: '2026-02-30T10:00' }, /a time that the calendar does not have/],
    [
      'before any year',
      { at: '1969-12-31T10:00' },
      /"1969-12-31T10:00:00", expected a year from 1970 to 2199/,
    ],
    ['after any year', { at: new Date(8.64e15) }, /expected a year from 1970 to 2199/],
    ['at a time with an offset', { at: '2026-02-03T10:00Z' }, /expected a local time of `timezone`/],
    ['at a Date in a zone', { at: new Date(0), timezone: 'Asia/Tokyo' }, /a Date beside a `timezone`/],
    ['at an odd rate', { rate: { minutes: 7 } }, /divides 60.*counted from midnight UTC/],
    ['at a rate of two units', { rate: { minutes: 5, hours: 1 } as never }, /expected one unit/],
    ['at a rate in a zone', { rate: { hours: 2 }, timezone: 'Asia/Tokyo' }, /counted in UTC; use `cron`/],
    ['with jitter in seconds', { ...daily, jitterMinutes: 0.5 }, /whole number from 1 to 1440/],
    ['with an unknown overlap', { ...daily, overlap: 'queue' as never }, /known: "skip", "allow"/],
    ['with an expiry of nothing', { ...daily, expiresInSeconds: 0 }, /from 1 to /],
    ['with no list of arguments', { ...daily, args: 'x' as never }, /expected a list of arguments/],
    [
      'with an argument of no form',
      { ...daily, args: [() => 1] },
      /config `schedules` "nightly": arguments\[0\]/,
    ],
    ['with too much', { ...daily, args: ['x'.repeat(300_000)] }, /EventBridge Scheduler's 256 KB/],
    ['with an unknown option', { ...daily, cronn: '' } as never, /unknown option `cronn`/],
    ['of no task', { ...daily, task: 3 as never }, /expected the registered name of a task/],
  ])('%s', (_, schedule, message) => {
    expect(() => resolved(schedule)).toThrow(message)
  })

  test('under a name that EventBridge does not take', () => {
    const schedules = { 'every night': { task: 'build', cron: '0 2 * * *' } }
    expect(() => resolveConfig({ name: 'shop', schedules })).toThrow(/"every night", expected 1–64 letters/)
  })

  test('to a queue that drains', () => {
    const queues = { default: {}, old: { draining: true } }
    expect(() =>
      resolved({ cron: '0 2 * * *', queue: 'old' }, { queues, workers: { main: { concurrency: 4 } } }),
    ).toThrow(/draining and takes no new calls; use one of "default"/)
  })

  test('of a task that nobody registered', () => {
    const config = defineConfig({
      name: 'shop',
      schedules: { nightly: { task: 'biuld', cron: '0 2 * * *' } },
    })
    const executor = createExecutor(config, { tasks: { build: () => 1 }, backend: 'eager' })
    expect(() => internalsOf(executor).app.registry.names()).toThrow(
      /config `schedules` names a task "biuld" that is not registered; did you mean "build"/,
    )
  })

  test('where it is started: in a zone that nobody knows, and at times that never come', () => {
    expect(() => timesOf(resolved({ cron: '0 2 * * *', timezone: 'Europe/Berlim' }))).toThrow(
      /a zone that nobody knows/,
    )
    expect(() => timesOf(resolved({ cron: '0 2 * * *', timezone: 'europe/berlin' }))).toThrow(
      /`timezone` is "europe\/berlin", written "Europe\/Berlin"/,
    )
    expect(() => timesOf(resolved({ cron: '0 0 29 2 ? 2027' }))).toThrow(/never fires.*no day/)
    expect(() => timesOf(resolved({ at: '2026-03-29T02:30', timezone: 'Europe/Berlin' }))).toThrow(
      /clocks of Europe\/Berlin skip/,
    )
  })
})

test.each<[Partial<ConfigSchedule>, expression: string, timezone: string]>([
  [{ cron: '0 2 * * *' }, 'cron(0 2 * * ? *)', 'UTC'],
  [{ cron: '0 9 * * 1-5', timezone: 'Europe/Berlin' }, 'cron(0 9 ? * 2-6 *)', 'Europe/Berlin'],
  [{ cron: '0 9 * * 7' }, 'cron(0 9 ? * 1 *)', 'UTC'],
  [{ cron: '0 9 L * ? *' }, 'cron(0 9 L * ? *)', 'UTC'],
  [{ cron: '0 9 ? * FRI#2 2026-2030' }, 'cron(0 9 ? * 6#2 2026-2030)', 'UTC'],
  [{ rate: { minutes: 1 } }, 'cron(* * * * ? *)', 'UTC'],
  [{ rate: { minutes: 15 } }, 'cron(0/15 * * * ? *)', 'UTC'],
  [{ rate: { hours: 6 } }, 'cron(0 0/6 * * ? *)', 'UTC'],
  [{ rate: { days: 1 } }, 'cron(0 0 * * ? *)', 'UTC'],
  [{ at: '2026-12-24T18:00', timezone: 'Asia/Tokyo' }, 'at(2026-12-24T18:00:00)', 'Asia/Tokyo'],
  [{ at: new Date(Date.UTC(2026, 11, 24, 9)) }, 'at(2026-12-24T09:00:00)', 'UTC'],
])('%j is %s', (schedule, expression, timezone) => {
  expect(resolved(schedule)).toMatchObject({ expression, timezone })
})

describe('the message of a run', () => {
  const dueAt = Date.UTC(2026, 10, 24, 1)

  test('is one call, however often it is sent: its id is of schedule and due time', () => {
    const { body } = resolved({ cron: '0 2 * * *', args: [new Date(0)], expiresInSeconds: 60 })
    const envelope = decodeEnvelope(messageDueAt(body, dueAt))
    expect(envelope).toMatchObject({
      id: scheduledCallId('nightly', dueAt),
      schedule: 'nightly',
      ...{ createdAt: dueAt, dueAt, startBy: dueAt + 60_000 },
    })
    expect(decodeEnvelope(messageDueAt(body, dueAt + 400).replace('00Z"', '00.250Z"'))).toEqual(envelope)
    expect(decodeEnvelope(messageDueAt(body, dueAt + 60_000)).id).not.toBe(envelope.id)
  })

  test('leaves arguments alone that look as what EventBridge replaces', () => {
    const { body } = resolved({ cron: '0 2 * * *', args: ['<aws.scheduler.scheduled-time>'] })
    expect(JSON.stringify(decodeEnvelope(messageDueAt(body, dueAt)).args)).toContain(
      '<aws.scheduler.scheduled-time>',
    )
  })

  test.each(['<aws.scheduler.scheduled-time>', 'yesterday', 7])(
    'that says that it was due at %j is none',
    (scheduledAt) => {
      const message = { ...JSON.parse(resolved({ cron: '0 2 * * *' }).body), scheduledAt }
      expect(() => decodeEnvelope(JSON.stringify(message))).toThrow(/expected a time as 2026-03-22T18:59:43Z/)
    },
  )
})

describe('schedules of the code', () => {
  const build = async (month: string) => month
  const make = () => {
    const sweep = task(async (days: number = 7) => days)
      .schedule({ cron: '0 4 * * *' })
      .schedule({ name: 'weekly', rate: { days: 1 } })
    return createExecutor(
      defineConfig({ name: 'shop', schedules: { nightly: { task: 'build', cron: '0 2 * * *' } } }),
      {
        tasks: { build, jobs: { sweep } },
        backend: 'eager',
      },
    )
  }

  test('are found beside those of the config, under their names', () => {
    const executor = make()
    executor.schedule('monthly', build, { cron: '0 0 1 * *', args: ['2026-10'] })
    const { app } = internalsOf(executor)
    expect([...app.schedules().values()].map(({ name, task: of }) => [name, of])).toEqual([
      ['nightly', 'build'],
      ['monthly', 'build'],
      ['jobs-sweep', 'jobs.sweep'],
      ['weekly', 'jobs.sweep'],
    ])
  })

  test('have names of their own', () => {
    const executor = make()
    executor.schedule('nightly', build, { cron: '0 0 1 * *', args: ['2026-10'] })
    expect(() => internalsOf(executor).app.schedules()).toThrow(/two schedules have the name "nightly"/)
  })

  test('on tasks have the arguments of their tasks', () => {
    const send = task(async (to: string, copies = 1) => `${to} ${copies}`)
    // @ts-expect-error: the receiver is missing
    send.schedule({ name: 'a', cron: '0 0 1 * *' })
    // @ts-expect-error: a receiver is a text
    send.schedule({ name: 'b', cron: '0 0 1 * *', args: [5] })
    // @ts-expect-error: there is no third
    send.schedule({ name: 'c', cron: '0 0 1 * *', args: ['x', 2, 3] })
    // @ts-expect-error: the task is the one it is declared on
    send.schedule({ name: 'd', cron: '0 0 1 * *', args: ['x'], task: 'other' })
    send.schedule({ name: 'e', cron: '0 0 1 * *', args: ['x'] })
    const executor = createExecutor(defineConfig({ name: 'shop' }), { tasks: { send }, backend: 'eager' })
    // What only JavaScript could declare is refused all the same, where a rule says so.
    expect(() => internalsOf(executor).app.schedules()).toThrow(/"d" of task "send".*unknown option `task`/)
  })

  test('are of registered functions, with their arguments', () => {
    const executor = make()
    // @ts-expect-error: the month is missing
    executor.schedule('one', build, { cron: '0 0 1 * *' })
    // @ts-expect-error: a month is a text
    executor.schedule('two', build, { cron: '0 0 1 * *', args: [10] })
    executor.schedule('three', async () => 1, { cron: '0 0 1 * *' })
    expect(() => internalsOf(executor).app.schedules()).toThrow(/not registered/)
  })
})
