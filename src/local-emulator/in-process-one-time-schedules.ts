/**
 * One-time schedules in this process. Each fires at the beginning of its minute, which is as early as EventBridge
 * Scheduler may; what the queue does not take is sent again every minute for six hours, and is then a dead letter.
 * @module
 */
import type { Clock, Timer } from '../runtime/clock.ts'
import { deadLettersOf } from '../runtime/config/dead-letter-names.ts'
import { firingOf, type OneTimeSchedule, type OneTimeSchedules } from '../runtime/ports/one-time-schedules.ts'
import type { OutgoingMessage, Queue } from '../runtime/ports/queue.ts'

/** What it needs. */
export interface InProcessSchedulesOptions {
  readonly clock: Clock
  /** Where messages go, dead letters too: as on AWS, it is not the sender who sends. */
  readonly queue: Pick<Queue, 'send'>
}

/** The port, whose schedules can be looked into. */
export interface InProcessSchedules extends OneTimeSchedules {
  /** What has not been sent yet, in the order in which it was made. */
  waiting(): readonly OneTimeSchedule[]
  /** When the next of them fires, in epoch milliseconds; `undefined` where there is none. */
  nextAt(): number | undefined
  /** Nothing fires any more. */
  stop(): void
}

interface Kept {
  readonly schedule: OneTimeSchedule
  firesAt: number
  timer: Timer
}

/** When what could not be sent is sent again, and for how long. */
const RETRY_MS = 60_000
const RETRIED_MS = 6 * 3_600_000

/** Makes the port; there are no schedules yet. */
export function inProcessOneTimeSchedules({ clock, queue }: InProcessSchedulesOptions): InProcessSchedules {
  const kept = new Map<string, Kept>()

  const send = async (name: string, message: OutgoingMessage) => {
    const [result] = await queue.send(name, [message])
    if (result !== undefined && 'error' in result) throw result.error
  }

  const fire = async (entry: Kept) => {
    const { schedule } = entry
    const { minuteAt, delaySeconds } = firingOf(schedule.dueAt)
    try {
      await send(schedule.queue, { ...schedule.message, delaySeconds })
    } catch {
      if (clock.now() < minuteAt + RETRIED_MS) return setTimer(entry, RETRY_MS)
      // Where not even that is possible, the call waits for somebody to retry it.
      await send(deadLettersOf(schedule.queue), { body: schedule.message.body }).catch(() => {})
    }
    // It deletes itself; one that was deleted and made again meanwhile is another.
    if (kept.get(schedule.name) === entry) kept.delete(schedule.name)
  }

  const setTimer = (entry: Kept, delayMs: number) => {
    entry.firesAt = clock.now() + delayMs
    // As a message that is delayed: what waits keeps no process alive.
    entry.timer = clock.setTimer(() => void fire(entry), delayMs, { background: true })
  }

  return {
    waiting: () => [...kept.values()].map(({ schedule }) => schedule),
    nextAt: () =>
      kept.size === 0 ? undefined : Math.min(...[...kept.values()].map(({ firesAt }) => firesAt)),
    stop() {
      for (const { timer } of kept.values()) timer.cancel()
      kept.clear()
    },
    async create(schedule) {
      if (kept.has(schedule.name)) return
      const entry = { schedule, firesAt: 0, timer: { cancel: () => {} } }
      kept.set(schedule.name, entry)
      setTimer(entry, Math.max(firingOf(schedule.dueAt).minuteAt - clock.now(), 0))
    },
    async delete(name) {
      kept.get(name)?.timer.cancel()
      kept.delete(name)
    },
  }
}
