/**
 * What no worker asset can be made of: what the error says.
 * @module
 */
import { existsSync, readFileSync, symlinkSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BundleError, type BundleOptions, bundleWorkers } from '../../cdk/bundle-workers.ts'
import { type DiscoveredApp, discoverApp } from '../../src/app-discovery/index.ts'
import { executorText, imports, writeApp } from '../support/app-folder.ts'

const shop = `${imports}\nexport const executor = ${executorText('shop')}\n`

/** The app of a folder, whose `executor` is in `errand.ts`, without a look at what else it imports. */
function appIn(cwd: string): DiscoveredApp {
  const found = discoverApp({ cwd: writeApp({ 'errand.ts': shop }) })
  return { ...found, modulePath: join(cwd, 'errand.ts') }
}

function refusal(cwd: string, options: Partial<BundleOptions> = {}): string {
  try {
    bundleWorkers(appIn(cwd), { outdir: join(cwd, 'out'), ...options })
  } catch (error) {
    if (error instanceof BundleError) return error.message
    throw error
  }
  throw new Error('it was bundled')
}

describe('a module that cannot be bundled (F-40)', () => {
  test('since it is not installed: who imports it, and both fixes', () => {
    const cwd = writeApp({
      'errand.ts': `import './tasks.ts'\n${shop}`,
      'tasks.ts': "\nimport '@acme/gone/part'",
    })
    const message = refusal(cwd)
    expect(message).toContain(
      'tasks.ts:2 imports "@acme/gone/part", which is not installed: `npm i @acme/gone`',
    )
    expect(message).toContain('name it in `externalModules` ("@acme/gone")')
  })

  test('since there is no such file', () => {
    const cwd = writeApp({ 'errand.ts': `import './gone.ts'\n${shop}` })
    expect(refusal(cwd)).toContain('errand.ts:1 imports "./gone.ts", and there is no such file')
  })

  const native = {
    'errand.ts': `import 'fast'\n${shop}`,
    'node_modules/fast/package.json': '{ "main": "main.js" }',
    'node_modules/fast/main.js': "module.exports = require('./build/fast.node')",
    'node_modules/fast/build/fast.node': '',
  }

  test('since it is native: its package, who imports it, and the fix', () => {
    const message = refusal(writeApp(native))
    expect(message).toContain(
      'node_modules/fast/main.js:1 imports the native module node_modules/fast/build/fast.node',
    )
    expect(message).toContain(
      'name it in `externalModules` ("fast") and bring it, built for Lambda, in a layer',
    )
  })

  test('is left out where a layer brings it', () => {
    const cwd = writeApp(native)
    const { directory } = bundleWorkers(appIn(cwd), { outdir: join(cwd, 'out'), externalModules: ['fast'] })
    expect(readFileSync(join(directory, 'index.mjs'), 'utf8')).toContain('import"fast"')
  })
})

test('a module that no worker has, imported before anything runs', () => {
  const cwd = writeApp({
    'errand.ts': `import './dev.ts'\n${shop}`,
    'dev.ts': "import 'errand/local-emulator'",
  })
  const message = refusal(cwd)
  expect(message).toContain('dev.ts imports "errand/local-emulator", which no worker has')
  expect(message).toContain('`import()`')
})

describe('files', () => {
  test('are copied, folders and what links lead to', () => {
    const cwd = writeApp({ 'errand.ts': shop, 'data/a/rates.json': '[1]', 'mail.html': '<p>' })
    symlinkSync(join(cwd, 'mail.html'), join(cwd, 'data/mail.html'))
    const files = { 'in/data': join(cwd, 'data'), 'mail.html': join(cwd, 'mail.html') }
    const { directory, bytes } = bundleWorkers(appIn(cwd), { outdir: join(cwd, 'out'), files })
    expect(readFileSync(join(directory, 'in/data/a/rates.json'), 'utf8')).toBe('[1]')
    expect(readFileSync(join(directory, 'in/data/mail.html'), 'utf8')).toBe('<p>')
    const without = bundleWorkers(appIn(cwd), { outdir: join(cwd, 'out') })
    expect(bytes - without.bytes).toBe(9)
    expect(existsSync(join(directory, 'mail.html'))).toBe(false)
  })

  test.each([
    ['../x', 'errand.ts', 'it leaves the asset'],
    ['/etc/x', 'errand.ts', 'it leaves the asset'],
    ['a/../..', 'errand.ts', 'it leaves the asset'],
    ['.', 'errand.ts', 'it leaves the asset'],
    ['x', 'gone.txt', 'there is no '],
    ['index.mjs', 'errand.ts', 'which the bundle itself has'],
  ])('%j of %s are refused', (path, source, why) => {
    const cwd = writeApp({ 'errand.ts': shop })
    const message = refusal(cwd, { files: { [path]: join(cwd, source) } })
    expect(message).toContain(`\`files\` has ${JSON.stringify(path)}`)
    expect(message).toContain(why)
  })
})

test('an asset over the size that Lambda takes is refused, with what is in it, largest first', () => {
  const cwd = writeApp({ 'errand.ts': shop, 'model.bin': '', 'words.bin': '' })
  // Sparse: they take no room on disk.
  truncateSync(join(cwd, 'model.bin'), 200 * 1024 * 1024)
  truncateSync(join(cwd, 'words.bin'), 60 * 1024 * 1024)
  const message = refusal(cwd, { files: { words: join(cwd, 'words.bin'), model: join(cwd, 'model.bin') } })
  expect(message).toMatch(/the worker asset has 260\.\d MiB, and Lambda takes up to 250 MiB unzipped/)
  const [, ...lines] = message.split('\n').map((line) => line.trim())
  expect(lines.slice(0, 2)).toEqual(['200.0 MiB  files: model', '60.0 MiB  files: words'])
  expect(lines.some((line) => line.endsWith('@smithy/core'))).toBe(true)
  expect(existsSync(join(cwd, 'out/workers/model'))).toBe(false)
})
