/**
 * Runs a claimed call's function: arguments in, time limit, abort signal, middleware, an end out.
 * @module
 */
import type { Environment } from './attempt.ts'
import type { Clock } from './clock.ts'
import { type RunningTask, runAs, type WorkerContext } from './current-task.ts'
import type { ReceivedEnvelope } from './envelope.ts'
import { AbortedError, LeaseLostError, MalformedMessageError, TaskTimeoutError } from './errors.ts'
import type { WatchedAttempt } from './marks.ts'
import { compose, type RunningCall } from './middleware.ts'
import { createProgress, type ReportProgress } from './progress.ts'
import type { CallRecord } from './record.ts'
import type { RegisteredTask } from './registry.ts'
import { parseInput } from './task.ts'

/** How a function ended. */
export type Ended =
  /** `text` is the encoded value. */
  | { readonly kind: 'returned'; readonly text: string }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'timed-out'; readonly error: TaskTimeoutError }
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
  const { app, ports, marks } = environment
  const stop = createStop()
  const attempt: WatchedAttempt = {
    id: record.id,
    owner,
    startedAt: ports.clock.now(),
    abort: stop.abort,
  }
  const unwatch = marks.watch(attempt)
  try {
    const current = describeRunning(environment, record, attempt, stop)
    const work = runAs(current, () => callFunction(environment, task, envelope, current))
    const ended = await limited(ports.clock, work, limitMs, () => {
      const error = new TaskTimeoutError(
        `an attempt of task ${JSON.stringify(task.name)} reached its time limit of ${Math.round(limitMs) / 1000} s; make the task smaller, or raise its or its worker's \`timeoutSeconds\``,
      )
      stop.abort(error)
      return error
    })
    if (ended.kind === 'returned') return { kind: 'returned', text: app.codec.encode(ended.value, 'result') }
    if (LeaseLostError.is(stop.reason)) return { kind: 'lost' }
    return AbortedError.is(stop.reason) ? { kind: 'aborted' } : ended
  } catch (error) {
    // The result that the codec refused.
    return { kind: 'threw', error }
  } finally {
    unwatch()
  }
}

/** An abort signal that is made only when somebody asks for it: most tasks never do. */
interface Stop {
  readonly signal: AbortSignal
  readonly reason: Error | undefined
  abort(reason: Error): void
}

function createStop(): Stop {
  let controller: AbortController | undefined
  let stopped: Error | undefined
  return {
    get signal() {
      if (controller === undefined) {
        controller = new AbortController()
        if (stopped !== undefined) controller.abort(stopped)
      }
      return controller.signal
    },
    get reason() {
      return stopped
    },
    abort(reason) {
      // The first reason stands.
      if (stopped !== undefined) return
      stopped = reason
      controller?.abort(reason)
    },
  }
}

function describeRunning(
  environment: Environment,
  record: CallRecord,
  attempt: WatchedAttempt,
  stop: Stop,
): RunningTask {
  const { app, ports } = environment
  let report: ReportProgress | undefined
  return {
    id: record.id,
    task: record.task,
    attempt: record.attempts,
    tenant: record.tenant,
    depth: record.depth ?? 0,
    context: environment.context as WorkerContext,
    get signal() {
      return stop.signal
    },
    progress(value) {
      report ??= createProgress(ports, app.codec, attempt)
      return report(value)
    },
    submit: app.submit,
  }
}

async function callFunction(
  environment: Environment,
  task: RegisteredTask,
  envelope: ReceivedEnvelope,
  current: RunningTask,
): Promise<unknown> {
  const { app } = environment
  const decoded = app.codec.revive(envelope.args)
  if (!Array.isArray(decoded)) {
    throw new MalformedMessageError(`the arguments of the call ${current.id} are no list`)
  }
  const layers = app.middleware.flatMap(({ run }) => (run === undefined ? [] : [run]))
  if (layers.length === 0) return callWith(task, decoded)
  const call: RunningCall = {
    id: current.id,
    task: task.name,
    queue: envelope.queue,
    attempt: current.attempt,
    tenant: current.tenant,
    get signal() {
      return current.signal
    },
    args: decoded,
    result: undefined,
  }
  await compose(layers, call, async () => {
    call.result = await callWith(task, call.args)
  })
  return call.result
}

async function callWith(task: RegisteredTask, args: readonly unknown[]): Promise<unknown> {
  if (task.input === undefined) return task.run(...args)
  return task.run(await parseInput(task.input, args, task.name))
}

type Limited =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'timed-out'; readonly error: TaskTimeoutError }

/**
 * Waits for `work`, but not past its limit. The timer keeps the event loop alive: a task that never settles on an
 * otherwise empty loop would end a Lambda invocation with `null`, which means success.
 */
function limited(
  clock: Clock,
  work: Promise<unknown>,
  limitMs: number,
  onLimit: () => TaskTimeoutError,
): Promise<Limited> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(() => resolve({ kind: 'timed-out', error: onLimit() }), limitMs)
    work.then(
      (value) => {
        timer.cancel()
        resolve({ kind: 'returned', value })
      },
      (error) => {
        timer.cancel()
        resolve({ kind: 'threw', error })
      },
    )
  })
}
