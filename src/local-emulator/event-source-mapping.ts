/**
 * Lambda's event source mapping: polls a queue, over any implementation of the port, and invokes a function.
 *
 * What ended well is deleted. What failed is left alone, and becomes visible again when its visibility ends. Not
 * emulated: more than one poller, the 6 MB limit of an invocation, scaling up and down; `md5OfBody` is empty,
 * since nothing reads it and it costs more than the rest of the record.
 * @module
 */
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import type { Clock } from '../runtime/clock.ts'
import { LIMITS } from '../runtime/config/config.ts'
import type { Queue, ReceivedMessage } from '../runtime/ports/queue.ts'
import type { InvokeResult } from './lambda-function.ts'

/** How to map a queue to a function. */
export interface EventSourceMappingOptions {
  readonly queue: Pick<Queue, 'receive' | 'delete'>
  readonly queueName: string
  /** The queue's ARN, for the events. */
  readonly arn: string
  /** 1–10. */
  readonly batchSize: number
  /** How long to wait for a batch to fill, from its first message on. */
  readonly batchWindowSeconds: number
  /** How many invocations may run at once. */
  readonly maximumConcurrency: number
  invoke(event: SQSEvent): Promise<InvokeResult>
  readonly clock: Clock
  /**
   * How long one poll waits for messages; the in-process queue waits without end, and without a timer.
   * @default 20
   */
  readonly pollSeconds?: number
  /** Called with what a poll or a delete threw, and with the error of each batch that failed as a whole. */
  onError?(error: Error): void
}

/** A mapping that runs. */
export interface EventSourceMapping {
  /** Ends the polling, and resolves when the running invocations have ended. */
  stop(): Promise<void>
}

interface Mapping {
  readonly options: EventSourceMappingOptions
  readonly stopping: AbortController
  running: number
  /** Told when an invocation ends. */
  onEnd: () => void
}

/** Between polls that fail, in seconds: doubled each time, up to the last. */
const MIN_BACKOFF_SECONDS = 1
const MAX_BACKOFF_SECONDS = 20

// Taken when this module loads, so that a test runner's fake timers do not stop the polling.
const { setImmediate } = globalThis

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown })
}

function recordOf(message: ReceivedMessage, arn: string, awsRegion: string): SQSRecord {
  return {
    messageId: message.messageId,
    receiptHandle: message.receiptHandle,
    body: message.body,
    attributes: {
      ApproximateReceiveCount: String(message.receiveCount),
      SentTimestamp: String(message.sentAt),
      SenderId: 'errand',
      ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt),
      ...(message.groupId !== undefined && { MessageGroupId: message.groupId }),
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: arn,
    awsRegion,
  }
}

/** The event of a batch, as Lambda hands it to the function. */
export function eventOf(messages: readonly ReceivedMessage[], arn: string): SQSEvent {
  const awsRegion = arn.split(':')[3] ?? ''
  return { Records: messages.map((message) => recordOf(message, arn, awsRegion)) }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

/**
 * The ids that `ReportBatchItemFailures` reports, by AWS's rules: no response, or no list in it, is success; a
 * response or list of another shape, or an id that is not of the batch, fails the whole batch (`undefined`).
 */
export function reportedFailures(
  payload: unknown,
  messages: readonly ReceivedMessage[],
): ReadonlySet<string> | undefined {
  const failures = new Set<string>()
  if (payload === undefined || payload === null) return failures
  if (typeof payload !== 'object' || Array.isArray(payload)) return undefined
  const list = fieldOf(payload, 'batchItemFailures') ?? []
  if (!Array.isArray(list)) return undefined
  for (const item of list) {
    const id = fieldOf(item, 'itemIdentifier')
    if (typeof id !== 'string' || !messages.some(({ messageId }) => messageId === id)) return undefined
    failures.add(id)
  }
  return failures
}

/** Receives a batch: empty where a poll brought nothing. */
function collect(mapping: Mapping): Promise<readonly ReceivedMessage[]> {
  const { queue, queueName, batchSize, batchWindowSeconds, pollSeconds } = mapping.options
  const waitSeconds = pollSeconds ?? LIMITS.receiveWaitSeconds
  const { signal } = mapping.stopping
  const first = queue.receive(queueName, { maxMessages: batchSize, waitSeconds, signal })
  return batchWindowSeconds === 0 ? first : fillWindow(mapping, first)
}

async function fillWindow(
  { options, stopping }: Mapping,
  receiving: Promise<readonly ReceivedMessage[]>,
): Promise<readonly ReceivedMessage[]> {
  const { queue, queueName, batchSize, batchWindowSeconds, clock } = options
  const { signal } = stopping
  const first = await receiving
  if (first.length === 0) return first
  const messages = [...first]
  const until = clock.now() + batchWindowSeconds * 1000
  while (messages.length < batchSize && clock.now() < until && !signal.aborted) {
    // SQS waits whole seconds: the window may end up to one second late.
    const waitSeconds = Math.min(Math.ceil((until - clock.now()) / 1000), LIMITS.receiveWaitSeconds)
    const maxMessages = batchSize - messages.length
    // A poll that fails ends the window: what was received before must not wait for its visibility to end.
    const more = await queue.receive(queueName, { maxMessages, waitSeconds, signal }).catch(() => undefined)
    if (more === undefined) break
    messages.push(...more)
  }
  return messages
}

/** The receipts of what ended well. */
function handledOf(messages: readonly ReceivedMessage[], result: InvokeResult): string[] {
  if (!result.ok) throw result.error
  const failures = reportedFailures(result.payload, messages)
  if (failures === undefined) {
    throw new Error(
      `The whole batch of ${messages.length} failed: the function's response is not one that names failed messages of it: ${JSON.stringify(result.payload)}`,
    )
  }
  const handled = messages.filter(({ messageId }) => !failures.has(messageId))
  return handled.map(({ receiptHandle }) => receiptHandle)
}

/** Invokes without being waited for. */
async function dispatch(mapping: Mapping, messages: readonly ReceivedMessage[]): Promise<void> {
  const { queue, queueName, arn, invoke } = mapping.options
  mapping.running++
  try {
    const handled = handledOf(messages, await invoke(eventOf(messages, arn)))
    if (handled.length > 0) await queue.delete(queueName, handled)
  } catch (error) {
    mapping.options.onError?.(errorOf(error))
  }
  mapping.running--
  mapping.onEnd()
}

function invocationEnd(mapping: Mapping): Promise<void> {
  return new Promise((resolve) => {
    mapping.onEnd = resolve
  })
}

/** Waits, and keeps the process alive meanwhile: a worker that cannot reach its queue must not exit. */
async function backOff({ options, stopping }: Mapping, failures: number): Promise<void> {
  const seconds = Math.min(MIN_BACKOFF_SECONDS * 2 ** (failures - 1), MAX_BACKOFF_SECONDS)
  const { signal } = stopping
  let stopped = () => {}
  const aborted = new Promise<void>((resolve) => {
    stopped = resolve
  })
  const timer = options.clock.setTimer(stopped, seconds * 1000)
  signal.addEventListener('abort', stopped, { once: true })
  await aborted
  signal.removeEventListener('abort', stopped)
  timer.cancel()
}

async function poll(mapping: Mapping): Promise<void> {
  const { options, stopping } = mapping
  let failures = 0
  while (!stopping.signal.aborted) {
    try {
      const messages = await collect(mapping)
      failures = 0
      if (messages.length > 0) void dispatch(mapping, messages)
    } catch (error) {
      // A wire client ends a poll by throwing when it is told to stop.
      if (stopping.signal.aborted) break
      options.onError?.(errorOf(error))
      await backOff(mapping, ++failures)
    }
    // A full queue answers at once: without a turn between two polls, I/O and timers would starve.
    await nextTurn()
    while (mapping.running >= options.maximumConcurrency) await invocationEnd(mapping)
  }
  while (mapping.running > 0) await invocationEnd(mapping)
}

/** Starts to poll. */
export function startEventSourceMapping(options: EventSourceMappingOptions): EventSourceMapping {
  const mapping: Mapping = { options, stopping: new AbortController(), running: 0, onEnd: () => {} }
  const ended = poll(mapping)
  return {
    stop() {
      mapping.stopping.abort()
      return ended
    },
  }
}
