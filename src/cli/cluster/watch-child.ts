/**
 * The program that watches an app's modules for `errand dev`: it builds the app anew when one of them changes, and looks
 * at it before anybody runs it. A process of its own, since esbuild's outlives a parent that is killed at the wrong
 * moment: this one sees that its parent is gone, however that ended, and ends esbuild's.
 * @module
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BuildResult, Plugin } from 'esbuild'
import { discoveryError } from '../../app-discovery/app-discovery-error.ts'
import { appBuild, loadEsbuild, tellBuildErrors } from '../../app-discovery/build-app.ts'
import { type DiscoveredApp, discoverApp } from '../../app-discovery/index.ts'
import { errorText } from '../output/screen.ts'
import type { BuiltApp } from '../worker/built-app.ts'
import { ownErrandUrl } from '../worker/own-errand.ts'

/** What the parent says at the start, as the only argument. */
export interface WatchRequest extends Pick<BuiltApp, 'modulePath' | 'exportName'> {
  /** Where builds go. */
  readonly folder: string
}

/** What it tells its parent of each build; it builds again once it is answered. */
export type WatchMessage =
  | { readonly app: DiscoveredApp; readonly built: BuiltApp }
  | { readonly failed: string }

const { modulePath, exportName, folder } = JSON.parse(process.argv[2] ?? '{}') as WatchRequest

// A terminal sends Ctrl-C to parent and children alike; this one goes when its parent lets it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

const esbuild = await loadEsbuild(modulePath)

async function end(): Promise<never> {
  await esbuild.stop()
  process.exit(0)
}
process.on('disconnect', end)
// Gone while this module was loaded.
if (!process.connected) await end()

let generation = 0
let last: Uint8Array | undefined

async function onEnd({ errors, outputFiles }: BuildResult): Promise<void> {
  if (errors.length > 0) {
    last = undefined
    const { message } = discoveryError(modulePath, { problem: await tellBuildErrors(esbuild, errors) })
    return tell({ failed: message })
  }
  const contents = outputFiles?.[0]?.contents ?? new Uint8Array()
  // esbuild builds again as well where a file was only touched, and once at the start.
  if (last !== undefined && Buffer.compare(last, contents) === 0) return
  last = contents
  generation += 1
  // A file of its own: a worker that is started again meanwhile must not load what nobody has looked at.
  const path = join(folder, `app-${generation}.mjs`)
  writeFileSync(path, contents)
  await tell(look(path))
}

function look(path: string): WatchMessage {
  try {
    const app = discoverApp({ app: `${modulePath}:${exportName}` })
    return { app, built: { path, modulePath, exportName } }
  } catch (error) {
    return { failed: errorText(error) }
  }
}

/** Resolves once the parent has taken it up. */
function tell(message: WatchMessage): Promise<void> {
  return new Promise((resolve) => {
    process.once('message', () => resolve())
    process.send?.(message)
  })
}

const telling: Plugin = { name: 'tell', setup: (build) => build.onEnd(onEnd) }
const build = appBuild(modulePath, join(folder, 'app.mjs'), { errandUrl: ownErrandUrl })
const context = await esbuild.context({
  ...build,
  write: false,
  plugins: [...(build.plugins ?? []), telling],
})
await context.watch()
