/**
 * One attempt: claim → run → finish or retry. What it does with every message, whatever happens, is to say whether
 * the message may be deleted; it never throws.
 *
 * - A message is acknowledged only when its call is final, or when the message is of no call.
 * - It is never acknowledged under somebody's live lease: it may be the very message that the owner would need
 *   after a crash.
 * - The attempt ends, and its end is written, before Lambda would kill it.
 * @module
 */
import type { App } from './app.ts'
import type { Ports } from './backend.ts'
import { delay } from './clock.ts'
import { LIMITS, PROTOCOL, type ResolvedWorker } from './config.ts'
import { decodeEnvelope, type ReceivedEnvelope } from './envelope.ts'
import { ResultTooLargeError, TaskKilledError, UnknownTaskError } from './errors.ts'
import type { Log } from './log.ts'
import { leaseLost, type Marks } from './marks.ts'
import { quoteNames } from './nearest-name.ts'
import {
  type CallRecord,
  type Claim,
  claimChange,
  endMarkedChange,
  expiryOf,
  type Finish,
  finishChange,
  isEchoOfFinish,
  isEchoOfRetry,
  killsOf,
  type Refusal,
  refusalOf,
  retryChange,
} from './record.ts'
import type { RegisteredTask } from './registry.ts'
import { retryDelaySeconds } from './retry.ts'
import { type Ended, runTask } from './run-task.ts'
import type { Change, Written } from './store.ts'

/** What attempts of one environment share. */
export interface Environment {
  readonly app: App
  readonly ports: Ports
  readonly worker: ResolvedWorker
  readonly marks: Marks
  readonly log: Log
  /** What the start hooks made. */
  readonly context: unknown
}

/** One message, and how long there is for it. */
export interface Delivery {
  readonly body: string
  /** When the environment is killed, in epoch milliseconds. */
  readonly deadline: number
  /** When the message was first received, in epoch milliseconds. @default the call's due time */
  readonly firstReceivedAt?: number
}

/**
 * What to do with the message: delete it, or leave it in the queue, hidden for so long from now (`undefined`: as
 * long as it is).
 */
export type Settlement =
  | { readonly acknowledge: true }
  | { readonly acknowledge: false; readonly hideSeconds: number | undefined }

const acknowledge: Settlement = { acknowledge: true }

function hide(seconds: number | undefined): Settlement {
  return { acknowledge: false, hideSeconds: seconds }
}

/** A message that is hidden until `untilMs` comes back no earlier than that: SQS counts in whole seconds. */
function hideUntil(ports: Ports, untilMs: number): Settlement {
  const seconds = Math.ceil((untilMs - ports.clock.now()) / 1000)
  return hide(Math.min(Math.max(seconds, 0), LIMITS.backoffSeconds))
}

/** Runs the call of one message, as far as the protocol lets it. Never throws. */
export async function runMessage(environment: Environment, delivery: Delivery): Promise<Settlement> {
  try {
    const envelope = decodeEnvelope(delivery.body)
    const { app, ports } = environment
    const now = ports.clock.now()
    const task = app.registry.find(envelope.task)
    // Perhaps this worker is older than the submitter: its deployment is waited for, without a claim.
    const waitingSince = delivery.firstReceivedAt ?? envelope.dueAt
    const waitsForDeployment = now < waitingSince + PROTOCOL.unknownTaskSeconds * 1000
    if (task === undefined && waitsForDeployment) return hide(PROTOCOL.unreadableHideSeconds)
    const limitMs = task === undefined ? 0 : limitOf(environment, task, delivery.deadline)
    if (limitMs === undefined) return hide(0)
    const claim = claimOf(environment, envelope, delivery, now)
    const change = claimChange(claim)
    const answer = await ports.store
      .update(envelope.id, change)
      .catch(() => claimAgain(environment, envelope.id, change))
    const refusal = answer.written ? undefined : refusalOf(claim, answer.existing)
    if (refusal !== undefined && refusal.kind !== 'echo') {
      return await settleRefused(environment, envelope.id, refusal)
    }
    const record = answer.written ? answer.record : (refusal as Refusal & { kind: 'echo' }).record
    const claimed: Claimed = { envelope, claim, delivery, task, record }
    const verdict = verdictOf(environment, claimed)
    if (verdict !== undefined) return await verdict
    const ended = await runTask(environment, task as RegisteredTask, envelope, record, claim.owner, limitMs)
    return await settle(environment, claimed, ended)
  } catch (error) {
    environment.log('warn', 'message returned', { error })
    return hide(PROTOCOL.unreadableHideSeconds)
  }
}

/**
 * The same claim once more: it may have been written and its answer lost, and its owner then knows itself again. What
 * fails twice goes back, unclaimed or under a lease that ends.
 */
async function claimAgain(environment: Environment, id: string, change: Change): Promise<Written> {
  const { ports } = environment
  await delay(ports.clock, FIRST_RETRY_MS)
  return ports.store.update(id, change)
}

function claimOf(
  environment: Environment,
  envelope: ReceivedEnvelope,
  delivery: Delivery,
  now: number,
): Claim {
  const { app, ports } = environment
  const queue = app.config.queues.get(envelope.queue)
  return {
    id: envelope.id,
    call: callOf(envelope),
    owner: ports.entropy.owner(),
    leaseUntil: delivery.deadline + PROTOCOL.leaseMarginSeconds * 1000,
    now,
    retentionSeconds: queue?.retentionSeconds ?? LIMITS.maxRetentionSeconds,
  }
}

/** Assigned one by one: this runs for each call, and spreading what is rarely there would take longer than the rest. */
function callOf(envelope: ReceivedEnvelope): Claim['call'] {
  const { task, queue, payloadHash, createdAt, dueAt, tenant, parent, depth } = envelope
  const call: { -readonly [Name in keyof Claim['call']]: Claim['call'][Name] } = {
    task,
    queue,
    payloadHash,
    createdAt,
    dueAt,
    failures: 0,
  }
  if (tenant !== undefined) call.tenant = tenant
  if (parent !== undefined) call.parent = parent
  if (depth !== undefined) call.depth = depth
  return call
}

/**
 * How long the attempt may take, or `undefined` where it could not finish in the time left: a limit of the task's
 * own must fit whole (a second less is nothing to return a call for); without one, half the worker's must be left.
 */
function limitOf(environment: Environment, task: RegisteredTask, deadline: number): number | undefined {
  const left = deadline - environment.ports.clock.now() - PROTOCOL.finishReserveSeconds * 1000
  const own = task.options.timeoutSeconds
  const workerMs = (environment.worker.timeoutSeconds - PROTOCOL.attemptReserveSeconds) * 1000
  const limit = Math.min(own === undefined ? workerMs : own * 1000, workerMs)
  const least = own === undefined ? workerMs / 2 : limit - 1000
  return left < least ? undefined : Math.min(limit, left)
}

async function settleRefused(
  environment: Environment,
  id: string,
  refusal: Exclude<ReturnType<typeof refusalOf>, { kind: 'echo' }>,
): Promise<Settlement> {
  const { ports, log } = environment
  switch (refusal.kind) {
    case 'final':
      return acknowledge
    case 'stale':
      log('warn', 'stale message dropped', { id })
      return acknowledge
    case 'postponed':
      return hideUntil(ports, refusal.until)
    case 'marked': {
      const ended = await ports.store.update(id, endMarkedChange(ports.clock.now()))
      return ended.written ? acknowledge : hide(1)
    }
    case 'raced':
      return hide(1)
  }
}

/** A call that this attempt owns. */
interface Claimed {
  readonly envelope: ReceivedEnvelope
  readonly claim: Claim
  readonly delivery: Delivery
  /** `undefined` where nobody deployed it within the hour. */
  readonly task: RegisteredTask | undefined
  readonly record: CallRecord
}

/** Ends a call that is not to be run (any more): nobody knows its task, or it was killed too often. */
function verdictOf(environment: Environment, claimed: Claimed): Promise<Settlement> | undefined {
  const { app } = environment
  const { task, record, envelope } = claimed
  if (task === undefined) {
    const known = quoteNames(app.registry.names())
    const error = new UnknownTaskError(
      `no worker of ${JSON.stringify(app.config.name)} has had a task ${JSON.stringify(envelope.task)} for an hour; registered: ${known}. Deploy the workers before the clients`,
    )
    return fail(environment, claimed, error, 'unknown-task', false)
  }
  const kills = killsOf(record)
  if (kills < task.options.maxKills) return undefined
  const error = new TaskKilledError(
    `${kills} attempts of task ${JSON.stringify(task.name)} ended without a word (out of memory, process.exit, a crash or a blocked event loop), at most ${task.options.maxKills}; give its worker more memory or time`,
  )
  return fail(environment, claimed, error, 'killed', false)
}

/** Writes the end of an attempt. */
function settle(environment: Environment, claimed: Claimed, ended: Ended): Promise<Settlement> {
  switch (ended.kind) {
    case 'returned':
      return succeed(environment, claimed, ended)
    case 'aborted':
      return finish(environment, claimed, { state: 'cancelled', failure: false })
    case 'lost':
      return Promise.resolve(lost(environment, claimed.envelope.id))
    case 'threw':
    case 'timed-out':
      return retryOrFail(environment, claimed, ended)
  }
}

function succeed(
  environment: Environment,
  claimed: Claimed,
  ended: Ended & { kind: 'returned' },
): Promise<Settlement> {
  const bytes = byteLength(ended.text)
  if (bytes <= LIMITS.resultBytes) {
    return finishWithResult(environment, claimed, { state: 'succeeded', failure: false }, ended.text, bytes)
  }
  const error = new ResultTooLargeError(
    `task ${JSON.stringify(claimed.envelope.task)} returned ${bytes} bytes, at most ${LIMITS.resultBytes} (DynamoDB's item limit); store the data and return its key`,
  )
  return fail(environment, claimed, error, 'result-too-large', true)
}

/** Exact only where it matters: a text this short cannot reach the limit of what lies in the record. */
function byteLength(text: string): number {
  return text.length * 3 <= LIMITS.inlineResultBytes ? text.length : Buffer.byteLength(text)
}

async function retryOrFail(
  environment: Environment,
  claimed: Claimed,
  ended: Ended & { kind: 'threw' | 'timed-out' },
): Promise<Settlement> {
  const { ports } = environment
  const { claim, record, envelope, task } = claimed
  const failures = record.failures + 1
  const options = (task as RegisteredTask).options
  const seconds = retryDelaySeconds(options, failures, ended.error, ports.entropy)
  if (seconds === undefined) {
    const reason = ended.kind === 'threw' ? 'threw' : 'timed-out'
    return fail(environment, claimed, ended.error, reason, true)
  }
  const dueAt = ports.clock.now() + seconds * 1000
  const change = retryChange(
    claim.owner,
    dueAt,
    describe(ended.error),
    expiryOf(dueAt, claim.retentionSeconds),
  )
  const answer = await persist(environment, claimed, () => ports.store.update(envelope.id, change))
  if (answer === undefined) return hide(undefined)
  if (answer.written || isEchoOfRetry(answer.existing, claim.owner)) return hide(seconds)
  const { existing } = answer
  // Somebody asked it to stop while it ran: a marked call is not retried.
  if (existing?.owner === claim.owner && existing.abortReason !== undefined) {
    return finish(environment, claimed, { state: 'cancelled', failure: true })
  }
  return lost(environment, envelope.id)
}

/** The characters of an error that a record keeps while the call is retried. */
const LAST_ERROR_LENGTH = 200

function describe(error: unknown): string {
  try {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return text.slice(0, LAST_ERROR_LENGTH).toWellFormed()
  } catch {
    return 'an error that cannot be shown'
  }
}

function fail(
  environment: Environment,
  claimed: Claimed,
  error: unknown,
  reason: NonNullable<Finish['reason']>,
  failure: boolean,
): Promise<Settlement> {
  const text = environment.app.codec.encodeThrown(error, claimed.envelope.task)
  return finishWithResult(
    environment,
    claimed,
    { state: 'failed', reason, failure, lastError: describe(error) },
    text,
    Buffer.byteLength(text),
  )
}

/** A large result goes to an item of its own first: the final write must not refer to what is not there. */
function finishWithResult(
  environment: Environment,
  claimed: Claimed,
  end: Finish,
  text: string,
  bytes: number,
): Promise<Settlement> {
  if (bytes <= LIMITS.inlineResultBytes) return finish(environment, claimed, { ...end, result: text })
  return finishWithResultBeside(environment, claimed, end, text, bytes)
}

async function finishWithResultBeside(
  environment: Environment,
  claimed: Claimed,
  end: Finish,
  text: string,
  bytes: number,
): Promise<Settlement> {
  const { ports } = environment
  const { claim, envelope } = claimed
  const expiresAtSeconds = expiryOf(ports.clock.now(), claim.retentionSeconds)
  const kept = await persist(environment, claimed, async () => {
    await ports.store.putResult(envelope.id, claim.owner, text, expiresAtSeconds)
    return true
  })
  if (kept === undefined) return hide(undefined)
  return finish(environment, claimed, { ...end, resultBytes: bytes })
}

async function finish(environment: Environment, claimed: Claimed, end: Finish): Promise<Settlement> {
  const { ports } = environment
  const { claim, envelope } = claimed
  const now = ports.clock.now()
  const change = finishChange(claim.owner, end, now, expiryOf(now, claim.retentionSeconds))
  const answer = await persist(environment, claimed, () => ports.store.update(envelope.id, change))
  if (answer === undefined) return hide(undefined)
  if (answer.written || isEchoOfFinish(answer.existing, claim.owner)) return acknowledge
  return lost(environment, envelope.id)
}

/** An attempt that lost its lease drops its result, and leaves the message to whoever owns the call now. */
function lost(environment: Environment, id: string): Settlement {
  environment.log('warn', 'result dropped', { id, error: leaseLost(id) })
  return hide(undefined)
}

/** The first wait between tries of a write that fails, which doubles up to the last. */
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 2000

/**
 * Tries a write for as long as the environment lives: the work is done, and only this write can say so. `undefined`
 * where time ran out; the call then runs again.
 */
function persist<Answer extends Written | true>(
  environment: Environment,
  claimed: Claimed,
  write: () => Promise<Answer>,
): Promise<Answer | undefined> {
  return write().catch((error: unknown) => persistAgain(environment, claimed, write, error))
}

async function persistAgain<Answer extends Written | true>(
  environment: Environment,
  claimed: Claimed,
  write: () => Promise<Answer>,
  firstError: unknown,
): Promise<Answer | undefined> {
  const { ports, log } = environment
  let error = firstError
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, LAST_RETRY_MS)) {
    if (ports.clock.now() + waitMs > claimed.delivery.deadline) {
      log('error', 'the end of an attempt could not be written', { id: claimed.envelope.id, error })
      return undefined
    }
    await delay(ports.clock, waitMs)
    try {
      return await write()
    } catch (again) {
      error = again
    }
  }
}
