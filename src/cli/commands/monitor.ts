/**
 * `errand monitor`: what runs, waits and failed, on a page of this machine.
 * @module
 */
import type * as Monitor from '../../monitor/index.ts'
import { NotWiredError } from '../../runtime/errors.ts'
import { takeStopSignals } from '../cluster/stop-signals.ts'
import { connected, type SharedOptions } from '../connection.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import type { Screen } from '../output/screen.ts'

/** What is typed. */
export interface MonitorCommandOptions extends SharedOptions {
  readonly port?: string
  readonly manage?: boolean
}

/** Serves the monitor until it is told to end. */
export async function monitor(screen: Screen, options: MonitorCommandOptions): Promise<number> {
  const port = portOf(options.port)
  const { startMonitor } = await loadMonitor()
  return connected(options, screen.say, async ({ executor }) => {
    const signals = takeStopSignals(() => {})
    const running = await startMonitor(executor, {
      ...(port !== undefined && { port }),
      manage: options.manage === true,
    }).catch((error: Error) => {
      signals.release()
      throw isInUse(error.cause) ? new UsageError(error.message.replace('`port`', '--port')) : error
    })
    try {
      screen.say(`errand: the monitor is at ${running.url}`)
      screen.say(
        `errand: whoever has that address is let in${options.manage === true ? ', and may act' : ''}`,
      )
      await signals.first
      return EXIT.ok
    } finally {
      await running.close()
      signals.release()
    }
  })
}

/** Its web server is an optional peer. */
async function loadMonitor(): Promise<typeof Monitor> {
  try {
    return await import('../../monitor/index.ts')
  } catch (cause) {
    throw new NotWiredError(
      'hono serves the monitor, and cannot be loaded (see cause): `npm i -D hono @hono/node-server`',
      { cause },
    )
  }
}

function isInUse(cause: unknown): boolean {
  return cause instanceof Error && (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
}

function portOf(typed: string | undefined): number | undefined {
  if (typed === undefined) return undefined
  const port = Number(typed)
  if (/^\d{1,5}$/.test(typed) && port <= 65_535) return port
  throw new UsageError(`--port is ${JSON.stringify(typed)}, expected a number from 0 (a free one) to 65535`)
}
