/**
 * A thread that discovers an app, and answers with what it found.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { discoverApp } from '../../app-discovery/index.ts'
import type { LookedAt } from './app-watch.ts'

function look(app: string): LookedAt {
  try {
    return { found: discoverApp({ app }) }
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) }
  }
}

parentPort?.postMessage(look(workerData as string))
