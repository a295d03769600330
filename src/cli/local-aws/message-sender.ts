/**
 * Sends single messages to the SQS of this machine: what its schedules do when they fire.
 * @module
 */
import { lazySqs } from '../../runtime/aws/aws-clients.ts'
import { LOOPBACK, type LoopbackEndpoint } from '../../runtime/aws/made-resources.ts'
import { sqsQueue } from '../../runtime/aws/sqs-queue.ts'
import { systemClock } from '../../runtime/clock.ts'
import { systemEntropy } from '../../runtime/entropy.ts'
import type { SentMessage } from './scheduler-server.ts'

/** What sends. */
export interface MessageSender {
  /** Sends one message; rejects where SQS does not take it. */
  send(message: SentMessage): Promise<void>
  close(): Promise<void>
}

/** A sender to this SQS. */
export function messageSender({ endpoint }: LoopbackEndpoint): MessageSender {
  const sqs = lazySqs({ endpoint, credentials: LOOPBACK.credentials }, {}, LOOPBACK.region)
  return {
    async send({ QueueUrl, MessageBody, DelaySeconds, MessageGroupId }) {
      const [clock, entropy] = [systemClock, systemEntropy]
      const queue = sqsQueue({ queueUrls: { target: QueueUrl }, sqs, clock, entropy })
      const [result] = await queue.send('target', [
        {
          body: MessageBody,
          ...(DelaySeconds !== undefined && { delaySeconds: DelaySeconds }),
          ...(MessageGroupId !== undefined && { groupId: MessageGroupId }),
        },
      ])
      if (result !== undefined && 'error' in result) throw result.error
    },
    close: () => sqs.close(),
  }
}
