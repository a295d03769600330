/**
 * What the routes answer where they do not do what was asked. A client learns what it may do about it, and nothing of
 * what went wrong inside: messages of AWS name accounts, tables and grants.
 * @module
 */
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { CallNotFoundError, UnsupportedValueError } from '../runtime/errors.ts'

/** Seconds after which to ask again while the server is in trouble. */
const RETRY_AFTER = '2'

/**
 * There is no such call, or it is not for this caller to see: one answer, so that ids cannot be told apart by it.
 */
export function notFound(): HTTPException {
  return new HTTPException(404, { message: 'there is no such call, or not any more' })
}

/** Answers an error of a route; `report` is told of what the client is not. */
export function answerError(
  error: Error,
  c: Context,
  report: (error: Error, c: Context) => unknown,
): Response {
  c.header('cache-control', 'no-store')
  c.header('x-content-type-options', 'nosniff')
  if (error instanceof HTTPException) {
    if (error.status >= 500) c.header('retry-after', RETRY_AFTER)
    return c.json({ error: error.message }, error.status)
  }
  if (CallNotFoundError.is(error)) return c.json({ error: notFound().message }, 404)
  // Of a caller who may see the call: it says where in the value, and no part of it.
  if (UnsupportedValueError.is(error)) return c.json({ error: error.message }, 422)
  report(error, c)
  c.header('retry-after', RETRY_AFTER)
  return c.json({ error: 'this cannot be answered now; try again' }, 503)
}
