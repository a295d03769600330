/**
 * The entry point of a container: a worker until it is told to stop.
 * @module
 */

import { ENV } from '../runtime/config/config.ts'
import { checkKeys } from '../runtime/config/option-checks.ts'
import { InvalidOptionError } from '../runtime/errors.ts'
import { type Executor, internalsOf } from '../runtime/executor.ts'
import type { Backend } from '../runtime/ports/backend.ts'
import { startProcessWorker } from './process-worker.ts'

/** Which worker, and how much at once. */
export interface RunWorkerOptions {
  /** Which worker of the config it is. @default the variable ERRAND_WORKER, else the first */
  readonly worker?: string
  /** How many calls run at once in this process, 1–1,000. @default the worker's `concurrency`, at most 1,000 */
  readonly concurrency?: number
}

/** What a shell expects of a process that a signal ended: 128 and the signal's number. */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const

/**
 * Works until SIGTERM or SIGINT, then takes nothing new and resolves when what runs has ended; a second signal ends the
 * process at once. Calls that are cut short run again elsewhere a minute later.
 *
 * @example
 * await runWorker(executor, { worker: 'reports' })
 * @throws InvalidOptionError where `executor` is not one, its config has no worker of this name, or its backend is not
 *   `aws`: nobody else could reach its queue; what hooks throw; what opening the backend throws
 */
export async function runWorker(
  executor: Pick<Executor, 'config'>,
  options: RunWorkerOptions = {},
): Promise<void> {
  const { app, connect } = internalsOf(executor)
  checkKeys('the options of runWorker', options, ['worker', 'concurrency'])
  const { worker, concurrency } = options
  const [first = ''] = app.config.workers.keys()
  // Before anything is waited for: whoever starts slowly is told to stop as well.
  const signal = nextSignal()
  try {
    const backend = checkReachable(await connect())
    const name = worker ?? process.env[ENV.worker] ?? first
    const own = concurrency === undefined ? {} : { concurrency }
    const running = await startProcessWorker(app, backend, name, own)
    await signal.come
    await running.drain()
  } finally {
    signal.stopListening()
  }
}

/** @throws InvalidOptionError where its queue is in this process */
function checkReachable(backend: Backend): Backend {
  if (backend.kind === 'aws') return backend
  throw new InvalidOptionError(
    `runWorker was given an executor whose backend is '${backend.kind}', which runs its calls itself; set ${ENV.table} and ${ENV.queueUrls}, or use the backend 'aws'`,
  )
}

/** The first signal to stop is a promise; the second ends the process. */
function nextSignal(): { readonly come: Promise<void>; stopListening(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  let isSecond = false
  const onSignal = (name: keyof typeof exitCodes) => {
    if (isSecond) process.exit(exitCodes[name])
    isSecond = true
    resolve()
  }
  const names = ['SIGTERM', 'SIGINT'] as const
  for (const name of names) process.on(name, onSignal)
  return {
    come: promise,
    stopListening() {
      for (const name of names) process.off(name, onSignal)
    },
  }
}
