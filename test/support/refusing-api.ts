/**
 * An AWS service on the wire that refuses everything, for tests. Speaks AWS's JSON protocol, which SQS and DynamoDB do.
 * @module
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { WireServer } from './loopback-connection.ts'

/** Starts it on a free port of the loopback address; every answer is status 400 and this exception. */
export async function startRefusingApi(type: string): Promise<WireServer> {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(400, {
      'content-type': 'application/x-amz-json-1.0',
      'x-amzn-query-error': `${type};Sender`,
    })
    response.end(JSON.stringify({ __type: `com.amazonaws#${type}`, message: 'refused' }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
