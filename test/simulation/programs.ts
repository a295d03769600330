/**
 * The tasks that run: each does what its program says, and returns or throws what no other attempt does.
 * @module
 */
import { currentTask, runningTask } from '../../src/runtime/current-task.ts'
import { LeaseLostError, NonRetryableError, RetryAfterError } from '../../src/runtime/errors.ts'
import type { Executor } from '../../src/runtime/executor.ts'
import type { Program } from './plan.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { Simulation } from './simulation.ts'

/** What a call is submitted with: its number, its payload's variant, its program. */
export type WorkFunction = (call: number, variant: number, program: Program) => Promise<unknown>

/** The tasks of one process, by name. */
export type SimulatedTasks = Readonly<
  Record<'work' | 'fragile' | 'brief', WorkFunction> & { follow: (given: never) => Promise<Returned> }
>

/** What an attempt returns: whose it is, and which execution. */
export interface Returned {
  readonly id: string
  readonly execution: number
  readonly padding?: string
}

/** A result over 4 KiB lies beside its record. */
const LARGE = 'x'.repeat(4200)

/** The number of a follow-up. */
export const FOLLOW_UP = 2000

/** The number of the runs of a schedule. */
export const SCHEDULED = 3000

/** The child of a call does nothing but be there. */
const childProgram: Program = {
  durationMs: 10,
  throws: 0,
  error: 'plain',
  exits: 0,
  blocks: 0,
  hangs: false,
  reports: 0,
  heeds: false,
  large: false,
  children: 0,
}

/** Numbers of calls that tasks submit begin here. */
export const FIRST_CHILD = 1000

function sleep(process: SimulatedProcess, ms: number, program: Program): Promise<void> {
  return new Promise((resolve, reject) => {
    process.ports.clock.setTimer(resolve, ms)
    if (!program.heeds) return
    const { signal } = currentTask
    const stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

function errorOf(program: Program, execution: number, now: number): Error {
  const text = `${currentTask.id} failed in execution ${execution}`
  if (program.error === 'non-retryable') return new NonRetryableError(text)
  if (program.error === 'retry-after') return new RetryAfterError(3, text)
  // Later than a message can be hidden; by the clock of this process.
  if (program.error === 'retry-later') {
    const seconds = 40_000 + (execution % 7) * 1000
    return new RetryAfterError(execution % 2 === 0 ? seconds : new Date(now + seconds * 1000), text)
  }
  return new Error(text)
}

function rethrow(error: unknown): never {
  if (LeaseLostError.is(error) || error === currentTask.signal.reason) throw error
  throw new Error(`${currentTask.id} could not report`, { cause: error })
}

async function report(process: SimulatedProcess, program: Program, execution: number): Promise<void> {
  for (let done = 1; done <= program.reports; done++) {
    const reported = currentTask.progress({ execution, done })
    // Half of the reports are not awaited, as many tasks do it.
    if (done % 2 === 0) await reported.catch(rethrow)
    await sleep(process, 200, program)
  }
}

async function obey(
  sim: Simulation,
  process: SimulatedProcess,
  program: Program,
  execution: number,
): Promise<void> {
  const { attempt } = currentTask
  if (program.durationMs > 0) await sleep(process, program.durationMs, program)
  if (attempt <= program.throws) throw errorOf(program, execution, process.ports.clock.now())
  if (attempt <= program.throws + program.exits) {
    process.kill('process.exit in a task')
    await new Promise<never>(() => {})
  }
  if (attempt <= program.throws + program.exits + program.blocks) {
    process.freeze('the thread is blocked')
    await process.awake()
  }
  if (program.hangs) await sleep(process, 100_000_000, program)
  sim.history.add({ kind: 'ran', id: currentTask.id, execution, how: 'returned' })
}

/** Makes the tasks of a process; `executor` is the one that they are registered on. */
export function tasksOf(
  sim: Simulation,
  process: SimulatedProcess,
  executor: () => Executor,
): SimulatedTasks {
  const begin = (call: number, variant: number, given?: unknown): number => {
    const execution = ++sim.executions
    const { id, attempt } = currentTask
    const { invocation, name } = process
    // Users cannot see it, but the attempt that runs knows under which claim it does.
    const { owner } = runningTask() as unknown as { owner: string }
    const run = { id, call, variant, execution, attempt, owner, given, process: name, invocation }
    sim.history.add({ kind: 'run', ...run })
    return execution
  }
  const followUp = async (given: unknown): Promise<Returned> => {
    const execution = begin(FOLLOW_UP, FOLLOW_UP, given instanceof Error ? given.message : given)
    return { id: currentTask.id, execution }
  }
  const work = async (call: number, variant: number, program: Program): Promise<Returned> => {
    const execution = begin(call, variant)
    const { id } = currentTask
    try {
      await report(process, program, execution)
      for (let child = 0; child < program.children; child++) {
        const number = FIRST_CHILD + call
        const options = { id: `${id}-child-${child}` }
        await executor()
          .with(options)
          .submit(tasks.work, number, number, childProgram)
          .catch((error: unknown) => {
            throw new Error(`${id} could not submit`, { cause: error })
          })
      }
      await obey(sim, process, program, execution)
    } catch (error) {
      const lost = LeaseLostError.is(error) ? ({ lost: true } as const) : {}
      sim.history.add({ kind: 'ran', id, execution, how: 'threw', ...lost })
      throw error
    }
    return program.large ? { id, execution, padding: LARGE } : { id, execution }
  }
  const tasks = {
    work: (...args: Parameters<WorkFunction>) => work(...args),
    fragile: (...args: Parameters<WorkFunction>) => work(...args),
    brief: (...args: Parameters<WorkFunction>) => work(...args),
    follow: followUp as (given: never) => Promise<Returned>,
  }
  return tasks
}
