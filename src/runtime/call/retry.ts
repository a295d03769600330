/**
 * Whether a failed attempt is followed by another, and when.
 * @module
 */
import { type Backoff, LIMITS, type ResolvedTaskOptions } from '../config/config.ts'
import type { Entropy } from '../entropy.ts'
import {
  InvalidInputError,
  MalformedMessageError,
  NonRetryableError,
  ResultTooLargeError,
  RetryAfterError,
  UnsupportedValueError,
} from '../errors.ts'

/** Errors that another attempt would only meet again. */
const hopeless = [
  NonRetryableError,
  InvalidInputError,
  MalformedMessageError,
  UnsupportedValueError,
  ResultTooLargeError,
]

/**
 * How many whole seconds (SQS counts in them) to wait before the next attempt, at most 365 days, or `undefined` where the
 * call has failed.
 * @param failures how many attempts have failed, this one included
 * @param now epoch milliseconds
 */
export function retryDelaySeconds(
  options: ResolvedTaskOptions,
  failures: number,
  error: unknown,
  entropy: Entropy,
  now: number,
): number | undefined {
  if (failures >= options.maxAttempts || hopeless.some((kind) => kind.is(error))) return undefined
  if (RetryAfterError.is(error)) return boundedSeconds(askedSeconds(error, now))
  return boundedSeconds(backoffSeconds(options.backoff, failures, entropy.fraction()))
}

/** What the task asked for; never earlier than the moment that it named. What is neither number nor date is no wait. */
function askedSeconds({ delaySeconds, at }: RetryAfterError, now: number): number {
  if (at instanceof Date) return Math.ceil((at.getTime() - now) / 1000)
  return typeof delaySeconds === 'number' ? delaySeconds : 0
}

/**
 * Exponential back-off with full jitter: spread evenly from 0 to the bound, so that calls that failed together do
 * not come back together.
 */
export function backoffSeconds(backoff: Required<Backoff>, failures: number, fraction: number): number {
  const bound = Math.min(backoff.maxSeconds, backoff.baseSeconds * backoff.factor ** (failures - 1))
  return bound * fraction
}

function boundedSeconds(seconds: number): number {
  if (!(seconds > 0)) return 0
  return Math.round(Math.min(seconds, LIMITS.longDelaySeconds))
}
