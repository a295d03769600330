/**
 * Follow-ups: what `with({ then, catch })` names is submitted by whoever writes the final state, after that write and
 * before the message is acknowledged. A redelivery that finds the call final submits it again, under the same id: so
 * none is lost, and none becomes two calls.
 * @module
 */

import type { ReceivedEnvelope } from '../call/envelope.ts'
import { followUpId, recordRetentionSeconds } from '../call/follow-up-id.ts'
import { decodeResult, readResultBeside } from '../call/large-result.ts'
import { type CallRecord, mayCreate } from '../call/record.ts'
import { undeliverableRecord } from '../call/undeliverable-record.ts'
import { delay } from '../clock.ts'
import type { Codec } from '../codec/codec.ts'
import { PROTOCOL, type ResolvedConfig } from '../config/config.ts'
import { longestMatch } from '../config/name-pattern.ts'
import { CallNotFoundError, ErrandError, UndeliverableError } from '../errors.ts'
import type { Ports } from '../ports/backend.ts'
import { isCertain } from '../ports/certain-refusal.ts'
import { prepareCall } from '../submit/outgoing-call.ts'
import { send } from '../submit/send.ts'
import type { Environment } from './attempt.ts'
import { acknowledge, hide, type Settlement } from './settlement.ts'

/** How a call ended, as far as a follow-up needs it. */
export type Ending = Pick<
  CallRecord,
  'id' | 'state' | 'owner' | 'result' | 'resultBytes' | 'resultIn' | 'sends'
>

/**
 * Does what follows a final write, and says whether the message may be deleted. Never rejects.
 * @param deadline when the environment is killed, in epoch milliseconds: no new try begins after it
 */
export async function afterFinal(
  environment: Environment,
  envelope: ReceivedEnvelope,
  deadline: number,
  ending: Ending,
): Promise<Settlement> {
  if (followUpOf(envelope, ending) === undefined) return acknowledge
  const { app, ports, log } = environment
  const nameNow = (task: string) => app.registry.find(task)?.name ?? task
  const context = { config: app.config, codec: app.codec, ports, nameNow }
  for (let waitMs = FIRST_RETRY_MS; ; waitMs *= 2) {
    try {
      await submitFollowUp(context, envelope, ending)
      return acknowledge
    } catch (error) {
      if (isCertain(error) || ports.clock.now() + waitMs > deadline) {
        log('warn', 'a follow-up could not be sent; the message comes back for it', {
          id: envelope.id,
          error,
        })
        return hide(PROTOCOL.unreadableHideSeconds)
      }
      await delay(ports.clock, waitMs)
    }
  }
}

const FIRST_RETRY_MS = 100

/** What sending a follow-up needs. */
export interface FollowUpContext {
  readonly config: ResolvedConfig
  readonly codec: Codec
  readonly ports: Pick<Ports, 'clock' | 'queue' | 'store' | 'blobs' | 'version'>
  /** The name that a task has now: its route is by that. */
  readonly nameNow: (task: string) => string
}

/**
 * Submits what follows this end, if anything does; again and again is once. What can never be sent is there as a call
 * that failed, so that its future ends.
 */
export async function submitFollowUp(
  context: FollowUpContext,
  envelope: ReceivedEnvelope,
  ending: Ending,
): Promise<void> {
  const followUp = followUpOf(envelope, ending)
  if (followUp === undefined) return
  try {
    await sendFollowUp(context, envelope, ending, followUp)
  } catch (error) {
    if (!isHopeless(error)) throw error
    await recordUnsent(context, envelope, ending, followUp, error)
  }
}

async function recordUnsent(
  { config, codec, ports, nameNow }: FollowUpContext,
  envelope: ReceivedEnvelope,
  ending: Ending,
  { task, after }: FollowUp,
  cause: unknown,
): Promise<void> {
  const now = ports.clock.now()
  const queue = queueNameOf(config, nameNow(task))
  const error = new UndeliverableError(
    `what follows the call ${envelope.id} cannot be sent: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  )
  const id = followUpId(envelope.id, after, ending)
  const retentionSeconds = recordRetentionSeconds(config, id, queue)
  const call = {
    id,
    task,
    queue,
    parent: envelope.id,
    createdAt: now,
  }
  await ports.store.put(undeliverableRecord(codec, call, error, now, retentionSeconds), mayCreate(now))
}

/** The task that follows this end, and in the words of its sender, after what. */
interface FollowUp {
  readonly task: string
  readonly after: 'then' | 'catch'
}

function followUpOf({ onSucceeded, onFailed }: ReceivedEnvelope, { state }: Ending): FollowUp | undefined {
  if (state === 'succeeded' && onSucceeded !== undefined) return { task: onSucceeded, after: 'then' }
  return state === 'failed' && onFailed !== undefined ? { task: onFailed, after: 'catch' } : undefined
}

/** What errand itself refuses, as a value that is too large, it refuses for ever; the network's errors pass. */
function isHopeless(error: unknown): boolean {
  return ErrandError.is(error) && HOPELESS.has(error.code)
}

const HOPELESS: ReadonlySet<string> = new Set([
  'payload-too-large',
  'unsupported-value',
  'malformed-message',
  'invalid-option',
  'idempotency-conflict',
  'call-not-found',
  'blob-lost',
])

async function sendFollowUp(
  { config, codec, ports, nameNow }: FollowUpContext,
  envelope: ReceivedEnvelope,
  ending: Ending,
  { task, after }: FollowUp,
): Promise<void> {
  const queue = config.queues.get(queueNameOf(config, nameNow(task)))
  if (queue === undefined) throw new ErrandError(`no queue for the follow-up ${JSON.stringify(task)}`)
  const id = followUpId(envelope.id, after, ending)
  const retentionSeconds = recordRetentionSeconds(config, id, queue.name)
  const now = ports.clock.now()
  const options = envelope.tenant === undefined ? {} : { tenant: envelope.tenant }
  const call = prepareCall(
    codec,
    now,
    // Under the name that its sender gave it, whatever it is now: its payload's hash is made of that, and another
    // worker, of another version, may have recorded this very follow-up and died before its send.
    {
      task: { name: task, input: undefined },
      queue: { ...queue, retentionSeconds },
      options,
      blobs: config.blobs !== undefined,
      version: ports.version,
      // No middleware runs here: what went along with the call goes along with what follows it.
      headers: envelope.headers,
    },
    [decodeResult(codec, ending, await resultOf(ports, ending))],
    id,
    { id: envelope.id, depth: envelope.depth ?? 0 },
  )
  const [unsent] = await send(config, ports, queue, [call], now)
  if (unsent !== undefined) throw unsent.error
}

function queueNameOf(config: ResolvedConfig, task: string): string {
  return longestMatch(config.routes, task) ?? config.defaultQueue
}

async function resultOf(ports: FollowUpContext['ports'], ending: Ending): Promise<string> {
  const text = ending.result ?? (await readResultBeside(ports, ending))
  if (text === undefined) throw new CallNotFoundError(`the result of the call ${ending.id} is gone`)
  return text
}
