/**
 * The messages that a process holds: kept hidden from others while they wait and run, deleted or given back in batches.
 * @module
 */
import type { Ports } from '../runtime/backend.ts'
import type { Timer } from '../runtime/clock.ts'
import { LIMITS, PROTOCOL } from '../runtime/config.ts'
import type { Log } from '../runtime/log.ts'
import type { ReceivedMessage, VisibilityChange } from '../runtime/queue.ts'
import type { Settlement } from '../runtime/settlement.ts'

/** A message, and the queue that it came from. */
export interface HeldMessage {
  readonly queue: string
  readonly message: ReceivedMessage
}

/** Holds messages. */
export interface HeldMessages {
  /** Hides it from now on, for as long as it is held. */
  hold(held: HeldMessage): void
  /** Lets go of it: deletes it, or leaves it in its queue for others, soon. */
  settle(held: HeldMessage, settlement: Settlement): void
  /** Does now what is to be done soon. Never rejects. */
  flush(): Promise<void>
}

/** How long what is settled waits for others, so that ten of them take one request. */
const GATHER_MS = 20

/** Makes the holder of one process. */
export function createHeldMessages(ports: Ports, log: Log): HeldMessages {
  const held = new Set<HeldMessage>()
  const leaving = createLeaving(ports, log)
  let ticking = false
  const tick = async () => {
    if (held.size === 0) {
      ticking = false
      return
    }
    await renewAll(ports, log, held)
    schedule()
  }
  const schedule = () => {
    ports.clock.setTimer(() => void tick(), PROTOCOL.renewSeconds * 1000, { background: true })
  }
  return {
    hold(one) {
      held.add(one)
      if (ticking) return
      ticking = true
      schedule()
    },
    settle(one, settlement) {
      held.delete(one)
      leaving.add(one, settlement)
    },
    flush: leaving.flush,
  }
}

/** What is to be done with the messages of one queue. */
interface Requests {
  readonly deletes: string[]
  readonly changes: VisibilityChange[]
}

/** Gathers the messages that leave this process. */
function createLeaving(ports: Ports, log: Log) {
  let requests = new Map<string, Requests>()
  let count = 0
  let timer: Timer | undefined
  const underWay = new Set<Promise<void>>()
  const begin = (work: Promise<void>) => {
    underWay.add(work)
    void work.then(() => underWay.delete(work))
  }
  const send = () => {
    timer?.cancel()
    timer = undefined
    count = 0
    const { queue: port } = ports
    const leaving = requests
    requests = new Map()
    for (const [queue, { deletes, changes }] of leaving) {
      if (deletes.length > 0) begin(attempting(log, queue, () => port.delete(queue, deletes)))
      if (changes.length > 0) begin(attempting(log, queue, () => port.changeVisibility(queue, changes)))
    }
  }
  return {
    add({ queue, message: { receiptHandle } }: HeldMessage, settlement: Settlement) {
      // It stays as it is: hidden, and nobody asks for anything else.
      if (!settlement.acknowledge && settlement.hideSeconds === undefined) return
      const { deletes, changes } = requests.get(queue) ?? { deletes: [], changes: [] }
      requests.set(queue, { deletes, changes })
      if (settlement.acknowledge) deletes.push(receiptHandle)
      else changes.push({ receiptHandle, visibilitySeconds: settlement.hideSeconds ?? 0 })
      count += 1
      if (count >= LIMITS.batchEntries) send()
      else timer ??= ports.clock.setTimer(send, GATHER_MS)
    },
    async flush() {
      send()
      await Promise.all(underWay)
    },
  }
}

/** Hides what is held for as long as a lease lasts: whoever takes this process's place finds both over together. */
async function renewAll(ports: Ports, log: Log, held: ReadonlySet<HeldMessage>): Promise<void> {
  const byQueue = new Map<string, VisibilityChange[]>()
  for (const { queue, message } of held) {
    const changes = byQueue.get(queue) ?? []
    changes.push({
      receiptHandle: message.receiptHandle,
      visibilitySeconds: PROTOCOL.renewedLeaseSeconds,
    })
    byQueue.set(queue, changes)
  }
  const renewing = [...byQueue].map(([queue, changes]) =>
    attempting(log, queue, () => ports.queue.changeVisibility(queue, changes)),
  )
  await Promise.all(renewing)
}

async function attempting(log: Log, queue: string, request: () => Promise<void>): Promise<void> {
  try {
    await request()
  } catch (error) {
    // A message that was not deleted comes back, finds its call final, and is deleted then.
    log('warn', 'messages could not be settled', { queue, error })
  }
}
