/**
 * What the modules of an app see of each other in a worker: what they see without a bundle.
 * @module
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { bundleWorkers } from '../../cdk/bundle-workers.ts'
import { discoverApp } from '../../src/app-discovery/index.ts'
import { executorText, imports, writeApp } from '../support/app-folder.ts'

const run = promisify(execFile)
const shop = `${imports}\nexport const executor = ${executorText('shop')}\n`

/** What `globalThis.see()` gives once a module is imported. */
async function seenIn(path: string): Promise<unknown> {
  const code = `import(${JSON.stringify(pathToFileURL(path).href)})
    .then(() => globalThis.see()).then((seen) => { console.log(JSON.stringify(seen)); process.exit() })`
  const { stdout } = await run(process.execPath, ['-e', code], { env: {} })
  return JSON.parse(stdout)
}

/** Of each import, the names and kinds of what it gives. */
const see = [
  'const kindsOf = (all) => Object.keys(all).sort().map((name) => name + ": " + typeof all[name])',
  'globalThis.see = async () => {',
  "  const { gzipSync } = await import('node:zlib')",
  "  const { readFile } = await import('fs/promises')",
  "  const { hello } = await import('names')",
  "  const again = (await import('names')) === (await import('names'))",
  '  const packages = [',
  "    await import('names'), await import('compiled'), await import('callable'), await import('word'),",
  '  ]',
  "  const all = (await import('compiled')).default.default",
  "  return [typeof gzipSync, typeof readFile, hello('you'), again, all, ...packages.map(kindsOf)]",
  '}',
].join('\n')

const compiled = [
  'Object.defineProperty(exports, "__esModule", { value: true })',
  'exports.named = void 0; exports.named = 1; exports.default = "own"',
].join('\n')

const packageOf = (name: string, text: string, type = 'commonjs') => ({
  [`node_modules/${name}/package.json`]: JSON.stringify({ type }),
  [`node_modules/${name}/index.js`]: text,
})

test.each([true, false])(
  '`import()` of Node and of CommonJS gives their names, minified: %s',
  async (minify) => {
    const cwd = writeApp({
      'errand.ts': `import './see.js'\n${shop}`,
      'see.js': see,
      ...packageOf('names', 'exports.hello = (name) => "hello " + name; exports.count = 1'),
      ...packageOf('compiled', compiled),
      ...packageOf('callable', 'module.exports = () => 1; module.exports.part = "part"'),
      ...packageOf('word', 'module.exports = "word"'),
    })
    const expected = await seenIn(join(cwd, 'see.js'))
    expect(expected).toEqual(expect.arrayContaining(['function', 'hello you', true, 'own']))
    const { directory } = bundleWorkers(discoverApp({ cwd }), { outdir: join(cwd, 'out'), minify })
    expect(await seenIn(join(directory, 'index.mjs'))).toEqual(expected)
  },
)

test.each([
  ['known', 'inspect', 'function'],
  // Where the app is found, nobody loads that package: Lambda's Node may have names that the one here has not.
  ['unknown', 'ofTomorrow', 'undefined'],
])('imports of Node are what they are without a bundle, beside one that is %s', async (_, name, kind) => {
  const cwd = writeApp({
    'errand.ts': `
      import process, { env, argv as words } from 'node:process'
      import * as path from 'path'
      import fs from 'node:fs'
      import { old } from './old.cjs'
      ${shop}
      globalThis.see = async () => [
        process === globalThis.process, env === process.env, words === process.argv, path.posix.join('a', 'b'), fs === old,
        (await import('later')).kind,
      ]`,
    ...packageOf(
      'later',
      `import { ${name} } from 'node:util'\nexport const kind = typeof ${name}`,
      'module',
    ),
    'old.cjs': "exports.old = require('fs')",
  })
  const { directory } = bundleWorkers(discoverApp({ cwd }), { outdir: join(cwd, 'out') })
  expect(await seenIn(join(directory, 'index.mjs'))).toEqual([true, true, true, 'a/b', true, kind])
})

test('an app may wait at its top level for what it loads then, which imports errand too', async () => {
  const cwd = writeApp({
    'errand.ts': `${imports}
      const { sep } = await import('node:path')
      const { current } = await import('./later.js')
      export async function createApp() {
        const { again } = await import('./later.js')
        return again(${executorText('shop')})
      }
      globalThis.see = () => [sep, current.active]`,
    'later.js': "export { currentTask as current } from 'errand'\nexport const again = (app) => app",
  })
  const { directory } = bundleWorkers(discoverApp({ cwd }), { outdir: join(cwd, 'out') })
  expect(await seenIn(join(directory, 'index.mjs'))).toEqual(['/', false])
})

test('an app may be in files of any name, those of errand’s among them, and they stay as they are', async () => {
  const load = (name: string) => `async () => (await import('@aws-sdk/client-${name}')).whole`
  const cwd = writeApp({
    'src/index.ts': `${shop}
      import { loadS3 } from './runtime/aws/files.ts'
      import { timesOf } from './runtime/schedules/check-schedules.ts'
      const loadDynamo = ${load('dynamodb')}
      globalThis.see = async () => [await loadDynamo(), await loadS3(), timesOf()]`,
    'src/runtime/aws/files.ts': `export const loadS3 = ${load('s3')}`,
    'src/runtime/schedules/check-schedules.ts': "export const timesOf = () => 'times'",
    ...packageOf('@aws-sdk/client-dynamodb', "export const whole = 'dynamodb'", 'module'),
    ...packageOf('@aws-sdk/client-s3', "export const whole = 's3'", 'module'),
  })
  const found = discoverApp({ cwd, app: 'src/index.ts' })
  const { directory } = bundleWorkers(found, { outdir: join(cwd, 'out') })
  expect(await seenIn(join(directory, 'index.mjs'))).toEqual(['dynamodb', 's3', 'times'])
})

test('an SDK that takes more of its sources of credentials than was left of them has them whole', async () => {
  const chain = "import { later } from '@aws-sdk/credential-provider-sso'\nexport const given = later()"
  const cwd = writeApp({
    'errand.ts': `import { given } from '@aws-sdk/credential-provider-node'\n${shop}\nglobalThis.see = () => given`,
    ...packageOf('@aws-sdk/credential-provider-node', chain, 'module'),
    ...packageOf('@aws-sdk/credential-provider-sso', "export const later = () => 'whole'", 'module'),
  })
  const { directory } = bundleWorkers(discoverApp({ cwd }), { outdir: join(cwd, 'out') })
  expect(await seenIn(join(directory, 'index.mjs'))).toBe('whole')
})

test('classes and functions keep their names when minified: callers read those of errors', async () => {
  const text = `${shop}
    class OutOfStockError extends Error {}
    function countStock() { throw new OutOfStockError() }
    globalThis.see = () => [OutOfStockError.name, countStock.name]`
  const cwd = writeApp({ 'errand.ts': text })
  const { directory } = bundleWorkers(discoverApp({ cwd }), { outdir: join(cwd, 'out') })
  expect(await seenIn(join(directory, 'index.mjs'))).toEqual(['OutOfStockError', 'countStock'])
})
