/**
 * What can be declared of a schedule.
 * @module
 */

/** When a schedule is due: by exactly one of `cron`, `rate` and `at`. */
export interface ScheduleTimes {
  /**
   * Five fields, as cron has them (`'0 2 * * *'`), or AWS's six with `?`, `L`, `W` and `#` (`'0 2 L * ? *'`): minute, hour,
   * day of month, month, day of week, year.
   */
  readonly cron?: string
  /** By the clock of UTC: minutes that divide an hour, hours that divide a day, or one day. */
  readonly rate?: { readonly minutes: number } | { readonly hours: number } | { readonly days: 1 }
  /** Once: a local time of `timezone`, as `'2026-12-24T18:00'`, or a `Date`. */
  readonly at?: string | Date
  /** IANA's name of the zone whose clocks `cron` and `at` mean. @default 'UTC' */
  readonly timezone?: string
}

/** How a schedule submits. */
export interface ScheduleOptions extends ScheduleTimes {
  /** @default the task's route, else the config's first queue */
  readonly queue?: string
  /** Whether it fires. @default true */
  readonly enabled?: boolean
  /**
   * Spreads its firing over so many minutes from each due time on, 1–1440 (EventBridge Scheduler's flexible time window).
   * @default 0: within the minute that is due
   */
  readonly jitterMinutes?: number
  /**
   * What becomes of a run that is due while an earlier one still goes: `skip` ends it `cancelled`. One more write unit a
   * run. @default 'allow'
   */
  readonly overlap?: 'skip' | 'allow'
  /** How long after its due time a run may still begin, 1–31,536,000 s; later it ends `failed`. @default for ever */
  readonly expiresInSeconds?: number
}

/** A schedule of the config. */
export interface ConfigSchedule extends ScheduleOptions {
  /** The task's registered name. */
  readonly task: string
  /** What it is called with. @default [] */
  readonly args?: readonly unknown[]
}

/** A schedule that was checked, with every default filled in. */
export interface ResolvedSchedule {
  readonly name: string
  /** The task's registered name. */
  readonly task: string
  /** As EventBridge Scheduler takes it: `cron(0 2 * * ? *)`, or `at(2026-12-24T18:00:00)`. */
  readonly expression: string
  readonly timezone: string
  readonly queue: string
  readonly enabled: boolean
  /** 0: none. */
  readonly jitterMinutes: number
  readonly overlap: 'skip' | 'allow'
  /** The message of each run, but for its due time; see `scheduled-call.ts`. */
  readonly body: string
}
