/**
 * `errand cancel`, `abort` and `retry`.
 * @module
 */
import { type Connection, connected, type SharedOptions } from '../connection.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import { errorText, type Screen } from '../output/screen.ts'
import { readSince } from '../typed-values.ts'
import { sayUnregistered } from './inspect.ts'

/** Cancels a call that does not run. */
export async function cancel(screen: Screen, options: SharedOptions, id: string): Promise<number> {
  return connected(options, screen.say, async ({ client }) => {
    const cancelled = await client.future(id).cancel()
    if (options.json) screen.json({ id, cancelled })
    else screen.line(cancelled ? 'cancelled' : 'not cancelled: it runs, or has ended')
    return cancelled ? EXIT.ok : EXIT.failed
  })
}

/** What is typed. */
export interface AbortOptions extends SharedOptions {
  readonly reason?: string
}

/** Cancels a call, or asks the task that runs to stop. */
export async function abort(screen: Screen, options: AbortOptions, id: string): Promise<number> {
  return connected(options, screen.say, async ({ client }) => {
    const future = client.future(id)
    const aborted = await future.abort(options.reason ?? 'aborted from the command line')
    if (options.json) screen.json({ id, aborted })
    else if (!aborted) screen.line('not aborted: it has ended')
    else screen.line((await future.cancelled()) ? 'cancelled' : 'asked to stop')
    return aborted ? EXIT.ok : EXIT.failed
  })
}

/** What is typed. */
export interface RetryOptions extends SharedOptions {
  readonly failed?: boolean
  readonly queue?: string
  readonly task?: string
  readonly since?: string
}

/** Runs a failed call again, or all that failed. */
export async function retry(screen: Screen, options: RetryOptions, id?: string): Promise<number> {
  const { failed = false, queue, task, since } = options
  const hasFilter = queue !== undefined || task !== undefined || since !== undefined
  if ((id !== undefined) === failed) {
    throw new UsageError(
      'say the id of a call, or --failed for all that failed (with --queue, --task, --since)',
    )
  }
  if (hasFilter && !failed)
    throw new UsageError('--queue, --task and --since are of --failed; one call has its id')
  const filter = {
    ...(queue !== undefined && { queue }),
    ...(task !== undefined && { task }),
    ...(since !== undefined && { since: readSince(since) }),
  }
  return connected(options, screen.say, async (connection) => {
    if (id === undefined) return retryFailed(screen, options, connection, filter)
    await connection.client.retry(id)
    if (options.json) screen.json({ ids: [id], refused: [] })
    else screen.line(id)
    return EXIT.ok
  })
}

async function retryFailed(
  screen: Screen,
  { json, task }: RetryOptions,
  { app, client }: Connection,
  filter: object,
): Promise<number> {
  const { ids, refused } = await client.retryAll(filter)
  const told = refused.map(({ id, error }) => ({ id, error: errorText(error) }))
  if (json) screen.json({ ids, refused: told })
  else {
    for (const id of ids) screen.line(id)
    for (const { id, error } of told) screen.say(`errand: ${id} is not tried again: ${error}`)
    screen.say(`errand: ${ids.length} tried again, ${refused.length} not`)
  }
  if (ids.length === 0) sayUnregistered(screen, app, task)
  return refused.length === 0 ? EXIT.ok : EXIT.failed
}
