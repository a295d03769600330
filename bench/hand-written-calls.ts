/**
 * What somebody without errand writes with the SDK: the same requests, with the same conditions and items, in the
 * same batches and as many at a time. Nothing is guarded, retried or checked.
 * @module
 */
import { hash, randomBytes, randomUUID } from 'node:crypto'
import { BatchGetItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'

import { claimOf, finishOf, type HandMessage, keyOf, putOf } from './hand-written-writes.ts'

/** Where the hand-written calls go. */
export interface HandMade {
  readonly sqs: SQSClient
  readonly dynamodb: DynamoDBClient
  readonly queueUrl: string
  readonly tableName: string
}

const LANES = 5
const BATCH = 10
const READ_BATCH = 100
function messageOf(groupId: string, index: number, args: readonly [number, number]): HandMessage {
  const now = Date.now()
  const payloadHash = hash('sha256', `add${JSON.stringify(args)}`, 'base64url').slice(0, 22)
  const id = `${groupId}-of-${index}`
  return { v: 1, id, task: 'add', queue: 'default', payloadHash, createdAt: now, dueAt: now, args }
}

/** Records first, then messages, ten at a time in five lanes; returns the ids. */
export async function sendByHand(
  { sqs, dynamodb, queueUrl, tableName }: HandMade,
  lists: readonly (readonly [number, number])[],
): Promise<string[]> {
  const groupId = randomUUID()
  const messages = lists.map((args, index) => messageOf(groupId, index, args))
  let next = 0
  const lane = async () => {
    while (next < messages.length) {
      const chunk = messages.slice(next, next + BATCH)
      next += BATCH
      await Promise.all(chunk.map((message) => dynamodb.send(putOf(tableName, message))))
      const Entries = chunk.map((message, index) => ({
        Id: String(index),
        MessageBody: JSON.stringify(message),
      }))
      const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }))
      if (Failed.length > 0) throw new Error(`${Failed.length} messages were not sent`)
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return messages.map(({ id }) => id)
}

function add(a: number, b: number): number {
  return a + b
}

/** Claims the call of a message, runs it, and writes its result. */
export async function runByHand(
  { dynamodb, tableName }: HandMade,
  received: Message,
  task: (a: number, b: number) => number | Promise<number> = add,
): Promise<void> {
  const message = JSON.parse(received.Body ?? '') as HandMessage
  const owner = randomBytes(12).toString('base64url')
  await dynamodb.send(claimOf(tableName, message, owner))
  const result = JSON.stringify(await task(...message.args))
  await dynamodb.send(finishOf(tableName, message.id, owner, result))
}

/** Receives ten at a time, `invocations` batches at once; `onDone` is told how many were deleted. */
export async function workByHand(
  made: HandMade,
  invocations: number,
  signal: AbortSignal,
  onDone: (messages: number) => void,
): Promise<void> {
  const { sqs, queueUrl } = made
  const running = new Set<Promise<void>>()
  const runBatch = async (batch: readonly Message[]) => {
    await Promise.all(batch.map((message) => runByHand(made, message)))
    const Entries = batch.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }))
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }))
    onDone(batch.length)
  }
  const receiving = {
    QueueUrl: queueUrl,
    MaxNumberOfMessages: BATCH,
    WaitTimeSeconds: 20,
    MessageSystemAttributeNames: [
      'ApproximateReceiveCount' as const,
      'SentTimestamp' as const,
      'ApproximateFirstReceiveTimestamp' as const,
      'MessageGroupId' as const,
    ],
  }
  while (!signal.aborted) {
    const answer = await sqs
      .send(new ReceiveMessageCommand(receiving), { abortSignal: signal, requestTimeout: 25_000 })
      .catch((error: unknown) => {
        if (signal.aborted) return undefined
        throw error
      })
    const batch = answer?.Messages ?? []
    if (batch.length === 0) continue
    const invocation = runBatch(batch).finally(() => running.delete(invocation))
    running.add(invocation)
    while (running.size >= invocations) await Promise.race(running)
  }
  await Promise.all(running)
}

/** Polls a hundred records a request, at 50 ms, then half as long again each time, up to 2 s, until all have ended. */
export async function resultsByHand(
  { dynamodb, tableName }: HandMade,
  ids: readonly string[],
): Promise<number[]> {
  const results = new Map<string, number>()
  const readBatch = async (some: readonly string[]) => {
    const Keys = some.map(keyOf)
    const { Responses = {} } = await dynamodb.send(
      new BatchGetItemCommand({ RequestItems: { [tableName]: { Keys, ConsistentRead: false } } }),
    )
    for (const { pk, st, rs } of Responses[tableName] ?? []) {
      if (st?.S === 'succeeded') results.set((pk?.S ?? '').slice(2), JSON.parse(rs?.S ?? '') as number)
    }
  }
  for (let waitMs = 50; ; waitMs = Math.min(waitMs * 1.5, 2000)) {
    const open = ids.filter((id) => !results.has(id))
    if (open.length === 0) return ids.map((id) => results.get(id) ?? Number.NaN)
    const reads: Promise<void>[] = []
    for (let from = 0; from < open.length; from += READ_BATCH) {
      reads.push(readBatch(open.slice(from, from + READ_BATCH)))
    }
    await Promise.all(reads)
    await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
}
