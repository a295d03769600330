/**
 * `errand/lambda`: the entry points that Lambda runs.
 * @module
 */
import { ENV } from '../runtime/config.ts'
import { type Executor, internalsOf } from '../runtime/executor.ts'
import { createWorkerHandler, type WorkerHandler } from './worker.ts'

export type { InvocationContext, WorkerHandler } from './worker.ts'

/**
 * The handler of a worker's Lambda function.
 *
 * @example
 * export const handler = workerHandler(executor)
 * @param options.worker which worker of the config it is; @default the variable ERRAND_WORKER, else the first
 */
export function workerHandler(
  executor: Pick<Executor, 'config'>,
  options: { readonly worker?: string } = {},
): WorkerHandler {
  const { app, connect } = internalsOf(executor)
  const [first = ''] = app.config.workers.keys()
  const name = options.worker ?? process.env[ENV.worker] ?? first
  let handler: Promise<WorkerHandler> | undefined
  const open = async () => createWorkerHandler(app, await connect(), name)
  return async (event, context) => {
    handler ??= open()
    try {
      return await (await handler)(event, context)
    } catch (error) {
      // Only opening the backend can fail: the next invocation tries again, and nothing of this batch is lost.
      handler = undefined
      process.stderr.write(`${JSON.stringify({ level: 'error', message: String(error) })}\n`)
      return { batchItemFailures: event.Records.map(({ messageId }) => ({ itemIdentifier: messageId })) }
    }
  }
}
