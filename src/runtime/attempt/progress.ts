/**
 * Progress writes of one attempt: one at a time, the newest value last.
 * @module
 */

import { progressChange } from '../call/record.ts'
import type { Codec } from '../codec/codec.ts'
import { LIMITS } from '../config/config.ts'
import { PayloadTooLargeError } from '../errors.ts'
import type { Ports } from '../ports/backend.ts'
import { heed, leaseLost, type WatchedAttempt } from './marks.ts'

/** Records a progress value. */
export type ReportProgress = (value: unknown) => Promise<void>

/**
 * Makes an attempt's `progress`. While a write is under way the newest value waits, and those before it are
 * skipped: a loop that reports at every step costs what the store can take.
 */
export function createProgress(ports: Ports, codec: Codec, attempt: WatchedAttempt): ReportProgress {
  let writing: Promise<void> | undefined
  let waiting: { text: string; written: Promise<void> } | undefined
  let number = 0
  const write = async (text: string) => {
    const answer = await ports.store.update(attempt.id, progressChange(attempt.owner, text, ++number))
    if (answer.written) {
      heed(answer.record, attempt)
      return
    }
    const reason = leaseLost(attempt.id)
    attempt.abort(reason)
    throw reason
  }
  return (value) => {
    const text = encodeProgress(codec, value)
    if (waiting !== undefined) {
      waiting.text = text
      return waiting.written
    }
    if (writing === undefined) {
      writing = write(text).finally(() => {
        writing = undefined
      })
      return writing
    }
    const next = { text, written: Promise.resolve() }
    waiting = next
    const start = () => {
      waiting = undefined
      writing = write(next.text).finally(() => {
        writing = undefined
      })
      return writing
    }
    next.written = writing.then(start, start)
    return next.written
  }
}

function encodeProgress(codec: Codec, value: unknown): string {
  const text = codec.encode(value, 'progress')
  const bytes = Buffer.byteLength(text)
  if (bytes <= LIMITS.progressBytes) return text
  throw new PayloadTooLargeError(
    `the progress has ${bytes} bytes, at most ${LIMITS.progressBytes}: every write of the record is billed by its size; report numbers, and store the rest elsewhere`,
  )
}
