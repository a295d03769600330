/**
 * Why an app could not be loaded, as its process tells it.
 * @module
 */

/** The parts of a failure. */
export interface FailureParts {
  /** What failed, as a clause about the app's module: `it exports nothing`. */
  readonly problem: string
  /** What was thrown. */
  readonly error?: unknown
  /** What to do. */
  readonly advice?: string
  /** Whether code of the user failed that ought not to run at import. */
  readonly atImport?: boolean
}

/** A failure that can be told in JSON. */
export interface ToldFailure {
  readonly problem: string
  /** The first lines of its stack. */
  readonly error?: string
  readonly advice?: string
}

/** Thrown and caught within the process that loads an app. */
export class LoadFailure extends Error {
  readonly parts: FailureParts

  constructor(parts: FailureParts) {
    super(parts.problem)
    this.parts = parts
  }
}

const ON_WORKER_START =
  'what needs a connection, a server or a variable of production belongs in `executor.onWorkerStart(async () => ({ db: await connect() }))`: here the app is only read, without AWS, for its config and tasks, with the variables of this process and those that the construct is given as plain text'

/** A failure in words. */
export function tellFailure({ problem, error, advice, atImport = false }: FailureParts): ToldFailure {
  return {
    problem,
    ...(error !== undefined && { error: tellError(error) }),
    ...((advice ?? atImport) && { advice: advice ?? ON_WORKER_START }),
  }
}

const SHOWN_MESSAGE_LINES = 10
const SHOWN_FRAMES = 5

/** Frames of Node's machinery and of this folder. */
const notOfUser = /node:(internal|events)|src[\\/]app-discovery[\\/]/

/** An error's message, the user's part of its stack, and what caused it. */
export function tellError(error: unknown, depth = 0): string {
  if (!(error instanceof Error)) return `${String(error)} (not an Error)`
  const lines = String(error.stack ?? error).split('\n')
  const isFrame = (line: string) => /^\s+at /.test(line)
  const message = lines.filter((line) => !isFrame(line)).slice(0, SHOWN_MESSAGE_LINES)
  const frames = lines.filter((line) => isFrame(line) && !notOfUser.test(line))
  const inner = [error.cause, ...(error instanceof AggregateError ? error.errors.slice(0, 1) : [])]
  const causes = inner.filter((cause) => cause !== undefined && depth < 2)
  return [
    ...message,
    ...frames.slice(0, SHOWN_FRAMES),
    ...causes.map((cause) => `caused by ${tellError(cause, depth + 1)}`),
  ].join('\n')
}
