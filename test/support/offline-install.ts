/**
 * `npm install` without a registry, for tests of what users type: `node offline-install.ts install [--save-dev] <what>…`
 * in the app's folder. A tarball is unpacked, and its dependencies and all else are links to the checkout's packages. Of
 * `ci [--omit=dev]` all that package.json names is installed.
 * @module
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { linkPackage, unpackInto } from './packed-package.ts'
import { readPackage, root } from './source-files.ts'

const app = process.cwd()
const [, , command, ...words] = process.argv

for (const what of [...words, ...(command === 'ci' ? named() : [])].filter(
  (word) => !word.startsWith('--'),
)) {
  if (what.endsWith('.tgz')) {
    await unpackInto(app, what)
    for (const name of Object.keys(readPackage().dependencies)) linkPackage(app, name)
    linkCommands(join(app, 'node_modules/errand'))
  } else link(what)
}

/** What package.json names: a tarball by its path, else the package. */
function named(): string[] {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(
    readFileSync(join(app, 'package.json'), 'utf8'),
  )
  const all = { ...dependencies, ...(words.includes('--omit=dev') ? {} : devDependencies) }
  return Object.entries<string>(all).map(([name, range]) =>
    range.startsWith('file:') ? range.slice('file:'.length) : name,
  )
}

/** Links `name@range`, if the range is the beginning of the version that is there. */
function link(what: string): void {
  const [, name = '', range = ''] = /^(.+?)(?:@([\d.]+))?$/.exec(what) ?? []
  const { version } = readPackage(join(root, 'node_modules', name, 'package.json'))
  if (!`${version}.`.startsWith(range === '' ? '' : `${range}.`)) {
    throw new Error(`${what} is asked for, and the checkout has ${version}`)
  }
  linkPackage(app, name)
  linkCommands(join(root, 'node_modules', name))
}

/** Links what a package's `bin` names, executable as npm makes it. */
function linkCommands(folder: string): void {
  const commands = join(app, 'node_modules/.bin')
  mkdirSync(commands, { recursive: true })
  for (const [command, path] of Object.entries(readPackage(join(folder, 'package.json')).bin ?? {})) {
    const at = join(commands, command)
    if (existsSync(at)) continue
    symlinkSync(join(folder, path), at)
    if ((statSync(at).mode & 0o111) === 0) chmodSync(at, 0o755)
  }
}
