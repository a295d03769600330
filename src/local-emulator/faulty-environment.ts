/**
 * A worker's environment that dies at chosen points, and whose clock is off.
 * @module
 */
import type { App } from '../runtime/app.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import type { Change, Store } from '../runtime/ports/store.ts'
import type { FaultPlan } from './fault-plan.ts'
import { wrapTasks } from './wrapped-tasks.ts'

/** What an environment's faults need to know of it. */
export interface FaultyEnvironment {
  readonly plan: FaultPlan
  /** Ends the environment: its ports then answer nobody. */
  exit(): void
  /** The task of a call. */
  taskOf(id: string): string | undefined
  /** The name that a task has now. */
  nameNow(task: string): string
}

function skewed(clock: Clock, plan: FaultPlan): Clock {
  const { clockSkewSeconds } = plan.switches
  if (clockSkewSeconds === 0) return clock
  const offMs = Math.round(plan.around(clockSkewSeconds * 1000))
  return { now: () => clock.now() + offMs, setTimer: clock.setTimer }
}

/** A store whose claims and finishes its environment may not survive. */
function deadlyStore(store: Store, { plan, exit, taskOf, nameNow }: FaultyEnvironment): Store {
  const update = async (id: string, change: Change) => {
    const { state } = change.set
    if (state === undefined) return store.update(id, change)
    const task = nameNow(change.initial?.task ?? taskOf(id) ?? '')
    // Once dead, the environment's ports neither do anything nor answer.
    if (plan.takeKill(state === 'running' ? 'beforeClaim' : 'beforeFinish', task)) exit()
    const answer = await store.update(id, change)
    if (answer.written && state !== 'running' && plan.takeKill('afterFinish', task)) {
      exit()
      return new Promise<never>(() => {})
    }
    return answer
  }
  return { ...store, update }
}

/** The ports of an environment with faults. */
export function faultyPorts(ports: Ports, environment: FaultyEnvironment): Ports {
  return {
    ...ports,
    clock: skewed(ports.clock, environment.plan),
    store: deadlyStore(ports.store, environment),
  }
}

/** The app as an environment with faults runs it: functions that fail in place of running, or do not survive. */
export function faultyApp(app: App, { plan, exit }: Pick<FaultyEnvironment, 'plan' | 'exit'>): App {
  return wrapTasks(app, (task, args) => {
    const failure = plan.takeFailure(task.name)
    if (failure !== undefined) throw failure
    if (!plan.takeKill('inTask', task.name)) return task.run(...args)
    try {
      return task.run(...args)
    } finally {
      exit()
    }
  })
}
