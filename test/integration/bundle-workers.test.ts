/**
 * The worker asset: what is in it, and that Node runs it.
 * @module
 */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { bundleMonitor } from '../../cdk/bundle-monitor.ts'
import { type BundleOptions, bundleWorkers, type FunctionBundle } from '../../cdk/bundle-workers.ts'
import { usedOfSdk } from '../../cdk/bundling/lean-sdk.ts'
import { discoverApp } from '../../src/app-discovery/index.ts'
import { staticFileNames } from '../../src/monitor/static-files.ts'
import { executorText, imports, writeApp } from '../support/app-folder.ts'
import { root, sourceFilesUnder } from '../support/source-files.ts'

const run = promisify(execFile)
const shop = `${imports}\nexport const executor = ${executorText('shop')}\n`

function bundle(cwd: string, options: Partial<BundleOptions> = {}): FunctionBundle {
  return bundleWorkers(discoverApp({ cwd }), { outdir: join(cwd, 'out'), ...options })
}

/** The text of every file, by its name. */
function textsOf(folder: string, isWanted = (_name: string) => true): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder)
      .filter(isWanted)
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  )
}

/** The files that are loaded with this one, before anything runs. */
function eagerOf(
  texts: Readonly<Record<string, string>>,
  name: string,
  found = new Set<string>(),
): Set<string> {
  if (found.has(name) || texts[name] === undefined) return found
  found.add(name)
  for (const [, next = ''] of texts[name].matchAll(/(?:from|import)\s*"\.\/([^"]+)"/g))
    eagerOf(texts, next, found)
  return found
}

/** The modules that went into it, by their paths' last parts. */
function sourcesOf({ sourceMap = '' }: FunctionBundle): string[] {
  return Object.values(textsOf(sourceMap)).flatMap(
    (text) => (JSON.parse(text) as { sources: string[] }).sources,
  )
}

/** What the asset exports, when Node imports it with nothing else in reach. */
async function exportsOf({ directory }: FunctionBundle, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const url = pathToFileURL(join(directory, 'index.mjs')).href
  const print = `import(${JSON.stringify(url)}).then((m) => console.log(Object.keys(m).join(), typeof m.handler))`
  const { stdout } = await run(process.execPath, ['-e', print], { cwd: directory, env })
  return stdout.trim()
}

const works = 'deadLetters,handler function'

describe('the asset', () => {
  test('is the same bytes on each run and in each folder, and names none of them', () => {
    const one = writeApp({ 'errand.ts': shop })
    // Packages lie elsewhere, seen from there.
    const two = join(writeApp({ 'a/b/c/errand.ts': shop, 'a/b/c/package.json': '{}' }), 'a/b/c')
    const first = textsOf(bundle(one).directory)
    expect(Object.keys(first)).toContain('index.mjs')
    expect(textsOf(bundle(one).directory)).toEqual(first)
    expect(textsOf(bundle(two).directory)).toEqual(first)
    const text = Object.values(first).join('\n')
    for (const place of [one, root, tmpdir(), 'node_modules']) expect(text).not.toContain(place)
  })

  test('holds errand and the SDK, and nothing of laptops and deployments', () => {
    const cwd = writeApp({
      'errand.ts': `import('errand/local-emulator').catch(() => {})\nimport('aws-cdk-lib').catch(() => {})\nimport('esbuild').catch(() => {})\n${shop}`,
    })
    const made = bundle(cwd)
    const sources = sourcesOf(made)
    expect(sources.some((path) => path.endsWith('src/handlers/worker.ts'))).toBe(true)
    expect(sources.some((path) => path.includes('client-dynamodb'))).toBe(true)
    const strangers =
      /src\/(local-emulator|testing|cli|monitor)\/|aws-cdk-lib|\/esbuild\/|credential-provider-(sso|ini|process|login)|\/bowser\/|client-(s3|lambda|cloudwatch|scheduler|secrets-manager)\//
    expect(sources.filter((path) => strangers.test(path))).toEqual([])
    expect(made.bytes).toBeLessThan(456 * 1024)
    expect(readdirSync(made.directory).filter((name) => !name.endsWith('.mjs'))).toEqual([])
  })

  test('is one file that every call needs, beside the app, and none of what some calls need', () => {
    const cwd = writeApp({ 'errand.ts': shop })
    const made = bundle(cwd)
    const texts = textsOf(made.directory)
    const imported = (name: string) =>
      [...(texts[name] ?? '').matchAll(/\b(?:import|from)"\.\/([^"]+)"/g)].map(([, file = '']) => file)
    const [eager = '', ...others] = imported('index.mjs')
    expect([...others, ...imported(eager)]).toEqual([])
    const map = textsOf(made.sourceMap ?? '')[`${eager}.map`] ?? '{}'
    const { sources } = JSON.parse(map) as { sources: string[] }
    const holds = (part: string) => sources.some((path) => path.includes(part))
    expect(
      ['src/handlers/worker.ts', 'aws/aws-backend.ts', 'client-dynamodb', 'node-http-handler'].map(holds),
    ).toEqual([true, true, true, true])
    expect(
      ['client-sqs', 'client-s3', 'client-lambda', 'credential-provider-http', 'event-streams/'].map(holds),
    ).toEqual([false, false, false, false, false])
    const operations = ['inspection', 'retry-by-hand', 'schedule-control', 'aws/lambda-fleet']
    expect(operations.filter((name) => holds(`${name}.ts`))).toEqual([])
    expect(texts[eager]?.length).toBeLessThan(376 * 1024)
    // Each is loaded later, and what it shares with the eager file is not torn out of it.
    expect(Object.keys(texts).length).toBeGreaterThan(5)
  })

  test('works where its app declares schedules that it had not when it was bundled', async () => {
    const text = `${imports}
const schedules = process.env.STAGE === 'prod' ? { nightly: { cron: '0 2 * * *', task: 'add' } } : {}
export const executor = createExecutor({ name: 'shop', schedules }, { tasks: { add: (a: number, b: number) => a + b } })
`
    const made = bundle(writeApp({ 'errand.ts': text }))
    expect(await exportsOf(made, { STAGE: 'prod' })).toBe(works)
  })

  test('holds the S3 client where the app has blobs', () => {
    const text = `${imports}\nexport const executor = createExecutor({ name: 'shop', blobs: true })\n`
    const cwd = writeApp({ 'errand.ts': text })
    // Not installed in this folder; but errand's own place has it.
    expect(sourcesOf(bundle(cwd)).some((path) => path.includes('client-s3'))).toBe(true)
  })

  test('holds the client of EventBridge Scheduler where the app has long delays, and loads it at the first alone', () => {
    const client = /client-scheduler\/dist/
    const of = (options: string) =>
      writeApp({ 'errand.ts': `${imports}\nexport const executor = createExecutor(${options})\n` })
    expect(sourcesOf(bundle(of("{ name: 'shop' }"))).some((path) => client.test(path))).toBe(false)
    const made = bundle(of("{ name: 'shop', longDelays: true }"))
    const maps = textsOf(made.sourceMap ?? '')
    const chunks = Object.keys(maps).filter((name) => client.test(maps[name] ?? ''))
    expect(chunks.length).toBeGreaterThan(0)
    const eager = eagerOf(textsOf(made.directory), 'index.mjs')
    expect(eager.size).toBeGreaterThan(1)
    expect(chunks.filter((name) => eager.has(name.replace(/\.map$/, '')))).toEqual([])
  })

  test.each([true, false])('runs by itself, minified: %s', async (minify) => {
    const text = [
      "import { createRequire } from 'node:module'",
      "import { dirname } from 'node:path'",
      "import { fileURLToPath } from 'node:url'",
      "import { folder } from './old.cjs'",
      imports,
      'const require = createRequire(import.meta.url)',
      'const __dirname = dirname(fileURLToPath(import.meta.url))',
      'export const places = [require, __dirname, folder]',
      `export const executor = ${executorText('shop')}`,
    ]
    const old = "const { sep } = require('path')\nexports.folder = __dirname + sep"
    const cwd = writeApp({ 'errand.ts': text.join('\n'), 'old.cjs': old })
    expect(await exportsOf(bundle(cwd, { minify }))).toBe(works)
  })

  test.each([
    ['a factory', `export async function createApp() { return ${executorText('shop')} }`],
    ['a default export', `export default ${executorText('shop')}`],
  ])('serves %s', async (_, text) => {
    expect(await exportsOf(bundle(writeApp({ 'errand.ts': `${imports}\n${text}\n` })))).toBe(works)
  })
})

describe('the asset of the monitor', () => {
  test('holds the monitor, its files, and the clients that it asks; and is the same in each folder', () => {
    const auth = "export const authorize = () => 'read'"
    const make = (cwd: string) =>
      bundleMonitor(
        discoverApp({ cwd }),
        { path: join(cwd, 'auth.ts'), exportName: 'authorize' },
        { outdir: join(cwd, 'out') },
      )
    const one = make(writeApp({ 'errand.ts': shop, 'auth.ts': auth }))
    const folder = join(
      writeApp({ 'a/b/errand.ts': shop, 'a/b/auth.ts': auth, 'a/b/package.json': '{}' }),
      'a/b',
    )
    const own = (made: FunctionBundle) => textsOf(made.directory, (name) => name.endsWith('.mjs'))
    expect(own(make(folder))).toEqual(own(one))
    const sources = sourcesOf(one)
    for (const part of [
      'src/monitor/lambda',
      'client-cloudwatch',
      'client-lambda',
      'client-secrets-manager',
      'auth.ts',
    ]) {
      expect(
        sources.some((path) => path.includes(part)),
        part,
      ).toBe(true)
    }
    expect(sources.filter((path) => /src\/(local-emulator|testing|cli)\/|node-server/.test(path))).toEqual([])
    expect(readdirSync(join(one.directory, 'assets')).sort()).toEqual([...staticFileNames].sort())
  })
})

test('what the bundle keeps of the SDK is what the sources use of it', () => {
  // These are the command line's.
  const elsewhere = /\/(made-resources|fleet-of-stack)\.ts$/
  const files = sourceFilesUnder('src/runtime/aws').filter(({ path }) => !elsewhere.test(path))
  const used = files.flatMap(({ text }) => [...text.matchAll(/\bsdk\.(\w+)/g)].map(([, name = '']) => name))
  expect(new Set(used)).toEqual(new Set(Object.values(usedOfSdk).flat()))
  // Any other way to reach into it would not be seen.
  const others = files.filter(({ text }) => /\} = (await )?\w*sdk\b|sdk\[/.test(text)).map(({ path }) => path)
  expect(others).toEqual([])
})
