/**
 * Gives a queue's messages to a function, as Lambda's event source mapping does, with its records attribute for
 * attribute. The polling and what is deleted are the emulator's mapping, over SQS on the wire.
 * @module
 */
import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import type { SQSEvent, SQSRecord, SQSRecordAttributes } from 'aws-lambda'
import { type EventSourceMapping, type InvokeResult, startEventSourceMapping } from 'errand/local-emulator'
import { systemClock } from '../../../src/runtime/clock.ts'
import type { MappingSettings } from './function-settings.ts'

/** What is mapped to what. */
export interface QueueMapping {
  readonly sqs: SQSClient
  readonly queueUrl: string
  readonly settings: MappingSettings
  invoke(event: SQSEvent): Promise<InvokeResult>
  /** Told why a whole batch came back. */
  onError(error: Error): void
}

/** Starts to poll. */
export function mapQueue({ sqs, queueUrl, settings, invoke, onError }: QueueMapping): EventSourceMapping {
  const received = new Map<string, Message>()
  const receive = async (maxMessages: number, waitSeconds: number, signal?: AbortSignal) => {
    const command = new ReceiveMessageCommand({
      QueueUrl: queueUrl,
      MaxNumberOfMessages: maxMessages,
      WaitTimeSeconds: waitSeconds,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    })
    const { Messages = [] } = await sqs.send(command, signal === undefined ? {} : { abortSignal: signal })
    for (const message of Messages) received.set(message.MessageId ?? '', message)
    return Messages.map(receivedMessage)
  }
  const remove = async (receipts: readonly string[]) => {
    const Entries = receipts.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }))
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }))
  }
  const { queueArn, batchSize, batchWindowSeconds, maximumConcurrency } = settings
  return startEventSourceMapping({
    queue: {
      receive: (_, { maxMessages, waitSeconds, signal }) => receive(maxMessages, waitSeconds, signal),
      delete: (_, receipts) => remove(receipts),
    },
    queueName: queueUrl,
    arn: queueArn,
    batchSize,
    batchWindowSeconds,
    maximumConcurrency,
    clock: systemClock,
    onError,
    invoke(event) {
      const messages = event.Records.map(({ messageId }) => received.get(messageId) ?? {})
      for (const { messageId } of event.Records) received.delete(messageId)
      return invoke({ Records: messages.map((message) => recordOf(message, queueArn)) })
    },
  })
}

function receivedMessage({ MessageId = '', ReceiptHandle = '', Body = '' }: Message) {
  // The mapping reads nothing else: the record is made of the message itself.
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: Body,
    receiveCount: 1,
    sentAt: 0,
    firstReceivedAt: 0,
  }
}

/** A record, as Lambda makes it of a message. */
function recordOf(message: Message, queueArn: string): SQSRecord {
  const attributes = Object.entries(message.MessageAttributes ?? {}).map(([name, value]) => [
    name,
    {
      ...(value.StringValue !== undefined && { stringValue: value.StringValue }),
      ...(value.BinaryValue !== undefined && {
        binaryValue: Buffer.from(value.BinaryValue).toString('base64'),
      }),
      stringListValues: [],
      binaryListValues: [],
      dataType: value.DataType ?? '',
    },
  ])
  return {
    messageId: message.MessageId ?? '',
    receiptHandle: message.ReceiptHandle ?? '',
    body: message.Body ?? '',
    attributes: { ...message.Attributes } as unknown as SQSRecordAttributes,
    messageAttributes: Object.fromEntries(attributes),
    md5OfBody: message.MD5OfBody ?? '',
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: queueArn.split(':')[3] ?? '',
  }
}
