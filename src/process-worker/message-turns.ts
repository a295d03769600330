/**
 * Turns made of messages: one each, or one for all messages of a group of a FIFO queue, which run one after the other.
 * @module
 */
import { findSuspects } from '../handlers/suspects.ts'
import { type Environment, runMessage } from '../runtime/attempt/attempt.ts'
import { hide, type Settlement } from '../runtime/attempt/settlement.ts'
import { LIMITS } from '../runtime/config/config.ts'
import { type HeldMessage, type HeldMessages, hideableSeconds } from './held-messages.ts'
import type { Troubles } from './troubles.ts'
import type { Turn, Turns } from './turns.ts'

/** What messages are run with. */
export interface MessageTurns {
  readonly environment: Environment
  readonly turns: Turns
  readonly held: HeldMessages
  readonly troubles: Troubles
  /** Whether nothing may begin any more. */
  isStopping(): boolean
  /** Told of each message before its call runs. */
  onReceived?(): void
}

/** Holds what was received from one queue, and gives it its turns. Never rejects. */
export async function takeMessages(on: MessageTurns, received: readonly HeldMessage[]): Promise<void> {
  for (const one of received) on.held.hold(one)
  const suspects = await suspectsAmong(on, received)
  for (const messages of unitsOf(on, received)) {
    for (const _ of messages) on.onReceived?.()
    const isSuspect = messages.some((one) => suspects.has(one))
    on.turns.add(turnOf(on, messages, isSuspect))
  }
}

async function suspectsAmong(
  { environment, troubles }: MessageTurns,
  received: readonly HeldMessage[],
): Promise<ReadonlySet<HeldMessage>> {
  const what = 'looking for calls that were killed before'
  try {
    const suspects = await findSuspects(environment.ports, received, ({ message }) => message)
    troubles.over(what)
    return new Set(suspects)
  } catch (error) {
    // Whoever cannot read cannot claim either: then the messages go their way.
    troubles.arise(what, error)
    return new Set()
  }
}

/** All messages of a receive are of one queue. */
function unitsOf({ environment }: MessageTurns, received: readonly HeldMessage[]): HeldMessage[][] {
  const [first] = received
  const isFifo = first !== undefined && environment.app.config.queues.get(first.queue)?.fifo === true
  if (!isFifo) return received.map((one) => [one])
  return [...Map.groupBy(received, ({ message }) => message.groupId ?? '').values()]
}

function turnOf(on: MessageTurns, messages: readonly HeldMessage[], isSuspect: boolean): Turn {
  return {
    isSuspect,
    async run() {
      let isOver = false
      for (const one of messages) {
        // What follows a failure goes back, or it would overtake it.
        const settlement: Settlement = isOver || !mayBegin(on, one) ? hide(0) : await run(on, one)
        on.held.settle(one, settlement)
        isOver = !settlement.acknowledge
      }
    },
    giveBack(isOverdue) {
      for (const one of messages) on.held.settle(one, hide(isOverdue ? patienceOf(one) : 0))
    },
  }
}

/** Of the messages of a group, the last may begin when SQS is about to show it to others. */
function mayBegin({ environment, isStopping }: MessageTurns, one: HeldMessage): boolean {
  if (isStopping()) return false
  const { ports, worker } = environment
  return hideableSeconds(one, ports.clock.now()) > worker.timeoutSeconds
}

/** Its time begins with its turn: there is no invocation that others used up a part of. */
function run({ environment }: MessageTurns, { message }: HeldMessage): Promise<Settlement> {
  const { ports, worker } = environment
  const budgetMs = worker.timeoutSeconds * 1000
  const { body, firstReceivedAt, sentAt } = message
  return runMessage(environment, {
    body,
    firstReceivedAt,
    sentAt,
    budgetMs,
    deadline: ports.clock.now() + budgetMs,
  })
}

/** Longest wait of a message that goes back for want of a turn, in seconds. */
const LONGEST_PATIENCE_SECONDS = 900

/**
 * For how long a message is hidden that goes back for want of a turn: until this process's own polls are over, which
 * would bring it back, and longer each time. SQS gives up on what was received 100 times, and this way that takes 19
 * hours, longer than any call runs.
 */
function patienceOf({ message }: HeldMessage): number {
  return Math.min(message.receiveCount * LIMITS.receiveWaitSeconds, LONGEST_PATIENCE_SECONDS)
}
