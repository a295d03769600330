/**
 * Which of the files of a bundle are errand's own: an app may have some of the same names, which are to stay as they are.
 * @module
 */
import { dirname, join } from 'node:path'
import type { PluginBuild } from 'esbuild'

/** Gives the path of errand's index, as the app finds it. */
export function errandIndex(build: PluginBuild): () => Promise<string> {
  const resolveDir = build.initialOptions.stdin?.resolveDir ?? '.'
  let found: Promise<string> | undefined
  return () => {
    found ??= build.resolve('errand', { kind: 'import-statement', resolveDir }).then(({ path }) => path)
    return found
  }
}

/** Tells whether a path is of a file of errand's. */
export function isOfErrand(build: PluginBuild): (path: string) => Promise<boolean> {
  const index = errandIndex(build)
  return async (path) => path.startsWith(join(dirname(await index()), '/'))
}
