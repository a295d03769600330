/**
 * A web app on a real port, whose connections a test can cut.
 * @module
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'

/** A server that listens on 127.0.0.1. */
export interface HttpServer {
  readonly url: string
  readonly port: number
  /** Ends all connections as they are. */
  cut(): void
  /** Refuses connections from now on. */
  stop(): Promise<void>
}

/** Serves a Hono app. @param port 0 takes a free one */
export async function serveHttp(
  app: { fetch(request: Request): Response | Promise<Response> },
  port = 0,
): Promise<HttpServer> {
  const server: Server = createServer(getRequestListener((request) => app.fetch(request)))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const actual = (server.address() as AddressInfo).port
  return {
    url: `http://127.0.0.1:${actual}`,
    port: actual,
    cut: () => server.closeAllConnections(),
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
