/**
 * What all viewers of one monitor share: a value is read again once it is old, by one of them, whatever their number.
 * @module
 */

/** A value, and when it was read. */
export interface Reading<Value> {
  readonly value: Value
  /** Epoch milliseconds. */
  readonly readAt: number
}

/** A shared value. */
export interface Shared<Value> {
  /** Gives what was read in the last `maxAgeMs`, or reads it. */
  get(now: number, maxAgeMs: number): Promise<Reading<Value>>
  /** Has the next `get` read again: somebody has just changed what was read. */
  forget(): void
}

/** Shares what `read` gives. A failure is shared as long: a store that is down is not asked more often than one that is up. */
export function shared<Value>(read: () => Promise<Value>): Shared<Value> {
  let reading: Promise<Reading<Value>> | undefined
  let begunAt = Number.NEGATIVE_INFINITY
  let isSettled = true
  let isForgotten = false
  return {
    get(now, maxAgeMs) {
      if (reading !== undefined && !isForgotten && (!isSettled || now - begunAt < maxAgeMs)) return reading
      // What was begun before somebody acted does not know of it. Never two at once: a reader keeps what it has read.
      const value = isForgotten && !isSettled && reading !== undefined ? reading.then(read, read) : read()
      begunAt = now
      isSettled = false
      isForgotten = false
      const begun = value.then((found) => ({ value: found, readAt: now }))
      reading = begun
      const settle = () => {
        if (reading === begun) isSettled = true
      }
      begun.then(settle, settle)
      return begun
    },
    forget() {
      isForgotten = true
    },
  }
}
