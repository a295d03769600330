/**
 * What the routes of `errand/hono` answer, as the JSON it is. Declared here, where a page can have it for nothing.
 * @module
 */

/** The states of a call; the last three are final. */
export type CallStateName =
  | 'pending'
  | 'scheduled'
  | 'running'
  | 'retrying'
  | 'succeeded'
  | 'failed'
  | 'cancelled'

/** A call at one moment. Times are ISO 8601. */
export interface CallStatus {
  readonly id: string
  readonly task: string
  readonly state: CallStateName
  /** Why it failed, where `state` is `failed`. */
  readonly reason?: string
  /** What the task last reported, as JSON; `null` before it does. */
  readonly progress: unknown
  /** How often it was begun. */
  readonly attempts: number
  readonly createdAt: string
  /** When it may run (again). */
  readonly dueAt: string
  readonly startedAt?: string
  readonly finishedAt?: string
}

/** The calls of a `map` at one moment. */
export interface GroupStatus {
  readonly id: string
  /** `failed` once all have ended and one of them failed, else `cancelled` where one was cancelled. */
  readonly state: 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled'
  /** 0–1: what has ended, and the part done of what reports `{ done, total }` or a number from 0 to 1. */
  readonly progress: number
  /** How many calls it has. */
  readonly calls: number
  /** How many of them are in each state; states that none is in are left out. */
  readonly counts: Readonly<Partial<Record<CallStateName, number>>>
}

/** How a call ended. */
export type CallResult<Value = unknown, Task extends string = string> =
  | { readonly id: string; readonly task: Task; readonly state: 'succeeded'; readonly value: Value }
  | {
      readonly id: string
      readonly task: Task
      readonly state: 'failed'
      readonly reason: string
      readonly attempts: number
      /** What the app says of the error to those who may see the call; nothing unless it does. */
      readonly message?: string
    }
  | { readonly id: string; readonly task: Task; readonly state: 'cancelled' }

/** How the calls of a `map` ended, in the order of its arguments. */
export interface GroupResult<Value = unknown, Task extends string = string> {
  readonly id: string
  readonly calls: readonly CallResult<Value, Task>[]
}
