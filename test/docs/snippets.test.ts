/**
 * Every line of code in the documentation compiles, and what it says that it prints, it prints.
 * @module
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PATIENCE } from '../support/patience.ts'
import { ownNames, readPackage, root } from '../support/source-files.ts'
import { isShown, pages, type Snippet, snippetsOf } from './snippets.ts'

const run = promisify(execFile)
const snippets = pages.flatMap(snippetsOf)
const runnable = snippets.filter((snippet) => snippet.run)

/** Inside the checkout, so that snippets find its packages. */
let folder: string

beforeAll(() => {
  const cache = join(root, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  folder = mkdtempSync(join(cache, 'errand-snippets-'))
  for (const { path, code } of snippets) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    // Each a module of its own, whether or not it imports anything.
    writeFileSync(join(folder, path), `${code}\nexport {}\n`)
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Snippets are about one thing each: they may leave what they declare unused. */
const tsconfig = {
  extends: join(root, 'tsconfig.json'),
  compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
  include: ['**/*.ts'],
  exclude: [],
}

test('every snippet compiles', async () => {
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { stdout } = await run(process.execPath, [tsc, '-p', '.', '--pretty', 'false'], {
    cwd: folder,
  }).catch((error: { stdout: string }) => error)
  const places = snippets.map(({ path, page, line }) => `${path} is ${page}:${line}`)
  const guide = places.filter((place) => stdout.includes(place.split(' ')[0] ?? ''))
  expect(stdout, guide.join('\n')).toBe('')
})

test('no snippet shows an output without being run', () => {
  const silent = snippets.filter((snippet) => !snippet.run && snippet.prints.length > 0)
  expect(silent.map(({ page, line }) => `${page}:${line}`)).toEqual([])
  expect(runnable.length).toBeGreaterThanOrEqual(10)
  expect(runnable.some(({ page }) => page === 'README.md')).toBe(true)
})

describe('every snippet prints what it says', () => {
  beforeAll(async () => {
    const { dependencies, devDependencies } = readPackage()
    await build({
      entryPoints: runnable.map(({ path }) => join(folder, path)),
      outdir: join(folder, 'built'),
      outbase: folder,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: true,
      platform: 'node',
      format: 'esm',
      target: 'node22',
      // The sources under the names that users import, as in the other tests.
      alias: Object.fromEntries([...ownNames].map(([name, source]) => [name, join(root, source)])),
      external: Object.keys({ ...dependencies, ...devDependencies }),
      logLevel: 'error',
    })
  })

  test.concurrent.each(runnable.map((snippet) => [`${snippet.page}:${snippet.line}`, snippet] as const))(
    '%s',
    async (_, snippet) => {
      const { stdout, stderr } = await runSnippet(snippet)
      expect(stderr).toBe('')
      const printed = stdout.split('\n').slice(0, -1)
      const wrong = printed.filter((line, index) => !isShown(line, snippet.prints[index] ?? ''))
      expect(wrong, `${snippet.page}:${snippet.line} printed\n${stdout}`).toEqual([])
      expect(printed).toHaveLength(snippet.prints.length)
    },
  )
})

function runSnippet({ path }: Snippet): Promise<{ stdout: string; stderr: string }> {
  const script = join(folder, 'built', path.replace(/\.ts$/, '.mjs'))
  const env = { PATH: process.env.PATH, NO_COLOR: '1' }
  return run(process.execPath, [script], { cwd: folder, env, timeout: PATIENCE.timeout })
}

test('a shown output may leave out what changes from run to run', () => {
  expect(isShown('id 0192-a of 3', 'id … of 3')).toBe(true)
  expect(isShown('[ 3, 7 ]', '[ 3, 7 ]')).toBe(true)
  expect(isShown('[ 3, 8 ]', '[ 3, 7 ]')).toBe(false)
  expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain('snippet: run')
})
