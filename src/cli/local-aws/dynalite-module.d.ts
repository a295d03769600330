/** What the tests use of dynalite, which has no types of its own. */
declare module 'dynalite' {
  import type { Server } from 'node:http'

  /** Makes a server that speaks DynamoDB; in memory where `path` is absent. */
  export default function dynalite(options?: {
    readonly path?: string
    readonly createTableMs?: number
    readonly deleteTableMs?: number
    readonly updateTableMs?: number
  }): Server
}
