/**
 * The store port: records, written under conditions. The state machine is `record.ts`'s; a store only has to
 * apply a condition and a change as one atomic step. `test/conformance` holds every implementation to it.
 * @module
 */
import type { CallRecord } from '../call/record.ts'

/** A field of a record. */
export type Field = keyof CallRecord

/**
 * What must hold of the stored record. A comparison with a field that is not there is false; `absent` is true of
 * every field where there is no record (`['id', 'absent']` says that there is none).
 */
export type Condition =
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | readonly [field: Field, test: 'absent' | 'present']
  | readonly [field: Field, test: '=', value: string | number]
  | readonly [field: Field, test: 'in', values: readonly (string | number)[]]
  | readonly [field: Field, test: '<' | '<=' | '>', value: number]

/**
 * One atomic change of a record. `set` wins over `initial`; a field is never both written and removed, which DynamoDB
 * refuses.
 */
export interface Change {
  readonly when: Condition
  readonly set: Partial<CallRecord>
  /** Written only where the record does not have the field: what a claim needs to make a record that is not there. */
  readonly initial?: Partial<CallRecord>
  /** Counters that go up by one, from 0 where absent. */
  readonly increment?: readonly ('attempts' | 'failures')[]
  readonly remove?: readonly Field[]
}

/** Whether a write took place: the record as it is now, or the one that stood in the way (`undefined`: none). */
export type Written =
  | { readonly written: true; readonly record: CallRecord }
  | { readonly written: false; readonly existing: CallRecord | undefined }

/** How to read. */
export interface ReadOptions {
  /** See every write that was acknowledged before. @default false: half the price, may lag by a moment */
  readonly consistent?: boolean
}

/** A place in the listing of calls. */
export interface ListingPosition {
  readonly id: string
  /** Epoch milliseconds. */
  readonly createdAt: number
}

/** Which stretch of the listing to read. */
export interface ListingStretch {
  readonly queues: readonly string[]
  /** Calls made from this time, epoch milliseconds, up to `untilMs`, both included. */
  readonly sinceMs: number
  readonly untilMs: number
  /** Only what comes after this position: older calls. */
  readonly after?: ListingPosition
  /** How many at most. */
  readonly limit: number
}

/** A stretch of the listing. */
export interface Listed {
  /** The newest first, by `compareListed`. */
  readonly entries: readonly ListingPosition[]
  /** Whether it is sure that nothing comes after the last of them. */
  readonly isComplete: boolean
}

/** A row that is of no call: a worker process's heartbeat, a paused queue. */
export interface Notice {
  /** At most 512 bytes. A notice replaces the one of the same key. */
  readonly key: string
  /** At most 32 KiB. */
  readonly text: string
  readonly expiresAtSeconds: number
}

/** How many notices are read at most: the first by their keys. */
export const MAX_NOTICES = 1000

/** Where records live. */
export interface Store {
  /**
   * The records of these ids, in their order, `undefined` where there is none. Records whose time is over may
   * still be among them (DynamoDB deletes late): readers filter with `isLive`.
   */
  read(ids: readonly string[], options?: ReadOptions): Promise<readonly (CallRecord | undefined)[]>
  /** Writes the whole record, nothing of an older one remaining, if `when` holds of what is there; nobody changes it later. */
  put(record: CallRecord, when: Condition): Promise<Written>
  /** Applies `change` to the record of this id; makes one where the condition holds of an absent record. */
  update(id: string, change: Change): Promise<Written>
  /**
   * Keeps a result that is too large for the record; unconditional, since `owner` is of one attempt only.
   * @throws ResultTooLargeError over `LIMITS.resultBytes`
   */
  putResult(id: string, owner: string, result: string, expiresAtSeconds: number): Promise<void>
  /** The result that `putResult` kept. */
  readResult(id: string, owner: string): Promise<string | undefined>
  /**
   * Keeps the message of a call that is about to fail, for a retry by hand; unconditional, since a call's messages
   * are the same but for their times.
   * @throws ResultTooLargeError over `LIMITS.resultBytes`
   */
  putMessage(id: string, body: string, expiresAtSeconds: number): Promise<void>
  /** The message that `putMessage` kept. */
  readMessage(id: string): Promise<string | undefined>
  /**
   * The ids of this queue's failed calls that ended from `sinceMs` up to `untilMs`, both included, in no order. What
   * failed a moment ago may be missing, and what was retried since may be among them.
   */
  failed(queue: string, sinceMs: number, untilMs: number): AsyncIterable<string>
  /**
   * Reads the listing, newest first; it holds what was written with a queue and a time of creation. What was written a
   * moment ago may be missing, and what expired may be among it.
   */
  list(stretch: ListingStretch): Promise<Listed>
  /** Leaves a notice, whatever was there. */
  putNotice(notice: Notice): Promise<void>
  /** All notices in the order of their keys, `MAX_NOTICES` of them at most; those whose time is over may be among them. */
  notices(): Promise<readonly Notice[]>
  /**
   * Where the store can tell: calls `listener` after every write, until the returned function is called. Waiting
   * then costs no reads.
   */
  watch?(listener: (record: CallRecord) => void): () => void
  /** Where the store is in this process: the record as it is now, without a promise. Goes with `watch`. */
  peek?(id: string): CallRecord | undefined
}
