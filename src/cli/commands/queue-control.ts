/**
 * `errand purge`, `pause` and `resume`.
 * @module
 */
import { createInterface } from 'node:readline/promises'
import { checkQueueName } from '../../runtime/operations/call-listing.ts'
import { connected, type Place, type SharedOptions } from '../connection.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import type { Screen } from '../output/screen.ts'

/** Has the workers take no calls of a queue. */
export async function pause(screen: Screen, options: SharedOptions, queue: string): Promise<number> {
  return connected(options, screen.say, async ({ queues }) => {
    await queues.pause(queue)
    if (options.json) screen.json({ queue, paused: true })
    else screen.line(`paused ${queue}: what runs goes on, nothing new begins within a minute`)
    return EXIT.ok
  })
}

/** Has them take its calls again. */
export async function resume(screen: Screen, options: SharedOptions, queue: string): Promise<number> {
  return connected(options, screen.say, async ({ queues }) => {
    await queues.resume(queue)
    if (options.json) screen.json({ queue, paused: false })
    else screen.line(`resumed ${queue}`)
    return EXIT.ok
  })
}

/** What is typed. */
export interface PurgeOptions extends SharedOptions {
  readonly yes?: boolean
}

/** Deletes what a queue holds, once its name was typed a second time. */
export async function purge(screen: Screen, options: PurgeOptions, name: string): Promise<number> {
  return connected(options, screen.say, async ({ app, place, queues }) => {
    const queue = checkQueueName(app.config, name)
    if (!options.yes) await confirm(queue, place)
    const purged = await queues.purge(queue)
    if (options.json) screen.json({ queue, ...purged })
    else {
      const rest = purged.complete ? '' : `; not all were looked at, only ${purged.lookedAt}`
      screen.line(`purged ${queue}: ${purged.cancelled} waiting calls cancelled${rest}`)
    }
    return EXIT.ok
  })
}

/** @throws UsageError where it is not confirmed, or nobody is there to ask */
async function confirm(queue: string, { text }: Place): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new UsageError(
      `purge deletes every message of ${JSON.stringify(queue)} of ${text}; say --yes where that is meant`,
    )
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const typed = await terminal
      .question(
        `This deletes every message of the queue ${queue}, of ${text}.\nType the queue's name to go on: `,
      )
      .catch(() => {
        // Ctrl-C, or Ctrl-D: the line of the question has no end yet.
        process.stderr.write('\n')
        throw new UsageError('nothing was deleted: no name was typed')
      })
    if (typed.trim() !== queue)
      throw new UsageError(`nothing was deleted: that is not ${JSON.stringify(queue)}`)
  } finally {
    terminal.close()
  }
}
