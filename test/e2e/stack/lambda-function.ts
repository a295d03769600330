/**
 * A function of the stack: environments that are made when needed, reused when idle, and replaced when dead.
 * @module
 */
import type { InvokeResult } from 'errand/local-emulator'
import type { FunctionSettings } from './function-settings.ts'
import { type LambdaEnvironment, type OnPart, startEnvironment } from './lambda-environment.ts'

/** A function that can be invoked. */
export interface StackFunction {
  /** As last deployed. */
  settings(): FunctionSettings
  /** Never rejects. An environment runs one invocation at a time. What is streamed is told of as it comes. */
  invoke(event: unknown, onPart?: OnPart): Promise<InvokeResult>
  /** All environments that were ever made, dead ones among them, in the order of their start. */
  environments(): readonly LambdaEnvironment[]
  /** The environments that run an invocation now. */
  busy(): readonly LambdaEnvironment[]
  /** What the environments have printed, line by line. */
  readonly lines: readonly string[]
  /**
   * Resolves with the first line, of those printed or yet to come, that has this text.
   * @throws where there is none in a minute
   */
  line(text: string): Promise<string>
  /** What a deployment does: idle environments end now, busy ones after their invocation. */
  update(settings: FunctionSettings): Promise<void>
  /** Kills all environments. */
  close(): Promise<void>
}

interface State {
  settings: FunctionSettings
  readonly variables: Readonly<Record<string, string>>
  readonly all: LambdaEnvironment[]
  readonly busy: Set<LambdaEnvironment>
  /** The one that was busy last, last: it is the next to be used. */
  idle: LambdaEnvironment[]
  readonly lines: string[]
  readonly listeners: Set<(line: string) => void>
  isClosed: boolean
}

/** Makes a function; nothing runs until it is invoked. */
export function stackFunction(
  settings: FunctionSettings,
  variables: Readonly<Record<string, string>>,
): StackFunction {
  const state: State = {
    settings,
    variables,
    all: [],
    busy: new Set(),
    idle: [],
    lines: [],
    listeners: new Set(),
    isClosed: false,
  }
  return {
    settings: () => state.settings,
    invoke: (event, onPart) => invoke(state, event, onPart),
    environments: () => state.all,
    busy: () => [...state.busy],
    lines: state.lines,
    line: (text) => lineWith(state, text),
    async update(changed) {
      state.settings = changed
      const ending = state.idle
      state.idle = []
      await Promise.all(ending.map((environment) => environment.end()))
    },
    async close() {
      state.isClosed = true
      await Promise.all(state.all.map((environment) => environment.end()))
    },
  }
}

async function invoke(state: State, event: unknown, onPart?: OnPart): Promise<InvokeResult> {
  // Taken before anything is awaited: whoever invokes next must find it gone.
  const { settings } = state
  const reused = reusable(state)
  const environment = reused ?? (await start(state))
  state.busy.add(environment)
  const result = await environment.invoke(event, onPart)
  state.busy.delete(environment)
  if (state.isClosed || (settings !== state.settings && environment.isAlive())) await environment.end()
  else if (environment.isAlive()) state.idle.push(environment)
  return result
}

/** One may have died of what its last invocation left behind. */
function reusable(state: State): LambdaEnvironment | undefined {
  for (;;) {
    const environment = state.idle.pop()
    if (environment === undefined || environment.isAlive()) return environment
  }
}

async function start(state: State): Promise<LambdaEnvironment> {
  const environment = await startEnvironment({
    settings: state.settings,
    variables: state.variables,
    onLine(line) {
      state.lines.push(line)
      for (const listener of state.listeners) listener(line)
    },
  })
  state.all.push(environment)
  return environment
}

/** How long a line is waited for: longer than the longest wait of any scenario between two of them. */
const LINE_LIMIT_MS = 60_000

function lineWith({ lines, listeners, settings }: State, text: string): Promise<string> {
  const printed = lines.find((line) => line.includes(text))
  if (printed !== undefined) return Promise.resolve(printed)
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      listeners.delete(listener)
    }
    const listener = (line: string) => {
      if (!line.includes(text)) return
      end()
      resolve(line)
    }
    const timer = setTimeout(() => {
      end()
      const last = lines.slice(-20).join('\n')
      reject(new Error(`${settings.name} did not print ${JSON.stringify(text)}; its last lines:\n${last}`))
    }, LINE_LIMIT_MS)
    listeners.add(listener)
  })
}
