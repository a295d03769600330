/**
 * What to do with a message, once its attempt is over.
 * @module
 */

import { LIMITS } from '../config/config.ts'
import type { Ports } from '../ports/backend.ts'

/**
 * What to do with the message: delete it, or leave it in the queue, hidden for so long from now (`undefined`: as
 * long as it is).
 */
export type Settlement =
  | { readonly acknowledge: true }
  | { readonly acknowledge: false; readonly hideSeconds: number | undefined }

/** Delete it. */
export const acknowledge: Settlement = { acknowledge: true }

/** Leave it, hidden for so many seconds; `undefined`: for as long as it is. */
export function hide(seconds: number | undefined): Settlement {
  return { acknowledge: false, hideSeconds: seconds }
}

/** A message that is hidden until `untilMs` comes back no earlier than that: SQS counts in whole seconds. */
export function hideUntil(ports: Ports, untilMs: number): Settlement {
  const seconds = Math.ceil((untilMs - ports.clock.now()) / 1000)
  return hide(Math.min(Math.max(seconds, 0), LIMITS.backoffSeconds))
}
