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
import type { App } from '../app.ts'
import { type CallRecord, isPast } from '../call/call-record.ts'
import { isEarly } from '../call/call-times.ts'
import { decodeEnvelope, type ReceivedEnvelope } from '../call/envelope.ts'
import { expiredError } from '../call/expiry.ts'
import { recordRetentionSeconds } from '../call/follow-up-id.ts'
import { outlivesMessage } from '../call/message-life.ts'
import {
  type Claim,
  claimChange,
  endMarkedChange,
  expiryOf,
  killsOf,
  mayCreate,
  type Refusal,
  refusalOf,
  sendsOf,
} from '../call/record.ts'
import { delay } from '../clock.ts'
import { LIMITS, PROTOCOL, type ResolvedWorker } from '../config/config.ts'
import { quoteNames, suggestName } from '../config/nearest-name.ts'
import {
  ErrandError,
  MalformedMessageError,
  TaskKilledError,
  UndeliverableError,
  UnknownTaskError,
} from '../errors.ts'
import type { Log } from '../log.ts'
import type { Ports } from '../ports/backend.ts'
import type { Change, Written } from '../ports/store.ts'
import type { RegisteredTask } from '../registry.ts'
import { type Observe, reportKill } from './attempt-report.ts'
import { type Claimed, fail, keepForRetry, settle, skip } from './finish-attempt.ts'
import { afterFinal } from './follow-up.ts'
import { keepForPeople } from './kept-message.ts'
import { type Leases, renewedLeaseUntil } from './leases.ts'
import { longestWaitSeconds, waitInSchedule } from './long-wait.ts'
import type { Marks } from './marks.ts'
import { runInTheWay } from './overlap.ts'
import { FIRST_RETRY_MS } from './persist.ts'
import { runTask } from './run-task.ts'
import { acknowledge, hide, hideUntil, type Settlement } from './settlement.ts'

/** What attempts of one environment share. */
export interface Environment {
  readonly app: App
  readonly ports: Ports
  readonly worker: ResolvedWorker
  readonly marks: Marks
  /** What renews leases. Absent where a lease lasts until the environment is killed. */
  readonly leases?: Leases | undefined
  readonly log: Log
  /** What the start hooks made. */
  readonly context: unknown
  /** Is told of each attempt. @default nobody is, and nothing is made for it */
  readonly observe?: Observe | undefined
}

/** One message, and how long there is for it. */
export interface Delivery {
  readonly body: string
  /** When the environment is killed, in epoch milliseconds. */
  readonly deadline: number
  /** How long the whole invocation has, from its beginning; less than the worker's time-out where it was deployed so. */
  readonly budgetMs: number
  /** Whether others ran before it in this invocation: it then begins only with its whole limit left. */
  readonly isLater?: boolean
  /** Whether SQS has given up on the message: its call is not to be run, but to be ended. */
  readonly isDeadLetter?: boolean
  /** When the message was first received, in epoch milliseconds. @default the call's due time */
  readonly firstReceivedAt?: number
  /** When SQS took the message, in epoch milliseconds. @default not known */
  readonly sentAt?: number
  /** The id of the invocation, for those who observe. */
  readonly requestId?: string
}

/** Runs the call of one message, as far as the protocol lets it. Never throws. */
export async function runMessage(environment: Environment, delivery: Delivery): Promise<Settlement> {
  try {
    const envelope = decodeEnvelope(delivery.body)
    const { app, ports } = environment
    let now = ports.clock.now()
    checkTimes(envelope, now)
    if (isEarly(envelope, now)) return hideUntil(ports, envelope.dueAt)
    if (isPast(envelope.startBy, now)) {
      const expired =
        now < delivery.deadline ? await endExpired(environment, envelope, delivery, now) : undefined
      if (expired !== undefined) return expired
      // Either may have come to a later invocation, this one's time being over: a claim would be no lease.
      now = ports.clock.now()
      if (now >= delivery.deadline) return hide(undefined)
    }
    const isDeadLetter = delivery.isDeadLetter === true
    const task = isDeadLetter ? undefined : app.registry.find(envelope.task)
    // Perhaps this worker is older than the submitter: its deployment is waited for, without a claim.
    const waitingSince = delivery.firstReceivedAt ?? envelope.dueAt
    const waitsForDeployment = now < waitingSince + PROTOCOL.unknownTaskSeconds * 1000
    if (
      task === undefined &&
      !isDeadLetter &&
      (waitsForDeployment || (await isRetrying(environment, envelope.id)))
    ) {
      warnOfUnknown(environment, envelope)
      return hide(PROTOCOL.unreadableHideSeconds)
    }
    const limitMs = task === undefined ? 0 : limitOf(environment, task, delivery, now)
    if (limitMs === undefined) return returnForTime(environment, envelope, delivery)
    const claim = claimOf(environment, envelope, delivery, now)
    const answer = await claimCall(environment, claim, delivery.deadline)
    if ('refusal' in answer) return await settleRefused(environment, envelope, delivery, answer.refusal)
    const { record } = answer
    const claimed: Claimed = { envelope, claim, delivery, task, record }
    reportKill(environment, claimed)
    const verdict = verdictOf(environment, claimed)
    if (verdict !== undefined) return await verdict
    const inTheWay = envelope.overlap === undefined ? undefined : await runInTheWay(ports, claimed)
    if (inTheWay !== undefined) return await skip(environment, claimed, inTheWay)
    // The claim may have taken long, or its environment stood still: what began now would outlive its lease.
    const begunAt = ports.clock.now()
    const leftMs = delivery.deadline - begunAt - PROTOCOL.finishReserveSeconds * 1000
    if (leftMs <= 0 || begunAt >= leaseEndOf(environment, delivery, now)) return hide(undefined)
    const atMost = Math.min(limitMs, leftMs)
    const keeping = keepForPeople(environment, claimed)
    const ended = await runTask(environment, task as RegisteredTask, envelope, record, claim.owner, atMost)
    // Lambda stands still once the invocation has ended.
    if (keeping !== undefined) await keeping
    return await settle(environment, claimed, ended, begunAt)
  } catch (error) {
    environment.log('warn', 'message returned', { error })
    return hide(PROTOCOL.unreadableHideSeconds)
  }
}

/** The record of a call that is claimed, or why it is not. */
type ClaimAnswer = { readonly record: CallRecord } | { readonly refusal: Exclude<Refusal, { kind: 'echo' }> }

async function claimCall(environment: Environment, claim: Claim, deadline: number): Promise<ClaimAnswer> {
  const change = claimChange(claim)
  let answer: Written
  try {
    answer = await environment.ports.store.update(claim.id, change)
  } catch {
    answer = await claimAgain(environment, claim.id, change, deadline)
  }
  if (answer.written) return { record: answer.record }
  const refusal = refusalOf(claim, answer.existing)
  return refusal.kind === 'echo' ? { record: refusal.record } : { refusal }
}

/** Ends a call that no attempt has begun in time; `undefined` where one had, or a retry by hand lifted the expiry. */
async function endExpired(
  environment: Environment,
  envelope: ReceivedEnvelope,
  delivery: Delivery,
  now: number,
): Promise<Settlement | undefined> {
  const claim: Claim = {
    ...claimOf(environment, envelope, delivery, now),
    isAttempt: false,
    isExpired: true,
  }
  const answer = await claimCall(environment, claim, delivery.deadline)
  if ('refusal' in answer) {
    const { refusal } = answer
    return refusal.kind === 'raced' ? undefined : settleRefused(environment, envelope, delivery, refusal)
  }
  const claimed: Claimed = { envelope, claim, delivery, task: undefined, record: answer.record }
  return fail(environment, claimed, expiredError(answer.record), 'expired', false)
}

/**
 * The same claim once more: it may have been written and its answer lost, and its owner then knows itself again. What
 * fails twice goes back, unclaimed or under a lease that ends.
 */
async function claimAgain(
  { ports }: Environment,
  id: string,
  change: Change,
  deadline: number,
): Promise<Written> {
  await delay(ports.clock, FIRST_RETRY_MS)
  if (ports.clock.now() >= deadline) throw new ErrandError('the invocation was over before its claim was')
  return ports.store.update(id, change)
}

function claimOf(
  environment: Environment,
  envelope: ReceivedEnvelope,
  delivery: Delivery,
  now: number,
): Claim {
  const { app, ports } = environment
  return {
    id: envelope.id,
    call: callOf(envelope),
    owner: ports.entropy.owner(),
    leaseUntil: leaseEndOf(environment, delivery, now) + PROTOCOL.leaseMarginSeconds * 1000,
    now,
    retentionSeconds: recordRetentionSeconds(app.config, envelope.id, envelope.queue),
    sends: sendsOf(envelope),
    isAttempt: delivery.isDeadLetter !== true,
  }
}

/** When the worker no longer counts on its lease: others take the call over a margin later. */
function leaseEndOf({ leases }: Environment, { deadline }: Delivery, now: number): number {
  return leases === undefined ? deadline : renewedLeaseUntil(now)
}

/** Assigned one by one: this runs for each call, and spreading what is rarely there would take longer than the rest. */
function callOf(envelope: ReceivedEnvelope): Claim['call'] {
  const { task, queue, payloadHash, createdAt, dueAt, startBy, tenant, parent, depth } = envelope
  const call: { -readonly [Name in keyof Claim['call']]: Claim['call'][Name] } = {
    task,
    queue,
    payloadHash,
    createdAt,
    dueAt,
    failures: 0,
  }
  if (startBy !== undefined) call.startBy = startBy
  if (tenant !== undefined) call.tenant = tenant
  if (parent !== undefined) call.parent = parent
  if (depth !== undefined) call.depth = depth
  return call
}

function warnOfUnknown({ app, ports, log }: Environment, { id, task, version }: ReceivedEnvelope): void {
  const known = suggestName(task, app.registry.names())
  const message = `no task ${JSON.stringify(task)} here, its call waits up to an hour for a deployment; ${known}`
  log('warn', message, { id, senderVersion: version, workerVersion: ports.version })
}

/** Whether the call waited for its back-off until lately: then its hour of waiting for a deployment begins there. */
async function isRetrying({ ports }: Environment, id: string): Promise<boolean> {
  const [record] = await ports.store.read([id])
  return record?.state === 'retrying' && ports.clock.now() < record.dueAt + PROTOCOL.unknownTaskSeconds * 1000
}

/**
 * Refuses times that no sender of ours writes: a record made of them would outlive everything.
 * @throws MalformedMessageError
 */
export function checkTimes(envelope: ReceivedEnvelope, now: number): void {
  const latest = now + (LIMITS.delaySeconds + PROTOCOL.clockSkewSeconds) * 1000
  if (envelope.createdAt <= latest && envelope.dueAt <= latest) return
  throw new MalformedMessageError(
    `the call ${JSON.stringify(envelope.id)} says that it is of the future: created at ${envelope.createdAt}, due at ${envelope.dueAt}, and it is ${now}`,
  )
}

/** A call that does not fit goes back at once; one that can never fit waits, and the log says what to change. */
function returnForTime(environment: Environment, envelope: ReceivedEnvelope, delivery: Delivery): Settlement {
  const { log, worker } = environment
  const budgetSeconds = Math.floor(delivery.budgetMs / 1000)
  const isDeployedShort = delivery.budgetMs < (worker.timeoutSeconds - PROTOCOL.attemptReserveSeconds) * 1000
  const fields = { id: envelope.id, task: envelope.task, budgetSeconds }
  if (!isDeployedShort) {
    log('debug', 'returned: too little time is left of this invocation', fields)
    return hide(0)
  }
  log(
    'error',
    `the function has less time than the config's ${worker.timeoutSeconds} s: raise its time-out`,
    fields,
  )
  return hide(PROTOCOL.unreadableHideSeconds)
}

/**
 * How long the attempt may take, or `undefined` where it could not finish in the time left: a limit of the task's
 * own must fit whole (a second less is nothing to return a call for); without one, half of what the invocation had
 * must be left, and all of it where others ran before.
 */
function limitOf(
  environment: Environment,
  task: RegisteredTask,
  { deadline, budgetMs, isLater }: Delivery,
  now: number,
): number | undefined {
  const left = deadline - now - PROTOCOL.finishReserveSeconds * 1000
  const own = task.options.timeoutSeconds
  const workerMs = (environment.worker.timeoutSeconds - PROTOCOL.attemptReserveSeconds) * 1000
  const limit = Math.min(own === undefined ? workerMs : own * 1000, workerMs)
  const wholeMs = Math.min(workerMs, budgetMs - PROTOCOL.finishReserveSeconds * 1000)
  const ofWhole = isLater === true ? Math.min(limit, wholeMs) - 1000 : wholeMs / 2
  const least = own === undefined ? ofWhole : limit - 1000
  return left < least ? undefined : Math.min(limit, left)
}

async function settleRefused(
  environment: Environment,
  envelope: ReceivedEnvelope,
  delivery: Delivery,
  refusal: Exclude<Refusal, { kind: 'echo' }>,
): Promise<Settlement> {
  const { ports, log } = environment
  const { id } = envelope
  switch (refusal.kind) {
    case 'final':
      // Who reads a call that has expired ends it, and has no message to keep for a retry by hand.
      if (refusal.record.reason === 'expired' && !(await keepForRetry(environment, { envelope, delivery }))) {
        return hide(undefined)
      }
      return afterFinal(environment, envelope, delivery.deadline, refusal.record)
    case 'stale':
      log('warn', 'stale message dropped', { id })
      return acknowledge
    case 'postponed':
      return hideUntil(ports, refusal.until)
    case 'waiting':
      return wait(environment, envelope, delivery, refusal.record)
    case 'marked': {
      const ended = await ports.store.update(id, endMarkedChange(ports.clock.now()))
      return ended.written ? acknowledge : hide(1)
    }
    case 'expired':
      await replaceExpired(environment, envelope, delivery)
      return hide(0)
    case 'raced':
      return hide(1)
  }
}

/** A message that came before its time is hidden, or where that is too long for SQS, sent again by a schedule. */
function wait(
  environment: Environment,
  envelope: ReceivedEnvelope,
  { body, deadline, sentAt, isDeadLetter }: Delivery,
  waiting: CallRecord,
): Settlement | Promise<Settlement> {
  const { app, ports } = environment
  const seconds = (waiting.dueAt - ports.clock.now()) / 1000
  const retentionSeconds = app.config.queues.get(envelope.queue)?.retentionSeconds
  // Whoever wrote the record may have died before it made the schedule. A dead letter lives longer than its queue's.
  const isLost = isDeadLetter !== true && outlivesMessage(waiting.dueAt, sentAt, retentionSeconds)
  const isLong = seconds > LIMITS.backoffSeconds || (isLost && seconds > LIMITS.delaySeconds)
  if (isLong && longestWaitSeconds(environment, envelope, body) > LIMITS.backoffSeconds) {
    return waitInSchedule(environment, envelope, waiting, deadline)
  }
  return hideUntil(ports, waiting.dueAt)
}

/** A call that has no record before its claim, under an id whose old record still lies about. */
async function replaceExpired(
  environment: Environment,
  envelope: ReceivedEnvelope,
  delivery: Delivery,
): Promise<void> {
  const { clock, store } = environment.ports
  const now = clock.now()
  const { id, call, retentionSeconds } = claimOf(environment, envelope, delivery, now)
  const expiresAtSeconds = expiryOf(Math.max(now, envelope.dueAt), retentionSeconds)
  await store.put({ id, ...call, state: 'pending', attempts: 0, expiresAtSeconds }, mayCreate(now))
}

/** Ends a call that is not to be run (any more): nobody knows its task, or it was killed too often. */
function verdictOf(environment: Environment, claimed: Claimed): Promise<Settlement> | undefined {
  const { task, record, envelope, delivery } = claimed
  if (delivery.isDeadLetter === true)
    return fail(environment, claimed, undeliverable(envelope), 'undeliverable', false)
  if (task === undefined) {
    return fail(environment, claimed, unknownTask(environment, envelope), 'unknown-task', false)
  }
  // The claim was in time, and took longer than there was.
  if (record.attempts === 1 && isPast(record.startBy, environment.ports.clock.now())) {
    return fail(environment, claimed, expiredError(record), 'expired', false)
  }
  const kills = killsOf(record)
  if (kills < task.options.maxKills) return undefined
  const error = new TaskKilledError(
    `${kills} attempts of task ${JSON.stringify(task.name)} ended without a word (out of memory, process.exit, a crash or a blocked event loop), at most ${task.options.maxKills}; give its worker more memory or time`,
  )
  return fail(environment, claimed, error, 'killed', false)
}

function unknownTask({ app, ports }: Environment, { task, version }: ReceivedEnvelope): UnknownTaskError {
  const known = quoteNames(app.registry.names())
  return new UnknownTaskError(
    `no worker of ${JSON.stringify(app.config.name)} has had a task ${JSON.stringify(task)} for an hour; sent by the code version ${version ?? 'unknown'}, this worker's is ${ports.version ?? 'unknown'}; registered: ${known}. Deploy the workers before the clients, and give a renamed task its old name in \`formerly\`; then executor.retry(id)`,
  )
}

function undeliverable({ task, queue }: ReceivedEnvelope): UndeliverableError {
  return new UndeliverableError(
    `SQS gave up on the message of this call of task ${JSON.stringify(task)} in queue ${JSON.stringify(queue)}: it was received too often without an end (throttled, or its worker fails at its start), or stayed longer than the queue keeps messages; see the worker's log, then executor.retry(id)`,
  )
}
