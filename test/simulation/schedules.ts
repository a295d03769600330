/**
 * EventBridge Scheduler: it fires within a minute, sometimes much later, sometimes twice. Names are known for as long as a
 * schedule has not fired.
 * @module
 */

import { messageDueAt } from '../../src/runtime/call/scheduled-call.ts'
import {
  firingOf,
  type OneTimeSchedule,
  type OneTimeSchedules,
} from '../../src/runtime/ports/one-time-schedules.ts'
import { acceptMessage } from './faulty-queue.ts'
import { request, strikes } from './request.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { Simulation } from './simulation.ts'
import type { VirtualWorld } from './virtual-world.ts'

/** The schedules, as they truly are. */
export interface SimulatedSchedules {
  make(schedule: OneTimeSchedule): void
  forget(name: string): void
  /** Has the schedule that fires again and again fire for this time. */
  recur(body: string, queue: string, dueAtMs: number): void
  /** How many have not fired. */
  size(): number
}

const MINUTE_MS = 60_000

/** An empty scheduler. */
export function simulatedSchedules(simulation: () => Simulation): SimulatedSchedules {
  const events = new Map<string, ReturnType<VirtualWorld['after']>>()

  const fire = async ({ queue, message }: OneTimeSchedule, delaySeconds: number) => {
    const sim = simulation()
    await acceptMessage(sim, queue, { ...message, delaySeconds })
    if (strikes(sim, 'twin-schedule', queue)) await acceptMessage(sim, queue, { ...message, delaySeconds })
    sim.onQueueChange(queue)
  }

  return {
    size: () => events.size,
    make(schedule) {
      const { name, queue, dueAt, message } = schedule
      if (events.has(name)) return
      const sim = simulation()
      const { world, history, latency } = sim
      const { minuteAt, delaySeconds } = firingOf(dueAt)
      const { body } = message
      history.add({ kind: 'scheduled', name, queue, dueAt, body })
      const within = latency.whole(0, MINUTE_MS - 1)
      const late = strikes(sim, 'late-schedule', name)
        ? sim.faults.amount('late-schedule') ** 3 * 7_200_000
        : 0
      const event = world.after(Math.max(minuteAt + within + late - world.now(), 0), () => {
        events.delete(name)
        void fire(schedule, delaySeconds)
      })
      events.set(name, event)
    },
    recur(body, queue, dueAtMs) {
      const sim = simulation()
      const { world, latency } = sim
      const name = `recurring-${dueAtMs}`
      if (strikes(sim, 'lost-schedule', name)) return
      const late = strikes(sim, 'late-schedule', name)
        ? sim.faults.amount('late-schedule') ** 3 * 7_200_000
        : 0
      const event = world.after(dueAtMs - world.now() + latency.whole(0, 5000) + late, () => {
        events.delete(name)
        void fire({ name, queue, dueAt: dueAtMs, message: { body: messageDueAt(body, dueAtMs) } }, 0)
      })
      events.set(name, event)
    },
    forget(name) {
      const event = events.get(name)
      if (event === undefined) return
      simulation().world.cancel(event)
      events.delete(name)
    },
  }
}

/** The scheduler of one process. */
export function faultyOneTimeSchedules(sim: Simulation, process: SimulatedProcess): OneTimeSchedules {
  return {
    create: (schedule) =>
      request(sim, process, 'scheduler', 'create-schedule', async () => sim.schedules.make(schedule)),
    delete: (name) =>
      request(sim, process, 'scheduler', 'delete-schedule', async () => sim.schedules.forget(name)),
  }
}
