/**
 * SQS on the wire, for tests.
 * @module
 */
import { startSqsServer } from '../../src/cli/local-aws/wire-servers.ts'
import { makeQueues, type QueueAttributes } from '../../src/runtime/aws/made-resources.ts'
import type { WireServer } from './loopback-connection.ts'

export type { QueueAttributes }

/** fauxqs, listening. */
export interface FauxqsServer extends WireServer {
  /** The URLs of the queues that it was started with, by name. */
  readonly queueUrls: Readonly<Record<string, string>>
  /** Makes more queues, FIFO ones where the name says so, and returns their URLs by name. */
  createQueues(queues: Readonly<Record<string, QueueAttributes>>): Promise<Record<string, string>>
}

/** Starts fauxqs on a free port of the loopback address, and makes queues; names that end in `.fifo` are FIFO. */
export async function startFauxqs(
  queues: Readonly<Record<string, QueueAttributes>> = {},
): Promise<FauxqsServer> {
  const server = await startSqsServer()
  const createQueues: FauxqsServer['createQueues'] = (wanted) => {
    const made = Object.entries(wanted).map(([name, attributes]) => {
      const order = name.endsWith('.fifo') ? { FifoQueue: 'true' } : {}
      return { name, physicalName: name, attributes: { ...attributes, ...order } }
    })
    return makeQueues(server, made)
  }
  return { ...server, queueUrls: await createQueues(queues), createQueues }
}
