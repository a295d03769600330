/**
 * What must hold of the groups of a FIFO queue: one call after the other, in the order of their sending.
 * @module
 */

import { isFinal } from '../../src/runtime/call/record.ts'
import { deadLettersOf } from '../../src/runtime/config/dead-letter-names.ts'
import type { RunView } from './run-view.ts'

/** The calls of each group, in the order in which the queue took the first message of each. */
function groupsOf(view: RunView): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const { queue, body } of view.of('sent')) {
    if (queue !== 'orders') continue
    const { id, tenant = 'default' } = JSON.parse(body) as { id: string; tenant?: string }
    const members = groups.get(tenant)
    if (members === undefined) groups.set(tenant, [id])
    else if (!members.includes(id)) members.push(id)
  }
  return groups
}

/** F-13: within a group no call runs before those that were sent before it have ended, the first time at least. */
export function* groupsRunInOrder(view: RunView): Generator<[string, number]> {
  // SQS hides the rest of a group with its head.
  if (!view.mode.hides || view.result.plan.maxReceiveCount < 100) return
  const groups = groupsOf(view)
  if (groups.size === 0) return
  const earlier = new Map<string, readonly string[]>()
  for (const members of groups.values()) {
    for (const [place, id] of members.entries()) earlier.set(id, members.slice(0, place))
  }
  // What SQS has given up on holds up nobody, though its call ends a moment later.
  const letters = view.of('received').filter(({ queue }) => queue === deadLettersOf('orders'))
  const ended = new Set<string | undefined>(letters.map(({ id }) => id))
  for (const happening of view.result.history) {
    if (happening.kind === 'write' && isFinal(happening.after.state)) ended.add(happening.id)
    if (happening.kind !== 'run') continue
    const { id, at } = happening
    const overtaken = earlier.get(id)?.find((other) => !ended.has(other))
    if (overtaken !== undefined) yield [`${id} runs before ${overtaken} of its group has ended`, at]
  }
}
