/**
 * The kitchen's tasks that end well.
 * @module
 */
import * as rough from './rough.ts'

/** Doubles, and says that it ran. */
function double(count: number): number {
  console.log(`ran double ${count}`)
  return 2 * count
}

let cooked = 0

/** Cooks a table's order; says in which environment, and as its which. */
function cook(order: number): { order: number; pid: number; cooked: number } {
  cooked += 1
  console.log(`ran cook ${order}`)
  return { order, pid: process.pid, cooked }
}

/** Never runs in the scenarios: its worker is too busy. */
function shelve(item: string): string {
  return item
}

/** What the kitchen knows from the beginning. */
export const tasks = { double, orders: { cook }, rough, shelved: { shelve } }

/** What the first version does not know. */
export function novelty(name: string): string {
  return `new: ${name}`
}
