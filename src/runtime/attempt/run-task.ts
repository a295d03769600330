/**
 * Runs a claimed call's function: arguments in, time limit, abort signal, middleware, an end out.
 * @module
 */

import type { ReceivedEnvelope } from '../call/envelope.ts'
import { NO_HEADERS } from '../call/headers.ts'
import type { CallRecord } from '../call/record.ts'
import type { Clock } from '../clock.ts'
import { LIMITS } from '../config/config.ts'
import { runAs } from '../current-task.ts'
import {
  AbortedError,
  LeaseLostError,
  MalformedMessageError,
  NotWiredError,
  TaskTimeoutError,
} from '../errors.ts'
import { compose, type RunningCall } from '../middleware.ts'
import { readArguments } from '../ports/blobs.ts'
import type { RegisteredTask } from '../registry.ts'
import { parseInput } from '../task.ts'
import type { Environment } from './attempt.ts'
import { RunningAttempt } from './running-attempt.ts'

/** How a function ended. */
export type Ended =
  /** `text` is the encoded value. */
  | { readonly kind: 'returned'; readonly text: string }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'timed-out'; readonly error: unknown }
  /** It stopped after somebody asked it to. */
  | { readonly kind: 'aborted' }
  /** It stopped after it lost its lease; nothing of it counts. */
  | { readonly kind: 'lost' }

/** Runs the function of a claimed call. Never rejects. */
export async function runTask(
  environment: Environment,
  task: RegisteredTask,
  envelope: ReceivedEnvelope,
  record: CallRecord,
  owner: string,
  limitMs: number,
): Promise<Ended> {
  const { app, ports, marks, leases } = environment
  const attempt = new RunningAttempt(environment, task.name, record, owner)
  marks.watch(attempt)
  leases?.watch(attempt)
  try {
    const answer = runAs(attempt, callFunction, environment, task, envelope, attempt)
    // A function that has returned needs no limit.
    const value = isThenable(answer) ? await limited(ports.clock, attempt, answer, limitMs) : answer
    if (attempt.reported !== undefined) await attempt.reported.catch(() => {})
    return { kind: 'returned', text: app.codec.encode(value, 'result') }
  } catch (error) {
    // The first reason to stop says how it ended; without one the error is the task's own.
    const { stopReason } = attempt
    if (LeaseLostError.is(stopReason)) return { kind: 'lost' }
    if (AbortedError.is(stopReason)) return { kind: 'aborted' }
    return { kind: stopReason !== undefined && error === stopReason ? 'timed-out' : 'threw', error }
  } finally {
    marks.unwatch(attempt)
    leases?.unwatch(attempt)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  )
}

function callFunction(
  environment: Environment,
  task: RegisteredTask,
  envelope: ReceivedEnvelope,
  attempt: RunningAttempt,
): unknown {
  if (envelope.blob !== undefined) return callFromBlob(environment, task, envelope, attempt)
  return callWithArguments(environment, task, envelope, attempt, environment.app.codec.revive(envelope.args))
}

/** Its time counts: a read that hangs ends with the attempt's limit. */
async function callFromBlob(
  environment: Environment,
  task: RegisteredTask,
  envelope: ReceivedEnvelope,
  attempt: RunningAttempt,
): Promise<unknown> {
  const { app, ports } = environment
  const { id, blob } = envelope
  if (ports.blobs === undefined || blob === undefined) {
    throw new NotWiredError(
      `the arguments of the call ${JSON.stringify(id)} lie in a bucket, and this worker has none; deploy it with the config's \`blobs\``,
    )
  }
  const args = app.codec.decode(await readArguments(ports.blobs, id, blob), LIMITS.blobBytes)
  // Whoever was stopped meanwhile must not begin.
  if (attempt.stopReason !== undefined) throw attempt.stopReason
  return callWithArguments(environment, task, envelope, attempt, args)
}

function callWithArguments(
  environment: Environment,
  task: RegisteredTask,
  envelope: ReceivedEnvelope,
  attempt: RunningAttempt,
  args: unknown,
): unknown {
  const { app } = environment
  if (!Array.isArray(args)) {
    throw new MalformedMessageError(`the arguments of the call ${attempt.id} are no list`)
  }
  if (app.middleware.length > 0 && app.middleware.some(({ run }) => run !== undefined)) {
    return callThroughMiddleware(environment, task, envelope, attempt, args)
  }
  return callWith(task, args)
}

async function callThroughMiddleware(
  environment: Environment,
  task: RegisteredTask,
  envelope: ReceivedEnvelope,
  attempt: RunningAttempt,
  args: readonly unknown[],
): Promise<unknown> {
  const layers = environment.app.middleware.flatMap(({ run }) => (run === undefined ? [] : [run]))
  const call: RunningCall = {
    id: attempt.id,
    task: task.name,
    queue: envelope.queue,
    attempt: attempt.attempt,
    tenant: attempt.tenant,
    headers: envelope.headers ?? NO_HEADERS,
    get signal() {
      return attempt.signal
    },
    args,
    result: undefined,
  }
  let failure: { readonly error: unknown } | undefined
  await compose(layers, call, async () => {
    try {
      call.result = await callWith(task, call.args)
    } catch (error) {
      failure = { error }
      throw error
    }
  })
  // A layer that catches an error and sets a result has recovered; one that only catches has not.
  if (failure !== undefined && call.result === undefined) throw failure.error
  return call.result
}

function callWith(task: RegisteredTask, args: readonly unknown[]): unknown {
  return task.input === undefined ? task.run(...args) : parseAndCall(task, task.input, args)
}

async function parseAndCall(
  task: RegisteredTask,
  input: NonNullable<RegisteredTask['input']>,
  args: readonly unknown[],
): Promise<unknown> {
  return task.run(await parseInput(input, args, task.name))
}

/**
 * Waits for `work`, but not past its limit. The timer keeps the event loop alive: a task that never settles on an
 * otherwise empty loop would end a Lambda invocation with `null`, which means success.
 */
function limited(
  clock: Clock,
  attempt: RunningAttempt,
  work: PromiseLike<unknown>,
  limitMs: number,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onLimit = () => {
      const error = new TaskTimeoutError(
        `an attempt of task ${JSON.stringify(attempt.task)} reached its time limit of ${Math.round(limitMs) / 1000} s; make the task smaller, or raise its or its worker's \`timeoutSeconds\``,
      )
      attempt.abort(error)
      reject(error)
    }
    const timer = clock.setTimer(onLimit, limitMs)
    // By `resolve`, which settles a thenable of the user's own to the end: what it resolves with may be another.
    Promise.resolve(work).then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error)
      },
    )
  })
}
