/**
 * The program of a worker that a cluster has started: it runs until its parent tells it to drain, and not a moment longer
 * than its parent.
 * @module
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { systemClock, type Timer } from '../../runtime/clock.ts'
import { type BuiltApp, loadApp } from './built-app.ts'
import { startWorkerHere, type WorkerHere } from './worker-here.ts'

/** What the parent says at the start, as the only argument. */
export interface ChildRequest {
  readonly built: BuiltApp
  readonly worker: string
}

/** What a child tells its parent. */
export type ChildMessage =
  | { readonly told: 'ready' }
  /** Its event loop turns. */
  | { readonly told: 'beat'; readonly running: number }
  | { readonly told: 'failed'; readonly message: string }

/** What the parent tells a child. */
export type ParentMessage = 'drain'

/** How often a child beats, in milliseconds. */
const BEAT_MS = 500

const { built, worker: name } = JSON.parse(process.argv[2] ?? '{}') as ChildRequest

/** A terminal sends Ctrl-C to parent and children alike; what becomes of children is for the parent to say. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

// An event loop that is blocked hears of nothing: a thread of its own sees that the parent is gone.
const watch = new Worker(new URL(`./parent-watch${extname(import.meta.url)}`, import.meta.url), {
  workerData: process.ppid,
  execArgv: [],
})
watch.unref()
process.on('disconnect', () => process.exit(1))
// Gone while this module was loaded: neither the event nor another parent would come any more.
if (!process.connected) process.exit(1)

function tell(message: ChildMessage): void {
  if (process.connected) process.send?.(message)
}

async function run(): Promise<void> {
  let here: WorkerHere | undefined
  let beats: Timer | undefined
  const beat = () => {
    tell({ told: 'beat', running: here?.running() ?? 0 })
    beats = systemClock.setTimer(beat, BEAT_MS)
  }
  beat()
  process.on('message', async (message: ParentMessage) => {
    if (message !== 'drain') return
    await here?.drain()
    beats?.cancel()
    process.exit(0)
  })
  here = await startWorkerHere(await loadApp(built), name)
  tell({ told: 'ready' })
}

process.setSourceMapsEnabled(true)
try {
  await run()
} catch (error) {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  tell({ told: 'failed', message })
  // Told before it ends: what was sent is written by then.
  systemClock.setTimer(() => process.exit(1), 50)
}
