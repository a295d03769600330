/**
 * Serves the app on this machine alone.
 * @module
 */
import { createAdaptorServer } from '@hono/node-server'
import { app } from './app.ts'
import { client } from './client.ts'
// The executor brings the workers: without it the web app's calls would find none in this process.
import { executor } from './errand.ts'

const HOST = '127.0.0.1'

/** A server that listens. */
export interface Listening {
  readonly url: string
  /** Ends open connections, lets attempts that run end, and stops the workers. */
  close(): Promise<void>
}

/**
 * Starts the server.
 * @param port 0 takes a free one
 * @throws Error that says so where the port is in use
 */
export async function listen(port: number): Promise<Listening> {
  const server = createAdaptorServer({ fetch: app.fetch })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explained(error, port)))
    server.listen(port, HOST, resolve)
  })
  const address = server.address()
  const actual = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://${HOST}:${actual}`,
    async close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      if ('closeAllConnections' in server) server.closeAllConnections()
      await closed
      await client.close()
      await executor.close()
    },
  }
}

function explained(error: NodeJS.ErrnoException, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new Error(`port ${port} is in use; set PORT to another, or leave it out to take a free one`)
  }
  if (error.code === 'EACCES') return new Error(`port ${port} needs rights that this user has not; set PORT`)
  return error
}

/** npm passes on a Ctrl-C that the terminal has sent already; a person's second one comes later than this. */
const ECHO_MS = 500

/** Calls `stop` at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
export function onInterrupt(stop: () => Promise<void>): void {
  let stoppingSince: number | undefined
  const interrupt = () => {
    if (stoppingSince !== undefined) {
      if (performance.now() - stoppingSince > ECHO_MS) process.exit(130)
      return
    }
    stoppingSince = performance.now()
    stop().catch((error: unknown) => {
      console.error(error)
      process.exitCode = 1
    })
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
}
