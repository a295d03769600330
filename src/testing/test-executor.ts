/**
 * An executor under test: its submits go to a backend of the test's own, where nothing runs until it is told to.
 * @module
 */
import { type OpenEnvironment, openEnvironment } from '../handlers/worker-environment.ts'
import type { KillPoint, Span } from '../local-emulator/index.ts'
import { millisecondsOf } from '../local-emulator/virtual-clock.ts'
import { showValue } from '../runtime/config/nearest-name.ts'
import { checkKeys } from '../runtime/config/option-checks.ts'
import { ErrandError, InvalidOptionError } from '../runtime/errors.ts'
import { type Executor, internalsOf } from '../runtime/executor.ts'
import type { Backend } from '../runtime/ports/backend.ts'
import type { AnyFunction, ResultOf } from '../runtime/task.ts'
import { type PrivateBackend, privateBackend, type TestExecutorOptions } from './private-backend.ts'
import { type RunTaskOptions, runOneTask } from './run-one-task.ts'
import { isOverWithin } from './running-code.ts'
import type { SentCall } from './sent-calls.ts'
import { taskMeant } from './task-name.ts'
import { checkOpen, moveTime, moveTimeAlone } from './virtual-run.ts'

/** A task: its function, the declared task, or its name. */
export type TaskMeant = AnyFunction | string

/** How often. */
export interface Times {
  /** 1–1,000,000. @default 1 */
  readonly times?: number
}

/** How often, and where a worker dies. */
export interface KillTimes extends Times {
  /** @default 'inTask' */
  readonly at?: KillPoint
}

/** The executor's test: looks at what was submitted, and runs it. */
export interface TestExecutor {
  /**
   * Runs all that is submitted, and what that submits: over delays, retries and back-offs, until no message is left.
   * @throws ErrandError where messages are left that no worker takes
   */
  drain(): Promise<void>
  /** Moves time on by `span`, and runs what falls due meanwhile. */
  advance(span: Span): Promise<void>
  /**
   * Moves time on until `promise` settles, and gives what it gives.
   * @throws ErrandError where nothing is left that could bring it about
   */
  run<T>(promise: Promise<T>): Promise<T>
  /**
   * The calls of a task that were submitted, in their order, as they are now.
   * @throws ClosedError
   */
  submitted<F extends AnyFunction>(task: F): SentCall<F>[]
  submitted(task: string): SentCall[]
  /**
   * Has the next attempts of a task throw `error`, and not run.
   * @throws ClosedError
   */
  failNext(task: TaskMeant, error: Error, options?: Times): void
  /**
   * Has the worker die in the next attempts of a task, with what else it runs; the calls come back later.
   * @throws ClosedError
   */
  killNext(task: TaskMeant, options?: KillTimes): void
  /**
   * Has the next call of a task run twice to its end: its worker dies once the function has returned, before that is
   * recorded, and the message is delivered again. What SQS does at its worst; a task must bear it.
   * @throws ClosedError
   */
  duplicateNext(task: TaskMeant, options?: Times): void
  /**
   * Runs one function at once, as a worker would: `currentTask`, schema, middleware, arguments and result through the
   * codec. What it throws is thrown as it is. Nothing is queued or recorded; what it submits is. No time moves, but
   * where it has not settled after `realWaitSeconds` it counts as hanging: time goes on to its limit, and no queue moves.
   */
  runTask<F extends AnyFunction>(task: F, args: Parameters<F>, options?: RunTaskOptions): Promise<ResultOf<F>>
  runTask(task: string, args: readonly unknown[], options?: RunTaskOptions): Promise<unknown>
  /** Virtual time, in epoch milliseconds. */
  now(): number
  /** The test's backend, for a client of the same app: `createClient(config, { backend: t.backend })`. */
  readonly backend: Backend
  /** Gives the executor back; what has not run is forgotten. Whoever waits for it gets `ClosedError`. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Puts an executor under test. Until `close`, its submits go to a backend of the test's own, on virtual time, where
 * nothing runs until `drain`, `advance` or `run` is called.
 *
 * @example
 * const t = testExecutor(executor)
 * const future = await executor.submit(add, 1, 2)
 * await t.drain()
 * expect(await future.result()).toBe(3)
 * await t.close()
 * @throws InvalidOptionError where it is no executor, or has connected elsewhere; ClosedError
 */
export function testExecutor(
  executor: Pick<Executor, 'config'>,
  options: TestExecutorOptions = {},
): TestExecutor {
  const { app, lend } = internalsOf(executor)
  const stage = privateBackend(app, options)
  const giveBack = lend(stage.backend)
  stage.backend.attach(app)
  const [firstWorker = ''] = app.config.workers.keys()
  const open = openEnvironment(app, stage.backend, firstWorker)
  const nameOf = (task: unknown) => {
    checkOpen(stage)
    return taskMeant(app.registry, task).name
  }
  const timesOf = (method: string, given: Times) =>
    checkKeys(`the options of ${method}`, given, ['times']) as Times
  const submitted = (task: unknown) =>
    stage.sent.of(nameOf(task), (id) => stage.backend.store.peek?.(id)) as SentCall<never>[]
  const close = once(() => end(stage, open, giveBack))
  return {
    drain: () => drain(stage),
    advance: (span) => advance(stage, span),
    run: (promise) => run(stage, promise),
    submitted,
    failNext: (task, error, given = {}) =>
      stage.plan.failNext(nameOf(task), error, timesOf('failNext', given).times),
    killNext(task, given = {}) {
      const { at = 'inTask', times } = checkKeys('the options of killNext', given, [
        'at',
        'times',
      ]) as KillTimes
      stage.plan.killNext(nameOf(task), at, times)
    },
    duplicateNext: (task, given = {}) =>
      stage.plan.killNext(nameOf(task), 'beforeFinish', timesOf('duplicateNext', given).times),
    runTask: async (task: unknown, args: readonly unknown[], given: RunTaskOptions = {}) => {
      checkOpen(stage)
      const work = runOneTask(open, taskMeant(app.registry, task), args, given)
      return untilOver(stage, work) as Promise<never>
    },
    now: () => stage.clock.now(),
    backend: stage.backend,
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function drain(stage: PrivateBackend): Promise<void> {
  if ((await moveTime(stage, stage.isEmpty)) === 'there') return
  throw new ErrandError(
    'drain: messages are left, and no worker takes them; look at the workers and queues of the config',
  )
}

async function advance(stage: PrivateBackend, span: Span): Promise<void> {
  const untilMs = stage.clock.now() + millisecondsOf(span)
  // Schedules fire from here on, where nothing was submitted that started them.
  await stage.backend.start()
  const isThere = () => stage.clock.now() >= untilMs && stage.running.horizon() === undefined
  await moveTime(stage, isThere, untilMs)
}

/** A part of the real time that is waited for somebody else's promise. */
const SLICE_SECONDS = 0.01

async function run<T>(stage: PrivateBackend, promise: Promise<T>): Promise<T> {
  if (typeof promise?.then !== 'function') {
    throw new InvalidOptionError(
      `run was given ${showValue(promise)}, expected a promise, as in run(future.result())`,
    )
  }
  let isSettled = false
  const settled = () => {
    isSettled = true
  }
  promise.then(settled, settled)
  // Between two slices it may have submitted something, or set a timer.
  for (let waited = 0; waited < stage.realWaitSeconds; waited += SLICE_SECONDS) {
    const before = stage.clock.now()
    if ((await moveTime(stage, () => isSettled)) === 'there') return promise
    if (stage.clock.now() > before) waited = 0
    if (await isOverWithin(promise, SLICE_SECONDS)) return promise
  }
  throw new ErrandError(
    'run: the promise has not settled, and nothing is left that would run; what it waits for was never submitted, or takes longer than `realWaitSeconds`',
  )
}

/** Waits as for an attempt: in real time first, and then virtual time goes on, to the time limit at last. */
async function untilOver<T>(stage: PrivateBackend, work: Promise<T>): Promise<T> {
  if (await isOverWithin(work, stage.realWaitSeconds)) return work
  let isOver = false
  const over = () => {
    isOver = true
  }
  work.then(over, over)
  // Without a timer it is a start hook that takes its time: nothing is left to move.
  await moveTimeAlone(stage, () => isOver)
  return work
}

/** Ends what runs, as a killed worker ends, and gives the executor back. */
async function end(stage: PrivateBackend, open: OpenEnvironment, giveBack: () => void): Promise<void> {
  stage.isClosed = true
  giveBack()
  await stage.backend.abandon()
  await open.stop()
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= work()
    return done
  }
}
