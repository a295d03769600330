/**
 * The monitor's static files: its script and style sheet, and those of uPlot.
 * @module
 */
import { hash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ErrandError } from '../runtime/errors.ts'

/** One file, as it is served. */
export interface StaticFile {
  readonly body: Uint8Array<ArrayBuffer>
  readonly type: string
  readonly etag: string
}

const types: Readonly<Record<string, string>> = {
  'monitor.js': 'text/javascript; charset=utf-8',
  'monitor.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'uPlot.iife.min.js': 'text/javascript; charset=utf-8',
  'uPlot.min.css': 'text/css; charset=utf-8',
}

/** The files' names; nothing else is served, so no path is ever made of a request. */
export const staticFileNames: readonly string[] = Object.keys(types)

const files = new Map<string, StaticFile>()

/** The file of this name, read once; `undefined` where there is none. */
export function staticFile(name: string): StaticFile | undefined {
  if (!Object.hasOwn(types, name)) return undefined
  const known = files.get(name)
  if (known !== undefined) return known
  const body = new Uint8Array(readFileSync(staticFilePlace(name)))
  const file = {
    body,
    type: types[name] as string,
    etag: `"${hash('sha256', body, 'base64url').slice(0, 27)}"`,
  }
  files.set(name, file)
  return file
}

/**
 * Where a file is: beside this module: in the sources, and beside a bundle where a deployment has put them. In the package, what tsc does
 * not compile is with the sources. uPlot's are in its own package.
 * @throws ErrandError where it is in none of these places
 */
export function staticFilePlace(name: string): string {
  const here = dirname(fileURLToPath(import.meta.url))
  const places = [join(here, 'assets', name), join(here, '../../../src/monitor/assets', name)]
  const found = places.find((place) => existsSync(place))
  if (found !== undefined) return found
  if (name.startsWith('uPlot')) return createRequire(import.meta.url).resolve(`uplot/dist/${name}`)
  throw new ErrandError(
    `the monitor's file ${name} is not at ${places[0]}; a bundle needs the folder \`assets\` beside it`,
  )
}
