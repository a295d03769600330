/**
 * DynamoDB on the wire without Java, for tests.
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import dynalite from 'dynalite'
import type { WireServer } from './loopback-connection.ts'

/** Starts dynalite, in memory, on a free port of the loopback address. */
export async function startDynalite(): Promise<WireServer> {
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async close() {
      // Connections that clients keep alive would otherwise be waited for.
      server.closeAllConnections()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}
