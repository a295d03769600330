/**
 * The clients: processes that submit, wait, cancel, abort and retry, and that crash in the middle of it.
 * @module
 */
import { createExecutor } from '../../src/index.ts'
import type { Executor } from '../../src/runtime/executor.ts'
import type { Future } from '../../src/runtime/future/future.ts'
import { backendOf, readTasks } from './fleet.ts'
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
  readTasks(executor)
  return { process, executor, tasks }
}

/** The code of an error, as users branch on it. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error)
  const { code, name, message } = error as { code?: string; name?: string; message?: string }
  return code ?? `${name}: ${message}`
}

/** The clients of a run, and what they know. */
interface Crowd {
  readonly sim: Simulation
  readonly slots: Client[]
  /** The ids of calls that somebody knows, by the call's number. */
  readonly ids: Map<number, string>
  readonly durable: Set<number>
  /** Retries by hand that may have got stuck half-way: whoever asks for one is to ask again. */
  readonly unsure: Set<string>
  /** How many processes there were, how much is under way, how many futures are waited for. */
  made: number
  open: number
  futures: number
}

function restart(crowd: Crowd, slot: number): void {
  const client = clientOf(crowd.sim, `client-${++crowd.made}`)
  crowd.slots[slot] = client
  client.process.onKilled = () => restart(crowd, slot)
}

/** What is under way in a process ends with it. */
function track(crowd: Crowd, client: Client, work: () => Promise<void>): void {
  crowd.open++
  let over = false
  const end = () => {
    if (over) return
    over = true
    crowd.open--
  }
  const { onKilled } = client.process
  client.process.onKilled = () => {
    end()
    onKilled()
  }
  work().then(end, (error: unknown) => {
    crowd.sim.history.add({ kind: 'unhandled', error: codeOf(error) })
    end()
  })
}

/** Has the client of this slot, whichever process it is then, do something. */
function doLater(crowd: Crowd, atMs: number, slot: number, work: (client: Client) => Promise<void>): void {
  crowd.open++
  crowd.sim.world.after(atMs, () => {
    crowd.open--
    const client = crowd.slots[slot] as Client
    track(crowd, client, () => work(client))
  })
}

/** What the plan says of a call, as the sender's options. */
function optionsOf(client: Client, call: PlannedCall, id: string | undefined) {
  const { delaySeconds, expiresInSeconds, tenant, key } = call
  const at = new Date(client.process.ports.clock.now() + delaySeconds * 1000)
  return {
    queue: call.queue,
    ...(delaySeconds > 0 && (call.at ? { at } : { delaySeconds })),
    ...(expiresInSeconds !== undefined && { expiresInSeconds }),
    ...(tenant !== undefined && { tenant }),
    ...(key !== undefined && { idempotencyKey: key }),
    ...(id !== undefined && { id }),
    ...((call.follows === 'then' || call.follows === 'both') && { then: client.tasks.follow }),
    ...((call.follows === 'catch' || call.follows === 'both') && { catch: client.tasks.follow }),
  }
}

async function submit(crowd: Crowd, client: Client, call: PlannedCall, again: boolean): Promise<void> {
  const { sim, ids, durable } = crowd
  const { history } = sim
  const { number, key, variant, program } = call
  const process = client.process.name
  const known = ids.get(number)
  const id = key === undefined ? (call.id ?? (again ? known : undefined)) : undefined
  history.add({ kind: 'submit', call: number, process, again })
  try {
    const task = client.tasks[call.task]
    const future = await client.executor
      .with(optionsOf(client, call, id))
      .submit(task, number, variant, program)
    ids.set(number, future.id)
    durable.add(number)
    history.add({ kind: 'submitted', call: number, process, id: future.id })
    if (call.watched) watch(crowd, client, future)
  } catch (error) {
    const uncertain = (error as { ids?: readonly string[] }).ids ?? []
    if (uncertain[0] !== undefined) ids.set(number, uncertain[0])
    const code = codeOf(error)
    if (code === 'idempotency-conflict') durable.add(number)
    history.add({ kind: 'not-submitted', call: number, process, code, ids: uncertain })
    // It began before the faults were over.
    if (sim.isQuiet && code === 'submit-uncertain') {
      doLater(crowd, 1000, 0, (next) => submit(crowd, next, call, true))
    }
  }
}

function watch(crowd: Crowd, client: Client, future: Future<unknown>): void {
  const number = ++crowd.futures
  track(crowd, client, () => waitFor(crowd.sim, client, future, number))
  if (number % 2 === 0) track(crowd, client, () => follow(crowd.sim, future, number))
}

async function waitFor(
  sim: Simulation,
  client: Client,
  future: Future<unknown>,
  number: number,
): Promise<void> {
  const { history } = sim
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

async function follow(sim: Simulation, future: Future<unknown>, number: number): Promise<void> {
  try {
    for await (const { id, state, attempts, progress } of future.updates()) {
      sim.history.add({ kind: 'seen', id, future: number, state, attempts, progress })
    }
  } catch {
    // The store did not answer for too long: whoever looks on looks no more.
  }
}

async function ask(
  { sim, unsure }: Crowd,
  client: Client,
  what: PlannedRequest['what'],
  id: string | undefined,
): Promise<void> {
  if (id === undefined) return
  const { history } = sim
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

function begin(crowd: Crowd): void {
  restart(crowd, 0)
  restart(crowd, 1)
  const { calls, requests } = crowd.sim.plan
  for (const call of calls) {
    doLater(crowd, call.atMs, call.client, (client) => submit(crowd, client, call, false))
    if (call.againAtMs === undefined) continue
    doLater(crowd, call.againAtMs, 1 - call.client, (client) => submit(crowd, client, call, true))
  }
  for (const { atMs, client: slot, what, call } of requests) {
    doLater(crowd, atMs, slot, (client) => ask(crowd, client, what, crowd.ids.get(call)))
  }
}

function recover(crowd: Crowd): void {
  for (const call of crowd.sim.plan.calls) {
    const canRepeat = call.key !== undefined || call.id !== undefined || crowd.ids.has(call.number)
    if (crowd.durable.has(call.number) || !canRepeat) continue
    doLater(crowd, 0, 0, (client) => submit(crowd, client, call, true))
  }
  for (const id of crowd.unsure) doLater(crowd, 100, 0, (client) => ask(crowd, client, 'retry', id))
}

function waitForAll(crowd: Crowd): void {
  const client = crowd.slots[0] as Client
  for (const id of new Set(crowd.ids.values())) {
    const future = client.executor.future(id)
    track(crowd, client, () => waitFor(crowd.sim, client, future, ++crowd.futures))
  }
}

/** Sets the clients up. */
export function clientsOf(sim: Simulation): Clients {
  const crowd: Crowd = {
    sim,
    slots: [],
    ids: new Map(),
    durable: new Set(),
    unsure: new Set(),
    made: 0,
    open: 0,
    futures: 0,
  }
  return {
    begin: () => begin(crowd),
    recover: () => recover(crowd),
    waitForAll: () => waitForAll(crowd),
    areIdle: () => crowd.open === 0,
  }
}
