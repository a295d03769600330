/**
 * Deadlines in order of time, then of setting; cancelled ones are dropped lazily.
 * @module
 */
import TinyQueue from 'tinyqueue'

/** One deadline; its item is gone once it was cancelled or taken. */
export interface Deadline<T> {
  readonly at: number
  readonly order: number
  item: T | undefined
}

/** Deadlines, the earliest first. */
export interface DeadlineHeap<T> {
  add(at: number, item: T): Deadline<T>
  /** Cancelling one that was taken or cancelled before does nothing. */
  cancel(deadline: Deadline<T>): void
  /** The earliest deadline that still stands. */
  next(): Deadline<T> | undefined
  /** Takes the earliest item out if its time is at or before `now`. */
  take(now: number): T | undefined
  /** How many still stand. */
  size(): number
  /** What still stands, in no order. */
  items(): T[]
}

/** Below this many cancelled ones, building the heap anew saves nothing. */
const COMPACT_FROM = 256

function compare<T>(one: Deadline<T>, other: Deadline<T>): number {
  return one.at - other.at || one.order - other.order
}

/** Makes an empty heap. */
export function deadlineHeap<T>(): DeadlineHeap<T> {
  let heap = new TinyQueue<Deadline<T>>([], compare)
  let order = 0
  let cancelled = 0

  function next(): Deadline<T> | undefined {
    let first = heap.peek()
    while (first !== undefined && first.item === undefined) {
      heap.pop()
      cancelled--
      first = heap.peek()
    }
    return first
  }

  return {
    next,
    add(at, item) {
      const deadline: Deadline<T> = { at, order: order++, item }
      heap.push(deadline)
      return deadline
    },
    cancel(deadline) {
      if (deadline.item === undefined) return
      deadline.item = undefined
      cancelled++
      // At most half of the heap is ever dead: a queue of 100,000 messages a second with a visibility of 90 s
      // would otherwise keep nine million of them. Amortised, a cancel stays O(1).
      if (cancelled >= COMPACT_FROM && cancelled * 2 > heap.length) {
        heap = new TinyQueue<Deadline<T>>(
          heap.data.filter((kept) => kept.item !== undefined),
          compare,
        )
        cancelled = 0
      }
    },
    take(now) {
      const first = next()
      if (first === undefined || first.at > now) return undefined
      heap.pop()
      const { item } = first
      first.item = undefined
      return item
    },
    size: () => heap.length - cancelled,
    items: () => heap.data.flatMap(({ item }) => (item === undefined ? [] : [item])),
  }
}
