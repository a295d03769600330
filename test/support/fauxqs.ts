/**
 * SQS on the wire, for tests.
 * @module
 */
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { buildApp } from 'fauxqs'
import { connectionTo, loopbackRegion, type WireServer } from './loopback-connection.ts'

/** Attributes of a queue, in SQS's words: `{ VisibilityTimeout: '1' }`. */
export type QueueAttributes = Readonly<Record<string, string>>

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
  // Its own `startFauxqs` listens on every interface.
  const app = buildApp({ logger: false, host: 'localhost' })
  const endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
  const client = new SQSClient({ region: loopbackRegion, ...connectionTo({ endpoint }) })
  const createQueues: FauxqsServer['createQueues'] = async (wanted) => {
    const made = Object.entries(wanted).map(async ([name, attributes]) => {
      const fifo = name.endsWith('.fifo') && { FifoQueue: 'true' }
      const answer = await client.send(
        new CreateQueueCommand({ QueueName: name, Attributes: { ...attributes, ...fifo } }),
      )
      return [name, answer.QueueUrl ?? ''] as const
    })
    return Object.fromEntries(await Promise.all(made))
  }
  return {
    endpoint,
    queueUrls: await createQueues(queues),
    createQueues,
    async close() {
      client.destroy()
      // Connections that clients keep alive would otherwise be waited for.
      app.server.closeAllConnections()
      await app.close()
    },
  }
}
