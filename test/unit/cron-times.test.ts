import { CronExpressionParser } from 'cron-parser'
import { describe, expect, test } from 'vitest'
import { awsCron } from '../../src/runtime/schedules/cron-expression.ts'
import { dueTimes } from '../../src/runtime/schedules/cron-times.ts'
import { seededFractions } from '../support/seeded-fractions.ts'

// `cron-parser` is another library than the one that is used inside, and is given the zone, which ours is not.

const FROM_MS = Date.UTC(2026, 0, 1) - 1
const UNTIL_MS = Date.UTC(2028, 0, 1) - 1
const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Sydney']

function clockOf(timezone: string) {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: timezone,
    dateStyle: 'short',
    timeStyle: 'medium',
  })
  return (ms: number) => format.format(ms)
}

/** What the reference library lists, under the two rules that EventBridge adds for the days on which clocks change. */
function reference(expression: string, timezone: string, untilMs: number, limit: number): number[] {
  const parsed = CronExpressionParser.parse(expression, {
    tz: timezone,
    currentDate: new Date(FROM_MS),
    endDate: new Date(untilMs),
  })
  const clock = clockOf(timezone)
  // The same expression where clocks never change: the local times that it means.
  const meant = CronExpressionParser.parse(expression, { tz: 'UTC' })
  const seen = new Set<string>()
  const times: number[] = []
  // A few more, for those that are left out.
  for (const found of parsed.take(limit + 10)) {
    const ms = found.toDate().getTime()
    const local = clock(ms)
    const wallMs = (at: number) => Date.parse(`${clock(at).replace(' ', 'T')}Z`)
    const isChanged = wallMs(ms) - wallMs(ms - 10_800_000) !== 10_800_000
    // A local time that is skipped never fires: the library moves it to one that the expression does not mean.
    if (isChanged && !meant.includesDate(new Date(wallMs(ms)))) continue
    // One that comes twice fires once.
    if (seen.has(local)) continue
    seen.add(local)
    times.push(ms)
  }
  return times.slice(0, limit)
}

function listed(expression: string, timezone: string, untilMs: number, limit: number): number[] {
  const { next } = dueTimes(`cron(${awsCron('test', expression)})`, timezone)
  const times: number[] = []
  for (let at = next(FROM_MS); at !== undefined && at < untilMs && times.length < limit; at = next(at))
    times.push(at)
  return times
}

describe.each(zones)('two years in %s', (timezone) => {
  test.each([
    '0 2 * * *',
    '30 2 * * *',
    '30 1 * * *',
    '0 */12 * * *',
    '15 1-3 * * SUN',
    '0 9 * * MON-FRI',
    '45 23 31 * *',
    '0 12 29 2 *',
    '10 2 * 3,4,10,11 0',
  ])('%s', (expression) => {
    const ours = listed(expression, timezone, UNTIL_MS, 3000)
    expect(ours).toEqual(reference(expression, timezone, UNTIL_MS, 3000))
  })
})

test('a local time that is skipped never fires, and one that comes twice fires once', () => {
  const isoOf = (times: number[]) => times.map((ms) => new Date(ms).toISOString())
  const days = (expression: string, timezone: string, fromIso: string, count: number) => {
    const { next } = dueTimes(`cron(${awsCron('test', expression)})`, timezone)
    const times: number[] = []
    for (let at = next(Date.parse(fromIso)); at !== undefined && times.length < count; at = next(at))
      times.push(at)
    return isoOf(times)
  }
  // In Berlin 02:00 to 03:00 is skipped on 2026-03-29, and comes twice on 2026-10-25.
  expect(days('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00:00Z', 2)).toEqual([
    '2026-03-28T01:30:00.000Z',
    '2026-03-30T00:30:00.000Z',
  ])
  expect(days('30 2 * * *', 'Europe/Berlin', '2026-10-24T22:00:00Z', 2)).toEqual([
    '2026-10-25T00:30:00.000Z',
    '2026-10-26T01:30:00.000Z',
  ])
  expect(days('0 * * * *', 'Europe/Berlin', '2026-10-24T23:30:00Z', 3)).toEqual([
    '2026-10-25T00:00:00.000Z',
    '2026-10-25T02:00:00.000Z',
    '2026-10-25T03:00:00.000Z',
  ])
})

describe('random expressions', () => {
  const random = seededFractions(20_261_124)
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1))
  const pick = <T>(values: readonly T[]): T => values[whole(0, values.length - 1)] as T
  const range = (min: number, max: number) => {
    const from = whole(min, max)
    return `${from}-${whole(from, max)}`
  }
  const field = (min: number, max: number) =>
    pick([
      () => '*',
      () => `${whole(min, max)}`,
      () => range(min, max),
      // The library refuses a value that is listed twice.
      () => `${whole(min, min + 1)},${range(min + 2, max)}`,
      () => `*/${whole(1, max)}`,
      () => `${range(min, max)}/${whole(1, max)}`,
    ])()

  test.each(Array.from({ length: 40 }, (_, run) => run))('five fields, %i', () => {
    const ofMonth = random() < 0.5
    const days = ofMonth ? field(1, 28) : '*'
    const expression = `${field(0, 59)} ${field(0, 23)} ${days} ${field(1, 12)} ${ofMonth ? '*' : field(0, 6)}`
    const timezone = pick(zones)
    const [ours, theirs] = [listed, reference].map((list) => list(expression, timezone, UNTIL_MS, 40))
    expect(ours, expression).toEqual(theirs)
  })

  test.each(Array.from({ length: 30 }, (_, run) => run))("AWS's six fields, %i", () => {
    const [minute, hour, month] = [`${whole(0, 59)}`, `${whole(3, 23)}`, field(1, 12)]
    const weekday = whole(1, 7)
    // The same in both forms: AWS counts days of the week from 1, cron from 0, and the library knows `L` and `#`.
    const [aws, theirs] = pick([
      ['L * ?', 'L * *'],
      [`? * ${weekday}L`, `* * ${weekday - 1}L`],
      [`? * ${weekday}#${1 + (weekday % 4)}`, `* * ${weekday - 1}#${1 + (weekday % 4)}`],
      [`? * ${weekday}`, `* * ${weekday - 1}`],
      [`${weekday} * ?`, `${weekday} * *`],
    ] as const).map((days) => days.replace(' * ', ` ${month} `))
    const timezone = pick(zones)
    const ours = listed(`${minute} ${hour} ${aws} *`, timezone, UNTIL_MS, 40)
    expect(ours, `${minute} ${hour} ${aws} *`).toEqual(
      reference(`${minute} ${hour} ${theirs}`, timezone, UNTIL_MS, 40),
    )
  })

  test.each(Array.from({ length: 12 }, (_, run) => run))(
    'what was due last is what was due before, %i',
    () => {
      const expression = `${field(0, 59)} ${field(0, 23)} * * ${field(0, 6)}`
      const timezone = pick(zones)
      const { previous } = dueTimes(`cron(${awsCron('test', expression)})`, timezone)
      const times = listed(expression, timezone, UNTIL_MS, 60)
      for (const [index, at] of times.entries()) {
        if (index > 0) expect(previous(at), `${expression} in ${timezone}`).toBe(times[index - 1])
      }
    },
  )
})

test('the weekday nearest to a day stays in its month', () => {
  // 2026-08-15 is a Saturday, 2026-08-01 too, and 2026-05-31 is a Sunday.
  const first = (expression: string, fromIso: string) =>
    new Date(dueTimes(`cron(${awsCron('t', expression)})`, 'UTC').next(Date.parse(fromIso)) ?? 0)
      .toISOString()
      .slice(0, 10)
  expect(first('0 9 15W * ? *', '2026-08-02T00:00:00Z')).toBe('2026-08-14')
  expect(first('0 9 1W * ? *', '2026-07-31T00:00:00Z')).toBe('2026-08-03')
  expect(first('0 9 31W * ? *', '2026-05-01T00:00:00Z')).toBe('2026-05-29')
})
