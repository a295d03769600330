/**
 * Follow-ups: what `with({ then, catch })` names is submitted by whoever writes the final state, after that write and
 * before the message is acknowledged. A redelivery that finds the call final submits it again, under the same id: so
 * none is lost, and none becomes two calls.
 * @module
 */
import type { Environment } from './attempt.ts'
import { delay } from './clock.ts'
import { PROTOCOL } from './config.ts'
import type { ReceivedEnvelope } from './envelope.ts'
import { CallNotFoundError, ErrandError } from './errors.ts'
import { decodeResult, readResultBeside } from './large-result.ts'
import { longestMatch } from './name-pattern.ts'
import { prepareCall } from './outgoing-call.ts'
import { type CallRecord, sendsOf } from './record.ts'
import { send } from './send.ts'
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
  const followUp = followUpOf(envelope, ending)
  if (followUp === undefined) return acknowledge
  const { task } = followUp
  const fields = { id: envelope.id, followUp: task }
  const { clock } = environment.ports
  for (let waitMs = FIRST_RETRY_MS; ; waitMs *= 2) {
    try {
      await submitFollowUp(environment, envelope, ending, followUp)
      return acknowledge
    } catch (error) {
      if (isHopeless(error)) {
        environment.log('error', 'a follow-up can never be sent', { ...fields, error })
        return acknowledge
      }
      if (clock.now() + waitMs > deadline) {
        environment.log('warn', 'a follow-up could not be sent; the message comes back for it', {
          ...fields,
          error,
        })
        return hide(PROTOCOL.unreadableHideSeconds)
      }
      await delay(clock, waitMs)
    }
  }
}

const FIRST_RETRY_MS = 100

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

async function submitFollowUp(
  environment: Environment,
  envelope: ReceivedEnvelope,
  ending: Ending,
  { task, after }: FollowUp,
): Promise<void> {
  const { app, ports } = environment
  const { config, codec } = app
  const queue = config.queues.get(longestMatch(config.routes, task) ?? config.defaultQueue)
  if (queue === undefined) throw new ErrandError(`no queue for the follow-up ${JSON.stringify(task)}`)
  const now = ports.clock.now()
  const options = envelope.tenant === undefined ? {} : { tenant: envelope.tenant }
  const call = prepareCall(
    codec,
    now,
    { task: { name: task, input: undefined }, queue, options, blobs: config.blobs !== undefined },
    [decodeResult(codec, ending, await resultOf(environment, ending))],
    followUpId(envelope.id, after, ending),
    { id: envelope.id, depth: envelope.depth ?? 0 },
  )
  const [unsent] = await send(config, ports, queue, [call], now)
  if (unsent !== undefined) throw unsent.error
}

async function resultOf({ ports }: Environment, ending: Ending): Promise<string> {
  const text = ending.result ?? (await readResultBeside(ports, ending))
  if (text === undefined) throw new CallNotFoundError(`the result of the call ${ending.id} is gone`)
  return text
}

/** One for each end: a call that failed, was retried by hand and failed again has had two. */
function followUpId(id: string, after: FollowUp['after'], ending: Ending): string {
  const sends = sendsOf(ending)
  return `${id}:${after}${sends === 1 ? '' : `:${sends}`}`
}
