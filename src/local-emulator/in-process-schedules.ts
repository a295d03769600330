/**
 * One-time schedules in this process. Each fires at the beginning of its minute, which is as early as EventBridge
 * Scheduler may.
 * @module
 */
import type { Clock, Timer } from '../runtime/clock.ts'
import { firingOf, type OneTimeSchedule, type OneTimeSchedules } from '../runtime/one-time-schedules.ts'
import type { Queue } from '../runtime/queue.ts'

/** What it needs. */
export interface InProcessSchedulesOptions {
  readonly clock: Clock
  /** Where messages go; as on AWS, it is not the sender who sends. */
  readonly queue: Pick<Queue, 'send'>
  /** Told where a message could not be sent: on AWS it is sent again for hours, and is then a dead letter. */
  onUnsent?(schedule: OneTimeSchedule, error: unknown): void
}

/** The port, whose schedules can be looked into. */
export interface InProcessSchedules extends OneTimeSchedules {
  /** What has not fired yet, in the order in which it was made. */
  waiting(): readonly OneTimeSchedule[]
  /** Nothing fires any more. */
  stop(): void
}

interface Kept {
  readonly schedule: OneTimeSchedule
  readonly timer: Timer
}

/** Makes the port; there are no schedules yet. */
export function inProcessSchedules(options: InProcessSchedulesOptions): InProcessSchedules {
  const { clock, queue, onUnsent } = options
  const kept = new Map<string, Kept>()
  const fire = async (schedule: OneTimeSchedule, delaySeconds: number) => {
    // It deletes itself, whatever becomes of its message.
    kept.delete(schedule.name)
    try {
      const [result] = await queue.send(schedule.queue, [{ ...schedule.message, delaySeconds }])
      if (result !== undefined && 'error' in result) throw result.error
    } catch (error) {
      onUnsent?.(schedule, error)
    }
  }
  return {
    waiting: () => [...kept.values()].map(({ schedule }) => schedule),
    stop() {
      for (const { timer } of kept.values()) timer.cancel()
      kept.clear()
    },
    async create(schedule) {
      if (kept.has(schedule.name)) return
      const { minuteAt, delaySeconds } = firingOf(schedule.dueAt)
      // As a message that is delayed: what waits keeps no process alive.
      const timer = clock.setTimer(
        () => void fire(schedule, delaySeconds),
        Math.max(minuteAt - clock.now(), 0),
        {
          background: true,
        },
      )
      kept.set(schedule.name, { schedule, timer })
    },
    async delete(name) {
      kept.get(name)?.timer.cancel()
      kept.delete(name)
    },
  }
}
