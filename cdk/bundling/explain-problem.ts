/**
 * What stood in the way of a bundle, and what to do about it.
 * @module
 */

import type { BundleInputs, BundleProblem } from './build-bundle.ts'
import { BundleError } from './bundle-error.ts'

const layer = (name: string) =>
  `name it in \`externalModules\` (${JSON.stringify(name)}) and bring it, built for Lambda, in a layer of \`layers\``

/** One error of everything that stood in the way. */
export function unbuildable(what: string, problems: readonly BundleProblem[]): BundleError {
  const lines = problems.map((problem) => `\n  ${explain(problem)}`)
  return new BundleError(`${what} cannot be bundled:${lines.join('')}`)
}

function explain({ text, importer = 'the app' }: BundleProblem): string {
  const [, missing] = /^Could not resolve "(.+)"/.exec(text) ?? []
  if (missing !== undefined) {
    if (/^[./]/.test(missing))
      return `${importer} imports ${JSON.stringify(missing)}, and there is no such file`
    const name = packageOf(missing)
    return `${importer} imports ${JSON.stringify(missing)}, which is not installed: \`npm i ${name}\`; or ${layer(name)}`
  }
  const [, absent] = /^Absent "(.+)"/.exec(text) ?? []
  if (absent !== undefined) {
    return `${importer} imports ${JSON.stringify(absent)}, which no worker has; keep it out of the app, or take it by \`import()\` where it is used`
  }
  const [, native] = /^No loader is configured for ".node" files: (.+)/.exec(text) ?? []
  if (native === undefined) return `${importer}: ${text}`
  return `${importer} imports the native module ${native}, which cannot be bundled: ${layer(ownerOf(native))}`
}

/** `@scope/name` of `@scope/name/part`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** The package that a file belongs to; of the app's own files, the app. */
function ownerOf(path: string): string {
  const [, inPackage] = /.*node_modules[\\/](.+)/.exec(path) ?? []
  return inPackage === undefined ? 'the app' : packageOf(inPackage.replaceAll('\\', '/'))
}

/** Lambda: a function's code and layers, unzipped. */
const MAX_BYTES = 250 * 1024 * 1024
const SHOWN = 10

/**
 * Refuses what Lambda would refuse, layers not counted.
 * @throws BundleError that lists what is in it, largest first
 */
export function checkSize(inputs: BundleInputs, files: ReadonlyMap<string, number>): void {
  const parts = new Map<string, number>()
  for (const [path, bytes] of inputs) parts.set(ownerOf(path), (parts.get(ownerOf(path)) ?? 0) + bytes)
  for (const [path, bytes] of files) parts.set(`files: ${path}`, bytes)
  const total = [...parts.values()].reduce((sum, bytes) => sum + bytes, 0)
  if (total <= MAX_BYTES) return
  const largest = [...parts].sort(([, one], [, other]) => other - one)
  const lines = largest.slice(0, SHOWN).map(([name, bytes]) => `\n  ${inMiB(bytes).padStart(7)} MiB  ${name}`)
  throw new BundleError(
    `the worker asset has ${inMiB(total)} MiB, and Lambda takes up to 250 MiB unzipped, layers included; take out what the tasks do not need, or have them read it from S3:${lines.join('')}`,
  )
}

function inMiB(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1)
}
