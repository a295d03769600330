/**
 * The worker asset: one file with the app and its tasks, errand and the AWS SDK, which serves all workers of a fleet and
 * its dead letters. Made without Docker and without network, and the same bytes on each run and in each folder.
 * @module
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type DiscoveredApp, runProgram } from '../src/app-discovery/index.ts'
import type { BundleAnswer, BundleInputs, BundleRequest } from './bundling/build-bundle.ts'
import { bytesUnder, copyFiles, measureFiles } from './bundling/copied-files.ts'
import { importEager } from './bundling/eager-chunk.ts'
import { checkSize, unbuildable } from './bundling/explain-problem.ts'

/** A bundle that was made. */
export interface FunctionBundle {
  /** Holds `index.mjs`, which exports `handler` (the workers' also `deadLetters`), the chunks it loads, and what `files` named. */
  readonly directory: string
  /** The folder of its source maps, outside of the directory; `undefined` where there are none. */
  readonly sourceMap: string | undefined
  /** Of all that is in the directory. */
  readonly bytes: number
}

/** How a bundle is made. */
export interface BundleOptions {
  /** The folder that the asset's directory is made in; one that is there is replaced. */
  readonly outdir: string
  /** @default true */
  readonly minify?: boolean
  /** Modules that are left out, since a layer brings them. @default none */
  readonly externalModules?: readonly string[]
  /** What else the workers read: paths in the asset, and the file or folder that each is a copy of. @default none */
  readonly files?: Readonly<Record<string, string>>
}

/** What belongs to laptops and deployments, and never into a function. */
export const neverBundled: readonly string[] = [
  'errand/local-emulator',
  'errand/cdk',
  'errand/testing',
  'aws-cdk-lib',
  'constructs',
  'esbuild',
]

const BUILD_TIMEOUT_SECONDS = 120

/**
 * Bundles an app for its workers. Synchronous, as constructors are.
 * @throws BundleError that names what is in the way, who imports it, and the fix
 */
export function bundleWorkers(app: DiscoveredApp, options: BundleOptions): FunctionBundle {
  const absent = [...neverBundled, 'errand/monitor']
  return makeBundle(app, { name: 'workers', entry: entryOf(app), absent, clients: [] }, options)
}

/** What of a bundle is not the user's to say. */
export interface BundleParts {
  /** What it is of, in words and as a folder. */
  readonly name: 'workers' | 'monitor'
  /** The text of the module that Lambda loads; its imports are relative to the app's folder. */
  readonly entry: string
  /** Modules that are left out, and are not there where it runs. */
  readonly absent: readonly string[]
  /** Clients of the SDK that errand loads when they are needed, and that are in the bundle here; the others are Lambda's own. */
  readonly clients: readonly string[]
}

/**
 * Bundles an app for one kind of function.
 * @throws BundleError that names what is in the way, who imports it, and the fix
 */
export function makeBundle(app: DiscoveredApp, parts: BundleParts, options: BundleOptions): FunctionBundle {
  const { outdir, minify = true, externalModules = [], files = {} } = options
  const { name, entry, absent } = parts
  const directory = join(resolve(outdir), name)
  const sourceMap = join(resolve(outdir), `${name}-source-maps`)
  const sizes = measureFiles(files)
  for (const folder of [directory, sourceMap]) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
  }
  const { blobs, longDelays } = app.config
  const hasSchedules = app.schedules.length > 0
  const clients = [
    ...parts.clients,
    ...(blobs === undefined ? [] : ['@aws-sdk/client-s3']),
    // Workers make schedules for long delays; who looks on asks for those that are declared.
    ...(longDelays || (hasSchedules && name === 'monitor') ? ['@aws-sdk/client-scheduler'] : []),
  ]
  const inputs = build(name, {
    modulePath: app.modulePath,
    entry,
    root: rootOf(app.modulePath),
    outdir: directory,
    // Lambda would unzip them at every cold start.
    mapdir: sourceMap,
    minify,
    external: externalModules,
    absent: absent.filter((each) => !externalModules.includes(each)),
    clients,
    hasSchedules,
  })
  checkSize(inputs, sizes)
  copyFiles(files, directory)
  return { directory, sourceMap, bytes: bytesUnder(directory) }
}

function build(name: BundleParts['name'], request: BundleRequest): BundleInputs {
  const { answer, output, ending } = runProgram<BundleAnswer>(
    import.meta.url,
    'bundling/build-bundle',
    request,
    { cwd: request.root, env: process.env, timeoutSeconds: BUILD_TIMEOUT_SECONDS },
  )
  if (answer !== undefined && 'inputs' in answer) return answer.inputs
  const crash = {
    text: `its process ended with ${ending ?? `no answer in ${BUILD_TIMEOUT_SECONDS} s`}\n${output}`,
  }
  throw unbuildable(`the ${name} of ${request.modulePath}`, answer?.problems ?? [crash])
}

/**
 * The text of the module that Lambda loads.
 * @param imports what it takes beside the app
 * @param exports what it makes of `executor`
 */
export function entryText(
  { modulePath, exportName, isFactory }: DiscoveredApp,
  imports: readonly string[],
  exports: readonly string[],
): string {
  const module = JSON.stringify(`./${basename(modulePath)}`)
  return [
    importEager,
    ...imports,
    `import { ${JSON.stringify(exportName)} as app } from ${module}`,
    isFactory ? 'const executor = await app()' : 'const executor = app',
    ...exports,
  ].join('\n')
}

function entryOf(app: DiscoveredApp): string {
  const imports = ["import { deadLetterHandler, workerHandler } from 'errand/lambda'"]
  return entryText(app, imports, [
    'export const handler = workerHandler(executor)',
    'export const deadLetters = deadLetterHandler(executor)',
  ])
}

/** The folder of the package that the app belongs to. */
function rootOf(modulePath: string): string {
  for (let folder = dirname(modulePath); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (dirname(folder) === folder) return dirname(modulePath)
  }
}

export { BundleError } from './bundling/bundle-error.ts'
