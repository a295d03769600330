/**
 * `errand worker`: one worker in this process.
 * @module
 */

import { checkWorkerName } from '../../handlers/worker-environment.ts'
import { ENV, type ResolvedConfig } from '../../runtime/config/config.ts'
import { quoteNames } from '../../runtime/config/nearest-name.ts'
import { takeStopSignals } from '../cluster/stop-signals.ts'
import { findApp, findPlace, type Place, type SharedOptions } from '../connection.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import { plainLine } from '../output/plain-text.ts'
import type { Screen } from '../output/screen.ts'
import { type BuildFolder, buildForWorkers, loadApp, makeBuildFolder } from '../worker/built-app.ts'
import { farAddress } from '../worker/far-address.ts'
import { startWorkerHere } from '../worker/worker-here.ts'

/** What is typed. */
export interface WorkerCommandOptions extends SharedOptions {
  readonly name?: string
  readonly aws?: boolean
}

/** Runs until it is told to end. */
export async function worker(screen: Screen, options: WorkerCommandOptions): Promise<number> {
  const app = findApp(options)
  const name = workerName(app.config, options.name)
  const place = await findPlace(app, options)
  refuseAccident(place, options)
  const folder = makeBuildFolder()
  const signals = takeStopSignals(() => folder.remove())
  try {
    return await work(screen, { app, name, place, folder, first: signals.first })
  } finally {
    folder.remove()
    signals.release()
  }
}

interface Work {
  readonly app: ReturnType<typeof findApp>
  readonly name: string
  readonly place: Place
  readonly folder: BuildFolder
  readonly first: Promise<NodeJS.Signals>
}

async function work(screen: Screen, { app, name, place, folder, first }: Work): Promise<number> {
  // What a task throws is told by the places in its sources.
  process.setSourceMapsEnabled(true)
  const here = await startWorkerHere(await loadApp(await buildForWorkers(app, folder)), name)
  const { queues, concurrency } = checkWorkerName(app.config, name)
  const polled = plainLine(quoteNames([...queues]))
  screen.say(`errand: worker ${name} takes calls of ${polled}, ${concurrency} at once, from ${place.text}`)
  await first
  screen.say(`errand: draining, ${here.running()} running; Ctrl-C again ends it at once`)
  await here.drain()
  return EXIT.ok
}

function workerName(config: ResolvedConfig, typed = process.env[ENV.worker]): string {
  const names = [...config.workers.keys()]
  if (typed) return checkWorkerName(config, typed).name
  const [only] = names
  if (only !== undefined && names.length === 1) return only
  throw new UsageError(`which worker? Name one of ${quoteNames(names)}: errand worker -n ${only}`)
}

/** A shell that has the variables of production in it must not take production's calls by mistake. */
function refuseAccident({ kind }: Place, { aws }: WorkerCommandOptions): void {
  if (kind !== 'variables' || aws || process.env.NODE_ENV === 'production') return
  const far = farAddress(process.env)
  if (far === undefined) return
  throw new UsageError(
    `${far.variable} leads beyond this machine and its network (${far.origin}/…), to queues of which this worker would take the calls; say --aws, or set NODE_ENV=production, where that is meant; else unset ${ENV.queueUrls} and ${ENV.table}`,
  )
}
