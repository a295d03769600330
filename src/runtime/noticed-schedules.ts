/**
 * Which schedules are paused, where it is not AWS that fires them: a notice in the store, seen by all processes of a
 * cluster.
 * @module
 */
import type { ResolvedSchedule } from './config.ts'
import type { Schedules } from './schedules.ts'
import type { Store } from './store.ts'

/** Sorts with those of paused queues, before the processes'. */
const PREFIX = 'paused-schedule#'

/** For ever, as a time to live wants it: the year 2286. */
const FOREVER_SECONDS = 9_999_999_999

/** The port, by notices; a schedule that nobody paused or resumed is as it is declared. */
export function noticedSchedules(store: Pick<Store, 'notices' | 'putNotice'>): Schedules {
  return {
    async isEnabled({ name, enabled }: ResolvedSchedule) {
      const notice = (await store.notices()).find(({ key }) => key === PREFIX + name)
      return notice === undefined ? enabled : notice.text === 'on'
    },
    setEnabled: ({ name }, isEnabled) =>
      store.putNotice({
        key: PREFIX + name,
        text: isEnabled ? 'on' : 'off',
        expiresAtSeconds: FOREVER_SECONDS,
      }),
  }
}
