/**
 * Fires schedules, as EventBridge Scheduler does: sends each one's message when it is due, once for each due time, by
 * whichever clock it is given. What was due while nothing ran is not made up for.
 * @module
 */

import { messageDueAt, scheduledCallId } from '../runtime/call/scheduled-call.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { ResolvedConfig, ResolvedSchedule } from '../runtime/config/config.ts'
import type { Entropy } from '../runtime/entropy.ts'
import type { OutgoingMessage, Queue } from '../runtime/ports/queue.ts'
import type { Schedules } from '../runtime/ports/schedules.ts'
import { timesOf } from '../runtime/schedules/check-schedules.ts'
import type { DueTimes } from '../runtime/schedules/cron-times.ts'

/** What fires, and how. */
export interface ScheduleFiringOptions {
  readonly config: Pick<ResolvedConfig, 'queues'>
  readonly schedules: Iterable<ResolvedSchedule>
  readonly clock: Clock
  readonly entropy: Pick<Entropy, 'fraction'>
  readonly queue: Pick<Queue, 'send'>
  /** Asked before each firing whether the schedule is paused. */
  readonly states: Pick<Schedules, 'isEnabled'>
  /** Told of a firing that could not be sent, when it is given up. @default nobody */
  onUnsent?(schedule: ResolvedSchedule, error: unknown): void
}

/** Schedules that fire. */
export interface ScheduleFiring {
  /** Nothing fires any more. */
  stop(): void
}

/** How long SQS's refusals are borne: EventBridge Scheduler tries for hours, and more often the sooner. */
const TRIES = 12
const FIRST_WAIT_MS = 1000
const LAST_WAIT_MS = 60_000

/**
 * Starts to fire.
 * @throws InvalidOptionError where a schedule has no due time, or a zone that nobody knows
 */
export function startSchedules(options: ScheduleFiringOptions): ScheduleFiring {
  const timers = new Set<Timer>()
  let isStopped = false
  const after = (delayMs: number, task: () => void) => {
    if (isStopped) return
    const fire = () => {
      timers.delete(timer)
      task()
    }
    const timer: Timer = options.clock.setTimer(fire, delayMs, { background: true, endless: true })
    timers.add(timer)
  }
  const { clock, entropy } = options
  const arm = (schedule: ResolvedSchedule, times: DueTimes, afterMs: number) => {
    const dueAt = times.next(afterMs)
    if (dueAt === undefined) return
    const jitterMs = Math.floor(entropy.fraction() * schedule.jitterMinutes * 60_000)
    const wait = () => {
      // A timer keeps its own time: where the clock was set back meanwhile, it is early.
      const leftMs = dueAt + jitterMs - clock.now()
      if (leftMs > 0) return after(leftMs, wait)
      void fire(options, schedule, dueAt, after)
      arm(schedule, times, Math.max(dueAt, clock.now() - schedule.jitterMinutes * 60_000))
    }
    wait()
  }
  const armed = [...options.schedules].map((schedule) => ({ schedule, times: timesOf(schedule) }))
  for (const { schedule, times } of armed) arm(schedule, times, clock.now())
  return {
    stop() {
      isStopped = true
      for (const timer of timers) timer.cancel()
    },
  }
}

async function fire(
  options: ScheduleFiringOptions,
  schedule: ResolvedSchedule,
  dueAt: number,
  after: (delayMs: number, task: () => void) => void,
  tries = 1,
  isAllowed = false,
): Promise<void> {
  let isDue = isAllowed
  try {
    // Once, until it is answered: what was fired before a pause is still sent.
    isDue ||= (await options.states.isEnabled(schedule)) === true
    if (!isDue) return
    const message = messageOf(options.config, schedule, dueAt)
    const [result] = await options.queue.send(schedule.queue, [message])
    if (result !== undefined && 'error' in result) throw result.error
  } catch (error) {
    if (tries === TRIES) return options.onUnsent?.(schedule, error)
    const waitMs = Math.min(FIRST_WAIT_MS * 2 ** (tries - 1), LAST_WAIT_MS)
    after(waitMs, () => void fire(options, schedule, dueAt, after, tries + 1, isDue))
  }
}

/** On a FIFO queue, one of the group of calls without a tenant. */
function messageOf(
  { queues }: Pick<ResolvedConfig, 'queues'>,
  { name, queue, body }: ResolvedSchedule,
  dueAt: number,
): OutgoingMessage {
  const message = { body: messageDueAt(body, dueAt) }
  if (queues.get(queue)?.fifo !== true) return message
  return { ...message, groupId: 'default', deduplicationId: scheduledCallId(name, dueAt) }
}
