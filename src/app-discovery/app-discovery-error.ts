/**
 * The error of a discovery.
 * @module
 */
import { ErrandError } from '../runtime/errors.ts'
import { LoadFailure, type ToldFailure, tellFailure } from './load-failure.ts'

/** The app was not found, or could not be read: the message names its module, what failed, and what to do. */
export class AppDiscoveryError extends ErrandError {
  static override readonly code = 'app-discovery'
}

/** What became of loading a module, with what it printed meanwhile. */
export function discoveryError(modulePath: string, failure: ToldFailure, output = ''): AppDiscoveryError {
  const { problem, error, advice } = failure
  const printed = output && `it printed:\n${output.replaceAll(/^/gm, '  ')}`
  const parts = [`the app ${modulePath}: ${problem}`, error, printed, advice]
  return new AppDiscoveryError(parts.filter(Boolean).join('\n'))
}

/** The same of an error that was caught in the process that loads it; one that is no failure to load as it is. */
export function discoveryErrorOf(modulePath: string, error: unknown): unknown {
  return error instanceof LoadFailure ? discoveryError(modulePath, tellFailure(error.parts)) : error
}
