/**
 * The messages that a process holds: kept hidden from others while they wait and run, deleted or given back in batches.
 * @module
 */

import type { Settlement } from '../runtime/attempt/settlement.ts'
import type { Timer } from '../runtime/clock.ts'
import { LIMITS, PROTOCOL } from '../runtime/config/config.ts'
import type { Ports } from '../runtime/ports/backend.ts'
import type { ReceivedMessage, VisibilityChange } from '../runtime/ports/queue.ts'
import type { Troubles } from './troubles.ts'

/** A message, and where and when it was received. */
export interface HeldMessage {
  readonly queue: string
  readonly message: ReceivedMessage
  /** Epoch milliseconds of this process. */
  readonly receivedAt: number
}

/** Holds messages. */
export interface HeldMessages {
  /** Hides it from now on, for as long as it is held. */
  hold(held: HeldMessage): void
  /** Lets go of it: deletes it, or leaves it in its queue for others, soon. */
  settle(held: HeldMessage, settlement: Settlement): void
  /** How many are held. */
  count(): number
  /** Does now what is to be done soon. Never rejects. */
  flush(): Promise<void>
}

/** How long what is settled waits for others, so that ten of them take one request; nothing waits where nothing is held. */
const GATHER_MS = 200

/** SQS's clock and ours count its 12 hours alike but for this. */
const MARGIN_SECONDS = 30

/** For how many seconds more SQS lets a message be hidden: it counts 12 hours from the receipt, and refuses what goes beyond. */
export function hideableSeconds({ receivedAt }: HeldMessage, now: number): number {
  const heldSeconds = Math.ceil((now - receivedAt) / 1000)
  return Math.max(LIMITS.visibilitySeconds - MARGIN_SECONDS - heldSeconds, 0)
}

/** Makes the holder of one process; `onTick` is called before each renewal, and may settle what should not be held on. */
export function createHeldMessages(ports: Ports, troubles: Troubles, onTick: () => void): HeldMessages {
  const held = new Set<HeldMessage>()
  let renewing: Promise<unknown> = Promise.resolve()
  const leaving = createLeaving(ports, troubles, () => renewing)
  let isTicking = false
  const schedule = () => {
    ports.clock.setTimer(tick, PROTOCOL.renewSeconds * 1000, { background: true })
  }
  const tick = () => {
    onTick()
    isTicking = held.size > 0
    if (!isTicking) return
    // Before the requests: one that hangs must not put off the next renewal of the others.
    schedule()
    renewing = renewAll(ports, troubles, held)
  }
  return {
    hold(one) {
      held.add(one)
      if (isTicking) return
      isTicking = true
      schedule()
    },
    settle(one, settlement) {
      held.delete(one)
      leaving.add(one, settlement)
      if (held.size === 0) leaving.send()
    },
    count: () => held.size,
    flush: leaving.flush,
  }
}

/** What is to be done with the messages of one queue. */
interface Requests {
  readonly deletes: string[]
  readonly changes: VisibilityChange[]
}

/** Gathers the messages that leave this process; a change of visibility follows the renewal that is under way. */
function createLeaving(ports: Ports, troubles: Troubles, renewal: () => Promise<unknown>) {
  let requests = new Map<string, Requests>()
  let count = 0
  let timer: Timer | undefined
  const underWay = new Set<Promise<void>>()
  const begin = (queue: string, request: () => Promise<void>) => {
    const work = attempting(troubles, queue, request)
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
      if (deletes.length > 0) begin(queue, () => port.delete(queue, deletes))
      if (changes.length > 0) begin(queue, () => renewal().then(() => port.changeVisibility(queue, changes)))
    }
  }
  return {
    send,
    add(one: HeldMessage, settlement: Settlement) {
      // It stays as it is: hidden, and nobody asks for anything else.
      if (!settlement.acknowledge && settlement.hideSeconds === undefined) return
      const { queue, message } = one
      const { deletes, changes } = requests.get(queue) ?? { deletes: [], changes: [] }
      requests.set(queue, { deletes, changes })
      if (settlement.acknowledge) deletes.push(message.receiptHandle)
      else changes.push(hiding(one, settlement.hideSeconds ?? 0, ports.clock.now()))
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

function hiding(one: HeldMessage, seconds: number, now: number): VisibilityChange {
  const visibilitySeconds = Math.min(seconds, hideableSeconds(one, now))
  return { receiptHandle: one.message.receiptHandle, visibilitySeconds }
}

/** Hides what is held for as long as a lease lasts: whoever takes this process's place finds both over together. */
async function renewAll(ports: Ports, troubles: Troubles, held: ReadonlySet<HeldMessage>): Promise<void> {
  const now = ports.clock.now()
  const byQueue = new Map<string, VisibilityChange[]>()
  for (const one of held) {
    const change = hiding(one, PROTOCOL.renewedLeaseSeconds, now)
    // After 12 hours SQS shows it to others; its call stays ours as long as its lease does.
    if (change.visibilitySeconds === 0) continue
    const changes = byQueue.get(one.queue) ?? []
    byQueue.set(one.queue, changes)
    changes.push(change)
  }
  const requests = [...byQueue].map(([queue, changes]) =>
    attempting(troubles, queue, () => ports.queue.changeVisibility(queue, changes)),
  )
  await Promise.all(requests)
}

async function attempting(troubles: Troubles, queue: string, request: () => Promise<void>): Promise<void> {
  const what = `settling messages of queue ${JSON.stringify(queue)}`
  try {
    await request()
    troubles.over(what)
  } catch (error) {
    // A message that was not deleted comes back, finds its call final, and is deleted then.
    troubles.arise(what, error)
  }
}
