/**
 * fauxqs and dynalite in a process of their own, as AWS is elsewhere: run as a program, this module is that process.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startDynalite } from '../test/support/dynalite.ts'
import { createTable } from '../test/support/dynamodb-table.ts'
import { startFauxqs } from '../test/support/fauxqs.ts'

/** Where the servers listen, and what was made in them. */
export interface Wire {
  readonly sqsEndpoint: string
  readonly dynamoDbEndpoint: string
  /** A queue for each of the names that were asked for. */
  readonly queueUrls: Readonly<Record<string, string>>
  readonly tableName: string
}

const tableName = 'errand-bench'

async function serve(queues: readonly string[]): Promise<void> {
  const dynalite = await startDynalite()
  const fauxqs = await startFauxqs(Object.fromEntries(queues.map((name) => [name, {}])))
  await createTable(dynalite, tableName)
  const { queueUrls } = fauxqs
  const wire: Wire = {
    sqsEndpoint: fauxqs.endpoint,
    dynamoDbEndpoint: dynalite.endpoint,
    queueUrls,
    tableName,
  }
  process.send?.(wire)
  // With its parent gone there is nobody left to serve.
  process.on('disconnect', () => process.exit())
}

/** Starts the servers; `close` ends their process. */
export async function startWireServers(
  queues: readonly string[],
): Promise<{ readonly wire: Wire; close(): Promise<void> }> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), queues, { execArgv: [] })
  const exited = once(child, 'exit')
  const wire = await Promise.race([
    once(child, 'message').then(([message]) => message as Wire),
    exited.then(([code]): never => {
      throw new Error(`the wire servers ended with ${code}`)
    }),
  ])
  return {
    wire,
    async close() {
      child.disconnect()
      await exited
    },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve(process.argv.slice(2))
