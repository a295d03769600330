/**
 * One process: a client, or an environment of a worker. It can be killed, and it can stand still while time goes on.
 * @module
 */
import { environmentPorts } from '../../src/local-emulator/environment-ports.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import type { Ports } from '../../src/runtime/ports/backend.ts'
import { faultyQueue } from './faulty-queue.ts'
import { faultyStore } from './faulty-store.ts'
import { faultyOneTimeSchedules } from './schedules.ts'
import { chanceOf } from './seeded-chance.ts'
import { seededEntropy } from './seeded-entropy.ts'
import type { Simulation } from './simulation.ts'

/** One process. */
export interface SimulatedProcess {
  readonly name: string
  readonly isClient: boolean
  /** What its code sees of the world. */
  readonly ports: Ports
  isAlive(): boolean
  isFrozen(): boolean
  /** The invocation that runs in it. */
  invocation: number | undefined
  /** Told when it is killed. */
  onKilled(): void
  /** Lets something reach it: at once, when it thaws, or never. */
  deliver(task: () => void): void
  /** Resolves while it is alive and awake. */
  awake(): Promise<void>
  kill(why: string): void
  freeze(why: string): void
  thaw(why: string): void
}

function clockOf(sim: Simulation, process: SimulatedProcess, skewMs: number): Clock {
  const { world } = sim
  return {
    now: () => world.now() + skewMs,
    setTimer(task, delayMs) {
      let cancelled = false
      // Cancelled after it fell due in a process that stands still: then it does not fire when that goes on.
      const fire = () => {
        if (!cancelled) task()
      }
      const event = world.after(delayMs, () => process.deliver(fire))
      return {
        cancel() {
          cancelled = true
          world.cancel(event)
        },
      }
    },
  }
}

/** Makes a process; its clock is off by a part of the plan's skew. */
export function simulatedProcess(sim: Simulation, name: string, isClient: boolean): SimulatedProcess {
  const { seed, skewMs } = sim.plan
  let alive = true
  let frozen = false
  let waiting: (() => void)[] = []
  const process: SimulatedProcess = {
    name,
    isClient,
    ports: undefined as never,
    invocation: undefined,
    isAlive: () => alive,
    isFrozen: () => frozen,
    onKilled: () => {},
    deliver(task) {
      if (!alive) return
      if (frozen) waiting.push(task)
      else task()
    },
    awake: () => new Promise((resolve) => process.deliver(resolve)),
    kill(why) {
      if (!alive) return
      alive = false
      waiting = []
      cut()
      sim.history.add({ kind: 'killed', process: name, why })
      process.onKilled()
    },
    freeze(why) {
      if (!alive || frozen) return
      frozen = true
      if (why !== '') sim.history.add({ kind: 'frozen', process: name, why })
    },
    thaw(why) {
      if (!alive || !frozen) return
      frozen = false
      if (why !== '') sim.history.add({ kind: 'thawed', process: name, why })
      const due = waiting
      waiting = []
      // One after the other, as an event loop does that finds many timers due.
      for (const task of due) sim.world.after(0, () => process.deliver(task))
    },
  }
  const skew = Math.round((chanceOf(seed, `skew of ${name}`).fraction() * 2 - 1) * skewMs)
  const { ports, cut } = environmentPorts({
    clock: clockOf(sim, process, skew),
    entropy: seededEntropy(seed, name),
    queue: faultyQueue(sim, process),
    store: faultyStore(sim, process),
    ...(sim.plan.longDelays && { oneTimeSchedules: faultyOneTimeSchedules(sim, process) }),
  })
  return Object.assign(process, { ports })
}
