/**
 * Refusals that say for certain that nothing was done, and would be said again.
 * @module
 */
import { AccessDeniedError, NotWiredError, ResourceNotFoundError } from '../errors.ts'

/** Whether trying again would meet the same refusal: a grant, a table, a queue, a bucket or its client is missing. */
export function isCertain(error: unknown): boolean {
  return AccessDeniedError.is(error) || ResourceNotFoundError.is(error) || NotWiredError.is(error)
}
