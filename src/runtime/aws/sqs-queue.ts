/**
 * The queue port over Amazon SQS.
 * @module
 */
import type { Message, MessageSystemAttributeName, QueueAttributeName } from '@aws-sdk/client-sqs'
import { ENV, LIMITS } from '../config/config.ts'
import { NotWiredError } from '../errors.ts'
import type { Queue, QueueCounts, ReceivedMessage, ReceiveOptions, VisibilityChange } from '../ports/queue.ts'
import { REQUEST_TIMEOUT_MS } from './aws-clients.ts'
import { requesting } from './aws-error.ts'
import { fillBatches, requestBatch, runBounded } from './sqs-batch.ts'
import { type Address, BATCHES_IN_FLIGHT, errorOf, type SqsQueueOptions, sendAll } from './sqs-send.ts'

const attributeNames: MessageSystemAttributeName[] = [
  'ApproximateReceiveCount',
  'SentTimestamp',
  'ApproximateFirstReceiveTimestamp',
  'MessageGroupId',
]

/**
 * The queues of one app on Amazon SQS. Beyond the port's words: `send` throws only where no message was sent and
 * none can be (access denied, no such queue); a receive ended by its signal may have hidden messages that nobody
 * got, for as long as was asked for.
 */
export function sqsQueue(options: SqsQueueOptions): Queue {
  const names = new Map(Object.entries(options.queueUrls).map(([name, url]) => [lastOf(url, '/'), name]))
  const at = (name: string) => addressOf(options.queueUrls, name)
  return {
    send: async (queue, messages) => sendAll(options, at(queue), messages),
    receive: async (queue, how) => receive(options, at(queue), how),
    delete: async (queue, receipts) => deleteAll(options, at(queue), receipts),
    changeVisibility: async (queue, changes) => hideAll(options, at(queue), changes),
    counts: async (queue) => countsOf(options, at(queue)),
    nameOfArn: (arn) => names.get(lastOf(arn, ':')),
  }
}

function lastOf(text: string, separator: string): string {
  return text.slice(text.lastIndexOf(separator) + 1)
}

/** Where a queue is. */
export function addressOf(queueUrls: Readonly<Record<string, string>>, name: string): Address {
  const url = Object.hasOwn(queueUrls, name) ? queueUrls[name] : undefined
  if (url === undefined) {
    const known = Object.keys(queueUrls).join(', ') || 'none'
    throw new NotWiredError(
      `queue "${name}" has no URL; known: ${known}. Add it to ${ENV.queueUrls} or to the option \`queueUrls\`; ` +
        'the construct sets the variable: deploy the stack again after adding a queue to the config',
    )
  }
  return { name, url, fifo: url.endsWith('.fifo'), resource: `queue "${name}" (${url})` }
}

async function receive(
  options: SqsQueueOptions,
  { url, resource }: Address,
  { maxMessages, waitSeconds, visibilitySeconds, signal }: ReceiveOptions,
): Promise<readonly ReceivedMessage[]> {
  if (signal?.aborted) return []
  const { client, sdk } = await options.sqs.get()
  try {
    const command = new sdk.ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: maxMessages,
      WaitTimeSeconds: waitSeconds,
      ...(visibilitySeconds !== undefined && { VisibilityTimeout: visibilitySeconds }),
      MessageSystemAttributeNames: attributeNames,
    })
    const how = {
      requestTimeout: waitSeconds * 1000 + REQUEST_TIMEOUT_MS,
      ...(signal && { abortSignal: signal }),
    }
    const answer = await requesting({ action: 'sqs:ReceiveMessage', resource }, () =>
      client.send(command, how),
    )
    return (answer.Messages ?? []).map(receivedOf)
  } catch (error) {
    if (signal?.aborted) return []
    throw error
  }
}

function receivedOf(message: Message): ReceivedMessage {
  const attributes = message.Attributes ?? {}
  const groupId = attributes.MessageGroupId
  return {
    messageId: message.MessageId ?? '',
    receiptHandle: message.ReceiptHandle ?? '',
    body: message.Body ?? '',
    receiveCount: Number(attributes.ApproximateReceiveCount ?? 1),
    sentAt: Number(attributes.SentTimestamp ?? 0),
    firstReceivedAt: Number(attributes.ApproximateFirstReceiveTimestamp ?? 0),
    ...(groupId !== undefined && { groupId }),
  }
}

async function deleteAll(
  options: SqsQueueOptions,
  { url, resource }: Address,
  receiptHandles: readonly string[],
): Promise<void> {
  const { client, sdk } = await options.sqs.get()
  await settleReceipts(options, { action: 'sqs:DeleteMessage', resource }, receiptHandles, (entries) =>
    client.send(
      new sdk.DeleteMessageBatchCommand({
        QueueUrl: url,
        Entries: entries.map(({ Id, item }) => ({ Id, ReceiptHandle: item })),
      }),
    ),
  )
}

async function hideAll(
  options: SqsQueueOptions,
  { url, resource }: Address,
  changes: readonly VisibilityChange[],
): Promise<void> {
  const { client, sdk } = await options.sqs.get()
  await settleReceipts(options, { action: 'sqs:ChangeMessageVisibility', resource }, changes, (entries) =>
    client.send(
      new sdk.ChangeMessageVisibilityBatchCommand({
        QueueUrl: url,
        Entries: entries.map(({ Id, item }) => ({
          Id,
          ReceiptHandle: item.receiptHandle,
          VisibilityTimeout: Math.min(Math.ceil(item.visibilitySeconds), LIMITS.visibilitySeconds),
        })),
      }),
    ),
  )
}

/** Sends receipts by tens. Failures of the sender's are receipts that are no longer good; others, at last, throw. */
async function settleReceipts<T>(
  options: SqsQueueOptions,
  request: { readonly action: string; readonly resource: string },
  items: readonly T[],
  send: Parameters<typeof requestBatch<T, { Id?: string | undefined }>>[2],
): Promise<void> {
  const batches = fillBatches(
    items.map((item, index) => ({ item, index })),
    () => 0,
  )
  const errors: unknown[] = []
  await runBounded(batches, BATCHES_IN_FLIGHT, async (batch) => {
    try {
      const receipts = batch.map(({ item }) => item)
      for (const outcome of await requesting(request, () => requestBatch(options, receipts, send))) {
        if ('failed' in outcome && !outcome.failed.SenderFault) {
          errors.push(errorOf(outcome.failed, `${request.action} on ${request.resource}`))
        }
      }
    } catch (error) {
      errors.push(error)
    }
    return true
  })
  if (errors.length > 0) throw errors[0]
}

async function countsOf(options: SqsQueueOptions, { url, resource }: Address): Promise<QueueCounts> {
  const { client, sdk } = await options.sqs.get()
  const command = new sdk.GetQueueAttributesCommand({
    QueueUrl: url,
    AttributeNames: [
      'ApproximateNumberOfMessages',
      'ApproximateNumberOfMessagesNotVisible',
      'ApproximateNumberOfMessagesDelayed',
    ],
  })
  const answer = await requesting({ action: 'sqs:GetQueueAttributes', resource }, () => client.send(command))
  const count = (name: QueueAttributeName) => Number(answer.Attributes?.[name] ?? 0)
  return {
    visible: count('ApproximateNumberOfMessages'),
    inFlight: count('ApproximateNumberOfMessagesNotVisible'),
    delayed: count('ApproximateNumberOfMessagesDelayed'),
  }
}
