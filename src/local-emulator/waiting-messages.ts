/**
 * The messages of a queue that wait to be received, in the order in which they are to be.
 * @module
 */
import type { Deadline } from '../runtime/deadline-heap.ts'

/** A receipt: one delivery of a message, until it is deleted or becomes visible again. */
export interface Receipt {
  readonly handle: string
  readonly receivedAt: number
}

/**
 * A message in the queue: waiting while it is not `hidden`; in flight while it has a `receipt`; else delayed.
 * A waiting one takes some 250 bytes beside its body.
 */
export interface StoredMessage {
  /** Its place in the order of sending. */
  readonly number: number
  readonly messageId: string
  readonly body: string
  readonly groupId: string | undefined
  readonly sentAt: number
  firstReceivedAt: number
  receiveCount: number
  receipt: Receipt | undefined
  hidden: Deadline<StoredMessage> | undefined
  /** The one that waits behind it. */
  next: StoredMessage | undefined
}

/** The order of one queue. Every operation takes constant time. */
export interface WaitingMessages {
  /** A new message, or one that is visible again. */
  add(message: StoredMessage): void
  /** Takes the next message for the batch of this number. */
  take(batch: number): StoredMessage | undefined
  /** A taken message is no longer in flight: deleted, dropped, or (after `add`) visible again. */
  release(message: StoredMessage): void
  size(): number
  items(): StoredMessage[]
}

interface Line<T> {
  head: T | undefined
  tail: T | undefined
}

interface InLine<T> {
  next: T | undefined
}

function append<T extends InLine<T>>(line: Line<T>, item: T): void {
  if (line.tail === undefined) line.head = item
  else line.tail.next = item
  line.tail = item
}

function shift<T extends InLine<T>>(line: Line<T>): T | undefined {
  const item = line.head
  if (item === undefined) return undefined
  line.head = item.next
  if (line.head === undefined) line.tail = undefined
  // Unlinked, or a taken item of the old generation would keep all that stood behind it from being collected.
  item.next = undefined
  return item
}

function listOf<T extends InLine<T>>(line: Line<T>): T[] {
  const items: T[] = []
  for (let item = line.head; item !== undefined; item = item.next) items.push(item)
  return items
}

const never = () => false

/**
 * A standard queue's order: as sent; what becomes visible again stands at the end, as does the first where `reorders`
 * says so.
 */
export function standardOrder(reorders: () => boolean = never): WaitingMessages {
  const line: Line<StoredMessage> = { head: undefined, tail: undefined }
  let size = 0
  return {
    add(message) {
      append(line, message)
      size++
    },
    take() {
      if (size > 1 && reorders()) append(line, shift(line) as StoredMessage)
      const message = shift(line)
      if (message !== undefined) size--
      return message
    },
    release() {},
    size: () => size,
    items: () => listOf(line),
  }
}

interface Group extends Line<StoredMessage>, InLine<Group> {
  readonly id: string
  /** Messages taken and not released: while there is one, no other batch gets any of the group. */
  taken: number
  /** Whether it stands in the line of groups, perhaps without need. */
  inLine: boolean
}

/** Puts a message that is visible again before those sent after it: at most a batch of its group is out. */
function insert(group: Group, message: StoredMessage): void {
  let before: StoredMessage | undefined
  let after = group.head
  while (after !== undefined && after.number < message.number) {
    before = after
    after = after.next
  }
  message.next = after
  if (before === undefined) group.head = message
  else before.next = message
  if (after === undefined) group.tail = message
}

/** A FIFO queue's order: as sent within a group, one batch of a group at a time, groups in turn. */
export function fifoOrder(): WaitingMessages {
  const groups = new Map<string, Group>()
  const line: Line<Group> = { head: undefined, tail: undefined }
  let size = 0
  let current: { readonly group: Group; readonly batch: number } | undefined

  function enqueue(group: Group): void {
    if (group.inLine || group.taken > 0 || group.head === undefined) return
    group.inLine = true
    append(line, group)
  }

  function nextGroup(batch: number): Group | undefined {
    // A batch is filled from one group first, as SQS does it.
    if (current?.batch === batch && current.group.head !== undefined) return current.group
    for (let group = shift(line); group !== undefined; group = shift(line)) {
      group.inLine = false
      if (group.taken === 0 && group.head !== undefined) {
        current = { group, batch }
        return group
      }
    }
    return undefined
  }

  return {
    add(message) {
      const id = message.groupId ?? ''
      let group = groups.get(id)
      if (group === undefined) {
        group = { id, head: undefined, tail: undefined, next: undefined, taken: 0, inLine: false }
        groups.set(id, group)
      }
      if (group.tail === undefined || group.tail.number < message.number) append(group, message)
      else insert(group, message)
      size++
      enqueue(group)
    },
    take(batch) {
      const group = nextGroup(batch)
      const message = group && shift(group)
      if (group === undefined || message === undefined) return undefined
      group.taken++
      size--
      return message
    },
    release(message) {
      const group = groups.get(message.groupId ?? '')
      if (group === undefined) return
      group.taken--
      if (group.taken === 0 && group.head === undefined) groups.delete(group.id)
      else enqueue(group)
    },
    size: () => size,
    items: () => [...groups.values()].flatMap(listOf),
  }
}
