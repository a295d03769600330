/**
 * Forgets what expired.
 * @module
 */

/** Entries looked at per write: more than a write can add, so that the sweep gets round. */
const SWEPT_PER_WRITE = 2

/**
 * Drops what expired, a few entries at a time: as DynamoDB's TTL it comes late, and unlike a full sweep it never
 * pauses the process.
 */
export function sweeper<T extends { readonly expiresAtSeconds: number }>(
  entries: Map<string, T>,
  keyOf: (entry: T) => string,
): (nowMs: number) => void {
  let iterator = entries.values()
  return (nowMs) => {
    for (let looked = 0; looked < SWEPT_PER_WRITE; looked++) {
      const { done, value } = iterator.next()
      if (done) {
        iterator = entries.values()
        return
      }
      if (value.expiresAtSeconds * 1000 <= nowMs) entries.delete(keyOf(value))
    }
  }
}
