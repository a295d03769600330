/**
 * `npm install` without a registry, for tests of what users type: `node offline-install.ts install [--save-dev] <what>…`
 * in the app's folder. A tarball is unpacked, and its dependencies and all else are links to the checkout's packages.
 * @module
 */
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { linkPackage, unpackInto } from './packed-package.ts'
import { readPackage, root } from './source-files.ts'

const app = process.cwd()
const [, , , ...words] = process.argv

for (const what of words.filter((word) => !word.startsWith('--'))) {
  if (what.endsWith('.tgz')) {
    await unpackInto(app, what)
    for (const name of Object.keys(readPackage().dependencies)) linkPackage(app, name)
  } else link(what)
}

/** Links `name@range`, if the range is the beginning of the version that is there. */
function link(what: string): void {
  const [, name = '', range = ''] = /^(.+?)(?:@([\d.]+))?$/.exec(what) ?? []
  const { version, bin = {} } = JSON.parse(
    readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'),
  )
  if (!`${version}.`.startsWith(range === '' ? '' : `${range}.`)) {
    throw new Error(`${what} is asked for, and the checkout has ${version}`)
  }
  linkPackage(app, name)
  const commands = join(app, 'node_modules/.bin')
  mkdirSync(commands, { recursive: true })
  for (const [command, path] of Object.entries(bin as Record<string, string>)) {
    const at = join(commands, command)
    if (!existsSync(at)) symlinkSync(join(root, 'node_modules', name, path), at)
  }
}
