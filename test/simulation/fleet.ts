/**
 * Lambda's side: event source mappings that poll the queues, and environments that are made when needed, frozen when
 * idle, killed at the time-out.
 * @module
 */
import type { SQSEvent } from 'aws-lambda'
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import type { WorkerHandler } from '../../src/handlers/invocation.ts'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { createExecutor } from '../../src/index.ts'
import { eventOf, reportedFailures } from '../../src/local-emulator/event-source-mapping.ts'
import { arnOf } from '../../src/local-emulator/in-process-queue.ts'
import type { Backend } from '../../src/runtime/backend.ts'
import { type Executor, internalsOf } from '../../src/runtime/executor.ts'
import type { ReceivedMessage } from '../../src/runtime/queue.ts'
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

function workerEnvironment(sim: Simulation, name: string): Environment {
  const process = simulatedProcess(sim, name, false)
  const executor: Executor = createExecutor(sim.config, {
    tasks: tasksOf(sim, process, () => executor),
    backend: backendOf(process),
  }) as unknown as Executor
  const { app } = internalsOf(executor)
  return { process, handler: createWorkerHandler(app, process.ports, 'main') }
}

/** An environment of the function that ends dead letters. */
export function deadLetterEnvironment(sim: Simulation, name: string): Environment {
  const process = simulatedProcess(sim, name, false)
  const executor = createExecutor(sim.config, { tasks: {}, backend: backendOf(process) })
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

/** Makes the function of one worker. */
export function lambdaSide(
  sim: Simulation,
  label: string,
  makeEnvironment: (sim: Simulation, name: string) => Environment = workerEnvironment,
): LambdaSide {
  const { world, history, plan } = sim
  const idle: Environment[] = []
  const zombies = new Set<SimulatedProcess>()
  const timeoutMs = plan.timeoutSeconds * 1000
  let made = 0
  let busy = 0

  /** Lambda ends the environment at its time-out, or means to. */
  function timeOut(process: SimulatedProcess): void {
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
    world.after(1000 + sim.faults.amount('zombie') * 120_000, () => {
      process.thaw('goes on after its time-out')
      world.after(ZOMBIE_LIFE_MS, () => process.kill('ends at last'))
    })
  }

  function run({ process, handler }: Environment, event: SQSEvent, deadline: number): Promise<unknown> {
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

  async function invoke(queue: string, messages: readonly ReceivedMessage[]): Promise<void> {
    const receivedAt = world.now()
    busy++
    let environment = idle.pop()
    while (environment?.process.isAlive() === false) environment = idle.pop()
    environment ??= makeEnvironment(sim, `${label}-${++made}`)
    const { process } = environment
    await world.pause(1)
    const invocation = ++sim.invocations
    const deadline = world.now() + timeoutMs
    process.invocation = invocation
    history.add({ kind: 'invoked', invocation, process: process.name, deadline, messages: messages.length })
    for (const { messageId, receiveCount, body } of messages) {
      const { id } = sim.callOf(body)
      history.add({ kind: 'received', queue, messageId, receiveCount, id, invocation })
    }
    const timer = world.after(timeoutMs, () => timeOut(process))
    perhapsFreeze(sim, process, timeoutMs)
    try {
      const payload = await run(environment, eventOf(messages, arnOf(queue)), deadline)
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
      history.add({ kind: 'answered', invocation, failures: undefined, error: String(error) })
    }
    world.cancel(timer)
    busy--
  }

  return {
    hasRoom: () => busy < plan.environments,
    busy: () => busy,
    invoke,
    endIdle() {
      for (const { process } of idle) process.kill('idle for too long')
    },
    endFrozen() {
      for (const process of zombies) process.kill('ends at last')
    },
  }
}
