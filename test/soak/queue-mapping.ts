/**
 * A queue of the soak that is polled as Lambda's event source mapping does.
 * @module
 */
import type { WorkerHandler } from '../../src/handlers/invocation.ts'
import { startEventSourceMapping } from '../../src/local-emulator/event-source-mapping.ts'
import type { Backend } from '../../src/runtime/ports/backend.ts'
import { loopbackRegion } from '../support/loopback-connection.ts'

/** Invocations that one process runs at once: a kill takes them all. */
const CONCURRENCY = 2

/** Polls a queue; `onBatch` is told of each batch before it is handled. */
export function mapQueue(
  { queue, clock }: Backend,
  queueName: string,
  handler: WorkerHandler,
  invocationMs: number,
  onBatch: () => void = () => {},
): void {
  startEventSourceMapping({
    queue,
    queueName,
    arn: `arn:aws:sqs:${loopbackRegion}:000000000000:${queueName}`,
    batchSize: 5,
    batchWindowSeconds: 0,
    maximumConcurrency: CONCURRENCY,
    pollSeconds: 5,
    clock,
    async invoke(event) {
      onBatch()
      const deadline = clock.now() + invocationMs
      const payload = await handler(event, { getRemainingTimeInMillis: () => deadline - clock.now() })
      return { ok: true, payload }
    },
  })
}
