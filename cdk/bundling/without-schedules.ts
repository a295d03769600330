/**
 * What an app without schedules is bundled without: the cron library, and what reads and checks cron expressions.
 * @module
 */
import { dirname } from 'node:path'
import type { Plugin } from 'esbuild'
import { importEager } from './eager-chunk.ts'
import { isOfErrand } from './errand-files.ts'

const ofSchedules = /[\\/]src[\\/]runtime[\\/]schedules[\\/](check-schedules|cron-expression)\.[jt]s$/

/** What stands in the place of both; only a factory that makes schedules where it runs, and none at synth, asks it. */
const absent =
  "export const timesOf = () => { throw new Error('the app had no schedules when its bundle was made; declare them where it is synthesised too') }"

/** What stands in each one's place. */
const contents = {
  // Loaded later: see `eagerChunk`.
  'check-schedules': `${importEager}\n${absent}\nexport const isOver = timesOf`,
  'cron-expression': `${absent}\nexport { timesOf as awsCron }`,
}

/** Leaves out what only schedules need. */
export const withoutSchedules: Plugin = {
  name: 'without-schedules',
  setup(build) {
    const isOurs = isOfErrand(build)
    build.onLoad({ filter: ofSchedules }, async ({ path }) => {
      if (!(await isOurs(path))) return undefined
      const name = ofSchedules.exec(path)?.[1] as keyof typeof contents
      return { contents: contents[name], resolveDir: dirname(path) }
    })
  },
}
