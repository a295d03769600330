/**
 * Lambda's side: event source mappings that poll the queues, and environments that are made when needed, frozen when
 * idle, killed at the time-out.
 * @module
 */
import type { SQSEvent } from 'aws-lambda'
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import type { WorkerHandler } from '../../src/handlers/invocation.ts'
import { workerHandlerOf } from '../../src/handlers/worker.ts'
import { openEnvironment } from '../../src/handlers/worker-environment.ts'
import { createExecutor } from '../../src/index.ts'
import { eventOf, reportedFailures } from '../../src/local-emulator/event-source-mapping.ts'
import { arnOf } from '../../src/local-emulator/in-process-queue.ts'
import { type Executor, internalsOf } from '../../src/runtime/executor.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import type { ReceivedMessage } from '../../src/runtime/ports/queue.ts'
import { acknowledgeHandled } from './deliveries.ts'
import { tasksOf } from './programs.ts'
import { strikes } from './request.ts'
import { type SimulatedProcess, simulatedProcess } from './simulated-process.ts'
import type { Simulation } from './simulation.ts'

/** One execution environment. */
interface Environment {
  readonly process: SimulatedProcess
  readonly handler: WorkerHandler
}

/** A function that Lambda runs. */
export interface LambdaSide {
  /** Whether another invocation may begin. */
  hasRoom(): boolean
  busy(): number
  /** Runs a batch; resolves when the invocation is over, whichever way. */
  invoke(queue: string, messages: readonly ReceivedMessage[]): Promise<void>
  /** Ends what outlived its time-out. */
  endFrozen(): void
  /** Ends what is idle: no environment lives for days. */
  endIdle(): void
}

/** How long an environment that outlived its time-out may go on after it thaws. */
const ZOMBIE_LIFE_MS = 60_000

/** The ports of a process, as a backend of its executor. */
export function backendOf(process: SimulatedProcess): Backend {
  return { ...process.ports, kind: 'aws', start: async () => {}, close: async () => {} }
}

/** The app of a process: every function of a fleet has the same. */
function executorOf(sim: Simulation, process: SimulatedProcess): Executor {
  const tasks = tasksOf(sim, process, () => executor)
  const backend = backendOf(process)
  const executor: Executor = createExecutor(sim.config, { tasks, backend }) as unknown as Executor
  return executor
}

function workerEnvironment(sim: Simulation, name: string): Environment {
  const process = simulatedProcess(sim, name, false)
  const executor = executorOf(sim, process)
  const { app } = internalsOf(executor)
  readTasks(executor)
  const environment = openEnvironment(app, process.ports, 'main', { renewsLeases: sim.mode.renewsLeases })
  return { process, handler: workerHandlerOf(environment) }
}

/** Has an executor read its tasks: until then the module of tasks keeps it, and there are a million of them. */
export function readTasks(executor: object): void {
  internalsOf(executor).app.registry.names()
}

/** An environment of the function that ends dead letters. */
export function deadLetterEnvironment(sim: Simulation, name: string): Environment {
  const process = simulatedProcess(sim, name, false)
  const executor = executorOf(sim, process)
  readTasks(executor)
  return { process, handler: createDeadLetterHandler(internalsOf(executor).app, process.ports) }
}

/** Stands still for a while in the middle of an invocation. */
function perhapsFreeze(sim: Simulation, process: SimulatedProcess, timeoutMs: number): void {
  if (!strikes(sim, 'freeze', process.name)) return
  const amount = sim.faults.amount('freeze')
  const { invocation } = process
  sim.world.after(amount * timeoutMs, () => {
    if (process.invocation !== invocation) return
    process.freeze('stands still')
    sim.world.after(((amount * 7919) % 1) * 2 * timeoutMs, () => process.thaw('goes on'))
  })
}

/** The state of a function. */
interface Lambda {
  readonly sim: Simulation
  readonly timeoutMs: number
  readonly idle: Environment[]
  readonly zombies: Set<SimulatedProcess>
  busy: number
  /** An environment that is idle, else a new one. */
  take(): Environment
}

/** Lambda ends the environment at its time-out, or means to. */
function timeOut({ sim, zombies }: Lambda, process: SimulatedProcess): void {
  if (!strikes(sim, 'zombie', process.name)) {
    process.kill('time-out')
    return
  }
  process.freeze('outlives its time-out')
  zombies.add(process)
  const { onKilled } = process
  process.onKilled = () => {
    zombies.delete(process)
  }
  onKilled()
  sim.world.after(1000 + sim.faults.amount('zombie') * 120_000, () => {
    process.thaw('goes on after its time-out')
    sim.world.after(ZOMBIE_LIFE_MS, () => process.kill('ends at last'))
  })
}

/** Calls the handler; rejects where the environment is killed first. */
function run(
  { world, history }: Simulation,
  { process, handler }: Environment,
  event: SQSEvent,
  deadline: number,
): Promise<unknown> {
  const context = { getRemainingTimeInMillis: () => Math.max(deadline - world.now(), 0) }
  return new Promise((resolve, reject) => {
    process.onKilled = () => reject(new Error('killed'))
    process.thaw('')
    handler(event, context).then(resolve, (error: unknown) => {
      history.add({ kind: 'unhandled', error: `the handler threw: ${String(error)}` })
      reject(error)
    })
  })
}

/** Tells the history what an environment is given. */
function begin(
  { sim, timeoutMs }: Lambda,
  process: SimulatedProcess,
  queue: string,
  messages: readonly ReceivedMessage[],
): { readonly invocation: number; readonly deadline: number } {
  const { world, history } = sim
  const invocation = ++sim.invocations
  const deadline = world.now() + timeoutMs
  process.invocation = invocation
  history.add({ kind: 'invoked', invocation, process: process.name, deadline, messages: messages.length })
  for (const { messageId, receiveCount, body } of messages) {
    const { id } = sim.callOf(body)
    history.add({ kind: 'received', queue, messageId, receiveCount, id, invocation })
  }
  return { invocation, deadline }
}

async function invoke(lambda: Lambda, queue: string, messages: readonly ReceivedMessage[]): Promise<void> {
  const { sim, idle } = lambda
  const { world, history } = sim
  const receivedAt = world.now()
  lambda.busy++
  const environment = lambda.take()
  const { process } = environment
  await world.pause(1)
  const { invocation, deadline } = begin(lambda, process, queue, messages)
  const timer = world.after(lambda.timeoutMs, () => timeOut(lambda, process))
  perhapsFreeze(sim, process, lambda.timeoutMs)
  try {
    const payload = await run(sim, environment, eventOf(messages, arnOf(queue)), deadline)
    world.cancel(timer)
    process.onKilled = () => {}
    const failures = reportedFailures(payload, messages)
    history.add({ kind: 'answered', invocation, failures: failures?.size })
    process.freeze('')
    idle.push(environment)
    if (failures !== undefined) {
      const handled = messages.filter(({ messageId }) => !failures.has(messageId))
      await acknowledgeHandled(sim, queue, handled, invocation, receivedAt)
    }
  } catch (error) {
    world.cancel(timer)
    history.add({ kind: 'answered', invocation, failures: undefined, error: String(error) })
  }
  lambda.busy--
}

/** Makes the function of one worker. */
export function lambdaSide(
  sim: Simulation,
  label: string,
  makeEnvironment: (sim: Simulation, name: string) => Environment = workerEnvironment,
): LambdaSide {
  const { environments, timeoutSeconds } = sim.plan
  const idle: Environment[] = []
  let made = 0
  const take = () => {
    let environment = idle.pop()
    while (environment?.process.isAlive() === false) environment = idle.pop()
    return environment ?? makeEnvironment(sim, `${label}-${++made}`)
  }
  const lambda: Lambda = { sim, timeoutMs: timeoutSeconds * 1000, idle, zombies: new Set(), busy: 0, take }
  return {
    hasRoom: () => lambda.busy < environments,
    busy: () => lambda.busy,
    invoke: (queue, messages) => invoke(lambda, queue, messages),
    endIdle() {
      for (const { process } of idle) process.kill('idle for too long')
    },
    endFrozen() {
      for (const process of lambda.zombies) process.kill('ends at last')
    },
  }
}
