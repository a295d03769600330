/**
 * Troubles: what fails again and again, said once when it begins, changes and ends. A worker whose queue is gone polls
 * it for days.
 * @module
 */
import { AccessDeniedError, ResourceNotFoundError } from '../runtime/errors.ts'
import type { Log } from '../runtime/log.ts'

/** The troubles of one process. */
export interface Troubles {
  /** It failed; logged where it did not fail like that the last time. */
  arise(what: string, error: unknown): void
  /** It worked; logged where it failed the last time. */
  over(what: string): void
}

/** Makes the troubles of one process; `what` names a thing that is done over and over: `polling queue "reports"`. */
export function createTroubles(log: Log): Troubles {
  const present = new Map<string, string>()
  return {
    arise(what, error) {
      const kind = kindOf(error)
      if (present.get(what) === kind) return
      present.set(what, kind)
      const isForPeople = AccessDeniedError.is(error) || ResourceNotFoundError.is(error)
      log(isForPeople ? 'error' : 'warn', `${what} fails; tried again until it works`, { error })
    },
    over(what) {
      if (present.delete(what)) log('info', `${what} works again`)
    },
  }
}

/** By name: messages may hold the id of the request, which is another each time. */
function kindOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}
