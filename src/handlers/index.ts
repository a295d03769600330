/**
 * `errand/lambda`: the entry points that Lambda runs.
 * @module
 */
import type { SQSEvent } from 'aws-lambda'
import { systemClock } from '../runtime/clock.ts'
import { ENV } from '../runtime/config/config.ts'
import { type Executor, internalsOf } from '../runtime/executor.ts'
import { createLog } from '../runtime/log.ts'
import { createDeadLetterHandler } from './dead-letter.ts'
import { type InvocationContext, returnAll, type WorkerHandler } from './invocation.ts'
import { lambdaMetricLines } from './lambda-output.ts'
import { answeringPings } from './ping.ts'
import { workerHandlerOf } from './worker.ts'
import { checkWorkerName, openEnvironment } from './worker-environment.ts'

export type { InvocationContext, WorkerHandler } from './invocation.ts'

/**
 * The handler of a worker's Lambda function.
 *
 * @example
 * export const handler = workerHandler(executor)
 * @param options.worker which worker of the config it is; @default the variable ERRAND_WORKER, else the first
 * @throws InvalidOptionError where `executor` is not one, or its config has no worker of this name
 */
export function workerHandler(
  executor: Pick<Executor, 'config'>,
  options: { readonly worker?: string } = {},
): WorkerHandler {
  const { app, connect } = internalsOf(executor)
  const [first = ''] = app.config.workers.keys()
  const name = options.worker ?? process.env[ENV.worker] ?? first
  checkWorkerName(app.config, name)
  const metrics = lambdaMetricLines(process.env)
  const open = async () => workerHandlerOf(openEnvironment(app, await connect(), name, { metrics }))
  return answeringPings(app, name, openedOnce(open))
}

/**
 * The handler of the Lambda function that the dead-letter queues of an app are mapped to.
 *
 * @example
 * export const handler = deadLetterHandler(executor)
 * @throws InvalidOptionError where `executor` is not one
 */
export function deadLetterHandler(executor: Pick<Executor, 'config'>): WorkerHandler {
  const { app, connect } = internalsOf(executor)
  const metrics = lambdaMetricLines(process.env)
  return openedOnce(async () => createDeadLetterHandler(app, await connect(), metrics))
}

/** A handler that opens its backend at the first event. */
function openedOnce(open: () => Promise<WorkerHandler>): WorkerHandler {
  let opened: Promise<WorkerHandler> | undefined
  const handle = async (event: SQSEvent, context?: Partial<InvocationContext>) => {
    opened ??= open()
    let handler: WorkerHandler
    try {
      handler = await opened
    } catch (error) {
      // The next invocation tries again, and nothing of this batch is lost.
      opened = undefined
      logError(error)
      return returnAll(event)
    }
    return handler(event, context)
  }
  const stop = async () => (await opened)?.stop()
  // Lambda sends it only where an extension is registered, half a second before the end: best effort.
  if (process.env.AWS_LAMBDA_FUNCTION_NAME !== undefined) {
    process.once('SIGTERM', () => stop().catch((error: unknown) => logError(error)))
  }
  return Object.assign(handle, { stop })
}

const log = createLog('error', {}, systemClock)

function logError(error: unknown): void {
  log('error', 'the handler could not be opened or stopped', { error })
}
