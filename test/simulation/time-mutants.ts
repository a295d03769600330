/**
 * Breaks of due times, of expiry, and of waits that are longer than SQS can hide a message.
 * @module
 */
import { edit, type Mutant } from './mutant.ts'

const attempt = 'src/runtime/attempt/attempt.ts'
const longWait = 'src/runtime/attempt/long-wait.ts'
const oneTime = 'src/runtime/ports/one-time-schedules.ts'
const record = 'src/runtime/call/record.ts'
const scheduled = 'src/runtime/call/scheduled-call.ts'
const overlap = 'src/runtime/attempt/overlap.ts'

/** Breaks of the times of calls. */
export const timeMutants: readonly Mutant[] = [
  {
    name: 'the id of a run of a schedule is not made of its due time',
    edits: [
      edit(
        scheduled,
        'fields.id = scheduledCallId(schedule, seconds * 1000)',
        'fields.id = scheduledCallId(schedule, Math.floor(seconds / 60) * 60_000)',
      ),
    ],
  },
  {
    name: 'a run of a schedule begins while an earlier one waits for its retry',
    foundAtSeed: 619,
    edits: [
      edit(
        overlap,
        'if (isLive(earlier, now) && !isFinal(earlier.state)) return earlier',
        "if (isLive(earlier, now) && earlier.state === 'running') return earlier",
      ),
    ],
  },
  {
    name: 'two runs of a schedule take its row from the same one that is over',
    foundAtSeed: 445,
    edits: [
      edit(
        overlap,
        "holder === undefined ? ['owner', 'absent'] : ['owner', '=', holder]",
        "['owner', 'present']",
      ),
    ],
  },
  {
    name: 'an expired call is begun',
    edits: [
      edit(attempt, 'if (isPast(envelope.startBy, now)) {', 'if (isPast(undefined, now)) {'),
      edit(attempt, 'record.attempts === 1 && isPast(record.startBy,', 'isPast(undefined,'),
      edit(record, 'if (call.startBy !== undefined) {', 'if (call.startBy === 0) {'),
    ],
  },
  {
    name: 'a claim that took too long begins an expired call',
    foundAtSeed: 838,
    edits: [edit(attempt, 'record.attempts === 1 && isPast(record.startBy,', 'isPast(undefined,')],
  },
  {
    name: 'a call expires although an attempt has begun',
    edits: [
      edit(
        record,
        "      ['startBy', '<=', nowMs],\n      ['startedAt', 'absent'],\n",
        "      ['startBy', '<=', nowMs],\n",
      ),
    ],
  },
  {
    name: 'a message is acknowledged before its schedule is made',
    edits: [edit(longWait, 'const made = await persist(', 'const made = {}\n  void persist(')],
  },
  {
    name: 'a redelivery of a call that waits for hours is acknowledged without a schedule',
    edits: [
      edit(attempt, 'return waitInSchedule(environment, envelope, waiting, deadline)', 'return acknowledge'),
    ],
  },
  {
    name: 'what a schedule sends too early runs at once: the seconds that are left are dropped',
    edits: [
      edit(attempt, 'if (isEarly(envelope, now)) return hideUntil(ports, envelope.dueAt)', ''),
      edit(
        record,
        "all: [postponed, ['dueAt', '<=', now + PROTOCOL.dueToleranceSeconds * 1000]],",
        'all: [postponed],',
      ),
      edit(oneTime, 'delaySeconds: Math.floor((latestAt - minuteAt) / 1000) }', 'delaySeconds: 0 }'),
    ],
  },
  {
    name: 'without a record, what a schedule sends too early runs at once',
    edits: [edit(attempt, 'if (isEarly(envelope, now)) return hideUntil(ports, envelope.dueAt)', '')],
  },
]
