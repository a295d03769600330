/**
 * One environment of a Lambda function: a process of Node 24 that runs the function's own asset under AWS's runtime
 * client. It is frozen between invocations, and killed at the function's time-out.
 *
 * Not emulated: the share of a CPU that goes with the memory, the limit of 10 s for the initialisation, and memory
 * outside of V8's heap.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { InvokeResult } from 'errand/local-emulator'
import type { FunctionSettings } from './function-settings.ts'
import { runtimeClient } from './install-runtime-client.ts'
import { type RuntimeApi, startRuntimeApi } from './runtime-api.ts'

/** An environment, alive or dead. */
export interface LambdaEnvironment {
  readonly pid: number
  /** From the start of its process until its runtime first asked for work, in milliseconds. */
  initMs(): number | undefined
  isAlive(): boolean
  /**
   * Runs one invocation, once it is initialised. Never rejects. An answer that is streamed is given to `onPart` as it
   * comes; whole, its bytes are the payload.
   */
  invoke(event: unknown, onPart?: OnPart): Promise<InvokeResult>
  /**
   * Stops it in the middle of its invocation, which fails at its time-out as any other; but the kill comes late, as
   * when a machine hangs.
   */
  stall(): void
  /** Lets a stalled one go on with the invocation that is long over. */
  resume(): void
  /** Kills it, and resolves when it is gone. */
  end(): Promise<void>
}

/** Is given each part of a streamed answer. */
export type OnPart = (part: Buffer) => void

/** What to run. */
export interface EnvironmentOptions {
  readonly settings: FunctionSettings
  /** Lambda's own variables beside the template's: endpoints of the wire servers, credentials. */
  readonly variables: Readonly<Record<string, string>>
  onLine(line: string): void
}

interface Running {
  readonly requestId: string
  readonly timer: NodeJS.Timeout
  readonly onPart: OnPart
  /** What was streamed so far. */
  readonly parts: Buffer[]
  /** How it was answered; it is over when the runtime asks for the next one. */
  answer?: InvokeResult
  end(result: InvokeResult): void
}

interface State {
  readonly options: EnvironmentOptions
  readonly began: number
  readonly initialised: PromiseWithResolvers<void>
  child?: ChildProcess
  api?: RuntimeApi
  initMs?: number
  initError?: Error
  isStalled: boolean
  /** It was killed, or should have been. */
  isOver: boolean
  running?: Running | undefined
}

/** A runner that dies must not leave stopped processes behind: they would never notice. */
const alive = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** Of the memory, so much is V8's: what Lambda's own start script gives it. */
const HEAP_SHARE = 0.9

/** Starts a process; it is initialised when `invoke` says so. */
export async function startEnvironment(options: EnvironmentOptions): Promise<LambdaEnvironment> {
  const state: State = {
    options,
    began: performance.now(),
    initialised: Promise.withResolvers(),
    isStalled: false,
    isOver: false,
  }
  // Who invokes it is told; where nobody does, nobody need be.
  state.initialised.promise.catch(() => {})
  const api = await startRuntimeApi({
    onIdle: () => becomeIdle(state),
    onAnswer: (requestId, kind, body) => takeAnswer(state, requestId, kind, body),
    onPart: (requestId, part) => takePart(state, requestId, part),
    onStreamed: (requestId, error) => takeStreamed(state, requestId, error),
    onInitError: (body) => {
      state.initError = errorOf(body)
    },
  })
  const child = spawnRuntime(options, api.address)
  Object.assign(state, { api, child })
  const exited = once(child, 'exit').then(() => onExit(state))
  return {
    pid: child.pid ?? 0,
    initMs: () => state.initMs,
    isAlive: () => isAlive(child) && !state.isOver,
    invoke: (event, onPart = () => {}) => invoke(state, api, event, onPart),
    stall() {
      state.isStalled = true
      child.kill('SIGSTOP')
    },
    resume() {
      child.kill('SIGCONT')
    },
    async end() {
      if (isAlive(child)) child.kill('SIGKILL')
      await exited
    },
  }
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

function spawnRuntime({ settings, variables, onLine }: EnvironmentOptions, address: string): ChildProcess {
  const heapMiB = Math.floor(settings.memoryMiB * HEAP_SHARE)
  const child = spawn(
    process.execPath,
    [`--max-old-space-size=${heapMiB}`, '--require', runtimeClient.preload, runtimeClient.entry],
    {
      cwd: settings.codeFolder,
      // Nothing of this process's own: a test runner's variables would change what the worker does.
      env: {
        ...settings.variables,
        ...variables,
        AWS_LAMBDA_RUNTIME_API: address,
        AWS_LAMBDA_FUNCTION_NAME: settings.name,
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(settings.memoryMiB),
        AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${settings.name}`,
        AWS_LAMBDA_LOG_STREAM_NAME: randomUUID(),
        AWS_LAMBDA_LOG_FORMAT: settings.logFormat,
        AWS_LAMBDA_LOG_LEVEL: settings.logLevel,
        AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
        AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
        LAMBDA_TASK_ROOT: settings.codeFolder,
        _HANDLER: settings.handler,
        TZ: ':UTC',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', onLine)
  alive.add(child)
  child.once('exit', () => alive.delete(child))
  return child
}

async function invoke(state: State, api: RuntimeApi, event: unknown, onPart: OnPart): Promise<InvokeResult> {
  try {
    await state.initialised.promise
  } catch (error) {
    return { ok: false, error: error as Error }
  }
  const { settings } = state.options
  const requestId = randomUUID()
  const limitMs = settings.timeoutSeconds * 1000
  return new Promise((resolve) => {
    const timer = setTimeout(() => timeOut(state), limitMs)
    const end = (result: InvokeResult) => {
      clearTimeout(timer)
      state.running = undefined
      resolve(result)
    }
    state.running = { requestId, timer, end, onPart, parts: [] }
    const { functionArn } = settings
    // The deadline is made first: a thaw takes time of the invocation's.
    const deadline = Date.now() + limitMs
    state.child?.kill('SIGCONT')
    api.hand({ requestId, functionArn, deadline, body: JSON.stringify(event) })
  })
}

function becomeIdle(state: State): void {
  if (state.initMs === undefined) {
    state.initMs = performance.now() - state.began
    state.initialised.resolve()
    return
  }
  // Lambda freezes what has nothing to do, with whatever the handler left behind. One that was stalled has had it.
  if (!state.isStalled) state.child?.kill('SIGSTOP')
  if (state.running?.answer !== undefined) state.running.end(state.running.answer)
}

function takeAnswer(state: State, requestId: string, kind: 'response' | 'error', body: string): void {
  // What is answered after the time-out is of no invocation.
  if (state.running?.requestId !== requestId) return
  state.running.answer = kind === 'error' ? { ok: false, error: errorOf(body) } : responseOf(body)
}

function takePart({ running }: State, requestId: string, part: Buffer): void {
  if (running?.requestId !== requestId) return
  running.parts.push(part)
  running.onPart(part)
}

function takeStreamed({ running }: State, requestId: string, error: string | undefined): void {
  if (running?.requestId !== requestId) return
  running.answer =
    error === undefined
      ? { ok: true, payload: Buffer.concat(running.parts) }
      : { ok: false, error: errorOf(error) }
}

function responseOf(body: string): InvokeResult {
  try {
    return { ok: true, payload: JSON.parse(body) }
  } catch (error) {
    return { ok: false, error: lambdaError('Runtime.InvalidResponse', String(error)) }
  }
}

function timeOut(state: State): void {
  const seconds = state.options.settings.timeoutSeconds.toFixed(2)
  state.running?.end({
    ok: false,
    error: lambdaError('Sandbox.Timedout', `Task timed out after ${seconds} seconds`),
  })
  state.isOver = true
  if (!state.isStalled) state.child?.kill('SIGKILL')
}

/** What was answered stands, whatever the environment died of afterwards. */
function onExit(state: State): void {
  state.api?.close()
  const error = state.initError ?? exitError(state.child)
  state.initialised.reject(error)
  state.running?.end(state.running.answer ?? { ok: false, error })
}

/** In Lambda's words. */
function exitError(child: ChildProcess | undefined): Error {
  const { exitCode, signalCode } = child ?? {}
  if (exitCode === 0)
    return lambdaError('Runtime.ExitError', 'Error: Runtime exited without providing a reason')
  const why = signalCode ? `signal: ${signalCode}` : `exit status ${exitCode}`
  return lambdaError('Runtime.ExitError', `Error: Runtime exited with error: ${why}`)
}

/** The error that a runtime posted. */
function errorOf(body: string): Error {
  const { errorType, errorMessage } = JSON.parse(body) as { errorType?: string; errorMessage?: string }
  return lambdaError(errorType ?? 'Unhandled', errorMessage ?? body)
}

function lambdaError(name: string, message: string): Error {
  return Object.assign(new Error(message), { name })
}
