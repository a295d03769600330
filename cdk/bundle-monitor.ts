/**
 * The monitor's asset: the app, for its config and the names of its tasks, and errand's monitor with its files.
 * @module
 */
import { basename, dirname, relative, sep } from 'node:path'
import type { DiscoveredApp } from '../src/app-discovery/index.ts'
import { staticFileNames, staticFilePlace } from '../src/monitor/static-files.ts'
import {
  type BundleOptions,
  entryText,
  type FunctionBundle,
  makeBundle,
  neverBundled,
} from './bundle-workers.ts'

/** An export of a module of the app's own, which says who is let in. */
export interface AuthorizeModule {
  /** The module's absolute path. */
  readonly path: string
  readonly exportName: string
}

/** What a monitor asks of AWS beside what calls need. */
const clients = ['@aws-sdk/client-cloudwatch', '@aws-sdk/client-lambda', '@aws-sdk/client-secrets-manager']

/** Serves a port of a laptop's, and is never loaded here. */
const ofLaptops = '@hono/node-server'

/**
 * Bundles the monitor of an app. Synchronous, as constructors are.
 * @throws BundleError that names what is in the way, who imports it, and the fix
 */
export function bundleMonitor(
  app: DiscoveredApp,
  authorize: AuthorizeModule | undefined,
  options: BundleOptions,
): FunctionBundle {
  const assets = staticFileNames.map((name) => [`assets/${name}`, staticFilePlace(name)] as const)
  const files = { ...options.files, ...Object.fromEntries(assets) }
  const parts = {
    name: 'monitor',
    entry: entryOf(app, authorize),
    absent: [...neverBundled, ofLaptops],
    clients,
  } as const
  return makeBundle(app, parts, { ...options, files })
}

function entryOf(app: DiscoveredApp, authorize: AuthorizeModule | undefined): string {
  const imports = ["import { deployedOptions, monitorHandler } from 'errand/monitor'"]
  if (authorize !== undefined) {
    const { exportName } = authorize
    const place = JSON.stringify(importOf(app, authorize))
    imports.push(`import { ${JSON.stringify(exportName)} as authorize } from ${place}`)
  }
  const given = authorize === undefined ? 'process.env' : 'process.env, authorize'
  return entryText(app, imports, [
    `export const handler = monitorHandler(executor, deployedOptions(${given}))`,
  ])
}

/** Seen from the app's folder: a bundle names no folder of this machine. */
function importOf({ modulePath }: DiscoveredApp, { path }: AuthorizeModule): string {
  const from = relative(dirname(modulePath), dirname(path))
  return ['.', ...(from === '' ? [] : from.split(sep)), basename(path)].join('/')
}
