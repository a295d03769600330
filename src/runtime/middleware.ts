/**
 * Middleware: where sessions, transactions, tracing and validation go, in Hono's form.
 * @module
 */

import type { Headers } from './call/headers.ts'
import { checkFunction, checkKeys } from './config/option-checks.ts'
import { ErrandError } from './errors.ts'

/** A call on its way to the queue. */
export interface SubmittedCall {
  readonly id: string
  readonly task: string
  /** The arguments; a middleware may replace them before it calls `next`. */
  args: readonly unknown[]
  readonly queue: string
  readonly tenant: string | undefined
  readonly parent: string | undefined
  /**
   * What goes along with the call, for the `run` parts to read: lower-case names, values of visible ASCII, 1,024 characters
   * in all. They go to what follows the call, too.
   */
  readonly headers: Record<string, string>
}

/** An attempt about to run. */
export interface RunningCall {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly attempt: number
  readonly tenant: string | undefined
  /** What its submitter's middleware sent along. */
  readonly headers: Headers
  readonly signal: AbortSignal
  /** The arguments; a middleware may replace them before it calls `next`. */
  args: readonly unknown[]
  /** What the task returned, once `next` has resolved; a middleware may replace it. */
  result: unknown
}

/** Goes on with the next middleware, and at last with the work itself; call it once. */
export type Next = () => Promise<void>

/** One middleware: either part may be left out. A part that does not call `next` must throw. */
export interface Middleware {
  /** Around the sending of each call. */
  readonly submit?: (call: SubmittedCall, next: Next) => Promise<void>
  /** Around each attempt, in the worker, under the attempt's time limit and with `currentTask`. */
  readonly run?: (call: RunningCall, next: Next) => Promise<void>
}

/**
 * Refuses what is no middleware.
 * @throws InvalidOptionError
 */
export function checkMiddleware(middleware: Middleware): Middleware {
  const parts = checkKeys('a middleware', middleware, ['submit', 'run'])
  for (const [name, part] of Object.entries(parts)) {
    if (part !== undefined) checkFunction(`the \`${name}\` of a middleware`, part)
  }
  return middleware
}

/**
 * Runs `work` inside `layers`, the first outermost.
 * @throws ErrandError where a layer returns without calling `next`, or without awaiting it, or calls it twice
 */
export function compose<Call>(
  layers: readonly ((call: Call, next: Next) => Promise<void>)[],
  call: Call,
  work: Next,
): Promise<void> {
  let reached = -1
  let finished = layers.length
  const enter = async (index: number): Promise<void> => {
    if (index <= reached) throw new ErrandError('a middleware called `next()` twice; call it once')
    reached = index
    const layer = layers[index]
    if (layer === undefined) return work()
    await layer(call, () => {
      const inner = enter(index + 1).finally(() => {
        finished = index
      })
      // A layer that does not wait for it is refused below; what it did not wait for must not end the process.
      inner.catch(() => {})
      return inner
    })
    if (reached === index) {
      throw new ErrandError('a middleware returned without calling `next()`; throw to refuse the call')
    }
    if (finished > index) {
      throw new ErrandError('a middleware returned before what it called had ended; write `await next()`')
    }
  }
  return enter(0)
}
