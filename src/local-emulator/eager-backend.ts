/**
 * The eager backend: a submit runs its call inline, through the same envelope, worker handler, record and retries as
 * everywhere else, and returns when it is final. Nothing waits: back-offs and delays move the backend's own clock.
 * @module
 */
import type { SQSRecord } from 'aws-lambda'
import type { App } from '../runtime/app.ts'
import type { Backend, Ports } from '../runtime/backend.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import type { ResolvedConfig } from '../runtime/config.ts'
import { outsideAnyContext } from '../runtime/current-task.ts'
import { type Entropy, systemEntropy } from '../runtime/entropy.ts'
import { NotWiredError } from '../runtime/errors.ts'
import type { OutgoingMessage, Queue, SendResult } from '../runtime/queue.ts'
import { arnOf } from './in-process-queue.ts'
import { inProcessStore } from './in-process-store.ts'
import type { LocalBackendOptions } from './local-backend.ts'

/** How to make an eager backend. */
export interface EagerBackendOptions extends Pick<LocalBackendOptions, 'makeHandler'> {
  /** Let a submit reject with the error of a call that failed. @default false: it stays in the future */
  readonly propagate?: boolean
  /** @default the system's */
  readonly clock?: Clock
  /** @default the system's */
  readonly entropy?: Entropy
}

type Handler = ReturnType<LocalBackendOptions['makeHandler']>

interface Inline {
  readonly config: ResolvedConfig
  readonly options: EagerBackendOptions
  readonly ports: Ports
  /** Moves the clock: what a wait comes to where nothing waits. */
  readonly skip: (seconds: number) => void
  /** How long the handler asked for a message to be hidden, by receipt. */
  readonly hidden: Map<string, number>
  readonly handlers: Map<string, Handler>
  app: App | undefined
}

/** Makes the eager backend of one app. */
export function eagerBackend(config: ResolvedConfig, options: EagerBackendOptions): Backend {
  const { clock = systemClock, entropy = systemEntropy } = options
  let skippedMs = 0
  const shifted: Clock = { now: () => clock.now() + skippedMs, setTimer: clock.setTimer }
  const queue: Queue = {
    send: async (name, messages) => {
      const results: SendResult[] = []
      for (const message of messages) results.push(await runInline(inline, name, message))
      return results
    },
    changeVisibility: async (_, changes) => {
      for (const change of changes) inline.hidden.set(change.receiptHandle, change.visibilitySeconds)
    },
    // A call is over before its send returns: there is never a message to receive.
    receive: async () => [],
    delete: async () => {},
    counts: async () => ({ visible: 0, inFlight: 0, delayed: 0 }),
    nameOfArn: (arn) => arn.slice(arn.lastIndexOf(':') + 1),
  }
  const ports: Ports = { clock: shifted, entropy, queue, store: inProcessStore({ clock: shifted }) }
  const inline: Inline = {
    config,
    options,
    ports,
    skip: (seconds) => {
      skippedMs += seconds * 1000
    },
    hidden: new Map(),
    handlers: new Map(),
    app: undefined,
  }
  return {
    ...ports,
    kind: 'eager',
    propagate: options.propagate ?? false,
    attach: (app) => {
      inline.handlers.clear()
      inline.app = app
    },
    start: async () => {},
    close: async () => {
      const handlers = [...inline.handlers.values()]
      inline.handlers.clear()
      await Promise.allSettled(handlers.map((handler) => handler.stop?.()))
    },
  }
}

/** Delivers one message until it is acknowledged. */
async function runInline(inline: Inline, queue: string, message: OutgoingMessage): Promise<SendResult> {
  const { ports, hidden } = inline
  const handler = handlerOf(inline, queue)
  const messageId = ports.entropy.owner()
  inline.skip(message.delaySeconds ?? 0)
  for (let receiveCount = 1; ; receiveCount++) {
    const record = recordOf(inline, queue, message, messageId, receiveCount)
    const answer = await outsideAnyContext(() => handler({ Records: [record] }, NO_LIMIT))
    if (answer.batchItemFailures.length === 0) return { messageId }
    // A whole second at least: whoever returns a message for a moment must find time gone on.
    inline.skip(hidden.get(messageId) || 1)
    hidden.delete(messageId)
  }
}

/** Inline there is no invocation to end: the worker's own time-out is the limit. */
const NO_LIMIT = { awsRequestId: '', functionName: '', getRemainingTimeInMillis: () => Number.NaN }

function handlerOf(inline: Inline, queue: string): Handler {
  const { app, handlers, config } = inline
  if (app === undefined) {
    throw new NotWiredError(
      `no executor of ${JSON.stringify(config.name)} was made in this process, so nothing can run its calls inline; import the module that calls createExecutor`,
    )
  }
  let handler = handlers.get(queue)
  if (handler === undefined) {
    const worker = [...config.workers.values()].find(({ queues }) => queues.includes(queue))
    handler = inline.options.makeHandler(app, inline.ports, worker?.name ?? '')
    handlers.set(queue, handler)
  }
  return handler
}

function recordOf(
  inline: Inline,
  queue: string,
  message: OutgoingMessage,
  messageId: string,
  receiveCount: number,
): SQSRecord {
  const now = String(inline.ports.clock.now())
  return {
    messageId,
    receiptHandle: messageId,
    body: message.body,
    attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SentTimestamp: now,
      SenderId: 'local',
      ApproximateFirstReceiveTimestamp: now,
      ...(message.groupId !== undefined && { MessageGroupId: message.groupId }),
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: arnOf(queue),
    awsRegion: 'local',
  }
}
