/**
 * The names of dead-letter queues.
 * @module
 */

const DEAD_LETTERS = '-dead-letters'

/** The name of a queue's dead-letter queue. */
export function deadLettersOf(queue: string): string {
  return queue + DEAD_LETTERS
}

/** The name of the queue that a dead-letter queue is of, or the name itself where it is of none. */
export function queueOfDeadLetters(name: string): string {
  return name.endsWith(DEAD_LETTERS) ? name.slice(0, -DEAD_LETTERS.length) : name
}
