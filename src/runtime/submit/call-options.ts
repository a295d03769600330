/**
 * What the sender of a call decides: its queue, its times, its key, its tenant.
 * @module
 */
import { type CallTimes, checkCallTimes } from '../call/call-times.ts'
import { tenantForm } from '../call/envelope.ts'
import { followUpForm } from '../call/follow-up-id.ts'
import { LIMITS, type ResolvedConfig, type ResolvedQueue } from '../config/config.ts'
import { showValue } from '../config/nearest-name.ts'
import { checkKeys } from '../config/option-checks.ts'
import { InvalidOptionError } from '../errors.ts'
import type { AnyFunction } from '../task.ts'

/** What the sender of a call decides. */
export interface CallOptions<Queue extends string = string> extends CallTimes {
  /** Where it is sent. @default the task's route, else the config's first queue */
  readonly queue?: Queue
  /**
   * The same key of the same task (and tenant) is the same call, for as long as its record lives: a second submit
   * gets the first one's future, a failed one included. 1–256 characters; refused by `map`. @default none
   */
  readonly idempotencyKey?: string
  /**
   * Whose call it is: tenants share a queue fairly (SQS's fair queues), and on a FIFO queue each is a group of its own.
   * @default none
   */
  readonly tenant?: string
  /**
   * The task that is submitted with the value once the call has succeeded, as the call `<id>:then`; a client names it.
   * Never lost, never run for the same end twice (as a call; at least once as an execution). Its queue is its route's.
   * @default none
   */
  readonly then?: FollowUp
  /**
   * The task that is submitted with the error once the call has failed, as the call `<id>:catch`. Not when cancelled.
   * @default none
   */
  readonly catch?: FollowUp
  /** The id of an earlier submit that ended in `SubmitUncertainError`: try again without a second call. @default a new one */
  readonly id?: string
}

/** A task that follows another: a registered function, or its name where a client sends. */
export type FollowUp = AnyFunction | string

/** One object for all calls without options, so that the hot path need not look into it. */
export const NO_OPTIONS: CallOptions = Object.freeze({})

const optionNames = [
  ...['queue', 'delaySeconds', 'at', 'expiresInSeconds', 'expiresAt'],
  ...['idempotencyKey', 'tenant', 'then', 'catch', 'id'],
] as const

const idForm = /^[A-Za-z0-9_:-]{1,100}$/

/**
 * Refuses what is no options object, and options that do not exist.
 * @throws InvalidOptionError
 */
export function checkOptionNames(options: CallOptions): void {
  checkKeys('the options of a call', options, optionNames)
}

/**
 * Checks what a sender says of a call to `queue`.
 * @param now epoch milliseconds
 * @throws InvalidOptionError
 */
export function checkCallOptions(
  config: ResolvedConfig,
  queue: ResolvedQueue,
  options: CallOptions,
  now: number,
): void {
  const { idempotencyKey, tenant, id } = options
  checkCallTimes(config, queue, options, now)
  if (tenant !== undefined && (typeof tenant !== 'string' || !tenantForm.test(tenant))) {
    throw new InvalidOptionError(
      `\`tenant\` is ${showValue(tenant)}, expected 1–${LIMITS.tenantLength} letters, digits and ASCII punctuation (SQS's MessageGroupId)`,
    )
  }
  if (id !== undefined && (typeof id !== 'string' || !idForm.test(id) || followUpForm.test(id))) {
    throw new InvalidOptionError(`\`id\` is ${showValue(id)}, expected the id of an earlier submit`)
  }
  if (idempotencyKey === undefined) return
  if (typeof idempotencyKey !== 'string' || idempotencyKey === '' || idempotencyKey.length > 256) {
    throw new InvalidOptionError(
      `\`idempotencyKey\` is ${showValue(idempotencyKey)}, expected a text of 1–256 characters`,
    )
  }
  if (id !== undefined) throw new InvalidOptionError('a call has an `id` or an `idempotencyKey`, not both')
  if (config.record === 'on-claim') {
    throw new InvalidOptionError(
      "`idempotencyKey` needs a record at submit; the config says record: 'on-claim', use 'on-submit'",
    )
  }
}
