/**
 * Files that go into a worker asset as they are: templates, models, whatever tasks read from disk.
 * @module
 */
import { cpSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, normalize, resolve } from 'node:path'
import { BundleError } from './bundle-error.ts'

/** Paths in the asset, and the file or folder that each is a copy of. */
export type Files = Readonly<Record<string, string>>

/**
 * How large each is, by its path in the asset.
 * @throws BundleError where a path leaves the asset, or there is nothing to copy
 */
export function measureFiles(files: Files): Map<string, number> {
  return new Map(Object.entries(files).map(([path, source]) => [path, measure(path, source)]))
}

function measure(path: string, source: string): number {
  const say = (what: string) => new BundleError(`\`files\` has ${JSON.stringify(path)}: ${what}`)
  const inside = normalize(path)
  if (isAbsolute(path) || /^\.\.?([\\/]|$)/.test(inside)) {
    throw say(
      'it leaves the asset; name a path within it, as "data/rates.json", which tasks read beside index.mjs',
    )
  }
  try {
    return bytesUnder(resolve(source))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    throw say(
      `there is no ${resolve(source)}, or a link in it leads nowhere; paths on disk begin at ${process.cwd()}`,
    )
  }
}

/** The bytes of a file, or of all files in a folder; links count as what they lead to. */
export function bytesUnder(path: string): number {
  const found = statSync(path)
  if (!found.isDirectory()) return found.size
  return readdirSync(path).reduce((sum, name) => sum + bytesUnder(join(path, name)), 0)
}

/**
 * Copies them into the asset, links as what they lead to.
 * @throws BundleError where one would replace a file of the bundle
 */
export function copyFiles(files: Files, directory: string): void {
  for (const [path, source] of Object.entries(files)) {
    const target = join(directory, path)
    if (existsSync(target) && !statSync(target).isDirectory()) {
      throw new BundleError(
        `\`files\` has ${JSON.stringify(path)}, which the bundle itself has; use another path`,
      )
    }
    mkdirSync(dirname(target), { recursive: true })
    cpSync(resolve(source), target, { recursive: true, dereference: true })
  }
}
