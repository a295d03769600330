/**
 * Watches an app's modules: builds it anew when one of them changes, and looks at it before anybody runs it.
 * @module
 */
import { writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { BuildResult, Plugin } from 'esbuild'
import { discoveryError } from '../../app-discovery/app-discovery-error.ts'
import { appBuild, loadEsbuild, tellBuildErrors } from '../../app-discovery/build-app.ts'
import { AppDiscoveryError, type DiscoveredApp } from '../../app-discovery/index.ts'
import type { BuildFolder, BuiltApp } from '../worker/built-app.ts'
import { ownErrandUrl } from '../worker/own-errand.ts'

/** What is told of an app that is watched. */
export interface AppWatchOptions {
  readonly app: DiscoveredApp
  readonly folder: BuildFolder
  /** Told of every build that can be loaded, the first included; the next is built once this has settled. */
  onBuilt(app: DiscoveredApp, built: BuiltApp): Promise<void>
  /** Told of every build that failed. */
  onFailed(error: Error): void
}

/** What the thread that looks at an app answers. */
export type LookedAt = { readonly found: DiscoveredApp } | { readonly failed: string }

/** Begins to watch; returns how to stop. */
export async function watchApp(options: AppWatchOptions): Promise<() => Promise<void>> {
  const { app, folder } = options
  const esbuild = await loadEsbuild(app.modulePath)
  const build = appBuild(app.modulePath, join(folder.path, 'app.mjs'), { errandUrl: ownErrandUrl })
  let generation = 0
  let last: Uint8Array | undefined
  const onEnd = async ({ errors, outputFiles }: BuildResult): Promise<void> => {
    if (errors.length > 0) {
      last = undefined
      options.onFailed(discoveryError(app.modulePath, { problem: await tellBuildErrors(esbuild, errors) }))
      return
    }
    const contents = outputFiles?.[0]?.contents ?? new Uint8Array()
    // esbuild builds again as well where a file was only touched, and once at the start.
    if (last !== undefined && Buffer.compare(last, contents) === 0) return
    last = contents
    generation += 1
    // A file of its own: a worker that is started again meanwhile must not load what nobody has looked at.
    const path = join(folder.path, `app-${generation}.mjs`)
    writeFileSync(path, contents)
    const looked = await lookAt(`${app.modulePath}:${app.exportName}`)
    if ('failed' in looked) options.onFailed(new AppDiscoveryError(looked.failed))
    else await options.onBuilt(looked.found, { path, modulePath: app.modulePath, exportName: app.exportName })
  }
  const telling: Plugin = { name: 'tell', setup: ({ onEnd: at }) => at(onEnd) }
  const context = await esbuild.context({
    ...build,
    write: false,
    plugins: [...(build.plugins ?? []), telling],
  })
  await context.watch()
  return () => context.dispose()
}

/** In a thread: discovery waits for a process, and the servers of this one must go on. */
function lookAt(app: string): Promise<LookedAt> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL(`./look-at-app${extname(import.meta.url)}`, import.meta.url), {
      workerData: app,
    })
    thread.once('message', resolve)
    thread.once('error', reject)
  })
}
