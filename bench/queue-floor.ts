/**
 * The floor: the least that an honest queue in one process does. A message with an id of its own, as JSON; another
 * turn of the event loop; the task; its result as JSON; a promise that the caller awaits.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { type Case, expectSum, keepInFlight, latencyOf, rateOf } from './rounds.ts'

function add(a: number, b: number): number {
  return a + b
}

const tasks: Readonly<Record<string, typeof add>> = { add }

function runMessage(body: string): string {
  const { task, args } = JSON.parse(body) as { task: string; args: [number, number] }
  const run = tasks[task]
  if (run === undefined) throw new Error(`no task ${task}`)
  return JSON.stringify(run(...args))
}

function submit(task: string, args: readonly number[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({ id: randomUUID(), task, args })
    setImmediate(() => {
      try {
        resolve(JSON.parse(runMessage(body)) as number)
      } catch (error) {
        reject(error)
      }
    })
  })
}

async function call(index: number): Promise<void> {
  expectSum(await submit('add', [index, 1]), index, 1)
}

/** The floor's name with so many calls in flight. */
export function floorName(inFlight: number): string {
  return `floor, ${inFlight.toLocaleString('en')} in flight`
}

/** The floor with `inFlight` calls in flight. */
export function floorRate(calls: number, inFlight: number): Case {
  return {
    name: floorName(inFlight),
    run: () => rateOf(calls, () => keepInFlight(calls, inFlight, call)),
  }
}

/** The floor with all of `calls` submitted at once, as `map` does; repeated, for it is over soon. */
export function floorAtOnce(calls: number, repeat: number): Case {
  const once = async () => {
    const sums = await Promise.all(Array.from({ length: calls }, (_, index) => submit('add', [index, 1])))
    for (const [index, sum] of sums.entries()) expectSum(sum, index, 1)
  }
  const run = async () => {
    for (let round = 0; round < repeat; round++) await once()
  }
  return { name: floorName(calls), run: () => rateOf(calls * repeat, run) }
}

/** The floor, one call at a time. */
export function floorLatency(calls: number): Case {
  return { name: floorName(1), run: () => latencyOf(calls, call) }
}
