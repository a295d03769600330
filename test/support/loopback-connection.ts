/**
 * How tests reach the wire servers that they start: always a loopback address, never an account.
 * @module
 */

/** The region and credentials that the wire servers accept: any. */
export const loopbackRegion = 'us-east-1'
export const loopbackCredentials = { accessKeyId: 'test', secretAccessKey: 'test' }

/** A wire server that listens. */
export interface WireServer {
  readonly endpoint: string
  close(): Promise<void>
}

/** What the SDK, or the AWS backend, needs to reach `server`. */
export function connectionTo(server: Pick<WireServer, 'endpoint'>) {
  return { endpoint: server.endpoint, credentials: loopbackCredentials }
}
