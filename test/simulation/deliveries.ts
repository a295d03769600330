/**
 * Event source mappings: they poll, hand batches over, and delete what ended well, with everything that SQS may do
 * to a message on the way.
 * @module
 */
import type { ReceivedMessage } from '../../src/runtime/ports/queue.ts'
import type { LambdaSide } from './fleet.ts'
import { strikes } from './request.ts'
import type { Simulation } from './simulation.ts'

/** Deletes what a function handled. */
export async function acknowledgeHandled(
  sim: Simulation,
  queue: string,
  handled: readonly ReceivedMessage[],
  invocation: number,
  receivedAt: number,
): Promise<void> {
  if (handled.length === 0) return
  await sim.world.pause(sim.latency.whole(1, 20))
  for (const { messageId, receiptHandle, body } of handled) {
    const { id, payloadHash, sends } = sim.callOf(body)
    const record = id === undefined ? undefined : sim.store.peek(id)
    const message = { queue, messageId, id, payloadHash, sends, receivedAt, record }
    sim.history.add({ kind: 'deleted', invocation, ...message })
    if (!strikes(sim, 'undeleted', messageId)) await sim.queue.delete(queue, [receiptHandle])
  }
  sim.onQueueChange(queue)
}

/** SQS's own faults, after a receive. */
function disturb(sim: Simulation, queue: string, messages: readonly ReceivedMessage[]): void {
  const { world, faults, plan } = sim
  for (const { receiptHandle, messageId } of messages) {
    if (!sim.mode.hides) {
      world.after(1000, () => void showAgain(sim, queue, receiptHandle))
    } else if (strikes(sim, 'early-redelivery', messageId)) {
      const delayMs = faults.amount('early-redelivery') * plan.visibilitySeconds * 1000
      world.after(delayMs, () => {
        if (!sim.isQuiet) void showAgain(sim, queue, receiptHandle)
      })
    }
  }
}

async function showAgain(sim: Simulation, queue: string, receiptHandle: string): Promise<void> {
  await sim.queue.changeVisibility(queue, [{ receiptHandle, visibilitySeconds: 0 }])
  sim.onQueueChange(queue)
}

/** Polls one queue for a function; the returned function is to be called when the queue, or the function, changed. */
export function pollQueue(sim: Simulation, queue: string, lambda: LambdaSide): () => void {
  const { world, latency, plan } = sim
  let poll: ReturnType<typeof world.after> | undefined
  let pollAt = Number.POSITIVE_INFINITY
  /** A queue whose groups are all taken gives nothing, though there is something to see. */
  let notBefore = 0

  function schedule(): void {
    if (!lambda.hasRoom()) return
    let earliest = Number.POSITIVE_INFINITY
    for (const { visibleAt } of sim.queue.inspect(queue)) if (visibleAt < earliest) earliest = visibleAt
    if (earliest === Number.POSITIVE_INFINITY) return
    const at = Math.max(world.now() + latency.whole(1, 60), earliest, notBefore)
    if (at >= pollAt) return
    if (poll !== undefined) world.cancel(poll)
    pollAt = at
    poll = world.after(at - world.now(), () => {
      poll = undefined
      pollAt = Number.POSITIVE_INFINITY
      void receive()
    })
  }

  async function receive(): Promise<void> {
    if (!lambda.hasRoom()) return
    const maxMessages = latency.whole(1, plan.batchSize)
    const messages = await sim.queue.receive(queue, { maxMessages, waitSeconds: 0 })
    if (messages.length === 0) notBefore = world.now() + 500
    else {
      disturb(sim, queue, messages)
      if (!strikes(sim, 'abandoned', queue)) hand(messages)
      if (strikes(sim, 'twin', queue)) {
        world.after(sim.faults.amount('twin') * 5000, () => {
          if (!sim.isQuiet) hand(stillThere(messages))
        })
      }
    }
    // A message may have become a dead letter instead.
    sim.onQueueChange(queue)
  }

  /** What was deleted meanwhile has no second copy; `undeleted` makes those. */
  function stillThere(messages: readonly ReceivedMessage[]): readonly ReceivedMessage[] {
    const there = new Set(sim.queue.inspect(queue).map(({ messageId }) => messageId))
    return messages.filter(({ messageId }) => there.has(messageId))
  }

  function hand(messages: readonly ReceivedMessage[]): void {
    if (messages.length === 0) return
    void lambda.invoke(queue, messages).then(() => sim.onQueueChange(queue))
  }

  return schedule
}
