/**
 * The cron library, which only who looks at schedules loads: left out where the app has none, and else loaded later, in a
 * file that tears nothing out of the eager one.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import type { Loader, Plugin } from 'esbuild'
import { importEager } from './eager-chunk.ts'
import { isOfErrand } from './errand-files.ts'

const checkSchedules = /[\\/]src[\\/]runtime[\\/]check-schedules\.[jt]s$/

/** What stands in its place where there are no schedules that anybody could ask for. */
const nothing = [
  importEager,
  "export const timesOf = () => { throw new Error('the app had no schedules when its bundle was made') }",
  'export const isOver = timesOf',
].join('\n')

/** Whether the app has schedules. */
export interface CronOptions {
  readonly hasSchedules: boolean
}

/** Leaves the cron library to those who need it. */
export function cronAtNeed({ hasSchedules }: CronOptions): Plugin {
  return {
    name: 'cron-at-need',
    setup(build) {
      const isOurs = isOfErrand(build)
      build.onLoad({ filter: checkSchedules }, async ({ path }) => {
        if (!(await isOurs(path))) return undefined
        if (!hasSchedules) return { contents: nothing, resolveDir: dirname(path) }
        // On its first line, so that the lines of the source map hold.
        const contents = `${importEager};${await readFile(path, 'utf8')}`
        return { contents, loader: extname(path).slice(1) as Loader, resolveDir: dirname(path) }
      })
    },
  }
}
