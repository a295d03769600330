/**
 * What may import what: the floors of `src`, the folders of `src/runtime`, and the packages of each folder.
 * @module
 */
import type { Import, SourceFile } from './source-files.ts'

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

/**
 * The folders of `src/runtime`, the lowest first. What a file in one of them runs comes from its own, a lower one or the
 * folder that holds them all; types may come from any.
 */
const runtimeFolders: readonly string[] =
  'config codec ports call schedules future submit attempt operations aws'.split(' ')

/** The app that discovery has built: the one import whose name is not known before it runs. */
export const builtApp = 'pathToFileURL(outfile).href'

/** What a folder may import that is not ours; Node's own modules it may anyway. The longest folder counts. */
const packages: Readonly<
  Record<string, { readonly values: readonly string[]; readonly types: readonly string[] }>
> = {
  'src/index.ts': { values: [], types: [] },
  'src/runtime/': { values: ['tinyqueue', 'uuid'], types: ['@standard-schema/spec'] },
  'src/runtime/codec/': { values: ['devalue'], types: [] },
  'src/runtime/config/': { values: ['fastest-levenshtein'], types: [] },
  'src/runtime/schedules/': { values: ['croner'], types: [] },
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

/** The floor of a file, `NaN` where it has none. */
export function floorOf(path: string): number {
  if (path === 'src/index.ts') return Number.POSITIVE_INFINITY
  return floors[folderOf(path)] ?? Number.NaN
}

function folderOf(path: string): string {
  return path.split('/')[1] ?? ''
}

/** What the construct may import. */
const ofConstruct =
  /^(cdk\/|src\/runtime\/(errors|config\/(config|metric-names|nearest-name))\.ts$|src\/monitor\/(monitor-options|redact-options|static-files)\.ts$|src\/app-discovery\/)/

/** What is wrong with where an import of a file goes. */
export function floorViolation(file: SourceFile, { specifier, line, target, typeOnly }: Import): string[] {
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
  if (folderOf(target) === folderOf(file.path)) {
    const [own, other] = [file.path, target].map((path) => runtimeFolders.indexOf(path.split('/')[2] ?? ''))
    if (typeOnly || own === -1 || (other ?? 0) <= (own ?? 0)) return []
    return say(
      `${runtimeFolders[own ?? 0]} is below ${runtimeFolders[other ?? 0]}; move what both need lower`,
    )
  }
  const [own, other] = [floorOf(file.path), floorOf(target)]
  if (other < own) return []
  const fix = 'move what both need to a lower floor, or pass it in from src/index.ts'
  return say(`floor ${own} may not import floor ${other}; ${fix}`)
}

/** The package that an import is of. */
export function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** What is wrong with an import that a file makes of a package. */
export function packageViolation(file: SourceFile, { specifier, line, target, typeOnly }: Import): string[] {
  if (target !== undefined || specifier.startsWith('node:')) return []
  const folder = Object.keys(packages)
    .filter((candidate) => file.path.startsWith(candidate))
    .sort((a, b) => b.length - a.length)[0]
  const rule = packages[folder ?? '']
  if (rule === undefined) return [`${file.path} has no entry in \`packages\` of test/support/import-rules.ts`]
  const allowed = typeOnly ? [...rule.types, ...rule.values] : rule.values
  if (allowed.includes(packageOf(specifier))) return []
  const what = typeOnly ? 'types of' : 'values of'
  return [
    `${file.path}:${line} imports ${what} '${specifier}'; ${folder} may import: ${allowed.join(', ') || 'none'}`,
  ]
}
