/**
 * The dead-letter handler as Lambda runs it: it ends the calls whose messages SQS gave up on, so that no future hangs.
 *
 * A message becomes a dead letter after 100 receives, which count nothing of ours: throttling, postponements and
 * crashes raise them alike. Its call is claimed, as any worker would, but not run: under a live lease, and before it
 * is due, the dead letter waits. So does what a schedule could not send: its letter is the request that was made of SQS.
 * @module
 */
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import type { App } from '../runtime/app.ts'
import { checkTimes, type Environment, runMessage } from '../runtime/attempt/attempt.ts'
import { createMarks } from '../runtime/attempt/marks.ts'
import { acknowledge, hide, type Settlement } from '../runtime/attempt/settlement.ts'
import { decodeEnvelope, isOfNewerVersion } from '../runtime/call/envelope.ts'
import { retentionSecondsOf } from '../runtime/call/message-life.ts'
import { mayCreate } from '../runtime/call/record.ts'
import { UNREADABLE, undeliverableRecord } from '../runtime/call/undeliverable-record.ts'
import { parseJson } from '../runtime/codec/parse-json.ts'
import { DEFAULTS, LIMITS, PROTOCOL } from '../runtime/config/config.ts'
import { queueOfDeadLetters } from '../runtime/config/dead-letter-names.ts'
import { UndeliverableError } from '../runtime/errors.ts'
import { createLog } from '../runtime/log.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import {
  type Batch,
  deliveryOf,
  handleEvent,
  type InvocationContext,
  settleMessage,
  type WorkerHandler,
} from './invocation.ts'
import type { MetricLines } from './metrics.ts'
import { observeAttempts } from './observe-attempts.ts'
import { queueOf } from './returned-messages.ts'

const NAME = 'dead-letters'

/**
 * Makes the handler of one environment. It runs no task, and so no start hook.
 * @param metrics where metrics go, and with them a line of the log for each call that it ends; @default neither
 */
export function createDeadLetterHandler(app: App, ports: Ports, metrics?: MetricLines): WorkerHandler {
  const worker = { ...DEFAULTS.worker, name: NAME, queues: [], batchSize: LIMITS.batchEntries }
  const log = createLog(worker.logLevel, { app: app.config.name, worker: NAME }, ports.clock)
  const observer = metrics && observeAttempts(app, ports.clock, log, metrics)
  const marks = createMarks(ports)
  const environment = { app, ports, worker, marks, log, context: {}, observe: observer?.observe }
  const invoked = { ports, settings: worker, log, observer }
  const handler = (event: SQSEvent, context?: Partial<InvocationContext>) =>
    handleEvent(invoked, event, context, async (batch) => {
      const end = async (record: SQSRecord) => {
        settleMessage(batch, record, await endMessage(environment, batch, record))
      }
      await Promise.all(batch.records.map(end))
      await batch.returned.flush()
    })
  return Object.assign(handler, { stop: async () => {} })
}

async function endMessage(environment: Environment, batch: Batch, received: SQSRecord): Promise<Settlement> {
  const body = scheduledBody(received.body)
  const record = body === undefined ? received : { ...received, body }
  if (isEnvelope(record.body, environment.ports.clock.now())) {
    return runMessage(environment, { ...deliveryOf(record, batch, false), isDeadLetter: true })
  }
  if (isOfNewerVersion(record.body)) return waitForDeployment(environment, record)
  return endUnreadable(environment, record, batch.requestId)
}

/** What a schedule was to send, where the letter is a schedule's: the parameters of SQS's `SendMessage`. */
function scheduledBody(letter: string): string | undefined {
  try {
    const parameters: unknown = parseJson(letter)
    if (typeof parameters !== 'object' || parameters === null) return undefined
    const isRequest = Object.hasOwn(parameters, 'QueueUrl') && Object.hasOwn(parameters, 'MessageBody')
    const { MessageBody } = parameters as { readonly MessageBody?: unknown }
    return isRequest && typeof MessageBody === 'string' ? MessageBody : undefined
  } catch {
    return undefined
  }
}

/** Whether a worker would take it: what none takes would otherwise never end. */
function isEnvelope(body: string, now: number): boolean {
  try {
    checkTimes(decodeEnvelope(body), now)
    return true
  } catch {
    return false
  }
}

/** A newer version wrote it, and knows which call it is of: to end it here would leave that call waiting for ever. */
function waitForDeployment({ log }: Environment, { messageId: id }: SQSRecord): Settlement {
  log('error', 'a dead letter is of a newer version, and waits for its deployment', { id })
  return hide(PROTOCOL.unknownTaskSeconds)
}

/** A body that nobody can read ends under its message's id: it is listed with what failed, and said aloud. */
async function endUnreadable(
  environment: Environment,
  record: SQSRecord,
  requestId: string | undefined,
): Promise<Settlement> {
  const { app, ports, log } = environment
  const id = record.messageId
  const queue = queueOfDeadLetters(queueOf(ports, record) ?? '')
  const error = new UndeliverableError(
    `the message ${JSON.stringify(id)} of queue ${JSON.stringify(queue)} is no errand envelope: it was sent by something else, or cut`,
  )
  const now = ports.clock.now()
  const sentAt = Number(record.attributes?.SentTimestamp)
  const retentionSeconds = retentionSecondsOf(app.config, queue)
  try {
    const createdAt = Number.isFinite(sentAt) ? sentAt : now
    const call = { id, task: UNREADABLE, queue, createdAt }
    const ended = undeliverableRecord(app.codec, call, error, now, retentionSeconds)
    await ports.store.put(ended, mayCreate(now))
    log('error', 'a dead letter cannot be read', { id, queue })
    environment.observe?.({
      id,
      task: UNREADABLE,
      queue,
      attempt: 0,
      outcome: 'failed',
      reason: 'undeliverable',
      error: error.name,
      ...(requestId !== undefined && { requestId }),
    })
    return acknowledge
  } catch (failure) {
    log('warn', 'a dead letter was returned', { id, error: failure })
    return hide(PROTOCOL.unreadableHideSeconds)
  }
}
