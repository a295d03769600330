/**
 * The rules that keep the project small enough to hold in one's head. Each failure says what to do about it.
 * @module
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { undocumentedExports } from './support/documented-exports.ts'
import { cyclesOf } from './support/import-cycles.ts'
import { builtApp, floorOf, floorViolation, packageOf, packageViolation } from './support/import-rules.ts'
import {
  lineAt,
  nodesOf,
  parseSource,
  readPackage,
  root,
  type SourceFile,
  type SyntaxNode,
  sourceFilesUnder,
} from './support/source-files.ts'

const MAX_FILE_LINES = 400
const MAX_FUNCTION_LINES = 60

/** A worker's bundle with the SDK's two clients: what every cold start reads. */
const MAX_BUNDLE_KIB = 1024

const product = sourceFilesUnder('src', 'cdk')
const tests = sourceFilesUnder('test')
const ownPackage = readPackage()

/** Fails with every violation in a line of its own. */
function expectNone(violations: readonly string[], rule: string): void {
  expect(violations, `${rule}\n  ${violations.join('\n  ')}\n`).toEqual([])
}

describe('imports', () => {
  test('every file is on a floor', () => {
    const strays = product
      .map(({ path }) => path)
      .filter((path) => !path.startsWith('cdk/') && Number.isNaN(floorOf(path)))
    expectNone(
      strays,
      'give the folder a floor in `floors` of test/support/import-rules.ts, or move the file into a folder that has one:',
    )
  })

  test('a file imports its own folder or a lower floor', () => {
    const violations = product.flatMap((file) => file.imports.flatMap((each) => floorViolation(file, each)))
    expectNone(violations, 'an import goes sideways or up:')
  })

  test.each([
    [
      'src/runtime/a.ts',
      "import type { Worker } from '../handlers/worker.ts'",
      'floor 0 may not import floor 1',
    ],
    ['src/hono/a.ts', "export * from '../handlers/index.ts'", 'floor 1 may not import floor 1'],
    ['src/handlers/a.ts', "await import('errand')", 'floor 1 may not import floor Infinity'],
    ['src/index.ts', "import { x } from './local-emulator/index.ts'", "name it 'errand/local-emulator'"],
    ['cdk/a.ts', "import { x } from '../src/runtime/call/record.ts'", 'cdk may import'],
    ['src/runtime/a.ts', "type A = import('../cli/a.ts').A", 'floor 0 may not import floor 4'],
    ['src/runtime/call/a.ts', "import { send } from '../submit/send.ts'", 'call is below submit'],
  ])('in %s, %s is refused', (path, text, why) => {
    const file = parseSource(path, text)
    expect(file.imports.flatMap((each) => floorViolation(file, each)).join()).toContain(why)
  })

  test('what is imported is there', () => {
    const known = new Set([...product, ...tests].map(({ path }) => path))
    const violations = product.flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => target !== undefined && !known.has(target) && !target.endsWith('.json'))
        .map(({ specifier, line }) => `${path}:${line} imports '${specifier}'`),
    )
    expectNone(violations, 'name the file with its ending, as in ./record.ts:')
  })

  test('only src/runtime/aws imports the AWS SDK', () => {
    const violations = product
      .filter(({ path }) => !path.startsWith('src/runtime/aws/'))
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ specifier }) => /^@(aws-sdk|smithy|aws-crypto)\//.test(specifier))
          .map(({ specifier, line }) => `${path}:${line} imports '${specifier}'`),
      )
    expectNone(violations, 'reach AWS through the ports (src/runtime/ports/queue.ts, store.ts):')
  })

  test('a folder imports the packages that it may', () => {
    const violations = product.flatMap((file) => file.imports.flatMap((each) => packageViolation(file, each)))
    expectNone(
      violations,
      'use what is there, or add the package to `packages` of test/support/import-rules.ts and say why in AGENTS.md:',
    )
  })

  test('what src imports, its types included, is installed with the package', () => {
    const installed = { ...ownPackage.dependencies, ...ownPackage.peerDependencies }
    const violations = sourceFilesUnder('src').flatMap(({ path, imports }) =>
      imports
        .filter(({ specifier, target }) => target === undefined && !specifier.startsWith('node:'))
        .filter(({ specifier }) => specifier !== builtApp)
        .filter(({ specifier }) => {
          const name = packageOf(specifier)
          return !(name in installed) && !(`@types/${name}` in installed)
        })
        .map(({ specifier, line }) => `${path}:${line} imports '${specifier}'`),
    )
    expectNone(
      violations,
      'published .d.ts files name it too: add it to the dependencies, or declare the type here:',
    )
  })

  test('no file imports itself by way of others', () => {
    const graph = new Map(
      product.map(({ path, imports }) => [
        path,
        imports.flatMap(({ target, typeOnly }) => (target === undefined || typeOnly ? [] : [target])),
      ]),
    )
    const cycles = cyclesOf(graph).map((cycle) => cycle.join(' → '))
    expectNone(cycles, 'which of them is loaded first then decides what works; move what both need apart:')
  })
})

describe('sizes', () => {
  test(`a file has at most ${MAX_FILE_LINES} lines`, () => {
    const violations = [...product, ...tests]
      .filter(({ lines }) => lines > MAX_FILE_LINES)
      .map(({ path, lines }) => `${path} has ${lines} lines`)
    expectNone(violations, 'divide it by what its parts are about, and name each for it:')
  })

  test(`a function has at most ${MAX_FUNCTION_LINES} lines, what is nested in it included`, () => {
    const violations = [...product, ...tests].flatMap(({ path, functions }) =>
      functions
        .filter(({ lines, declaresTests }) => lines > MAX_FUNCTION_LINES && !declaresTests)
        .map(({ name, line, lines }) => `${path}:${line} ${name} has ${lines} lines`),
    )
    expectNone(violations, 'let it call functions of its module, each with a name that says what it does:')
  })
})

/** Time and chance are passed in; these files are where they come from, the last one in a page. */
const sources = ['src/runtime/clock.ts', 'src/runtime/entropy.ts', 'src/browser/pause.ts']
const forbiddenMembers = ['Date.now', 'performance.now', 'process.hrtime', 'Math.random', 'crypto.randomUUID']
const forbiddenNames = ['setTimeout', 'setInterval', 'randomUUID', 'eval']

function forbiddenWord(node: SyntaxNode): string | undefined {
  if (node.type === 'Identifier') return forbiddenNames.find((name) => name === node.name)
  const callee = node.callee as SyntaxNode | undefined
  if (callee?.name === 'Function') return 'Function()'
  if (node.type === 'NewExpression' && callee?.name === 'Date') {
    return (node.arguments as unknown[]).length === 0 ? 'new Date()' : undefined
  }
  if (node.type !== 'MemberExpression') return undefined
  const [object, property] = [node.object, node.property] as { name?: string }[]
  const member = `${object?.name}.${property?.name}`
  return forbiddenMembers.find((forbidden) => forbidden === member)
}

function forbiddenWords({ path, text, tree }: SourceFile): string[] {
  return [...nodesOf(tree)].flatMap(([node]) => {
    const word = forbiddenWord(node)
    return word === undefined ? [] : [`${path}:${lineAt(text, node.start)} ${word}`]
  })
}

describe('words', () => {
  test('time and chance come from src/runtime/clock.ts and entropy.ts, and no text is run as code', () => {
    const violations = product.filter(({ path }) => !sources.includes(path)).flatMap(forbiddenWords)
    expectNone(violations, 'take a Clock or an Entropy, so that tests need not wait and runs repeat:')
  })

  test('the scan for them finds each, and no look-alike', () => {
    const found = forbiddenWords(
      parseSource(
        'x.ts',
        [
          'const now = Date.now.bind(Date); new Date(); Math.random()',
          'globalThis.setTimeout(f, 1); const { setInterval } = globalThis',
          "eval('1'); new Function('return 1')",
          "// Date.now() and eval()\nconst text = 'Math.random()'; clock.now(); new Date(0); clock.setTimer(f, 1)",
        ].join('\n'),
      ),
    )
    const words = found.map((line) => line.split(' ').slice(1).join(' '))
    const expected = [
      'Date.now',
      'new Date()',
      'Math.random',
      'setTimeout',
      'setInterval',
      'eval',
      'Function()',
    ]
    // A shorthand pattern names its variable twice.
    expect([...new Set(words)]).toEqual(expected)
  })

  test('no file or folder is a bucket', () => {
    const bucket = /^(utils?|helpers?|types?|common|lib|misc|shared|constants|interfaces)$/
    const violations = [...product, ...tests]
      .filter(({ path }) => bucket.test(basename(path).replace(/\..*$/, '')))
      .map(({ path }) => path)
    const folders = product
      .map(({ path }) => path)
      .filter((path) =>
        path
          .split('/')
          .slice(0, -1)
          .some((folder) => bucket.test(folder)),
      )
    expectNone([...violations, ...folders], 'name it for what it is about:')
  })
})

const entries = Object.values(ownPackage.exports).map((paths) =>
  paths.default.replace('./dist/', '').replace(/\.js$/, '.ts'),
)

describe('exports', () => {
  const out = mkdtempSync(join(tmpdir(), 'errand-dist-'))

  beforeAll(async () => {
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    await promisify(execFile)(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', out], {
      cwd: root,
    })
  })
  afterAll(() => rmSync(out, { recursive: true, force: true }))

  test('each has a source, and is built', () => {
    const sourcePaths = new Set(product.map(({ path }) => path))
    expectNone(
      entries.filter((entry) => !sourcePaths.has(entry)),
      'package.json exports what has no source:',
    )
    const built = Object.values(ownPackage.exports).flatMap((paths) => [paths.types, paths.default])
    const missing = built.filter((path) => {
      return statSync(join(out, path.replace('./dist/', '')), { throwIfNoEntry: false }) === undefined
    })
    expectNone(missing, 'package.json exports what the build does not make:')
  })

  test('there are no wildcards, and ESM only', () => {
    const wild = Object.keys(ownPackage.exports).filter((subpath) => subpath.includes('*'))
    expectNone(wild, 'name each subpath:')
    const conditions = Object.values(ownPackage.exports).map((paths) => Object.keys(paths))
    expect(conditions.every((keys) => keys.join() === 'types,default')).toBe(true)
  })

  test.each(entries)('every export of %s has a docstring at its declaration', (entry) => {
    expectNone(undocumentedExports(entry), 'say in one sentence what it is for:')
  })
})

describe('a worker bundle', () => {
  test('holds nothing of cdk, cli, monitor or the emulator', async () => {
    const contents = [
      "import { createExecutor, defineConfig } from 'errand'",
      "import { workerHandler } from 'errand/lambda'",
      "const executor = createExecutor(defineConfig({ name: 'shop' }), { tasks: { add: (a, b) => a + b } })",
      'export const handler = workerHandler(executor)',
    ].join('\n')
    const { metafile, outputFiles } = await build({
      stdin: { contents, resolveDir: root, loader: 'ts' },
      bundle: true,
      write: false,
      metafile: true,
      minify: true,
      platform: 'node',
      target: 'node22',
      format: 'esm',
      // An app without a bucket or long delays has not installed these optional peers; bundlers then leave their names
      // alone. The last is for those who look at workers.
      external: [
        'errand/local-emulator',
        ...['s3', 'scheduler', 'lambda'].map((name) => `@aws-sdk/client-${name}`),
      ],
      logLevel: 'error',
    })
    const inputs = Object.keys(metafile.inputs)
    const kib = Math.round((outputFiles[0]?.contents.length ?? 0) / 1024)
    const size = `the bundle has ${kib} KiB, minified, with the SDK's two clients`
    expect(inputs, size).toContain('src/handlers/worker.ts')
    const strangers = inputs.filter((path) =>
      /^(cdk|src\/(cli|monitor|local-emulator|testing|hono))\//.test(path),
    )
    expectNone(strangers, `${size}; the bundle holds what a worker does not need:`)
    expect(kib, `${size}, at most ${MAX_BUNDLE_KIB}`).toBeLessThanOrEqual(MAX_BUNDLE_KIB)
  })
})
