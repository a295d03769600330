/**
 * When a schedule is due. Loaded only by what fires schedules, shows them or deploys them: no worker needs it.
 *
 * The rules of daylight saving are EventBridge's
 * (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html): a local time that is skipped never
 * fires, and one that comes twice fires once, the first time. So the cron library counts on a calendar without any such
 * day, and each local time that it finds is looked up in the zone.
 * @module
 */
import { Cron } from 'croner'

/** The moments of one schedule, each in epoch milliseconds. */
export interface DueTimes {
  /** The first after `afterMs`; `undefined` where there is none. */
  next(afterMs: number): number | undefined
  /** The last before `beforeMs`; `undefined` where there is none. */
  previous(beforeMs: number): number | undefined
}

/** What `resolve-schedules.ts` makes: `cron(0 2 * * ? *)` or `at(2026-12-24T18:00:00)`, and an IANA zone. */
export function dueTimes(expression: string, timezone: string): DueTimes {
  const zone = zoneOf(timezone)
  const content = expression.slice(expression.indexOf('(') + 1, -1)
  return expression.startsWith('at(') ? atTimes(content, zone) : cronTimes(content, zone)
}

/** For how long after clocks were set back they may show again what they had shown: the shift, which is two hours at most. */
const SHIFT_MS = 2 * 3_600_000

function cronTimes(fields: string, zone: Zone): DueTimes {
  const cron = new Cron(pattern(fields), { timezone: 'UTC', mode: '7-part', alternativeWeekdays: true })
  return {
    next(afterMs) {
      for (
        let wall = cron.nextRun(new Date(zone.wallOf(afterMs)));
        wall !== null;
        wall = cron.nextRun(wall)
      ) {
        const at = zone.instantOf(wall.getTime())
        if (at !== undefined && at > afterMs) return at
      }
      return undefined
    },
    previous(beforeMs) {
      const wallMs = zone.wallOf(beforeMs)
      // Where clocks were just set back, they had shown later times than they show now.
      const shownMs = zone.wallOf(beforeMs - SHIFT_MS) + SHIFT_MS
      let from = new Date(Math.max(wallMs, shownMs))
      for (;;) {
        const [wall] = cron.previousRuns(1, from)
        if (wall === undefined) return undefined
        const at = zone.instantOf(wall.getTime())
        if (at !== undefined && at < beforeMs) return at
        from = wall
      }
    },
  }
}

/** AWS's six fields in the library's seven: seconds first, no `?`, and a step from a value to the end as a range. */
function pattern(fields: string): string {
  const maxima = ['59', '23', '31', '12', '7', '2199']
  const written = fields
    .split(' ')
    .map((field, index) => (field === '?' ? '*' : field.replace(/^(\d+)\//, `$1-${maxima[index]}/`)))
  return `0 ${written.join(' ')}`
}

function atTimes(local: string, zone: Zone): DueTimes {
  const at = zone.instantOf(Date.parse(`${local}Z`))
  return {
    next: (afterMs) => (at !== undefined && at > afterMs ? at : undefined),
    previous: (beforeMs) => (at !== undefined && at < beforeMs ? at : undefined),
  }
}

/** A time zone; a wall time is that of its clocks, as if it were UTC. */
interface Zone {
  wallOf(ms: number): number
  /** The first moment that the clocks show it; `undefined` where they skip it. */
  instantOf(wallMs: number): number | undefined
}

const DAY_MS = 86_400_000

function zoneOf(timezone: string): Zone {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
  })
  const wallOf = (ms: number) => {
    const parts: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(ms)) parts[type] = Number(value)
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
    return Date.UTC(year, month - 1, day, hour, minute, second) + (((ms % 1000) + 1000) % 1000)
  }
  return {
    wallOf,
    instantOf(wallMs) {
      // The clock's distance from UTC a day before and a day after: what it is at that time is one of the two.
      const candidates = [wallMs - DAY_MS, wallMs + DAY_MS].map((near) => wallMs - (wallOf(near) - near))
      const shown = candidates.filter((at) => wallOf(at) === wallMs)
      return shown.length === 0 ? undefined : Math.min(...shown)
    },
  }
}
