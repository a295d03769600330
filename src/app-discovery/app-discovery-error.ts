/**
 * The error of a discovery.
 * @module
 */
import { ErrandError } from '../runtime/errors.ts'

/** The app was not found, or could not be read: the message names its module, what failed, and what to do. */
export class AppDiscoveryError extends ErrandError {
  static override readonly code = 'app-discovery'
}
