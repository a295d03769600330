/**
 * A handler with in-process ports on virtual time, and calls of other people in its store.
 * @module
 */
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { createExecutor } from '../../src/index.ts'
import { arnOf, inProcessQueue, inProcessStore, virtualClock } from '../../src/local-emulator/index.ts'
import type { CallRecord } from '../../src/runtime/call/record.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { currentTask } from '../../src/runtime/current-task.ts'
import type { Entropy } from '../../src/runtime/entropy.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import { defineConfig, resolveConfig } from '../../src/runtime/resolve-config.ts'
import type { victims } from './message-recipe.ts'

const config = defineConfig({
  name: 'fuzz',
  workers: { main: { timeoutSeconds: 60, batchSize: 10, logLevel: 'debug' } },
  taskOptions: { '*': { backoff: { baseSeconds: 0 } } },
})
const { queues } = resolveConfig(config)

/** Ids and owners in their order, so that a run can be repeated. */
function countingEntropy(): Entropy {
  let count = 0
  const next = () => (++count).toString(16).padStart(12, '0')
  return {
    id: () => `019b76da-a800-7000-8000-${next()}`,
    owner: () => `owner-${next()}`,
    fraction: () => 0.5,
  }
}

/** The names that are registered. */
export const taskNames: ReadonlySet<string> = new Set(['add', 'echo', 'reports.build'])

/** Which handler is on stage. */
export type HandlerName = 'worker' | 'deadLetters'

/** Sets the stage. */
export function handlerStage(handlerName: HandlerName = 'worker') {
  const clock = virtualClock()
  const entropy = countingEntropy()
  const ran: string[] = []
  const noted = <Args extends unknown[], Result>(run: (...args: Args) => Result) => {
    return (...args: Args) => {
      ran.push(currentTask.task)
      return run(...args)
    }
  }
  const tasks = {
    add: noted((a: number, b: number) => a + b),
    echo: noted((...args: unknown[]) => args),
    reports: { build: noted(() => 'built') },
  }
  const queue = inProcessQueue({ queues, clock, entropy })
  const store = inProcessStore({ clock })
  const ports = { clock, entropy, queue, store }
  const backend: Backend = { ...ports, kind: 'aws', start: async () => {}, close: async () => {} }
  const executor = createExecutor(config, { tasks, backend })
  const { app } = internalsOf(executor)
  const isWorker = handlerName === 'worker'
  const handler = isWorker ? createWorkerHandler(app, ports, 'main') : createDeadLetterHandler(app, ports)
  const arn = arnOf('default')
  return { clock, queue, store, executor, tasks, handlerName, handler, ran, arn }
}

/** A stage. */
export type Stage = ReturnType<typeof handlerStage>

/** What the hash of a victim's arguments is. */
export const hashOfVictim = (name: string) => `hash-of-${name}`

const hourMs = 3_600_000

/** The record of a call that somebody else submitted. */
export function victimRecord(name: (typeof victims)[number], clock: Clock): CallRecord {
  const now = clock.now()
  const record: CallRecord = {
    id: `victim-${name}`,
    task: 'echo',
    queue: 'default',
    payloadHash: hashOfVictim(name),
    state: 'pending',
    createdAt: now,
    dueAt: now,
    expiresAtSeconds: Math.ceil((now + 100 * hourMs) / 1000),
    attempts: 0,
    failures: 0,
  }
  const owned = { owner: 'somebody', attempts: 1, startedAt: now }
  switch (name) {
    case 'final':
      return { ...record, ...owned, state: 'succeeded', finishedAt: now, result: '{"json":"theirs"}' }
    case 'live':
      return { ...record, ...owned, state: 'running', leaseUntil: now + hourMs }
    case 'killed':
      return { ...record, ...owned, state: 'running', leaseUntil: now - 1000 }
    case 'expired':
      return { ...record, ...owned, state: 'succeeded', expiresAtSeconds: Math.floor(now / 1000) - 10 }
    case 'pending':
      return record
  }
}
