/**
 * What SQS refuses, under the names and much in the words in which it does.
 * @module
 */
import { LIMITS, type ResolvedQueue } from '../runtime/config/config.ts'
import type { OutgoingMessage, ReceiveOptions } from '../runtime/ports/queue.ts'

/** An error as the SDK throws it: told apart by `name`. */
export function sqsError(name: string, message: string): Error {
  const error = new Error(message)
  error.name = name
  return error
}

function invalidValue(parameter: string, value: unknown, reason: string): Error {
  return sqsError(
    'InvalidParameterValue',
    `Value ${value} for parameter ${parameter} is invalid. Reason: ${reason}`,
  )
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}

// SQS takes #x9 | #xA | #xD | #x20–#xD7FF | #xE000–#xFFFD | #x10000–#x10FFFF; `isWellFormed` sees to surrogates.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are refused
const refusedCharacter = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/

/** A `MessageGroupId` and a `MessageDeduplicationId`: alphanumeric and punctuation, 1–128. */
const idForm = /^[!-~]{1,128}$/

function refusalOfBody(body: string): Error | undefined {
  if (body.length === 0) {
    return sqsError('MissingParameter', 'The request must contain the parameter MessageBody.')
  }
  // A character takes at most 3 bytes for each of its UTF-16 units: most bodies need not be measured.
  if (body.length * 3 > LIMITS.messageBytes && Buffer.byteLength(body) > LIMITS.messageBytes) {
    return sqsError(
      'InvalidParameterValue',
      `One or more parameters are invalid. Reason: Message must be shorter than ${LIMITS.messageBytes} bytes.`,
    )
  }
  if (refusedCharacter.test(body) || !body.isWellFormed()) {
    return sqsError(
      'InvalidMessageContents',
      'Invalid binary character in the message body, the set of allowed characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF',
    )
  }
  return undefined
}

function refusalOfId(parameter: string, id: string | undefined): Error | undefined {
  if (id === undefined || idForm.test(id)) return undefined
  return invalidValue(
    parameter,
    id,
    `${parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
  )
}

const notForThisType = 'The request include parameter that is not valid for this queue type.'

/** Why the queue does not take the message, or `undefined` where it does. */
export function refusalOfMessage(queue: ResolvedQueue, message: OutgoingMessage): Error | undefined {
  const { body, delaySeconds, groupId, deduplicationId } = message
  if (delaySeconds !== undefined) {
    if (!isWithin(delaySeconds, 0, LIMITS.delaySeconds)) {
      return invalidValue(
        'DelaySeconds',
        delaySeconds,
        `DelaySeconds must be >= 0 and <= ${LIMITS.delaySeconds}.`,
      )
    }
    if (queue.fifo && delaySeconds > 0) return invalidValue('DelaySeconds', delaySeconds, notForThisType)
  }
  if (queue.fifo) {
    if (groupId === undefined) {
      return sqsError('MissingParameter', 'The request must contain the parameter MessageGroupId.')
    }
    if (deduplicationId === undefined) {
      return sqsError(
        'InvalidParameterValue',
        'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
      )
    }
  } else if (deduplicationId !== undefined) {
    return invalidValue('MessageDeduplicationId', deduplicationId, notForThisType)
  }
  return (
    refusalOfId('MessageGroupId', groupId) ??
    refusalOfId('MessageDeduplicationId', deduplicationId) ??
    refusalOfBody(body)
  )
}

/** Throws where SQS would not receive so. A wait without end is the emulator's own. */
export function checkReceive({ maxMessages, waitSeconds, visibilitySeconds = 0 }: ReceiveOptions): void {
  if (!isWithin(maxMessages, 1, LIMITS.batchEntries)) {
    const reason = `Must be between 1 and ${LIMITS.batchEntries}, if provided.`
    throw invalidValue('MaxNumberOfMessages', maxMessages, reason)
  }
  if (waitSeconds !== Number.POSITIVE_INFINITY && !isWithin(waitSeconds, 0, LIMITS.receiveWaitSeconds)) {
    const reason = `Must be >= 0 and <= ${LIMITS.receiveWaitSeconds}, if provided.`
    throw invalidValue('WaitTimeSeconds', waitSeconds, reason)
  }
  const refusal = refusalOfVisibility(visibilitySeconds)
  if (refusal) throw refusal
}

/** Why a visibility is refused, whatever the receipt. */
export function refusalOfVisibility(visibilitySeconds: number): Error | undefined {
  if (isWithin(visibilitySeconds, 0, LIMITS.visibilitySeconds)) return undefined
  const reason = `Must be between 0 and ${LIMITS.visibilitySeconds}, if provided.`
  return invalidValue('VisibilityTimeout', visibilitySeconds, reason)
}

/** Why a visibility is refused that would hide a message for more than 12 hours from its receipt. */
export function visibilityBeyondLimit(visibilitySeconds: number): Error {
  const reason = `Total VisibilityTimeout for the message is beyond the limit [${LIMITS.visibilitySeconds} seconds]`
  return invalidValue('VisibilityTimeout', visibilitySeconds, reason)
}

/** The handle is not one that this queue ever gave out. */
export function invalidHandle(receiptHandle: string): Error {
  return sqsError(
    'ReceiptHandleIsInvalid',
    `The input receipt handle "${receiptHandle}" is not a valid receipt handle.`,
  )
}

/** There is no such queue. */
export function noSuchQueue(queue: string, queues: Iterable<string>): Error {
  const known = [...queues].map((name) => `"${name}"`).join(', ')
  return sqsError('QueueDoesNotExist', `The specified queue does not exist: "${queue}"; there are ${known}.`)
}

/** A standard queue with as many messages in flight as SQS allows. */
export function overLimit(queue: string): Error {
  return sqsError(
    'OverLimit',
    `Too many messages in flight on "${queue}": ${MAX_IN_FLIGHT} is the limit; delete what was handled.`,
  )
}

/** SQS: messages in flight of one queue, standard and FIFO alike. */
export const MAX_IN_FLIGHT = 120_000
