/**
 * The queue as one process sees it: SQS's standard queues deliver twice, late and in any order, and requests fail.
 * @module
 */
import type { OutgoingMessage, Queue, SendResult } from '../../src/runtime/ports/queue.ts'
import { request, strikes } from './request.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { Simulation } from './simulation.ts'

/** How much later a message is delivered, in seconds. */
function delayOf(sim: Simulation, queue: string): number {
  if (strikes(sim, 'late', queue)) return 30 + Math.floor(sim.faults.amount('late') * 800)
  if (strikes(sim, 'reorder', queue)) return Math.floor(sim.faults.amount('reorder') * 4)
  return 0
}

/** Takes one message, perhaps to deliver it later than it should. */
export async function acceptMessage(
  sim: Simulation,
  queue: string,
  message: OutgoingMessage,
): Promise<SendResult> {
  const fifo = sim.resolved.queues.get(queue)?.fifo === true
  const later = fifo ? 0 : delayOf(sim, queue)
  const delaySeconds = Math.min((message.delaySeconds ?? 0) + later, 900)
  const delayed = delaySeconds > 0 ? { ...message, delaySeconds } : message
  const [result] = await sim.queue.send(queue, [delayed])
  if (result !== undefined && 'messageId' in result) {
    sim.bodies.set(result.messageId, message.body)
    sim.history.add({ kind: 'sent', queue, messageId: result.messageId, body: message.body })
  }
  return result as SendResult
}

async function acceptAll(
  sim: Simulation,
  queue: string,
  messages: readonly OutgoingMessage[],
): Promise<readonly SendResult[]> {
  const results: SendResult[] = []
  for (const message of messages) {
    if (strikes(sim, 'partial-send', queue)) {
      results.push({ error: new Error('InternalError') })
      continue
    }
    results.push(await acceptMessage(sim, queue, message))
    if (strikes(sim, 'duplicate', queue)) await acceptMessage(sim, queue, message)
  }
  sim.onQueueChange(queue)
  return results
}

/** The queue of this process. */
export function faultyQueue(sim: Simulation, process: SimulatedProcess): Queue {
  const { queue, mode } = sim
  const send = <T>(operation: string, effect: () => Promise<T>) =>
    request(sim, process, 'queue', operation, effect)
  const changing = async (name: string, change: () => Promise<void>) => {
    await change()
    sim.onQueueChange(name)
  }
  return {
    send: (name, messages) => send('send', () => acceptAll(sim, name, messages)),
    receive: (name, options) => send('receive', () => queue.receive(name, { ...options, waitSeconds: 0 })),
    delete: (name, handles) => send('delete', () => changing(name, () => queue.delete(name, handles))),
    changeVisibility(name, changes) {
      if (!mode.changesVisibility) return Promise.reject(new Error('no changes of visibility'))
      const { name: by, invocation } = process
      sim.history.add({ kind: 'hidden', process: by, invocation, messages: changes.length })
      return send('hide', () => changing(name, () => queue.changeVisibility(name, changes)))
    },
    counts: (name) => send('count', () => queue.counts(name)),
    nameOfArn: (arn) => queue.nameOfArn(arn),
  }
}
