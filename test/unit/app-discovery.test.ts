/**
 * Finding an app and reading it, each in a real process.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { discoverApp } from '../../src/app-discovery/index.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'
import { executorText, imports, linkPackage, writeApp } from '../support/app-folder.ts'
import { root } from '../support/source-files.ts'

const shop = `${imports}\nexport const executor = ${executorText('shop')}\n`

afterEach(() => vi.unstubAllEnvs())

describe('the module is', () => {
  test.each(['src/errand.ts', 'errand.ts', 'src/tasks.ts', 'src/errand.tsx', 'errand.mts', 'src/errand.mjs'])(
    '%s',
    (path) => {
      const text = path.endsWith('.mjs') ? shop.replaceAll(': number', '') : shop
      const cwd = writeApp({ [path]: text })
      expect(discoverApp({ cwd }).modulePath).toBe(join(cwd, path))
    },
  )

  test('what package.json names, from a folder below it too', () => {
    const manifest = JSON.stringify({ type: 'module', errand: { app: './app.ts:shop' } })
    const text = `${imports}\nexport const other = ${executorText('other')}\nexport const shop = ${executorText('shop')}\n`
    const cwd = writeApp({ 'package.json': manifest, 'app.ts': text, 'errand.ts': shop, 'deep/x.txt': '' })
    expect(discoverApp({ cwd: join(cwd, 'deep') })).toMatchObject({
      modulePath: join(cwd, 'app.ts'),
      exportName: 'shop',
      config: { name: 'shop' },
    })
  })

  test('what ERRAND_APP names, before package.json; what the option names, before both', () => {
    const manifest = JSON.stringify({ type: 'module', errand: { app: 'c.ts' } })
    const cwd = writeApp({ 'package.json': manifest, 'a.ts': shop, 'b.ts': shop, 'c.ts': shop })
    vi.stubEnv('ERRAND_APP', 'b.ts')
    expect(discoverApp({ cwd }).modulePath).toBe(join(cwd, 'b.ts'))
    expect(discoverApp({ cwd, app: join(cwd, 'a.ts') }).modulePath).toBe(join(cwd, 'a.ts'))
  })
})

describe('the export is', () => {
  const other = executorText('other')
  test.each([
    ['executor', `export const a = ${other}\nexport const executor = ${executorText('shop')}`, false],
    ['default', `export const a = ${other}\nexport default ${executorText('shop')}`, false],
    ['shop', `export const config = {}\nexport const shop = ${executorText('shop')}`, false],
    ['createApp', `export const createApp = () => ${executorText('shop')}`, true],
    ['createApp', `export async function createApp() { return ${executorText('shop')} }`, true],
  ])('%s of %s', (exportName, text, isFactory) => {
    const cwd = writeApp({ 'errand.ts': `${imports}\n${text}\n` })
    expect(discoverApp({ cwd })).toMatchObject({ exportName, isFactory, config: { name: 'shop' } })
  })

  test('the one that is named, a factory of another name too', () => {
    const text = `${imports}\nexport const executor = ${other}\nexport const make = async () => ${executorText('shop')}\n`
    const cwd = writeApp({ 'errand.ts': text })
    expect(discoverApp({ cwd, app: 'errand.ts:make' })).toMatchObject({
      isFactory: true,
      config: { name: 'shop' },
    })
  })
})

test('config and tasks come back as the app has them', () => {
  const config = {
    name: 'shop',
    queues: { fast: {}, slow: { fifo: true } },
    workers: { one: { queues: ['fast'], concurrency: 4 }, two: { memoryMiB: 2048, timeoutSeconds: 300 } },
    routes: { 'mail.*': 'slow' },
    blobs: true,
  }
  const text = [
    "import { createExecutor, task } from 'errand'",
    `export const executor = createExecutor(${JSON.stringify(config)}, { tasks: {`,
    '  zebra() {}, mail: { send: task({ maxAttempts: 7, timeoutSeconds: 9, run: async (to: string) => to }) } } })',
    "executor.task('Add', (a: number) => a)",
  ]
  const app = discoverApp({ cwd: writeApp({ 'errand.ts': text.join('\n') }) })
  expect(app.config).toEqual(resolveConfig(config))
  expect(app.tasks.map(({ name }) => name)).toEqual(['Add', 'mail.send', 'zebra'])
  expect(app.tasks[1]).toMatchObject({
    formerly: [],
    options: { maxAttempts: 7, timeoutSeconds: 9, maxKills: 3 },
  })
})

describe('it loads', () => {
  const rest = `${imports}\nimport { name } from './name'\nexport const executor = createExecutor(defineConfig({ name }))\n`
  test.each([
    [
      '`.js` names of `.ts` files',
      rest.replace('./name', './name.js'),
      { 'name.ts': "export const name = 'shop'" },
    ],
    ['names without an ending', rest, { 'name.ts': "export const name: string = 'shop'" }],
    ['a folder', rest, { 'name/index.ts': "export const name = 'shop'" }],
    ['an enum', rest, { 'name.ts': "enum Names { shop = 'shop' }\nexport const name = Names.shop" }],
    ['JSX', rest, { 'name.tsx': 'const h = (a: string) => a\n/** @jsx h */\nexport const name = <shop />' }],
    [
      'CommonJS',
      rest.replace('./name', './name.cjs'),
      { 'name.cjs': "exports.name = require('node:path').basename('/shop')" },
    ],
    ['top-level await', rest, { 'name.ts': "export const name = await Promise.resolve('shop')" }],
    [
      '`paths` of a tsconfig',
      rest.replace('./name', '@/name'),
      { 'lib/name.ts': "export const name = 'shop'" },
    ],
    [
      'JSON',
      rest.replace(
        "{ name } from './name'",
        "data from './name.json' with { type: 'json' }\nconst { name } = data",
      ),
      { 'name.json': '{ "name": "shop" }' },
    ],
    [
      'a `require` and a `__dirname` of its own',
      rest,
      {
        'name.ts':
          "import { createRequire } from 'node:module'\nimport { dirname } from 'node:path'\nimport { fileURLToPath } from 'node:url'\nconst require = createRequire(import.meta.url)\nconst __dirname = dirname(fileURLToPath(import.meta.url))\nexport const name = require('node:path').basename(__dirname) && 'shop'",
      },
    ],
  ])('%s', (_, text, files) => {
    const cwd = writeApp({ 'errand.ts': text, ...files }, { paths: { '@/*': ['./lib/*'] } })
    expect(discoverApp({ cwd }).config.name).toBe('shop')
  })

  test('packages as the importing module finds them, and those of a workspace that are TypeScript', () => {
    const manifest = '{ "type": "module", "exports": "./index.ts" }'
    const cwd = writeApp({
      'errand.ts': `${imports}\nimport { name } from 'names'\nexport const executor = createExecutor(defineConfig({ name }))\n`,
      'packages/names/package.json': manifest,
      'packages/names/index.ts': "import prefix from 'prefix'\nexport const name: string = prefix + '-shop'",
      'packages/names/node_modules/prefix/package.json': '{ "main": "main.js" }',
      'packages/names/node_modules/prefix/main.js': "module.exports = require('./inner')",
      'packages/names/node_modules/prefix/inner.js':
        "module.exports = __dirname.endsWith('prefix') ? 'my' : 'lost'",
    })
    linkPackage(cwd, 'names', 'packages/names')
    expect(discoverApp({ cwd }).config.name).toBe('my-shop')
  })

  test('modules that read files beside themselves', () => {
    const read = [
      "import { readFileSync } from 'node:fs'",
      "const text = readFileSync(new URL('./name.txt', import.meta.url), 'utf8')",
      "const same = readFileSync(import.meta.dirname + '/name.txt', 'utf8')",
      'export const name = text === same ? text : import.meta.filename',
    ]
    const cwd = writeApp({ 'src/errand.ts': rest, 'src/name.ts': read.join('\n'), 'src/name.txt': 'shop' })
    expect(discoverApp({ cwd }).config.name).toBe('shop')
  })

  test('an app that prints, listens and leaves a timer running', () => {
    const text = [
      shop,
      "import { createServer } from 'node:http'",
      'console.log(\'{"found": null}\')',
      "createServer().listen(0, '127.0.0.1')",
      'setInterval(() => {}, 1000)',
    ]
    expect(discoverApp({ cwd: writeApp({ 'errand.ts': text.join('\n') }) }).config.name).toBe('shop')
  })
})

test('an app is read without AWS, whatever this process has, and its tasks do not run', () => {
  const seen = [
    'ERRAND_BACKEND',
    'ERRAND_TABLE',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_PROFILE',
    'AWS_ENDPOINT_URL',
    'STAGE',
  ]
  for (const name of seen) vi.stubEnv(name, 'from-outside')
  const text = [
    imports,
    "import { writeFileSync } from 'node:fs'",
    `writeFileSync(new URL('./seen.json', import.meta.url), JSON.stringify(${JSON.stringify(seen)}.map((name) => process.env[name])))`,
    "const touch = () => writeFileSync(new URL('./ran', import.meta.url), '')",
    `export const executor = ${executorText('shop', 'touch')}`,
    'await executor.submit(touch).catch(() => {})',
  ]
  const cwd = writeApp({ 'errand.ts': text.join('\n') })
  expect(discoverApp({ cwd }).config.name).toBe('shop')
  const values = JSON.parse(readFileSync(join(cwd, 'seen.json'), 'utf8'))
  expect(values).toEqual(['aws', null, null, null, 'http://127.0.0.1:9', 'from-outside'])
  expect(existsSync(join(cwd, 'ran'))).toBe(false)
})

test('an app is read with the variables that its workers will have, less those that start Node otherwise', () => {
  const text = `${imports}\nexport const executor = createExecutor({ name: process.env.NAME ?? 'none' })\n`
  const environment = { NAME: 'shop', NODE_OPTIONS: '--require /opt/of-a-layer.js' }
  expect(discoverApp({ cwd: writeApp({ 'errand.ts': text }), environment }).config.name).toBe('shop')
})

test("the example's app is found", () => {
  const app = discoverApp({ cwd: join(root, 'examples/flights') })
  expect(app).toMatchObject({ exportName: 'executor', config: { name: 'flights' } })
  expect(app.tasks.map(({ name }) => name)).toEqual(['reports.nightly', 'reports.summarise'])
})
