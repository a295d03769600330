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
export interface WorkerBundle {
  /** Holds `index.mjs`, which exports `handler` and `deadLetters`, the chunks it loads, and what `files` named. */
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

/** What belongs to laptops and deployments, and never into a worker. */
const neverBundled = [
  'errand/local-emulator',
  'errand/cdk',
  'errand/testing',
  'errand/monitor',
  'aws-cdk-lib',
  'constructs',
  'esbuild',
]

const BUILD_TIMEOUT_SECONDS = 120

/**
 * Bundles an app for its workers. Synchronous, as constructors are.
 * @throws BundleError that names what is in the way, who imports it, and the fix
 */
export function bundleWorkers(app: DiscoveredApp, options: BundleOptions): WorkerBundle {
  const { outdir, minify = true, externalModules = [], files = {} } = options
  const directory = join(resolve(outdir), 'workers')
  const sourceMap = join(resolve(outdir), 'workers-source-maps')
  const sizes = measureFiles(files)
  for (const folder of [directory, sourceMap]) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
  }
  const inputs = build({
    modulePath: app.modulePath,
    entry: entryOf(app),
    root: rootOf(app.modulePath),
    outdir: directory,
    // Lambda would unzip them at every cold start.
    mapdir: sourceMap,
    minify,
    external: externalModules,
    absent: neverBundled.filter((name) => !externalModules.includes(name)),
    hasBlobs: app.config.blobs !== undefined,
  })
  checkSize(inputs, sizes)
  copyFiles(files, directory)
  return { directory, sourceMap, bytes: bytesUnder(directory) }
}

function build(request: BundleRequest): BundleInputs {
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
  throw unbuildable(request.modulePath, answer?.problems ?? [crash])
}

/** The text of the module that Lambda loads. */
function entryOf({ modulePath, exportName, isFactory }: DiscoveredApp): string {
  const module = JSON.stringify(`./${basename(modulePath)}`)
  return [
    importEager,
    "import { deadLetterHandler, workerHandler } from 'errand/lambda'",
    `import { ${JSON.stringify(exportName)} as app } from ${module}`,
    isFactory ? 'const executor = await app()' : 'const executor = app',
    'export const handler = workerHandler(executor)',
    'export const deadLetters = deadLetterHandler(executor)',
  ].join('\n')
}

/** The folder of the package that the app belongs to. */
function rootOf(modulePath: string): string {
  for (let folder = dirname(modulePath); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (dirname(folder) === folder) return dirname(modulePath)
  }
}

export { BundleError } from './bundling/bundle-error.ts'
