/**
 * Writes that are tried for as long as an environment lives.
 * @module
 */

import { delay } from '../clock.ts'
import { isCertain } from '../ports/certain-refusal.ts'
import type { Environment } from './attempt.ts'

/** The first wait between tries of a write that fails, which doubles up to the last. */
export const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 2000

/**
 * Tries a write for as long as the environment lives: the work is done, and only this write can say so. `undefined`
 * where time ran out; the call then runs again.
 * @param what it is that is written, for the log. @default 'the end of an attempt'
 */
export function persist<Answer extends object | true>(
  environment: Environment,
  id: string,
  deadline: number,
  write: () => Promise<Answer>,
  what?: string,
): Promise<Answer | undefined> {
  return write().catch((error: unknown) => persistAgain(environment, id, deadline, write, error, what))
}

/** The same of a write that was tried before, and failed with `firstError`. */
export async function persistAgain<Answer extends object | true>(
  environment: Environment,
  id: string,
  deadline: number,
  write: () => Promise<Answer>,
  firstError: unknown,
  what = 'the end of an attempt',
): Promise<Answer | undefined> {
  const { ports, log } = environment
  let error = firstError
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, LAST_RETRY_MS)) {
    // What a missing grant or table refuses will be refused again; the call runs again when that is mended.
    if (isCertain(error) || ports.clock.now() + waitMs > deadline) {
      log('error', `${what} could not be written`, { id, error })
      return undefined
    }
    await delay(ports.clock, waitMs)
    try {
      return await write()
    } catch (again) {
      error = again
    }
  }
}
