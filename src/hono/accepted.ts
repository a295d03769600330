/**
 * The answer of a route that submits: `202`, and where to look.
 * @module
 */
import type { Context, TypedResponse } from 'hono'

/**
 * Answers `202 Accepted` with the id, and a `Location` of `place/<id>`.
 * @param call a future, or the group of a `map`
 * @param place where the status of such calls is, as `/tasks/calls` or `/tasks/groups`
 *
 * @example
 * return accepted(c, await client.submit('reports.build', month), '/tasks/calls')
 */
export function accepted(
  c: Context,
  call: { readonly id: string },
  place: string,
): Response & TypedResponse<{ id: string }, 202, 'json'> {
  c.header('location', `${place.replace(/\/$/, '')}/${encodeURIComponent(call.id)}`)
  c.header('retry-after', '1')
  return c.json({ id: call.id }, 202)
}
