/**
 * Watches an app's modules, by a process that builds and looks at what changes.
 * @module
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppDiscoveryError, type DiscoveredApp } from '../../app-discovery/index.ts'
import type { BuildFolder, BuiltApp } from '../worker/built-app.ts'
import type { WatchMessage, WatchRequest } from './watch-child.ts'

/** What is told of an app that is watched. */
export interface AppWatchOptions {
  readonly app: DiscoveredApp
  readonly folder: BuildFolder
  /** Told of every build that can be loaded, the first included; the next is built once this has settled. */
  onBuilt(app: DiscoveredApp, built: BuiltApp): Promise<void>
  /** Told of every build that failed. */
  onFailed(error: Error): void
  /** Told where it has ended by itself: no change is seen from then on. */
  onEnded(error: Error): void
}

const program = fileURLToPath(new URL(`./watch-child${extname(import.meta.url)}`, import.meta.url))

/** Begins to watch; returns how to stop. */
export function watchApp(options: AppWatchOptions): () => Promise<void> {
  const { onBuilt, onFailed, onEnded } = options
  const { modulePath, exportName } = options.app
  const request: WatchRequest = { modulePath, exportName, folder: options.folder.path }
  const child = fork(program, [JSON.stringify(request)], {
    execArgv: ['--no-warnings'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // A config may hold what JSON has no word for.
    serialization: 'advanced',
  })
  let isStopping = false
  const ended = once(child, 'exit').then(([code, signal]) => {
    if (isStopping) return
    const how = signal ? `signal ${signal}` : `exit code ${code}`
    onEnded(new Error(`the process that watches the code ended with ${how}: changes are not seen any more`))
  })
  child.on('message', async (message: WatchMessage) => {
    if ('failed' in message) onFailed(new AppDiscoveryError(message.failed))
    else await onBuilt(message.app, message.built).catch(onFailed)
    // It may have ended meanwhile; then there is nobody to tell.
    if (child.connected) child.send('taken', () => {})
  })
  return async () => {
    isStopping = true
    if (child.connected) child.disconnect()
    await ended
  }
}
