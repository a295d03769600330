/**
 * `errand status`: whether the workers are there.
 * @module
 */
import { connected, type SharedOptions } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import type { Screen } from '../output/screen.ts'

/** Asks every worker. */
export async function status(screen: Screen, options: SharedOptions): Promise<number> {
  return connected(options, screen.say, async ({ client }) => {
    const found = await client.status()
    if (options.json) screen.json(found)
    else await screen.table(['worker', 'status'], Object.entries(found.workers))
    return found.ping ? EXIT.ok : EXIT.failed
  })
}
