/**
 * The executor or the client on the context, so that routes need not import it, and tests can give them another.
 * @module
 */
import type { MiddlewareHandler } from 'hono'
import { showValue } from '../runtime/config/nearest-name.ts'
import { InvalidOptionError } from '../runtime/errors.ts'
import type { CallSource } from './route-options.ts'

/**
 * Middleware that puts an executor or a client on the context, as `c.var[name]`, with its type.
 *
 * @example
 * const app = new Hono().use(provide('client', client)).post('/reports', (c) => c.var.client.submit(…))
 * @throws InvalidOptionError
 */
export function provide<Name extends string, Source extends CallSource>(
  name: Name,
  source: Source,
): MiddlewareHandler<{ Variables: { [Key in Name]: Source } }> {
  if (typeof (source as Partial<CallSource> | undefined)?.future !== 'function') {
    throw new InvalidOptionError(
      `provide(${showValue(name)}, …) takes an executor or a client, got ${showValue(source)}`,
    )
  }
  return async (c, next) => {
    c.set(name, source)
    await next()
  }
}
