/**
 * Rounds: every case once in each, in shuffled order, so that whatever else the machine does hits all alike.
 * @module
 */

/** What one run of a case measured, by the metric's name. */
export type Measures = Readonly<Record<string, number>>

/** One thing to measure. */
export interface Case {
  readonly name: string
  /** Throws where not every call came back with its result. */
  run(): Promise<Measures>
}

/** The measures of one round, by the case's name. */
export type Round = ReadonlyMap<string, Measures>

/** Frees what earlier cases left, so that none pays for another's garbage. */
export function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc, as `npm run bench` does')
  globalThis.gc()
}

function shuffled<T>(items: readonly T[]): T[] {
  const keyed = items.map((item) => ({ item, key: Math.random() }))
  return keyed.sort((one, other) => one.key - other.key).map(({ item }) => item)
}

/** Runs every case once as warm-up, then in `rounds` rounds. */
export async function runRounds(cases: readonly Case[], rounds: number): Promise<Round[]> {
  const done: Round[] = []
  for (let round = 0; round <= rounds; round++) {
    const measured = new Map<string, Measures>()
    for (const { name, run } of shuffled(cases)) {
      collectGarbage()
      measured.set(name, await run())
    }
    if (round > 0) done.push(measured)
  }
  return done
}

/** Keeps `inFlight` calls going until `calls` were made; `call` is given the index of each. */
export async function keepInFlight(
  calls: number,
  inFlight: number,
  call: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < calls) await call(next++)
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
}

/** Calls a second of `calls` that `run` makes. */
export async function rateOf(calls: number, run: () => Promise<void>): Promise<Measures> {
  const began = performance.now()
  await run()
  return { 'calls/s': (calls * 1000) / (performance.now() - began) }
}

/** Of `calls` that are made one at a time: median and 99th percentile in microseconds, and calls a second. */
export async function latencyOf(calls: number, call: (index: number) => Promise<void>): Promise<Measures> {
  const times = new Float64Array(calls)
  const start = performance.now()
  for (let index = 0; index < calls; index++) {
    const began = performance.now()
    await call(index)
    times[index] = (performance.now() - began) * 1000
  }
  const rate = (calls * 1000) / (performance.now() - start)
  times.sort()
  const at = (part: number) => times[Math.floor(calls * part)] ?? 0
  return { p50: at(0.5), p99: at(0.99), 'calls/s': rate }
}

/** Fails the case where a call did not come back with its result. */
export function expectSum(sum: number, a: number, b: number): void {
  if (sum !== a + b) throw new Error(`a call of add(${a}, ${b}) came back with ${sum}`)
}
