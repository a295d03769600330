/**
 * The calls that were submitted, as a test looks at them.
 * @module
 */
import type { App } from '../runtime/app.ts'
import { decodeEnvelope, type ReceivedEnvelope } from '../runtime/call/envelope.ts'
import type { CallRecord, CallState } from '../runtime/call/record.ts'
import { LIMITS } from '../runtime/config/config.ts'
import { BlobLostError } from '../runtime/errors.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import { argumentsKey, type Blobs } from '../runtime/ports/blobs.ts'
import type { OutgoingMessage } from '../runtime/ports/queue.ts'
import type { AnyFunction } from '../runtime/task.ts'

/** A function of which nothing is known but its name. */
export type UnknownFunction = (...args: unknown[]) => unknown

/** One call that was submitted, as it is now. */
export interface SentCall<F extends AnyFunction = UnknownFunction> {
  readonly id: string
  readonly task: string
  /** A copy, through the codec: what the function is given. */
  readonly args: Parameters<F>
  readonly queue: string
  /** How long it was delayed at the submit. */
  readonly delaySeconds: number
  readonly tenant: string | undefined
  /** The id of the call whose task submitted it. */
  readonly parent: string | undefined
  /** The task that gets the value: the sender's `then`. */
  readonly onSucceeded: string | undefined
  /** The task that gets the error: the sender's `catch`. */
  readonly onFailed: string | undefined
  /** When it was submitted, in epoch milliseconds of virtual time. */
  readonly createdAt: number
  readonly state: CallState
  /** How often it was begun. */
  readonly attempts: number
}

/** The calls that were sent, in their order. */
export interface SentCalls {
  /** Remembers what a queue has taken. */
  remember(messages: readonly OutgoingMessage[]): void
  /** The same ports, what they put in blobs remembered: there lie the arguments that no message can hold. */
  through<P extends Partial<Ports>>(ports: P): P
  /**
   * The calls of the task of this name, under a former name of it or not; `peek` gives their records.
   * @throws BlobLostError where a message refers to a blob that nobody put
   */
  of(task: string, peek: (id: string) => CallRecord | undefined): SentCall[]
}

/** Makes the memory of one backend. */
export function sentCalls(app: App): SentCalls {
  /** By id: a message that is sent again is of the same call. */
  const bodies = new Map<string, { readonly task: string; readonly body: string }>()
  const remember = ({ body }: OutgoingMessage) => {
    const envelope = envelopeOf(body)
    if (envelope === undefined || bodies.has(envelope.id)) return
    bodies.set(envelope.id, { task: envelope.task, body })
  }
  /** By key, as it was sent: a faulty or expired blob was submitted all the same. */
  const blobs = new Map<string, string>()
  const watched = ({ put, get }: Blobs): Blobs => ({
    get,
    put(key, text, expiresAtSeconds) {
      blobs.set(key, text)
      return put(key, text, expiresAtSeconds)
    },
  })
  return {
    remember: (messages) => {
      for (const message of messages) remember(message)
    },
    through: (ports) => (ports.blobs === undefined ? ports : { ...ports, blobs: watched(ports.blobs) }),
    of: (task, peek) =>
      [...bodies.values()]
        .filter((sent) => sent.task === task || app.registry.find(sent.task)?.name === task)
        .map(({ body }) => decodeEnvelope(body))
        .map((envelope) => callOf(envelope, argumentsOf(app, envelope, blobs), peek(envelope.id))),
  }
}

/** `undefined` where a test has put something else in a queue. */
function envelopeOf(body: string): ReceivedEnvelope | undefined {
  try {
    return decodeEnvelope(body)
  } catch {
    return undefined
  }
}

function argumentsOf(
  { codec }: App,
  { id, args, blob }: ReceivedEnvelope,
  blobs: ReadonlyMap<string, string>,
): unknown[] {
  if (blob === undefined) return codec.revive(args) as unknown[]
  const text = blobs.get(argumentsKey(id, blob))
  if (text !== undefined) return codec.decode(text, LIMITS.blobBytes) as unknown[]
  throw new BlobLostError(
    `the arguments of the call ${JSON.stringify(id)} lie in a blob that was never put; submit by the executor under test, or by a client of its \`backend\``,
  )
}

function callOf(envelope: ReceivedEnvelope, args: unknown[], record: CallRecord | undefined): SentCall {
  const { id, task, queue, tenant, parent, onSucceeded, onFailed, createdAt, dueAt } = envelope
  return {
    id,
    task,
    args,
    queue,
    delaySeconds: (dueAt - createdAt) / 1000,
    tenant,
    parent,
    onSucceeded,
    onFailed,
    createdAt,
    state: record?.state ?? 'pending',
    attempts: record?.attempts ?? 0,
  }
}
