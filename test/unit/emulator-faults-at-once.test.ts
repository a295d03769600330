import { createHash } from 'node:crypto'
import { createExecutor, currentTask, defineConfig, SubmitUncertainError, type Task } from 'errand'
import { type FaultSwitches, localBackend, virtualClock } from 'errand/local-emulator'
import { afterEach, describe, expect, test } from 'vitest'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import { type CallRecord, isFinal } from '../../src/runtime/call/record.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

// All switches at once: work still ends, and a seed repeats its run to the byte.

const everything: FaultSwitches = {
  duplicate: 0.1,
  reorder: 0.2,
  delay: 0.1,
  loseRequest: 0.05,
  loseResponse: 0.05,
  throttle: 0.05,
  kill: { beforeClaim: 0.02, inTask: 0.02, beforeFinish: 0.02, afterFinish: 0.02 },
  clockSkewSeconds: 2,
}

const closing: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** Submits until the submit is certain, as a careful caller does. */
async function submitSurely<F extends (n: number) => unknown>(task: Task<F>, n: number): Promise<string> {
  let id: string | undefined
  for (;;) {
    try {
      const submit = id === undefined ? task : task.with({ id })
      return (await submit.submit(...([n] as unknown as Parameters<F>))).id
    } catch (error) {
      if (!SubmitUncertainError.is(error)) throw error
      id = error.ids[0] as string
    }
  }
}

async function soak(faults: FaultSwitches, calls: number) {
  const config = defineConfig({ name: 'at-once', workers: { main: { concurrency: 20, logLevel: 'error' } } })
  const clock = virtualClock()
  const backend = localBackend(resolveConfig(config), { makeHandler: createWorkerHandler, clock, faults })
  const executor = createExecutor(config, { backend })
  closing.push(() => backend.abandon())
  const runs = new Map<string, number>()
  const work = executor.task('work', (n: number) => {
    runs.set(currentTask.id, (runs.get(currentTask.id) ?? 0) + 1)
    if (n % 10 === currentTask.attempt - 1) throw new Error(`busy ${n}`)
    return n * 2
  })
  const finals = new Map<string, CallRecord[]>()
  const trace = createHash('sha256')
  backend.store.watch?.((record) => {
    trace.update(`${clock.now()} ${JSON.stringify(record)}\n`)
    if (isFinal(record.state)) finals.set(record.id, [...(finals.get(record.id) ?? []), record])
  })
  const ids: string[] = []
  for (let n = 0; n < calls; n++) ids.push(await submitSurely(work, n))
  for (let hours = 0; backend.inspect('default').length > 0; hours++) {
    expect(hours).toBeLessThan(24)
    await clock.advance({ hours: 1 })
  }
  return { executor, ids, runs, finals, trace: trace.digest('hex') }
}

describe('all switches on', () => {
  test('1,000 calls all end, each with one outcome, and each that succeeded ran', async () => {
    const { executor, ids, runs, finals } = await soak({ ...everything, seed: 7 }, 1000)
    expect(new Set(ids).size).toBe(1000)
    const succeeded: string[] = []
    for (const [n, id] of ids.entries()) {
      const outcome = await executor.future(id).outcome()
      // Written once: what is final is never written again.
      expect(finals.get(id)).toHaveLength(1)
      if (outcome.state !== 'succeeded') expect(outcome).toMatchObject({ reason: 'killed' })
      else succeeded.push(id)
      if (outcome.state === 'succeeded') expect(outcome.value).toBe(n * 2)
    }
    expect(succeeded.length).toBeGreaterThan(900)
    expect(succeeded.every((id) => (runs.get(id) ?? 0) > 0)).toBe(true)
    // The faults did happen: some functions ran more often than their record counts failures for.
    expect([...runs.values()].filter((count) => count > 2).length).toBeGreaterThan(0)
  })

  test('the same seed gives the same run, to the byte; another seed another', async () => {
    const first = await soak({ ...everything, seed: 11 }, 150)
    const again = await soak({ ...everything, seed: 11 }, 150)
    const other = await soak({ ...everything, seed: 12 }, 150)
    expect(again.ids).toEqual(first.ids)
    expect(again.trace).toBe(first.trace)
    expect(other.trace).not.toBe(first.trace)
  })

  test('switches that are off make no difference, not even to chance', async () => {
    const off = { duplicate: 0, loseRequest: 0, kill: { inTask: 0 } }
    const none = await soak({ seed: 5 }, 50)
    expect((await soak({ seed: 5, ...off }, 50)).trace).toBe(none.trace)
  })
})
