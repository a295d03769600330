/**
 * Everything about one call: its row, and what is read for it alone: result, error, kept arguments.
 * @module
 */
import { type AttemptEnd, attemptsOf, type PastAttempt } from '../runtime/call/attempt-history.ts'
import { decodeEnvelope, type ReceivedEnvelope } from '../runtime/call/envelope.ts'
import { type CallRecord, isFinal } from '../runtime/call/record.ts'
import { readArguments } from '../runtime/ports/blobs.ts'
import type { CallRow } from './call-row.ts'
import { HIDDEN, type Redactor } from './redaction.ts'
import { valueText, visible } from './shown-text.ts'
import type { Sources } from './sources.ts'

/** Larger payloads are named by their size: a page is no download. */
const MOST_BYTES = 512 * 1024

/** A payload, or why it is not there. */
export type ShownPayload = { readonly text: string } | { readonly absent: string }

/** One error of a chain, the outermost first. */
export interface ShownError {
  readonly name: string
  readonly message: string
  readonly stack?: string
}

/** One attempt. Times are ISO, in UTC; one that was killed has none. */
export interface ShownAttempt {
  readonly attempt: number
  readonly ended: AttemptEnd
  readonly startedAt?: string
  readonly runMilliseconds?: number
  /** The name of the error. */
  readonly error?: string
}

/** One call. */
export interface CallDetail extends CallRow {
  readonly depth: number
  readonly leaseUntil?: string
  readonly expiresAt: string
  /** Its expiry: where no attempt has begun by then, none will. */
  readonly startBy?: string
  /** Of a call that succeeded. */
  readonly result?: ShownPayload
  /** Of a call that failed: its error, that error's cause, and so on. */
  readonly errors?: readonly ShownError[]
  /** What it was given, one text an argument, where its message was kept: it failed, or its task says `keepArguments`. */
  readonly arguments?: readonly string[] | ShownPayload
  /** What middleware sent along with it, known where its message was kept. */
  readonly headers?: string
  /** What is submitted when it ends, by `with({ then, catch })`; known where its message was kept. */
  readonly followUps?: { readonly then?: string; readonly catch?: string }
  /** Its last attempts, six at most, the last of all at the end. */
  readonly history: readonly ShownAttempt[]
  /** The calls that it submitted, as far as they are among the newest. */
  readonly submitted: readonly CallRow[]
  readonly log?: string
}

/**
 * Reads one call.
 * @throws CallNotFoundError
 */
export async function readCallDetail(sources: Sources, id: string): Promise<CallDetail> {
  const record = await sources.calls.read(id)
  const [ending, kept, submitted] = await Promise.all([
    readEnding(sources, record),
    record.attempts === 0 && record.state !== 'failed' ? {} : readKept(sources, record),
    readSubmitted(sources, id),
  ])
  const log = logOf(sources, record)
  return {
    ...sources.rowOf(record),
    depth: record.depth ?? 0,
    expiresAt: new Date(record.expiresAtSeconds * 1000).toISOString(),
    ...(record.startBy !== undefined && { startBy: new Date(record.startBy).toISOString() }),
    ...(record.leaseUntil !== undefined && { leaseUntil: new Date(record.leaseUntil).toISOString() }),
    ...ending,
    ...kept,
    history: attemptsOf(record).map(shownAttempt),
    submitted,
    ...(log !== undefined && { log }),
  }
}

function shownAttempt({ attempt, ended, startedAt, finishedAt, error }: PastAttempt): ShownAttempt {
  return {
    ...{ attempt, ended },
    ...(startedAt !== undefined && { startedAt: new Date(startedAt).toISOString() }),
    ...(startedAt !== undefined &&
      finishedAt !== undefined && { runMilliseconds: Math.max(finishedAt - startedAt, 0) }),
    ...(error !== undefined && { error: visible(error, 100) }),
  }
}

async function readEnding(
  { calls, redactor }: Sources,
  record: CallRecord,
): Promise<Pick<CallDetail, 'result' | 'errors'>> {
  const { task, state, resultBytes = 0 } = record
  if (!isFinal(state) || state === 'cancelled') return {}
  if (redactor.hidesAll(task)) {
    return state === 'succeeded'
      ? { result: { absent: 'hidden here' } }
      : { errors: [{ name: nameOf(record), message: HIDDEN }] }
  }
  const field = state === 'succeeded' ? 'result' : 'errors'
  try {
    if (resultBytes > MOST_BYTES) throw new Error(`it has ${resultBytes} bytes, too many to be shown`)
    const outcome = await calls.outcomeOf(record)
    if (outcome.state === 'succeeded')
      return { result: { text: valueText(redactor.value(task, outcome.value)) } }
    return outcome.state === 'failed' ? { errors: chainOf(outcome.error, task, redactor) } : {}
  } catch (error) {
    const absent = visible(error instanceof Error ? error.message : String(error))
    return field === 'result'
      ? { result: { absent } }
      : { errors: [{ name: nameOf(record), message: absent }] }
  }
}

function nameOf({ lastError }: CallRecord): string {
  return /^[A-Za-z_$][\w$.]{0,99}(?=:|$)/.exec(lastError ?? '')?.[0] ?? 'Error'
}

/** Causes may lead back to where they came from. */
const MOST_CAUSES = 10

function chainOf(error: unknown, task: string, redactor: Redactor): ShownError[] {
  const redact = (text: string) => redactor.text(task, text)
  const chain: ShownError[] = []
  const seen = new Set<unknown>()
  let next: unknown = error
  while (next !== undefined && !seen.has(next) && chain.length < MOST_CAUSES) {
    seen.add(next)
    if (!(next instanceof Error)) {
      chain.push({ name: typeof next, message: visible(valueText(redactor.value(task, next)), 2000) })
      break
    }
    const { name, message, stack, cause } = next
    chain.push({
      name: visible(String(name), 100),
      message: visible(redact(String(message)), 5000),
      ...(typeof stack === 'string' && { stack: visible(redact(stack), 20_000) }),
    })
    next = cause
  }
  return chain
}

/** Of a call that failed they are kept in any case, so their absence is worth a word. */
const notKept = { arguments: { absent: 'they were not kept, or have expired' } } as const

async function readKept(
  sources: Sources,
  { id, task, state, payloadHash }: CallRecord,
): Promise<Pick<CallDetail, 'arguments' | 'followUps' | 'headers'>> {
  const { store, blobs } = await sources.backend()
  const { redactor } = sources
  try {
    const body = await store.readMessage(id)
    if (body === undefined) return state === 'failed' ? notKept : {}
    const envelope = decodeEnvelope(body)
    if (envelope.payloadHash !== payloadHash) {
      return { arguments: { absent: 'what was kept is of an earlier call of this id' } }
    }
    const followUps = {
      ...(envelope.onSucceeded !== undefined && { then: envelope.onSucceeded }),
      ...(envelope.onFailed !== undefined && { catch: envelope.onFailed }),
    }
    // Before anything of a bucket is asked for: where payloads are off, the function's role may not read it.
    if (redactor.hidesAll(task)) return { arguments: { absent: 'hidden here' }, followUps }
    const text = await argumentsText(blobs, envelope)
    const shown =
      text === undefined
        ? { absent: `they have ${envelope.blob?.bytes} bytes, too many to be shown` }
        : shownArguments(sources, task, text)
    const headers = envelope.headers && valueText(redactor.value(task, envelope.headers))
    return { arguments: shown, followUps, ...(headers && { headers }) }
  } catch (error) {
    return { arguments: { absent: visible(error instanceof Error ? error.message : String(error)) } }
  }
}

async function argumentsText(
  blobs: Awaited<ReturnType<Sources['backend']>>['blobs'],
  { id, args, blob }: ReceivedEnvelope,
): Promise<string | undefined> {
  if (blob === undefined) return JSON.stringify(args)
  if (blob.bytes > MOST_BYTES) return undefined
  if (blobs === undefined) throw new Error('they lie in a bucket, and this process has none')
  return readArguments(blobs, id, blob)
}

function shownArguments({ calls, redactor }: Sources, task: string, text: string): readonly string[] {
  const args = calls.decode(text)
  return Array.isArray(args)
    ? redactor.args(task, args).map(valueText)
    : [valueText(redactor.value(task, args))]
}

/** From what is there anyway: the listing knows no parents, and to search it for each page would cost too much. */
async function readSubmitted(sources: Sources, id: string): Promise<readonly CallRow[]> {
  try {
    const { value } = await sources.window()
    return value.records
      .filter(({ parent }) => parent === id)
      .slice(0, 100)
      .map(sources.rowOf)
  } catch {
    return []
  }
}

function logOf({ options }: Sources, record: CallRecord): string | undefined {
  const { id, task, queue, createdAt, finishedAt } = record
  const address = options.logs?.({
    ...{ id, task, queue, createdAt: new Date(createdAt) },
    ...(finishedAt !== undefined && { finishedAt: new Date(finishedAt) }),
  })
  return typeof address === 'string' && address.startsWith('https://') ? address : undefined
}
