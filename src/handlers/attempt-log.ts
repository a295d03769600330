/**
 * The log of attempts: one line each, with what is needed to find a call, never with what it was given or gave.
 * @module
 */
import type { AttemptOutcome, AttemptReport, Observe } from '../runtime/attempt/attempt-report.ts'
import type { LogLevel } from '../runtime/config/config.ts'
import type { Log } from '../runtime/log.ts'

/** What asks for somebody's attention is louder than what goes on by itself. */
const levels: Readonly<Record<AttemptOutcome, LogLevel>> = {
  succeeded: 'info',
  cancelled: 'info',
  retrying: 'warn',
  killed: 'warn',
  lost: 'warn',
  unwritten: 'warn',
  failed: 'error',
}

/** Writes a line for each attempt. */
export function createAttemptLog(log: Log): Observe {
  return (report: AttemptReport) =>
    log(levels[report.outcome], `attempt ${report.outcome}`, report as unknown as Record<string, unknown>)
}
