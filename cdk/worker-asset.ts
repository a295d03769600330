/**
 * The code that all functions of a fleet run: the app, found and bundled once in a process.
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { FileSystem, Stage, Token } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { type DiscoveredApp, discoverApp } from '../src/app-discovery/index.ts'
import { type AuthorizeModule, bundleMonitor } from './bundle-monitor.ts'
import { type BundleOptions, bundleWorkers, type FunctionBundle } from './bundle-workers.ts'
import type { ErrandFleetProps } from './fleet-props.ts'
import { refusal } from './refusal.ts'

/** A fleet's code. */
export interface WorkerAsset {
  /** The folder that the functions are made of. */
  readonly directory: string
  /** The first 12 digits of the asset's hash, which is of its files' content alone. */
  readonly version: string
}

/**
 * What was found and made in this process: several stages of an app, and tests of many stacks, share it, where all is
 * the same that it was made of. The app reads the variables, too.
 */
const apps = new Map<string, DiscoveredApp>()
const assets = new Map<string, WorkerAsset>()

/**
 * Finds the app.
 * @throws AppDiscoveryError, InvalidOptionError
 */
export function fleetApp(scope: Construct, { app: place, environment }: ErrandFleetProps): DiscoveredApp {
  if (typeof place !== 'string' || place === '') {
    throw refusal(scope, "`app` is not given; name the module of the executor: `app: 'src/errand.ts'`")
  }
  const given = plainText(environment)
  const key = [process.cwd(), place, given, process.env]
  const app = once(apps, key, () => discoverApp({ app: place, environment: given }))
  if (app.backend === undefined || app.backend === 'aws') return app
  throw refusal(
    scope,
    `the executor of ${place} has the \`backend\` ${JSON.stringify(app.backend)}: workers on Lambda have "aws" alone, and would find no emulator; ` +
      'leave it out, since it is chosen, or set ERRAND_BACKEND in development',
  )
}

/** What is known before the deployment. */
function plainText(environment: ErrandFleetProps['environment'] = {}): Record<string, string> {
  const isPlain = (value: unknown) => typeof value === 'string' && !Token.isUnresolved(value)
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => isPlain(value)))
}

/**
 * Bundles the app into the assembly's folder (`cdk.out/errand`), where its source map stays too.
 * @throws BundleError
 */
export function workerAsset(scope: Construct, app: DiscoveredApp, props: ErrandFleetProps): WorkerAsset {
  return assetOf(scope, app, props, ['workers'], (options) => bundleWorkers(app, options))
}

/**
 * Bundles the app's monitor, beside.
 * @throws BundleError
 */
export function monitorAsset(
  scope: Construct,
  app: DiscoveredApp,
  props: ErrandFleetProps,
  authorize: AuthorizeModule | undefined,
): WorkerAsset {
  return assetOf(scope, app, props, ['monitor', authorize], (options) =>
    bundleMonitor(app, authorize, options),
  )
}

function assetOf(
  scope: Construct,
  app: DiscoveredApp,
  { minify, externalModules, files }: ErrandFleetProps,
  kind: readonly unknown[],
  bundle: (options: BundleOptions) => FunctionBundle,
): WorkerAsset {
  const { modulePath, exportName, isFactory, config } = app
  const hasBlobs = config.blobs !== undefined
  const ofApp = [process.cwd(), modulePath, exportName, isFactory, hasBlobs]
  const key = [...kind, ...ofApp, minify, externalModules, files]
  const make = () => {
    const { directory } = bundle({
      outdir: join(Stage.of(scope)?.assetOutdir ?? '.', 'errand', scope.node.addr),
      ...(minify !== undefined && { minify }),
      ...(externalModules !== undefined && { externalModules }),
      ...(files !== undefined && { files }),
    })
    return { directory, version: versionOf(directory) }
  }
  return once(assets, key, make, isWhole)
}

function versionOf(directory: string): string {
  return FileSystem.fingerprint(directory).slice(0, 12)
}

/** Whether it is there yet: an assembly may be removed, or another be made in its place. */
function isWhole({ directory, version }: WorkerAsset): boolean {
  return existsSync(directory) && versionOf(directory) === version
}

function once<T>(
  made: Map<string, T>,
  parts: readonly unknown[],
  make: () => T,
  isValid: (found: T) => boolean = () => true,
): T {
  const key = JSON.stringify(parts)
  const found = made.get(key)
  if (found !== undefined && isValid(found)) return found
  const fresh = make()
  made.set(key, fresh)
  return fresh
}
