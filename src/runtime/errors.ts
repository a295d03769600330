/**
 * Every error that errand throws or records. One base with a `code`; a class of its own only where a caller
 * branches on it. A message says what failed, the value, the rule and the fix.
 * @module
 */

const brand = Symbol.for('errand.error')

/** `wait-timeout` → `WaitTimeoutError`: names are made from codes, because bundlers rename classes. */
function nameOf(code: string): string {
  const words = code.split('-').map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  return `${words.join('')}Error`
}

/** The base of all errors of errand. Tell them apart by `code`, or by the class's `is`. */
export class ErrandError extends Error {
  /** The code of this class; `errand` is the base's, which every other class replaces. */
  static readonly code: string = 'errand'
  /** What failed, as a stable word: `wait-timeout`, `unsupported-value`, … */
  readonly code: string

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = new.target.code
    Object.defineProperty(this, 'name', { value: nameOf(this.code), configurable: true, writable: true })
    Object.defineProperty(this, brand, { value: true })
  }

  /** Whether `value` is an error of this class, also when two copies of errand are loaded. */
  static is<Class extends abstract new (...args: never[]) => ErrandError>(
    this: Class & { readonly code: string },
    value: unknown,
  ): value is InstanceType<Class> {
    if (typeof value !== 'object' || value === null) return false
    try {
      if (!(brand in value)) return false
      // biome-ignore lint/complexity/noThisInStatic: `this` is the subclass that was asked
      return this.code === 'errand' || (value as unknown as ErrandError).code === this.code
    } catch {
      // A proxy that was revoked, or that throws.
      return false
    }
  }
}

/** A config, or an option of a call, that breaks a rule: found when it is read, before anything is sent. */
export class InvalidOptionError extends ErrandError {
  static override readonly code = 'invalid-option'
}

/** A function that is not registered, or not by this copy of its module. */
export class UnregisteredTaskError extends ErrandError {
  static override readonly code = 'unregistered-task'
}

/** A task that cannot be registered: its name, its kind (a class), or its second name. */
export class InvalidTaskError extends ErrandError {
  static override readonly code = 'invalid-task'
}

/** A value that the codec refuses, at `path`, because it would not come back as it is. */
export class UnsupportedValueError extends ErrandError {
  static override readonly code = 'unsupported-value'
  /** Where in the value, as one would write it: `arguments[0].user.avatar`. */
  readonly path: string

  constructor(message: string, path: string, options?: ErrorOptions) {
    super(message, options)
    this.path = path
  }
}

/** Bytes that are not what the codec, or a worker, can read: not JSON, another version, truncated, hostile. */
export class MalformedMessageError extends ErrandError {
  static override readonly code = 'malformed-message'
}

/** Arguments over the message limit (1 MiB with the envelope), or with `blobs` over 64 MiB, refused before anything is sent. */
export class PayloadTooLargeError extends ErrandError {
  static override readonly code = 'payload-too-large'
}

/** The result is larger than a DynamoDB item, or with `blobs` than 64 MiB; the call ends as `failed`, reason `result-too-large`. */
export class ResultTooLargeError extends ErrandError {
  static override readonly code = 'result-too-large'
}

/**
 * Large arguments or a large result are not in the blob store as they were written: deleted by a lifecycle rule that is
 * too short, or replaced. An attempt that meets it is tried again.
 */
export class BlobLostError extends ErrandError {
  static override readonly code = 'blob-lost'
}

/** A task's input schema refused the input; `issues` are the schema's own. Not retried. */
export class InvalidInputError extends ErrandError {
  static override readonly code = 'invalid-input'
  /** What the schema said: a message and a path each. */
  readonly issues: readonly { readonly message: string; readonly path: string }[]

  constructor(message: string, issues: InvalidInputError['issues'], options?: ErrorOptions) {
    super(message, options)
    this.issues = issues
  }
}

/** The same idempotency key (or id) was submitted before with another payload. */
export class IdempotencyConflictError extends ErrandError {
  static override readonly code = 'idempotency-conflict'
}

/**
 * A submit whose outcome is not known: the record may be there, the message may not. Submit again with
 * `with({ id })`: the same id can never run as two calls.
 */
export class SubmitUncertainError extends ErrandError {
  static override readonly code = 'submit-uncertain'
  /** The ids that may not have been sent, in the order of the arguments. */
  readonly ids: readonly string[]

  constructor(message: string, ids: readonly string[], options?: ErrorOptions) {
    super(message, options)
    this.ids = ids
  }
}

/** You stopped waiting (`timeoutSeconds`, or your signal); the call goes on. Not the task's own time limit. */
export class WaitTimeoutError extends ErrandError {
  static override readonly code = 'wait-timeout'
}

/** An attempt reached its own time limit; the call's reason is `timed-out`. */
export class TaskTimeoutError extends ErrandError {
  static override readonly code = 'task-timeout'
}

/** The call was cancelled before it ran, or aborted and stopped. */
export class CancelledError extends ErrandError {
  static override readonly code = 'cancelled'
}

/** The reason on `currentTask.signal` when somebody called `future.abort()`. */
export class AbortedError extends ErrandError {
  static override readonly code = 'aborted'
}

/** The reason on `currentTask.signal` when this attempt no longer owns its call; its result will not count. */
export class LeaseLostError extends ErrandError {
  static override readonly code = 'lease-lost'
}

/** Attempts of the call ended without a word (out of memory, `process.exit`, a crash) too many times. */
export class TaskKilledError extends ErrandError {
  static override readonly code = 'task-killed'
}

/** No attempt of the call had begun by its expiry (`expiresInSeconds`, `expiresAt`), so none did; its reason is `expired`. */
export class ExpiredError extends ErrandError {
  static override readonly code = 'expired'
}

/** SQS gave up on the call's message; its reason is `undeliverable`. */
export class UndeliverableError extends ErrandError {
  static override readonly code = 'undeliverable'
}

/** A call that cannot be retried by hand: it has not failed, or its arguments were not kept. */
export class RetryRefusedError extends ErrandError {
  static override readonly code = 'retry-refused'
}

/** No worker knows a task of this name; after an hour of waiting for a deployment the call ends with this. */
export class UnknownTaskError extends ErrandError {
  static override readonly code = 'unknown-task'
}

/** The record of the call is gone: it expired, was never written, or the id is wrong. */
export class CallNotFoundError extends ErrandError {
  static override readonly code = 'call-not-found'
}

/** A task threw something that is not an `Error`; `value` is what it threw. */
export class NonErrorThrownError extends ErrandError {
  static override readonly code = 'non-error-thrown'
  /** What was thrown, as far as the codec keeps it. */
  readonly value: unknown

  constructor(message: string, value: unknown, options?: ErrorOptions) {
    super(message, options)
    this.value = value
  }
}

/** `currentTask` was used where no task runs. */
export class NoCurrentTaskError extends ErrandError {
  static override readonly code = 'no-current-task'
}

/** No backend can be chosen safely: production, and nothing wired. */
export class NotWiredError extends ErrandError {
  static override readonly code = 'not-wired'
}

/** The executor was closed; it takes no more submits. */
export class ClosedError extends ErrandError {
  static override readonly code = 'closed'
}

/** AWS refused a request; the message names the missing grant. */
export class AccessDeniedError extends ErrandError {
  static override readonly code = 'access-denied'
}

/** A queue or table of the config is not there: deleted, another region, or another account. */
export class ResourceNotFoundError extends ErrandError {
  static override readonly code = 'resource-not-found'
}

/** Throw it from a task to end the call as `failed` without further attempts. */
export class NonRetryableError extends ErrandError {
  static override readonly code = 'non-retryable'
}

/**
 * Throw it from a task to be tried again at a time of your own instead of after the back-off: after so many seconds, or
 * at a `Date`. It counts as a failure: `maxAttempts` still holds. Without `longDelays` in the config, and on FIFO queues,
 * a wait over 39,600 s (11 h) is cut to that; with it, one over 365 days is.
 */
export class RetryAfterError extends ErrandError {
  static override readonly code = 'retry-after'
  /** How long to wait, in seconds, where that was given. */
  readonly delaySeconds?: number
  /** When to try again, where that was given; a moment that is past is now. */
  readonly at?: Date

  constructor(when: number | Date, message?: string, options?: ErrorOptions) {
    super(message ?? `try again ${describeWhen(when)}`, options)
    if (when instanceof Date) this.at = when
    else this.delaySeconds = when
  }
}

function describeWhen(when: number | Date): string {
  if (!(when instanceof Date)) return `in ${when} s`
  return Number.isFinite(when.getTime()) ? `at ${when.toISOString()}` : 'at an invalid Date'
}
