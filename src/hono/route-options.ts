/**
 * The options of the task routes, and their checks.
 * @module
 */
import type { Context, Env } from 'hono'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { showValue } from '../runtime/config/nearest-name.ts'
import { checkFunction, checkKeys, checkNumber } from '../runtime/config/option-checks.ts'
import { InvalidOptionError } from '../runtime/errors.ts'
import type { declaredTypes, Executor } from '../runtime/executor.ts'

/** An executor or a client: what holds futures by id. */
export interface CallSource extends Pick<Executor, 'future' | 'group'> {
  readonly [declaredTypes]?: { readonly tasks: unknown; readonly config: unknown }
}

/** Who owns a call, and what is asked of it. */
export interface RequestedCall {
  readonly action: 'read' | 'cancel' | 'abort'
  /** The call's id, or the group's. */
  readonly id: string
  /** The task's name. */
  readonly task: string
  /** What `with({ tenant })` said when it was submitted. */
  readonly tenant: string | undefined
}

/** Options of `taskRoutes`. */
export interface TaskRoutesOptions<E extends Env> {
  /**
   * Whether the caller may do this to this call: `true` lets it through, anything else answers as if the call were not
   * there, and so does an HTTPException. Asked once a call was found, and of a group once.
   */
  readonly authorize: (call: RequestedCall, c: Context<E>) => boolean | Promise<boolean>
  /** What the caller reads of the error of a call that failed. @default nothing but the reason */
  readonly describeError?: (error: Error, call: RequestedCall) => string | undefined
  /** Told of errors whose details the client does not get. @default console.error */
  readonly onError?: (error: Error, c: Context<E>) => unknown
  /**
   * Ends an event stream after so many seconds; the client goes on with another. On Lambda it ends a second before the
   * function's time does, where that is sooner. 0 sends the status and ends. @default 60
   */
  readonly maxStreamSeconds?: number
  /** Event streams that may be open at once in a process; one more is told to come again. @default 1000 */
  readonly maxStreams?: number
  /** Calls of the largest group that is answered for: each look at it reads them all. @default 1000 */
  readonly maxGroupCalls?: number
  /** Time for event streams; tests give `virtualClock()`. @default the system's */
  readonly clock?: Clock
}

/** The options with their defaults. */
export type RouteSettings<E extends Env> = Required<TaskRoutesOptions<E>>

const names = [
  'authorize',
  'describeError',
  'onError',
  'maxStreamSeconds',
  'maxStreams',
  'maxGroupCalls',
  'clock',
] as const

/**
 * Checks what `taskRoutes` was given.
 * @throws InvalidOptionError
 */
export function checkRouteOptions<E extends Env>(
  source: unknown,
  given: TaskRoutesOptions<E>,
): RouteSettings<E> {
  const { future, group } = (source ?? {}) as Partial<CallSource>
  if (typeof future !== 'function' || typeof group !== 'function') {
    throw new InvalidOptionError(`taskRoutes takes an executor or a client, got ${showValue(source)}`)
  }
  checkKeys('the options of taskRoutes', given, names)
  if (typeof given.authorize !== 'function') {
    throw new InvalidOptionError(
      `taskRoutes: \`authorize\` is ${showValue(given.authorize)}, expected a function: without one anybody could read and cancel any call whose id they hold. Where they may, say so: authorize: () => true`,
    )
  }
  const whole = (name: 'maxStreams' | 'maxGroupCalls', min: number, fallback: number) =>
    checkNumber(`taskRoutes: \`${name}\``, given[name], { min, max: 100_000, whole: true }, fallback)
  return {
    authorize: given.authorize,
    describeError: checkFunction('taskRoutes: `describeError`', given.describeError ?? (() => undefined)),
    onError: checkFunction('taskRoutes: `onError`', given.onError ?? ((error) => console.error(error))),
    maxStreamSeconds: checkNumber(
      'taskRoutes: `maxStreamSeconds`',
      given.maxStreamSeconds,
      { min: 0, max: 3600 },
      60,
    ),
    maxStreams: whole('maxStreams', 0, 1000),
    maxGroupCalls: whole('maxGroupCalls', 1, 1000),
    clock: given.clock ?? systemClock,
  }
}
