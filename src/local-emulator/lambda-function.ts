/**
 * A Lambda function in this process: environments that are made when needed, reused when idle, and killed at the
 * time-out.
 *
 * Not emulated: memory, and the freezing of an environment between invocations. A task that blocks the thread, or
 * exits the process, does so to the whole process.
 * @module
 */
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import { type EnvironmentPorts, environmentPorts } from './environment-ports.ts'

/** What a worker's handler needs of Lambda's context. */
export interface InvocationContext {
  readonly awsRequestId: string
  readonly functionName: string
  getRemainingTimeInMillis(): number
}

/** A worker's handler, as Lambda calls it. */
export interface WorkerHandler {
  (event: SQSEvent, context: InvocationContext): Promise<SQSBatchResponse>
  /** Called when an idle environment ends, as a runtime's shutdown is. */
  stop?(): Promise<void>
}

/** How an invocation ended: with what the handler returned, or as failed. */
export type InvokeResult =
  | { readonly ok: true; readonly payload: unknown }
  | { readonly ok: false; readonly error: Error }

/** The life of an environment. */
export interface EnvironmentLife {
  /** Ends it, as when its runtime dies. */
  exit(): void
  /** Aborted when it has ended, however it came about. */
  readonly ended: AbortSignal
}

/** How to make a function. */
export interface LambdaFunctionOptions {
  readonly name: string
  /** Called once for each environment, with ports of its own. */
  makeHandler(ports: Ports, life: EnvironmentLife): WorkerHandler
  readonly ports: Ports
  readonly timeoutSeconds: number
  /** Lambda's own, whatever clock the environments see. */
  readonly clock: Clock
}

/** A function that can be invoked. */
export interface LambdaFunction {
  /** Never rejects. An environment runs one invocation at a time. */
  invoke(event: SQSEvent): Promise<InvokeResult>
  /** How many environments there are, busy or idle. */
  environments(): number
  /** What deploying new code does: idle environments end now, busy ones after their invocation. */
  redeploy(): void
  /** Kills every environment; running invocations fail as when the runtime exits. */
  killAll(): void
  /** Ends the idle environments, and resolves when their handlers have stopped. */
  stopIdle(): Promise<void>
}

interface Environment {
  readonly handler: WorkerHandler
  readonly cut: EnvironmentPorts['cut']
  readonly generation: number
}

interface FunctionState extends LambdaFunctionOptions {
  /** The one that was busy last, last: it is the next to be used. */
  idle: Environment[]
  /** How to end each busy one early. */
  readonly busy: Map<Environment, (error: Error) => void>
  generation: number
}

function lambdaError(name: string, message: string): Error {
  const error = new Error(message)
  error.name = name
  return error
}

const runtimeExit = () => lambdaError('Runtime.ExitError', 'Runtime exited with error: signal: killed')

function start(state: FunctionState): Environment {
  const own = environmentPorts(state.ports)
  const ending = new AbortController()
  const cut = () => {
    own.cut()
    ending.abort()
  }
  const exit = () => {
    const kill = state.busy.get(environment)
    if (kill !== undefined) return kill(runtimeExit())
    state.idle = state.idle.filter((each) => each !== environment)
    cut()
  }
  const environment: Environment = {
    handler: state.makeHandler(own.ports, { exit, ended: ending.signal }),
    cut,
    generation: state.generation,
  }
  return environment
}

const succeeded = (payload: unknown): InvokeResult => ({ ok: true, payload })
const failed = (error: unknown): InvokeResult => ({
  ok: false,
  error: error instanceof Error ? error : new Error(String(error), { cause: error }),
})

/** Calls the handler; what it throws before its first await fails the invocation as well. */
function call({ handler }: Environment, event: SQSEvent, context: InvocationContext): Promise<InvokeResult> {
  try {
    return Promise.resolve(handler(event, context)).then(succeeded, failed)
  } catch (error) {
    return Promise.resolve(failed(error))
  }
}

function invoke(state: FunctionState, event: SQSEvent): Promise<InvokeResult> {
  const { clock, timeoutSeconds } = state
  const deadline = clock.now() + timeoutSeconds * 1000
  let requestId: string | undefined
  const context: InvocationContext = {
    // Made when asked for: it takes as long as the rest of an invocation.
    get awsRequestId() {
      requestId ??= state.ports.entropy.id(deadline - timeoutSeconds * 1000)
      return requestId
    },
    functionName: state.name,
    getRemainingTimeInMillis: () => Math.max(deadline - clock.now(), 0),
  }
  return new Promise((resolve) => {
    const environment = state.idle.pop() ?? start(state)
    const kill = (error: Error) => {
      timer.cancel()
      state.busy.delete(environment)
      environment.cut()
      resolve({ ok: false, error })
    }
    const timeOut = () =>
      kill(lambdaError('Sandbox.Timedout', `Task timed out after ${timeoutSeconds.toFixed(2)} seconds`))
    // Set before the handler runs: of a handler's timer and this one at the same moment, this one comes first.
    const timer: Timer = clock.setTimer(timeOut, timeoutSeconds * 1000, { background: true })
    state.busy.set(environment, kill)
    call(environment, event, context).then((result) => {
      // Killed meanwhile: the invocation has ended, and the environment is gone.
      if (!state.busy.delete(environment)) return
      timer.cancel()
      if (environment.generation === state.generation) state.idle.push(environment)
      else environment.cut()
      resolve(result)
    })
  })
}

/** What a handler's stop throws is its own affair: the environment ends. */
async function endIdle(state: FunctionState): Promise<void> {
  const ending = state.idle
  state.idle = []
  await Promise.allSettled(
    ending.map(async ({ handler, cut }) => {
      await handler.stop?.()
      cut()
    }),
  )
}

/** Makes a function. */
export function lambdaFunction(options: LambdaFunctionOptions): LambdaFunction {
  const state: FunctionState = { ...options, idle: [], busy: new Map(), generation: 0 }
  return {
    // A handler that cannot be made fails the invocation, as an error in Lambda's init phase does.
    invoke: (event) => invoke(state, event).catch((error: Error) => ({ ok: false, error })),
    environments: () => state.idle.length + state.busy.size,
    redeploy() {
      state.generation++
      void endIdle(state)
    },
    stopIdle: () => endIdle(state),
    killAll() {
      for (const { cut } of state.idle) cut()
      state.idle = []
      for (const kill of [...state.busy.values()]) {
        kill(runtimeExit())
      }
    },
  }
}
