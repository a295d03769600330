/**
 * A worker's handler on a stage, its attempts observed as on Lambda: the lines of its log and of its metrics kept.
 * @module
 */
import type { Config } from 'errand'
import { vi } from 'vitest'
import { createDeadLetterHandler } from '../../src/handlers/dead-letter.ts'
import { workerHandlerOf } from '../../src/handlers/worker.ts'
import { openEnvironment } from '../../src/handlers/worker-environment.ts'
import { environmentPorts } from '../../src/local-emulator/environment-ports.ts'
import { deadLettersOf } from '../../src/runtime/config/dead-letter-names.ts'
import { internalsOf } from '../../src/runtime/executor.ts'
import type { Ports } from '../../src/runtime/ports/backend.ts'
import type { TaskTree } from '../../src/runtime/registry.ts'
import { keptMetricLines } from './metric-lines.ts'
import { workerStage } from './worker-stage.ts'

type Stage = ReturnType<typeof workerStage>

/** Keeps standard error until the test's mocks are restored. */
export function keepLog() {
  const said: string[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((line) => said.push(String(line)) > 0)
  return {
    said,
    /** The lines of attempts, without the time and who says it. */
    attempts: () =>
      said
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ outcome }) => outcome !== undefined)
        .map(({ timestamp, app, worker, ...entry }) => entry),
  }
}

/** Sets the stage; `handler` and what `environment` makes are observed. */
export function observedStage(config: Config, tasks: TaskTree) {
  const on: Stage = workerStage(config, tasks)
  const metrics = keptMetricLines()
  const { app } = internalsOf(on.executor)
  const environment = (own: Partial<Ports> = {}) =>
    workerHandlerOf(openEnvironment(app, { ...on.ports, ...own }, 'main', { metrics }))
  const handler = environment()
  const deadLetters = createDeadLetterHandler(app, on.ports, metrics)
  return {
    ...on,
    environment,
    handler,
    deadLetters,
    /** The lines of metrics so far. */
    lines: metrics.lines,
    invoke: async (queue = 'default', by = handler) => on.invoke(await on.receive(queue), by, queue),
    /** Makes a dead letter of each message that waits, and ends their calls. */
    bury: async () => {
      const dead = deadLettersOf('default')
      const { Records } = await on.receive()
      await on.queue.send(
        dead,
        Records.map(({ body }) => ({ body })),
      )
      await on.queue.delete(
        'default',
        Records.map(({ receiptHandle }) => receiptHandle),
      )
      await on.invoke(await on.receive(dead), deadLetters, dead)
    },
    /** Runs what waits in an environment that dies a second later, and lets its lease end. */
    kill: async () => {
      const { ports, cut } = environmentPorts(on.ports)
      void environment(ports)(await on.receive(), { getRemainingTimeInMillis: () => 60_000 })
      await on.clock.advance({ seconds: 1 })
      cut()
      await on.clock.advance({ seconds: 95 })
    },
  }
}
