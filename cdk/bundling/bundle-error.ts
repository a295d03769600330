/**
 * The error of a bundle.
 * @module
 */

/** The worker asset cannot be made: the message names what is in the way, who imports it, and the fix. */
export class BundleError extends Error {
  /** `bundle`, as the errors of errand have a code each. */
  readonly code = 'bundle'
  override readonly name = 'BundleError'
}
