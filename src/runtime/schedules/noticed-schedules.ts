/**
 * Which schedules are paused, where it is not AWS that fires them: a notice in the store, seen by all processes of a
 * cluster.
 * @module
 */
import type { ResolvedSchedule } from '../config/config.ts'
import type { Schedules } from '../ports/schedules.ts'
import type { Store } from '../ports/store.ts'

/** Sorts with those of paused queues, before the processes'. */
const PREFIX = 'paused-schedule#'

/** For ever, as a time to live wants it: the year 2286. */
const FOREVER_SECONDS = 9_999_999_999

/** The port, by notices; a schedule that nobody paused or resumed is as it is declared. */
export function noticedSchedules(store: Pick<Store, 'notices' | 'putNotice'>): Schedules {
  let reading: Promise<ReadonlyMap<string, string>> | undefined
  // Hundreds of schedules that are asked for at once are one read.
  const read = () => {
    if (reading !== undefined) return reading
    const begun = readTexts(store).finally(() => {
      if (reading === begun) reading = undefined
    })
    reading = begun
    return begun
  }
  return {
    async isEnabled({ name, enabled }: ResolvedSchedule) {
      const text = (await read()).get(PREFIX + name)
      return text === undefined ? enabled : text === 'on'
    },
    async setEnabled({ name }, isEnabled) {
      await store.putNotice({
        key: PREFIX + name,
        text: isEnabled ? 'on' : 'off',
        expiresAtSeconds: FOREVER_SECONDS,
      })
      // One that began before does not know of it.
      reading = undefined
    },
  }
}

async function readTexts(store: Pick<Store, 'notices'>): Promise<ReadonlyMap<string, string>> {
  return new Map((await store.notices()).map(({ key, text }) => [key, text]))
}
