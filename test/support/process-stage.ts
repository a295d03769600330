/**
 * Process workers on a stage: in-process queue and store, virtual time, processes that can be killed.
 * @module
 */
import type { CallOptions, Config, FutureGroup } from 'errand'
import { virtualClock } from 'errand/local-emulator'
import { environmentPorts } from '../../src/local-emulator/environment-ports.ts'
import { type ProcessWorkerOptions, startProcessWorker } from '../../src/process-worker/process-worker.ts'
import { type Clock, delay } from '../../src/runtime/clock.ts'
import { idInGroup } from '../../src/runtime/entropy.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { Ports } from '../../src/runtime/ports/backend.ts'
import { workerStage } from './worker-stage.ts'

/** Tasks by name, made with the clock of the stage. */
export type StageTasks = Readonly<Record<string, (...args: never[]) => unknown>>

/** Sets the stage; its worker is `main`. */
export function processStage(config: Config, tasksOn: (clock: Clock) => StageTasks) {
  const clock = virtualClock()
  const tasks = tasksOn(clock)
  const on = workerStage(config, tasks, undefined, clock)
  const { app } = internalsOf(on.executor)
  const taskOf = (name: string) => tasks[name] as (...args: unknown[]) => unknown
  /** Starts a process of the worker; `own` replaces ports as it sees them. */
  const start = (options: ProcessWorkerOptions = {}, own: Partial<Ports> = {}) =>
    clock.runUntil(startProcessWorker(app, { ...on.ports, ...own }, 'main', options))
  /** Starts one that `kill` ends without a word, as SIGKILL does. */
  const startMortal = async (options: ProcessWorkerOptions = {}) => {
    const { ports, cut } = environmentPorts(on.ports)
    return { worker: await start(options, ports), kill: cut }
  }
  return {
    ...on,
    start,
    startMortal,
    submit: (name: string, args: readonly unknown[] = [], options: CallOptions = {}) =>
      on.executor.with(options).submit(taskOf(name), ...args),
    /** Submits it so many times, each with its index. */
    submitMany: (name: string, count: number, options: CallOptions = {}) =>
      on.executor.with(options).map(
        taskOf(name),
        Array.from({ length: count }, (_, index) => [index]),
      ),
    /** The records of a group's calls. */
    recordsOf: ({ id, length }: Pick<FutureGroup<unknown>, 'id' | 'length'>) =>
      on.store.read(Array.from({ length }, (_, index) => idInGroup(id, index))),
    /** The states of a queue's messages, in the order of sending. */
    states: (queue = 'default') => on.queue.inspect(queue).map(({ state }) => state),
  }
}

/** A task that takes so long. */
export function taking(clock: Clock, ms: number) {
  return async () => {
    await delay(clock, ms)
  }
}
