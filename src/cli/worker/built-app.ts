/**
 * An app as worker processes load it: one file that was built once, whichever process asks.
 * @module
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { discoveryErrorOf } from '../../app-discovery/app-discovery-error.ts'
import { buildApp } from '../../app-discovery/build-app.ts'
import { importApp } from '../../app-discovery/import-app.ts'
import { pickExecutor } from '../../app-discovery/pick-executor.ts'
import type { App } from '../../runtime/app.ts'
import { ownErrandUrl } from './own-errand.ts'

/** Where a built app is, and which of its exports it is. */
export interface BuiltApp {
  /** The file. */
  readonly path: string
  /** What it was built from, for errors. */
  readonly modulePath: string
  readonly exportName: string
}

/** A folder for what is built, until `remove`. */
export interface BuildFolder {
  readonly path: string
  remove(): void
}

/** Makes a folder that is this process's alone. */
export function makeBuildFolder(): BuildFolder {
  // Source maps are relative to where they lie: by its true path.
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'errand-app-')))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/**
 * Builds an app that was discovered.
 * @throws AppDiscoveryError
 */
export async function buildForWorkers(
  { modulePath, exportName }: Pick<BuiltApp, 'modulePath' | 'exportName'>,
  folder: BuildFolder,
): Promise<BuiltApp> {
  const path = join(folder.path, 'app.mjs')
  try {
    await buildApp(modulePath, path, { errandUrl: ownErrandUrl })
  } catch (error) {
    throw discoveryErrorOf(modulePath, error)
  }
  return { path, modulePath, exportName }
}

/**
 * Loads it into this process.
 * @throws AppDiscoveryError
 */
export async function loadApp({ path, modulePath, exportName }: BuiltApp): Promise<App> {
  try {
    return (await pickExecutor(await importApp(path), exportName)).app
  } catch (error) {
    throw discoveryErrorOf(modulePath, error)
  }
}
