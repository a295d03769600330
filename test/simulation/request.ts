/**
 * One request of a process to the queue or the store, sent again by the SDK where that is worth it, and everything
 * that can happen to it on the way.
 * @module
 */
import type { FaultKind } from './faults.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { Simulation } from './simulation.ts'

/** One each: a shared one would keep all who wait from being collected. */
const never = () => new Promise<never>(() => {})

function errorOf(name: string, message: string): Error {
  const error = new Error(message)
  error.name = name
  return error
}

/** Whether this fault happens here; told in the history. */
export function strikes(sim: Simulation, fault: FaultKind, what: string): boolean {
  if (!sim.faults.happens(fault)) return false
  sim.history.add({ kind: 'fault', fault, what })
  return true
}

/** How long a request, or its answer, is on its way. */
function travel(sim: Simulation, what: string): Promise<void> {
  const ms = sim.latency.whole(1, 25)
  if (!strikes(sim, 'slow', what)) return sim.world.pause(ms)
  return sim.world.pause(200 + Math.floor(sim.faults.amount('slow') ** 2 * 20_000))
}

function crashes(sim: Simulation, process: SimulatedProcess, when: string): boolean {
  if (!process.isAlive()) return false
  const fault = process.isClient ? 'client-crash' : 'crash'
  if (!strikes(sim, fault, `${process.name} ${when}`)) return false
  process.kill(`crashed ${when}`)
  return true
}

/** Nobody waits for it any more; it has its effect all the same, minutes later perhaps. */
function arriveLater(sim: Simulation, effect: () => Promise<unknown>): void {
  const delayMs = 100 + sim.faults.amount('late-request') ** 3 * 120_000
  sim.world.after(delayMs, () => {
    if (!sim.isQuiet) void effect().catch(() => {})
  })
}

/** Sends a request; `effect` is what it does where it arrives. */
export async function request<T>(
  sim: Simulation,
  process: SimulatedProcess,
  part: 'store' | 'queue',
  operation: string,
  effect: () => Promise<T>,
): Promise<T> {
  const what = `${operation} by ${process.name}`
  if (crashes(sim, process, `before ${operation}`)) return never()
  for (let attempt = 1; ; attempt++) {
    // What has left a process arrives, whatever becomes of the process meanwhile.
    await travel(sim, what)
    let error: Error
    if (sim.isDown(part)) {
      error = errorOf('ServiceUnavailable', `the ${part} does not answer`)
    } else if (strikes(sim, 'throttle', what)) {
      error = errorOf('ThrottlingException', 'Rate exceeded')
    } else if (strikes(sim, 'lost-request', what)) {
      error = errorOf('TimeoutError', 'the request was lost')
    } else if (strikes(sim, 'late-request', what)) {
      arriveLater(sim, effect)
      error = errorOf('TimeoutError', 'no answer in time')
    } else {
      const answer = await effect()
      if (crashes(sim, process, `after ${operation}`)) return never()
      if (!strikes(sim, 'lost-response', what)) {
        await travel(sim, what)
        if (process.isFrozen()) await process.awake()
        return answer
      }
      error = errorOf('TimeoutError', 'socket hang up')
    }
    await process.awake()
    if (attempt >= sim.mode.tries || strikes(sim, 'surfaced', what)) throw error
  }
}
