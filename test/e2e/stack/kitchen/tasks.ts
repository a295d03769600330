/**
 * The kitchen's tasks that end well.
 * @module
 */
import { currentTask } from 'errand'
import * as rough from './rough.ts'

/** Doubles, and says that it ran. */
function double(count: number): number {
  console.log(`ran double ${count}`)
  return 2 * count
}

/** Cooks a table's order, or burns it the first time. */
function cook(table: string, order: number, burns: boolean): number {
  const { attempt } = currentTask
  console.log(`ran cook ${table} ${order} ${attempt}`)
  if (burns && attempt === 1) throw new Error('burnt')
  return order
}

/** Never runs: nobody takes its message until SQS gives up on it. */
function shelve(item: string): string {
  return item
}

/** What the kitchen knows from the beginning. */
export const tasks = { double, orders: { cook }, rough, shelved: { shelve } }

/** What the first version does not know. */
export function novelty(name: string): string {
  return `new: ${name}`
}
