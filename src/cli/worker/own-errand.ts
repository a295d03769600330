/**
 * Which copy of errand an app is built with: this one. The task that runs is known to the copy that runs it alone, so an
 * app with another copy would find no `currentTask`.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `.ts` in the sources, `.js` when built. */
const ending = extname(import.meta.url)

/** What lies above `src`, here or in `dist`. */
const tree = new URL('../../../', import.meta.url)

const manifest = [new URL('package.json', tree), new URL('../package.json', tree)].find((url) =>
  existsSync(fileURLToPath(url)),
)

/** The URL of `errand`, or `errand/…`, in this copy; `undefined` where it has no such part. */
export function ownErrandUrl(specifier: string): string | undefined {
  if (manifest === undefined) return undefined
  const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    exports: Readonly<Record<string, { readonly default: string }>>
  }
  const subpath = specifier.replace(/^errand/, '.')
  const built = Object.hasOwn(exports, subpath) ? exports[subpath]?.default : undefined
  return built && new URL(built.replace('./dist/', './').replace(/\.js$/, ending), tree).href
}
