/**
 * What every implementation of the port of schedules does. It runs over AWS's wire and over notices in a store.
 * @module
 */
import { describe, expect, test } from 'vitest'
import type { ResolvedSchedule } from '../../src/runtime/config/config.ts'
import type { Schedules } from '../../src/runtime/ports/schedules.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

/** The schedules of the app under test, as they are declared and deployed. */
export const declared = [
  ...resolveConfig({
    name: 'shop',
    schedules: {
      nightly: { task: 'build', cron: '0 2 * * *', timezone: 'Europe/Berlin', jitterMinutes: 5 },
      off: { task: 'build', rate: { hours: 1 }, enabled: false },
    },
  }).schedules.values(),
] as [nightly: ResolvedSchedule, off: ResolvedSchedule]

/** One implementation, whose schedules are deployed. */
export interface SchedulesUnderTest {
  readonly schedules: Schedules
  close(): Promise<void>
}

/** Runs the suite over one implementation; `setup` is called for each test. */
export function describeSchedules(name: string, setup: () => Promise<SchedulesUnderTest>): void {
  const using = (run: (schedules: Schedules) => Promise<void>) => async () => {
    const { schedules, close } = await setup()
    try {
      await run(schedules)
    } finally {
      await close()
    }
  }
  const [nightly, off] = declared
  describe(`schedules: ${name}`, () => {
    test(
      'are as they were declared',
      using(async (schedules) => {
        expect(await schedules.isEnabled(nightly)).toBe(true)
        expect(await schedules.isEnabled(off)).toBe(false)
      }),
    )

    test(
      'are paused and resumed, one and not the other',
      using(async (schedules) => {
        await schedules.setEnabled(nightly, false)
        expect(await schedules.isEnabled(nightly)).toBe(false)
        await schedules.setEnabled(off, true)
        expect(await schedules.isEnabled(off)).toBe(true)
        await schedules.setEnabled(nightly, true)
        expect(await schedules.isEnabled(nightly)).toBe(true)
      }),
    )

    test(
      'are paused once, however often that is said',
      using(async (schedules) => {
        await schedules.setEnabled(nightly, false)
        await schedules.setEnabled(nightly, false)
        expect(await schedules.isEnabled(nightly)).toBe(false)
      }),
    )
  })
}
