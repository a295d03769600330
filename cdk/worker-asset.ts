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
  /** The folder that the functions are made of. */
  readonly directory: string
  /** The first 12 digits of the asset's hash, which is of its files' content alone. */
  readonly version: string
}

/** What was found and made in this process: several stages of an app, and tests of many stacks, share it. */
const apps = new Map<string, DiscoveredApp>()
const assets = new Map<string, WorkerAsset>()

/**
 * Finds the app.
 * @throws AppDiscoveryError, InvalidOptionError
 */
export function fleetApp(scope: Construct, { app: place }: ErrandFleetProps): DiscoveredApp {
  if (typeof place !== 'string' || place === '') {
    throw refusal(scope, "`app` is not given; name the module of the executor: `app: 'src/errand.ts'`")
  }
  return once(apps, [process.cwd(), place], () => discoverApp({ app: place }))
}

/**
 * Bundles the app into the assembly's folder (`cdk.out/errand`), where its source map stays too.
 * @throws BundleError
 */
export function workerAsset(scope: Construct, app: DiscoveredApp, props: ErrandFleetProps): WorkerAsset {
  const { minify, externalModules, files } = props
  const { modulePath, exportName } = app
  return once(assets, [modulePath, exportName, minify, externalModules, files], () => {
    const { directory } = bundleWorkers(app, {
      outdir: join(Stage.of(scope)?.assetOutdir ?? '.', 'errand', scope.node.addr),
      ...(minify !== undefined && { minify }),
      ...(externalModules !== undefined && { externalModules }),
      ...(files !== undefined && { files }),
    })
    return { directory, version: FileSystem.fingerprint(directory).slice(0, 12) }
  })
}

function once<T>(made: Map<string, T>, parts: readonly unknown[], make: () => T): T {
  const key = JSON.stringify(parts)
  const found = made.get(key) ?? make()
  made.set(key, found)
  return found
}
