/**
 * The worker asset: one file with the app and its tasks, errand and the AWS SDK, which serves all workers of a fleet and
 * its dead letters. Made without Docker and without network, and the same bytes on each run and in each folder.
 * @module
 */
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type DiscoveredApp, runProgram } from '../src/app-discovery/index.ts'
import type { BundleAnswer, BundleRequest } from './bundling/build-bundle.ts'
import { BundleError } from './bundling/bundle-error.ts'

/** A bundle that was made. */
export interface WorkerBundle {
  /** Holds `index.mjs`, which exports `handler` and `deadLetters`, and whatever `files` named. */
  readonly directory: string
  /** The path of its source map, outside of the directory. */
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
  const { outdir, minify = true, externalModules = [] } = options
  const directory = join(resolve(outdir), 'workers')
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const outfile = join(directory, 'index.mjs')
  const request: BundleRequest = {
    modulePath: app.modulePath,
    entry: entryOf(app),
    root: rootOf(app.modulePath),
    outfile,
    minify,
    external: [
      ...neverBundled,
      ...externalModules,
      ...(app.config.blobs === undefined ? ['@aws-sdk/client-s3'] : []),
    ],
  }
  const run = runProgram<BundleAnswer>(import.meta.url, 'bundling/build-bundle', request, {
    cwd: request.root,
    env: process.env,
    timeoutSeconds: BUILD_TIMEOUT_SECONDS,
  })
  const { answer } = run
  if (answer === undefined || 'problems' in answer) {
    throw new BundleError(JSON.stringify(answer ?? run))
  }
  const sourceMap = join(resolve(outdir), 'workers.mjs.map')
  renameSync(`${outfile}.map`, sourceMap)
  return { directory, sourceMap, bytes: statSync(outfile).size }
}

/** The text of the module that Lambda loads. */
function entryOf({ modulePath, exportName, isFactory }: DiscoveredApp): string {
  const module = JSON.stringify(`./${modulePath.slice(dirname(modulePath).length + 1)}`)
  return [
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
