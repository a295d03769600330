/**
 * Secrets Manager's API on the wire, for tests: `GetSecretValue` alone. It answers the real SDK.
 * @module
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { WireServer } from './loopback-connection.ts'

/** The API, listening. */
export interface SecretsApi extends WireServer {
  /** The texts of secrets, by their ARNs: what is set is what is read next. */
  readonly secrets: Map<string, string>
  /** The ids that were asked for. */
  readonly requests: readonly string[]
}

/** Starts it on a free port of the loopback address. */
export async function startSecretsApi(): Promise<SecretsApi> {
  const secrets = new Map<string, string>()
  const requests: string[] = []
  const server = createServer(async (request, response) => {
    const { SecretId = '' } = JSON.parse(await text(request))
    const isRead = request.headers['x-amz-target'] === 'secretsmanager.GetSecretValue'
    const SecretString = isRead ? secrets.get(SecretId) : undefined
    requests.push(SecretId)
    const headers = { 'content-type': 'application/x-amz-json-1.1' }
    const missing = { __type: 'ResourceNotFoundException', Message: 'there is no such secret' }
    response.writeHead(SecretString === undefined ? 400 : 200, headers)
    response.end(JSON.stringify(SecretString === undefined ? missing : { ARN: SecretId, SecretString }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    secrets,
    requests,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
