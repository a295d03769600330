/**
 * A worker's handler on a stage: in-process queue and store, virtual time, and the test in the part of the event
 * source mapping.
 * @module
 */
import type { SQSEvent } from 'aws-lambda'
import { type Config, createExecutor } from 'errand'
import type { WorkerHandler } from 'errand/lambda'
import {
  arnOf,
  inProcessBlobs,
  inProcessQueue,
  inProcessStore,
  type VirtualClock,
  virtualClock,
} from 'errand/local-emulator'
import { expect } from 'vitest'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { eventOf } from '../../src/local-emulator/event-source-mapping.ts'
import { systemEntropy } from '../../src/runtime/entropy.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { Backend, Ports } from '../../src/runtime/ports/backend.ts'
import type { Store } from '../../src/runtime/ports/store.ts'
import type { TaskTree } from '../../src/runtime/registry.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

/** Sets the stage, with blobs where the config has them; `faulty` replaces parts of the store as the worker sees it, the client's is sound. */
export function workerStage(
  config: Config,
  tasks: TaskTree,
  faulty: (store: Store) => Partial<Store> = () => ({}),
  clock: VirtualClock = virtualClock(),
) {
  const resolved = resolveConfig(config)
  const queue = inProcessQueue({ queues: resolved.queues, clock, entropy: systemEntropy })
  const store = inProcessStore({ clock })
  const blobs = inProcessBlobs({ clock })
  const ports = {
    clock,
    entropy: systemEntropy,
    queue,
    store,
    ...(resolved.blobs !== undefined && { blobs }),
  }
  const backend: Backend = { ...ports, kind: 'aws', start: async () => {}, close: async () => {} }
  const executor = createExecutor(config, { tasks, backend })
  /** A new environment of the worker. */
  const environment = (own: Partial<Ports> = {}) => {
    const seen = { ...ports, store: { ...store, ...faulty(store) }, ...own }
    return createWorkerHandler(internalsOf(executor).app, seen, 'main')
  }
  const handler = environment()
  const receive = async (name = 'default', maxMessages = 10) =>
    eventOf(await queue.receive(name, { maxMessages, waitSeconds: 0 }), arnOf(name))
  /** Invokes as Lambda would, and deletes what was acknowledged. Returns the ids that went back. */
  const invoke = async (
    event: SQSEvent,
    invoked: WorkerHandler = handler,
    name = 'default',
    remainingMs = 60_000,
  ) => {
    const deadline = clock.now() + remainingMs
    const context = { getRemainingTimeInMillis: () => deadline - clock.now() }
    const answer = await clock.runUntil(invoked(event, context))
    expect(clock.now()).toBeLessThanOrEqual(deadline)
    const failures = answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
    expect(event.Records.map(({ messageId }) => messageId)).toEqual(expect.arrayContaining(failures))
    const done = event.Records.filter(({ messageId }) => !failures.includes(messageId))
    await queue.delete(
      name,
      done.map(({ receiptHandle }) => receiptHandle),
    )
    return failures
  }
  /** Lets time pass and invokes until the queue is empty. */
  const drain = async () => {
    for (let rounds = 0; queue.inspect('default').length > 0 && rounds < 20; rounds++) {
      const event = await receive()
      if (event.Records.length > 0) await invoke(event)
      else await clock.advance({ seconds: 30 })
    }
  }
  return { clock, queue, store, blobs, ports, executor, environment, handler, receive, invoke, drain }
}
