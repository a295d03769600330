/**
 * A request that can go wrong, made again as the AWS SDK does.
 * @module
 */
import type { FaultPlan, Operation, RequestFault } from './fault-plan.ts'

/** How often the SDK makes a request in all, unless told otherwise. */
const TRIES = 3

const injected = new WeakSet<Error>()

/** Whether an error was made here: nothing to be told of. */
export function isInjected(error: Error): boolean {
  return injected.has(error)
}

function errorOf(operation: Operation, fault: RequestFault): Error {
  const throttled = fault === 'throttle'
  const error = new Error(
    throttled
      ? `Rate exceeded (${operation}, by a fault switch)`
      : `no answer (${operation}, by a fault switch)`,
  )
  error.name = throttled ? 'ThrottlingException' : 'TimeoutError'
  injected.add(error)
  return error
}

/** Makes one try of a request. */
export async function tryRequest<T>(
  plan: FaultPlan,
  operation: Operation,
  request: () => Promise<T>,
): Promise<T> {
  const fault = plan.takeRequestFault(operation)
  if (fault === undefined) return request()
  if (fault === 'loseResponse') await request()
  throw errorOf(operation, fault)
}

/**
 * Makes a request until it is answered, three times at the most. At once: the SDK waits some 100 ms between, and who
 * submits on virtual time would wait for a clock that nobody moves.
 */
export async function faultyRequest<T>(
  plan: FaultPlan,
  operation: Operation,
  request: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await tryRequest(plan, operation, request)
    } catch (error) {
      if (tries === TRIES || !(error instanceof Error && isInjected(error))) throw error
    }
  }
}
