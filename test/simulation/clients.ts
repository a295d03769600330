/**
 * The clients: processes that submit, wait, cancel, abort and retry, and that crash in the middle of it.
 * @module
 */
import { createExecutor } from '../../src/index.ts'
import type { Executor } from '../../src/runtime/executor.ts'
import type { Future } from '../../src/runtime/future.ts'
import { backendOf } from './fleet.ts'
import type { PlannedCall, PlannedRequest, Program } from './plan.ts'
import { type SimulatedTasks, tasksOf, type WorkFunction } from './programs.ts'
import { type SimulatedProcess, simulatedProcess } from './simulated-process.ts'
import type { Simulation } from './simulation.ts'

/** A client's process, and what it submits on. */
export interface Client {
  readonly process: SimulatedProcess
  readonly executor: Executor
  readonly tasks: SimulatedTasks & { readonly unknown: WorkFunction }
}

/** All that clients do. */
export interface Clients {
  /** Sets all that is planned going. */
  begin(): void
  /** After the faults: takes up what may not have been sent, and what was lost with its process. */
  recover(): void
  /** Waits anew for every call that is known. */
  waitForAll(): void
  /** Whether nothing is under way. */
  areIdle(): boolean
}

/** A new client's process. */
function clientOf(sim: Simulation, name: string): Client {
  const process = simulatedProcess(sim, name, true)
  const own = tasksOf(sim, process, () => executor)
  const unknown = async (_call: number, _variant: number, _program: Program) => undefined
  const tasks = { ...own, unknown }
  const backend = backendOf(process)
  const executor: Executor = createExecutor(sim.config, { tasks, backend }) as unknown as Executor
  return { process, executor, tasks }
}

/** The code of an error, as users branch on it. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error)
  const { code, name, message } = error as { code?: string; name?: string; message?: string }
  return code ?? `${name}: ${message}`
}

/** Sets the clients up. */
export function clientsOf(sim: Simulation): Clients {
  const { world, history, plan } = sim
  const slots: Client[] = []
  /** The ids of calls that somebody knows, by the call's number. */
  const ids = new Map<number, string>()
  const durable = new Set<number>()
  /** Retries by hand that may have got stuck half-way: whoever asks for one is to ask again. */
  const unsure = new Set<string>()
  let made = 0
  let open = 0
  let futures = 0

  function restart(slot: number): void {
    const client = clientOf(sim, `client-${++made}`)
    slots[slot] = client
    client.process.onKilled = () => restart(slot)
  }

  /** What is under way in a process ends with it. */
  function track(client: Client, work: () => Promise<void>): void {
    open++
    let over = false
    const end = () => {
      if (over) return
      over = true
      open--
    }
    const { onKilled } = client.process
    client.process.onKilled = () => {
      end()
      onKilled()
    }
    work().then(end, (error: unknown) => {
      history.add({ kind: 'unhandled', error: codeOf(error) })
      end()
    })
  }

  async function submit(client: Client, call: PlannedCall, again: boolean): Promise<void> {
    const { number, delaySeconds, tenant, key, variant, program } = call
    const process = client.process.name
    const known = ids.get(number)
    const id = key === undefined ? (call.id ?? (again ? known : undefined)) : undefined
    history.add({ kind: 'submit', call: number, process, again })
    const options = {
      queue: call.queue,
      ...(delaySeconds > 0 && { delaySeconds }),
      ...(tenant !== undefined && { tenant }),
      ...(key !== undefined && { idempotencyKey: key }),
      ...(id !== undefined && { id }),
      ...((call.follows === 'then' || call.follows === 'both') && { then: client.tasks.follow }),
      ...((call.follows === 'catch' || call.follows === 'both') && { catch: client.tasks.follow }),
    }
    try {
      const task = client.tasks[call.task]
      const future = await client.executor.with(options).submit(task, number, variant, program)
      ids.set(number, future.id)
      durable.add(number)
      history.add({ kind: 'submitted', call: number, process, id: future.id })
      if (call.watched) watch(client, future)
    } catch (error) {
      const uncertain = (error as { ids?: readonly string[] }).ids ?? []
      if (uncertain[0] !== undefined) ids.set(number, uncertain[0])
      const code = codeOf(error)
      if (code === 'idempotency-conflict') durable.add(number)
      history.add({ kind: 'not-submitted', call: number, process, code, ids: uncertain })
      // It began before the faults were over.
      if (sim.isQuiet && code === 'submit-uncertain') doLater(1000, 0, (next) => submit(next, call, true))
    }
  }

  function watch(client: Client, future: Future<unknown>): void {
    const number = ++futures
    track(client, () => waitFor(client, future, number))
    if (number % 2 === 0) track(client, () => follow(client, future, number))
  }

  async function waitFor(client: Client, future: Future<unknown>, number: number): Promise<void> {
    const { id } = future
    history.add({ kind: 'waits', id, future: number, process: client.process.name })
    try {
      const outcome = await future.outcome()
      const detail =
        outcome.state === 'succeeded'
          ? outcome.value
          : outcome.state === 'failed'
            ? `${outcome.reason}: ${outcome.error.message}`
            : undefined
      history.add({ kind: 'settled', id, future: number, state: outcome.state, detail })
    } catch (error) {
      history.add({ kind: 'settled', id, future: number, state: 'error', detail: codeOf(error) })
    }
  }

  async function follow(client: Client, future: Future<unknown>, number: number): Promise<void> {
    try {
      for await (const { id, state, attempts, progress } of future.updates()) {
        history.add({ kind: 'seen', id, future: number, state, attempts, progress })
      }
    } catch {
      // The store did not answer for too long: whoever looks on looks no more.
    }
    void client
  }

  async function ask(client: Client, what: PlannedRequest['what'], id: string | undefined): Promise<void> {
    if (id === undefined) return
    const process = client.process.name
    history.add({ kind: 'asked', what, id, process })
    if (what === 'retry') unsure.add(id)
    let answer: boolean | string
    try {
      const future = client.executor.future(id)
      if (what === 'cancel') answer = await future.cancel()
      else if (what === 'abort') answer = await future.abort('because')
      else answer = (await client.executor.retry(id)).id === id
      if (what === 'retry') unsure.delete(id)
    } catch (error) {
      answer = codeOf(error)
      if (answer === 'retry-refused') unsure.delete(id)
    }
    history.add({ kind: 'told', what, id, process, answer })
  }

  const doLater = (atMs: number, slot: number, work: (client: Client) => Promise<void>) => {
    open++
    world.after(atMs, () => {
      open--
      const client = slots[slot] as Client
      track(client, () => work(client))
    })
  }

  return {
    begin() {
      restart(0)
      restart(1)
      for (const call of plan.calls) {
        doLater(call.atMs, call.client, (client) => submit(client, call, false))
        if (call.againAtMs !== undefined) {
          doLater(call.againAtMs, 1 - call.client, (client) => submit(client, call, true))
        }
      }
      for (const request of plan.requests) {
        doLater(request.atMs, request.client, (client) => ask(client, request.what, ids.get(request.call)))
      }
    },
    recover() {
      for (const call of plan.calls) {
        const canRepeat = call.key !== undefined || call.id !== undefined || ids.has(call.number)
        if (!durable.has(call.number) && canRepeat) doLater(0, 0, (client) => submit(client, call, true))
      }
      for (const id of unsure) doLater(100, 0, (client) => ask(client, 'retry', id))
    },
    waitForAll() {
      const client = slots[0] as Client
      for (const id of new Set(ids.values())) {
        const future = client.executor.future(id)
        track(client, () => waitFor(client, future, ++futures))
      }
    },
    areIdle: () => open === 0,
  }
}
