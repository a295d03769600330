/**
 * Sends messages to SQS: what can be refused is refused here, the rest goes in full batches.
 * @module
 */
import type { Clock } from '../clock.ts'
import { LIMITS } from '../config/config.ts'
import type { Entropy } from '../entropy.ts'
import { ErrandError, InvalidOptionError, PayloadTooLargeError } from '../errors.ts'
import type { OutgoingMessage, SendResult } from '../ports/queue.ts'
import type { Lazy, SqsConnection } from './aws-clients.ts'
import { isDeploymentError, requesting } from './aws-error.ts'
import { type FailedEntry, fillBatches, type Placed, requestBatch, runBounded } from './sqs-batch.ts'

/** What an SQS queue is made of. */
export interface SqsQueueOptions {
  /** The queues' URLs, by the names of the config; FIFO queues' end in `.fifo`, as AWS demands. */
  readonly queueUrls: Readonly<Record<string, string>>
  readonly sqs: Lazy<SqsConnection>
  readonly clock: Clock
  readonly entropy: Entropy
}

/** Batch requests of one call in flight at a time: well under the SDK's 50 sockets. */
export const BATCHES_IN_FLIGHT = 8

/** One queue of the app, addressed. */
export interface Address {
  readonly name: string
  readonly url: string
  readonly fifo: boolean
  /** For errors. */
  readonly resource: string
}

function refusalOf(address: Address, message: OutgoingMessage, bytes: number): Error | undefined {
  const { name, fifo } = address
  if (bytes > LIMITS.messageBytes) {
    return new PayloadTooLargeError(
      `a message of ${bytes} bytes to queue "${name}": SQS takes up to ${LIMITS.messageBytes}; ` +
        'keep the data in S3 and send its key',
    )
  }
  if (fifo && message.groupId === undefined) {
    return new InvalidOptionError(
      `a message to FIFO queue "${name}" has no \`groupId\`, which SQS demands there`,
    )
  }
  if (fifo && (message.delaySeconds ?? 0) > 0) {
    return new InvalidOptionError(
      `a message to FIFO queue "${name}" has \`delaySeconds\` ${message.delaySeconds}: SQS delays FIFO queues ` +
        'only as a whole; use a standard queue',
    )
  }
  return undefined
}

/**
 * Sends any number of messages. The results are in their order; it throws only where none was sent and none can
 * be: access denied, no such queue.
 */
export async function sendAll(
  options: SqsQueueOptions,
  address: Address,
  messages: readonly OutgoingMessage[],
): Promise<readonly SendResult[]> {
  const results = new Array<SendResult>(messages.length)
  const sizes = new Map<OutgoingMessage, number>()
  const sendable: Placed<OutgoingMessage>[] = []
  for (const [index, item] of messages.entries()) {
    const bytes = Buffer.byteLength(item.body)
    const error = refusalOf(address, item, bytes)
    sizes.set(item, bytes)
    if (error === undefined) sendable.push({ item, index })
    else results[index] = { error }
  }
  let fatal: Error | undefined
  const { fifo } = address
  const groupOf = fifo ? (message: OutgoingMessage) => message.groupId : undefined
  const batches = fillBatches(sendable, (message) => sizes.get(message) ?? 0, groupOf)
  // A FIFO queue's batches go one after another, and none after one that failed: their order is the messages' order.
  await runBounded(batches, fifo ? 1 : BATCHES_IN_FLIGHT, async (batch) => {
    const error = await sendBatch(options, address, batch, results)
    if (isDeploymentError(error)) fatal = error
    else if (fifo && error !== undefined) fatal = error instanceof Error ? error : new Error(String(error))
    return fatal === undefined
  })
  if (fatal === undefined) return results
  if (!results.some((result) => result !== undefined && 'messageId' in result)) throw fatal
  for (const { index } of sendable) results[index] ??= { error: fatal }
  return results
}

/** Sends one batch and writes its results; returns the first error of it, or what the request as a whole threw. */
async function sendBatch(
  options: SqsQueueOptions,
  { url, resource }: Address,
  batch: readonly Placed<OutgoingMessage>[],
  results: SendResult[],
): Promise<unknown> {
  const taken = new Map<string, string>()
  try {
    const { client, sdk } = await options.sqs.get()
    const items = batch.map(({ item }) => item)
    const outcomes = await requesting({ action: 'sqs:SendMessage', resource }, () =>
      requestBatch(options, items, async (entries) => {
        const answer = await client.send(
          new sdk.SendMessageBatchCommand({ QueueUrl: url, Entries: entries.map(entryOf) }),
        )
        // Kept apart, so that a later try of the rest that throws does not forget what was sent.
        for (const { Id, MessageId } of answer.Successful ?? []) taken.set(Id ?? '', MessageId ?? '')
        return answer
      }),
    )
    for (const [place, outcome] of outcomes.entries()) {
      const index = batch[place]?.index ?? 0
      results[index] =
        'taken' in outcome
          ? { messageId: outcome.taken.MessageId ?? '' }
          : { error: errorOf(outcome.failed, `a message to ${resource}`) }
    }
    const failed = outcomes.find((outcome) => 'failed' in outcome)
    return failed === undefined || !('failed' in failed) ? undefined : errorOf(failed.failed, resource)
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    for (const [place, { index }] of batch.entries()) {
      const messageId = taken.get(String(place))
      results[index] = messageId === undefined ? { error } : { messageId }
    }
    return error
  }
}

function entryOf({ Id, item }: { readonly Id: string; readonly item: OutgoingMessage }) {
  return {
    Id,
    MessageBody: item.body,
    ...(item.delaySeconds && { DelaySeconds: Math.ceil(item.delaySeconds) }),
    ...(item.groupId !== undefined && { MessageGroupId: item.groupId }),
    ...(item.deduplicationId !== undefined && { MessageDeduplicationId: item.deduplicationId }),
  }
}

/** The error for an entry that SQS reported as failed; `awsCode` is SQS's word for it. */
export function errorOf(failed: FailedEntry, what: string): Error {
  const error = new ErrandError(`SQS refused ${what}: ${failed.Code ?? 'no code'}: ${failed.Message ?? ''}`)
  return Object.assign(error, { awsCode: failed.Code })
}
