/**
 * The code that all functions of a fleet run: the app, found and bundled once in a process.
 * @module
 */
import { join } from 'node:path'
import { FileSystem, Stage } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { type DiscoveredApp, discoverApp } from '../src/app-discovery/index.ts'
import { bundleWorkers } from './bundle-workers.ts'
import type { ErrandFleetProps } from './fleet-props.ts'
import { refusal } from './refusal.ts'

/** A fleet's code. */
export interface WorkerAsset {
  readonly app: DiscoveredApp
  /** The folder that the functions are made of. */
  readonly directory: string
  /** The first 12 digits of the asset's hash, which is of its files' content alone. */
  readonly version: string
}

/** By what it is made of: several stages of an app, and tests of many stacks, bundle it once. */
const made = new Map<string, WorkerAsset>()

/**
 * Finds the app and bundles it into the assembly's folder (`cdk.out/errand`), where its source map stays too.
 * @throws AppDiscoveryError, BundleError, InvalidOptionError
 */
export function workerAsset(scope: Construct, props: ErrandFleetProps): WorkerAsset {
  const { app: place, minify, externalModules, files } = props
  if (typeof place !== 'string' || place === '') {
    throw refusal(scope, "`app` is not given; name the module of the executor: `app: 'src/errand.ts'`")
  }
  const key = JSON.stringify([process.cwd(), place, minify, externalModules, files])
  const found = made.get(key)
  if (found !== undefined) return found
  const app = discoverApp({ app: place })
  const outdir = join(Stage.of(scope)?.assetOutdir ?? '.', 'errand', scope.node.addr)
  const { directory } = bundleWorkers(app, {
    outdir,
    ...(minify !== undefined && { minify }),
    ...(externalModules !== undefined && { externalModules }),
    ...(files !== undefined && { files }),
  })
  const asset = { app, directory, version: FileSystem.fingerprint(directory).slice(0, 12) }
  made.set(key, asset)
  return asset
}
