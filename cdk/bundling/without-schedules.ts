/**
 * What an app without schedules is bundled without: the cron library, and what reads and checks cron expressions.
 * @module
 */
import { dirname, extname } from 'node:path'
import type { Plugin } from 'esbuild'
import { importEager } from './eager-chunk.ts'
import { isOfErrand } from './errand-files.ts'

const ofSchedules = /[\\/]src[\\/]runtime[\\/]schedules[\\/](check-schedules|cron-expression)\.[jt]s$/

/**
 * What stands in each one's place. An app may declare schedules by a variable that its functions have and synth had not:
 * nothing fires them, so its workers take them as they are, and only who asks when they are due is refused.
 */
const contents = {
  'cron-expression': () => 'export const awsCron = (where, expression) => String(expression)',
  'check-schedules': (ending: string) =>
    [
      // It is loaded later: see `eagerChunk`.
      importEager,
      `import { NotWiredError } from '../errors${ending}'`,
      "const why = 'the app had no schedules when its bundle was made, so that none were deployed; declare them where it is synthesised too'",
      'export const timesOf = () => { throw new NotWiredError(why) }',
      'export const isOver = timesOf',
    ].join('\n'),
}

/** Leaves out what only schedules need. */
export const withoutSchedules: Plugin = {
  name: 'without-schedules',
  setup(build) {
    const isOurs = isOfErrand(build)
    build.onLoad({ filter: ofSchedules }, async ({ path }) => {
      if (!(await isOurs(path))) return undefined
      const name = ofSchedules.exec(path)?.[1] as keyof typeof contents
      return { contents: contents[name](extname(path)), resolveDir: dirname(path) }
    })
  },
}
