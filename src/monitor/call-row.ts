/**
 * A call as lists show it, and as their JSON says it: never its arguments or its result.
 * @module
 */

import type { CallState, FailureReason } from '../runtime/call/record.ts'
import { shareOf } from '../runtime/future/progress-share.ts'
import type { InspectedCall } from '../runtime/operations/call-listing.ts'
import { runOf, waitOf } from './figures.ts'
import { HIDDEN, type Redactor } from './redaction.ts'
import { valueText, visible } from './shown-text.ts'

/** One call of a list. Times are ISO, in UTC. */
export interface CallRow {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly state: CallState
  readonly reason?: FailureReason
  readonly tenant?: string
  readonly parent?: string
  readonly attempts: number
  readonly failures: number
  readonly kills: number
  readonly createdAt: string
  readonly dueAt: string
  readonly startedAt?: string
  readonly finishedAt?: string
  /** From due to begun, of the last attempt. */
  readonly waitMilliseconds?: number
  /** How long the last attempt ran. */
  readonly runMilliseconds?: number
  /** Name and message of the last failure. */
  readonly lastError?: string
  /** Why somebody asked it to stop, where somebody did. */
  readonly abortReason?: string
  /** What the task last reported, as text. */
  readonly progress?: string
  /** The same as a share from 0 to 1, where it is one. */
  readonly progressShare?: number
}

/** The row of a call. */
export function callRow(call: InspectedCall, redactor: Redactor): CallRow {
  const { id, task, queue, state, reason, tenant, parent, lastError, abortReason } = call
  const time = (name: string, at: Date | undefined) => (at === undefined ? {} : { [name]: at.toISOString() })
  const times = {
    ...{ state, dueAt: call.dueAt.getTime() },
    ...{ startedAt: call.startedAt?.getTime(), finishedAt: call.finishedAt?.getTime() },
  }
  const [waited, ran] = [waitOf(times), runOf(times)]
  return {
    ...{ id, task, queue, state, attempts: call.attempts, failures: call.failures, kills: call.kills },
    createdAt: call.createdAt.toISOString(),
    dueAt: call.dueAt.toISOString(),
    ...time('startedAt', call.startedAt),
    ...time('finishedAt', call.finishedAt),
    ...(reason !== undefined && { reason }),
    ...(tenant !== undefined && { tenant }),
    ...(parent !== undefined && { parent }),
    ...(abortReason !== undefined && { abortReason: visible(abortReason) }),
    ...(waited !== undefined && { waitMilliseconds: waited }),
    ...(ran !== undefined && { runMilliseconds: ran }),
    ...(lastError !== undefined && { lastError: shownError(lastError, task, redactor) }),
    ...progressOf(call, redactor),
  }
}

/** With payloads hidden, the error's name remains: that is no data. */
/** What a call failed with, as far as its task may be shown. */
export function shownError(text: string, task: string, redactor: Redactor): string {
  if (redactor.hidesAll(task)) return /^[A-Za-z_$][\w$.]{0,99}(?=:|$)/.exec(text)?.[0] ?? 'Error'
  return visible(redactor.text(task, text))
}

function progressOf(
  { task, progress }: InspectedCall,
  redactor: Redactor,
): Pick<CallRow, 'progress' | 'progressShare'> {
  if (progress === undefined) return {}
  const share = shareOf(progress)
  return {
    progress: redactor.hidesAll(task) ? HIDDEN : valueText(redactor.value(task, progress)),
    ...(share !== undefined && { progressShare: share }),
  }
}
