/**
 * How long an event stream may last where it runs.
 * @module
 */
import type { Context } from 'hono'

/** What is left of a function's time when its stream ends: to write the end of it. */
const LEEWAY_MS = 1000

interface LambdaContext {
  getRemainingTimeInMillis(): number
}

/**
 * The milliseconds that a stream may last: `maxMs`, or what is left of a Lambda function's time. Where the function
 * answers in one piece (`handle` of `hono/aws-lambda`, not `streamHandle`) it is 0: nothing would arrive before the end.
 */
export function streamLimitMs(c: Context, maxMs: number): number {
  const env = (c.env ?? {}) as { readonly context?: unknown; readonly lambdaContext?: unknown }
  if (isLambdaContext(env.lambdaContext)) return 0
  if (!isLambdaContext(env.context)) return maxMs
  return Math.max(Math.min(env.context.getRemainingTimeInMillis() - LEEWAY_MS, maxMs), 0)
}

function isLambdaContext(value: unknown): value is LambdaContext {
  return typeof (value as Partial<LambdaContext> | undefined)?.getRemainingTimeInMillis === 'function'
}
