/**
 * The monitor of a cluster on this machine. It is a convenience: whatever keeps it from listening is said, and the
 * cluster goes on without it.
 * @module
 */
import { isDeepStrictEqual } from 'node:util'
import type { DiscoveredApp } from '../../app-discovery/index.ts'
import type { RunningMonitor } from '../../monitor/index.ts'
import { connectTo } from '../connection.ts'
import type { Variables } from '../local-aws/local-aws.ts'
import { errorText } from '../output/screen.ts'

/** A monitor that follows its cluster. */
export interface MonitorBeside {
  /** Shows what the config says now; where it changed, at another address of the same port. */
  follow(app: DiscoveredApp, variables: Variables): Promise<void>
  close(): Promise<void>
}

/** What it is started with. */
export interface MonitorBesideOptions {
  readonly app: DiscoveredApp
  /** What leads to the cluster. */
  readonly variables: Variables
  /** @default 5555, and where that is taken any that is free */
  readonly port: number | undefined
  say(text: string): void
}

interface Shown {
  readonly app: DiscoveredApp
  readonly monitor: RunningMonitor
  close(): Promise<void>
}

/** Starts it, without waiting for it. */
export function startMonitorBeside({ port, say, ...first }: MonitorBesideOptions): MonitorBeside {
  const show = async (app: DiscoveredApp, variables: Variables, at = port): Promise<Shown | undefined> => {
    const { executor, close } = connectTo(app, variables)
    try {
      // It needs optional peers: whoever has not installed them has a cluster all the same.
      const { startMonitor } = await import('../../monitor/index.ts')
      const listen = (where?: number) =>
        startMonitor(executor, { manage: true, ...(where !== undefined && { port: where }) })
      const monitor = await listen(at).catch((error: unknown) => {
        if (at === undefined && isTaken(error)) return listen(0)
        throw error
      })
      say(`errand: the monitor is at ${monitor.url}`)
      return { app, monitor, close: () => monitor.close().then(close) }
    } catch (error) {
      await close()
      say(`errand: no monitor: ${errorText(error)}`)
      return undefined
    }
  }
  let shown = show(first.app, first.variables)
  return {
    async follow(app, variables) {
      const before = await shown
      if (before === undefined || isDeepStrictEqual(before.app.config, app.config)) return
      await before.close()
      shown = show(app, variables, before.monitor.port)
      await shown
    },
    close: async () => (await shown)?.close(),
  }
}

function isTaken(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE'
}
