/**
 * What the command line exits with.
 * @module
 */
import { AppDiscoveryError } from '../app-discovery/app-discovery-error.ts'
import {
  AccessDeniedError,
  ErrandError,
  InvalidOptionError,
  NotWiredError,
  SubmitUncertainError,
} from '../runtime/errors.ts'

/** The exit codes, as `errand --help` tells them. */
export const EXIT = {
  ok: 0,
  /** The call failed, a worker does not answer, or something went wrong. */
  failed: 1,
  /** What was typed: an unknown command, option or name, JSON that does not parse. */
  usage: 2,
  /** The app cannot be found or loaded. */
  app: 3,
  /** There is nothing to connect to, or it refuses. */
  connection: 4,
  /** Ended by Ctrl-C twice (128 + SIGINT). */
  interrupted: 130,
  /** Ended by SIGTERM twice (128 + SIGTERM). */
  terminated: 143,
} as const

/** What was typed cannot be done; the message says what to type. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Errors of the SDK that mean: nobody answers, or nobody says who asks. */
const unconnected =
  /^(CredentialsProviderError|TimeoutError|ECONNREFUSED|ECONNRESET|ENOTFOUND|ExpiredToken\w*|UnrecognizedClientException|InvalidClientTokenId)$/

/** The exit code of an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || InvalidOptionError.is(error)) return EXIT.usage
  if (AppDiscoveryError.is(error)) return EXIT.app
  if (NotWiredError.is(error) || AccessDeniedError.is(error)) return EXIT.connection
  return isUnconnected(error) ? EXIT.connection : EXIT.failed
}

/** Whether nobody answers at the other end, or the credentials are missing. */
export function isUnconnected(error: unknown): error is Error {
  if (SubmitUncertainError.is(error)) return isUnconnected(error.cause)
  if (!(error instanceof Error) || ErrandError.is(error)) return false
  const { code } = error as NodeJS.ErrnoException
  const inner = error instanceof AggregateError ? error.errors : []
  return unconnected.test(error.name) || unconnected.test(code ?? '') || inner.some(isUnconnected)
}
