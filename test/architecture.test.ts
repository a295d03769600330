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
import {
  type Import,
  lineAt,
  nodesOf,
  parseSource,
  readPackage,
  root,
  type SourceFile,
  type SyntaxNode,
  sourceFilesUnder,
} from './support/source-files.ts'

/** A file imports its own folder or a lower floor: never sideways, never up. */
const floors: Readonly<Record<string, number>> = {
  runtime: 0,
  // Of its own: it runs in a page, and imports nothing.
  browser: 0,
  handlers: 1,
  'app-discovery': 1,
  hono: 1,
  otel: 1,
  'local-emulator': 2,
  'process-worker': 2,
  monitor: 2,
  testing: 3,
  cli: 4,
}

/** The app that discovery has built: the one import whose name is not known before it runs. */
const builtApp = 'pathToFileURL(outfile).href'

/** What a folder may import that is not ours; Node's own modules it may anyway. The longest folder counts. */
const packages: Readonly<
  Record<string, { readonly values: readonly string[]; readonly types: readonly string[] }>
> = {
  'src/index.ts': { values: [], types: [] },
  'src/runtime/': {
    values: ['croner', 'devalue', 'fastest-levenshtein', 'tinyqueue', 'uuid'],
    types: ['@standard-schema/spec'],
  },
  'src/runtime/aws/': {
    values: 'cloudformation cloudwatch dynamodb lambda s3 scheduler secrets-manager sqs'
      .split(' ')
      .map((service) => `@aws-sdk/client-${service}`),
    types: [],
  },
  'src/handlers/': { values: [], types: ['aws-lambda'] },
  'src/app-discovery/': { values: ['esbuild'], types: [] },
  'src/browser/': { values: [], types: [] },
  'src/app-discovery/import-app.ts': { values: [builtApp], types: [] },
  'src/hono/': { values: ['hono'], types: [] },
  'src/otel/': { values: ['@opentelemetry/api'], types: [] },
  'src/local-emulator/': { values: [], types: ['aws-lambda'] },
  'src/process-worker/': { values: [], types: [] },
  'src/monitor/': { values: ['hono', '@hono/node-server'], types: [] },
  'src/testing/': { values: [], types: [] },
  'src/cli/': { values: ['cli-table3', 'commander', 'dynalite', 'esbuild', 'fauxqs'], types: [] },
  'cdk/': { values: ['aws-cdk-lib', 'constructs', 'esbuild'], types: ['aws-cdk-lib', 'constructs'] },
}

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

function floorOf(path: string): number {
  if (path === 'src/index.ts') return Number.POSITIVE_INFINITY
  return floors[folderOf(path)] ?? Number.NaN
}

function folderOf(path: string): string {
  return path.split('/')[1] ?? ''
}

/** What the construct may import. */
const ofConstruct =
  /^(cdk\/|src\/runtime\/(config|errors|metric-names|nearest-name)\.ts$|src\/monitor\/(monitor-options|redact-options|static-files)\.ts$|src\/app-discovery\/)/

function floorViolation(file: SourceFile, { specifier, line, target }: Import): string[] {
  if (target === undefined) return []
  const say = (why: string) => [`${file.path}:${line} imports '${specifier}': ${why}`]
  if (file.path.startsWith('cdk/')) {
    if (ofConstruct.test(target)) return []
    return say(
      'cdk may import cdk, src/app-discovery, and names, options and refusals of runtime and monitor',
    )
  }
  if (!target.startsWith('src/')) return say('src imports src only')
  if (file.path === 'src/index.ts') {
    if (folderOf(target) !== 'local-emulator' || specifier === 'errand/local-emulator') return []
    return say("name it 'errand/local-emulator': bundles leave that name out, and would pull a path in")
  }
  if (folderOf(target) === folderOf(file.path)) return []
  const [own, other] = [floorOf(file.path), floorOf(target)]
  if (other < own) return []
  const fix = 'move what both need to a lower floor, or pass it in from src/index.ts'
  return say(`floor ${own} may not import floor ${other}; ${fix}`)
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

function packageViolation(file: SourceFile, { specifier, line, target, typeOnly }: Import): string[] {
  if (target !== undefined || specifier.startsWith('node:')) return []
  const folder = Object.keys(packages)
    .filter((candidate) => file.path.startsWith(candidate))
    .sort((a, b) => b.length - a.length)[0]
  const rule = packages[folder ?? '']
  if (rule === undefined) return [`${file.path} has no entry in \`packages\` of test/architecture.test.ts`]
  const allowed = typeOnly ? [...rule.types, ...rule.values] : rule.values
  if (allowed.includes(packageOf(specifier))) return []
  const what = typeOnly ? 'types of' : 'values of'
  return [
    `${file.path}:${line} imports ${what} '${specifier}'; ${folder} may import: ${allowed.join(', ') || 'none'}`,
  ]
}

describe('imports', () => {
  test('every file is on a floor', () => {
    const strays = product
      .map(({ path }) => path)
      .filter((path) => !path.startsWith('cdk/') && Number.isNaN(floorOf(path)))
    expectNone(strays, 'give the folder a floor in `floors`, or move the file into a folder that has one:')
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
    ['cdk/a.ts', "import { x } from '../src/runtime/record.ts'", 'cdk may import'],
    ['src/runtime/a.ts', "type A = import('../cli/a.ts').A", 'floor 0 may not import floor 4'],
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
    expectNone(violations, 'reach AWS through the ports (src/runtime/queue.ts, store.ts):')
  })

  test('a folder imports the packages that it may', () => {
    const violations = product.flatMap((file) => file.imports.flatMap((each) => packageViolation(file, each)))
    expectNone(violations, 'use what is there, or add the package to `packages` and say why in AGENTS.md:')
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
