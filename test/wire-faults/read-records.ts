/**
 * Reads what lies in a store at the end of a test.
 * @module
 */
import type { CallRecord } from '../../src/runtime/call/record.ts'
import { LIMITS } from '../../src/runtime/config/config.ts'
import type { Store } from '../../src/runtime/ports/store.ts'

/** The records of these ids, a request at a time: of a hundred at once some fail to connect in time on a loaded machine. */
export async function readRecords(
  store: Store,
  ids: readonly string[],
): Promise<readonly (CallRecord | undefined)[]> {
  const records: (CallRecord | undefined)[] = []
  for (let from = 0; from < ids.length; from += LIMITS.readBatch) {
    records.push(...(await store.read(ids.slice(from, from + LIMITS.readBatch), { consistent: true })))
  }
  return records
}
