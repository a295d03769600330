/**
 * Tasks that end their environment, or try to.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { currentTask } from 'errand'

/** Always exits the process. */
export function exits(): string {
  process.exit(1)
}

/** Throws where nobody can catch it, in its first attempt. */
export async function throwsUncaught(): Promise<number> {
  if (currentTask.attempt > 1) return currentTask.attempt
  setImmediate(() => {
    throw new Error('nobody catches this')
  })
  return new Promise(() => {})
}

/** Blocks the event loop in its first attempt: no JavaScript can end it. */
export function blocks(): number {
  while (currentTask.attempt === 1);
  return currentTask.attempt
}

/** Takes more memory than there is. */
export function hoards(): number {
  const all: number[][] = []
  for (;;) all.push(new Array<number>(1000).fill(all.length))
}

/** Rejects behind its own back, in its first attempt, before it has returned. */
export async function rejectsBehind(): Promise<number> {
  if (currentTask.attempt > 1) return currentTask.attempt
  void Promise.reject(new Error('nobody awaits this'))
  return new Promise(() => {})
}

let runs = 0

/** Returns, and leaves something behind that rejects when its environment thaws; what runs there next takes a while. */
export async function leavesRejection(): Promise<number> {
  runs += 1
  if (runs > 1) await sleep(2000)
  void sleep(300).then(() => Promise.reject(new Error('nobody awaits this either')))
  return currentTask.attempt
}

/** Never settles, with nothing on the event loop. */
export function neverSettles(): Promise<never> {
  return new Promise(() => {})
}

/** Sleeps over its limit in the first attempt, and stops when it is asked to. */
export async function sleeps(): Promise<number> {
  if (currentTask.attempt === 1) await sleep(60_000, undefined, { signal: currentTask.signal })
  return currentTask.attempt
}

/** Says how it is doing, and returns after half a second: time to stop its environment in the middle. */
export async function lingers(): Promise<string> {
  const { attempt } = currentTask
  console.log(`lingering, attempt ${attempt}`)
  if (attempt === 1) await sleep(500)
  console.log(`lingered, attempt ${attempt}`)
  return `by attempt ${attempt}`
}
