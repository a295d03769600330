import { createExecutor, currentTask, defineConfig, SubmitUncertainError } from 'errand'
import { type FaultSwitches, faultPlan, localBackend, virtualClock } from 'errand/local-emulator'
import { expect, test } from 'vitest'
import { createWorkerHandler } from '../../src/handlers/worker.ts'
import type { Operation } from '../../src/local-emulator/fault-plan.ts'
import { resolveConfig } from '../../src/runtime/resolve-config.ts'

// Large payloads with all fault switches on: each call ends, and none with the payload of another.

const everything: FaultSwitches = {
  duplicate: 0.2,
  reorder: 0.2,
  delay: 0.1,
  loseRequest: 0.15,
  loseResponse: 0.15,
  throttle: 0.1,
  kill: { beforeClaim: 0.02, inTask: 0.02, beforeFinish: 0.02, afterFinish: 0.02 },
  clockSkewSeconds: 2,
}

const config = defineConfig({
  name: 'large-by-chance',
  workers: { main: { concurrency: 20, logLevel: 'error' } },
  taskOptions: { '*': { maxAttempts: 10, maxKills: 10 } },
  blobs: true,
})

const SIZE = 1024 * 1024

test.each([1, 2, 3])('with seed %i', async (seed) => {
  const clock = virtualClock()
  const plan = faultPlan({ ...everything, seed })
  const faults: Operation[] = []
  const counting = {
    ...plan,
    takeRequestFault(operation: Operation) {
      const fault = plan.takeRequestFault(operation)
      if (fault !== undefined) faults.push(operation)
      return fault
    },
  }
  const makeHandler = createWorkerHandler
  const backend = localBackend(resolveConfig(config), { makeHandler, clock, faults: counting })
  const executor = createExecutor(config, { backend })
  const work = executor.task('work', (text: string, n: number) => {
    if (n % 10 === currentTask.attempt) throw new Error(`busy ${n}`)
    return `${n}: `.concat(text.slice(0, 40_000 + n))
  })
  const ids: string[] = []
  for (let n = 0; n < 40; n++) {
    for (let id: string | undefined; ids.length === n; ) {
      const submitter = id === undefined ? work : work.with({ id })
      try {
        ids.push((await submitter.submit(`${n} `.repeat(SIZE / 2), n)).id)
      } catch (error) {
        if (!SubmitUncertainError.is(error)) throw error
        id = error.ids[0] as string
      }
    }
  }
  for (let hours = 0; backend.inspect('default').length > 0; hours++) {
    expect(hours).toBeLessThan(24)
    await clock.advance({ hours: 1 })
  }
  for (const [n, id] of ids.entries()) {
    let outcome = await executor
      .future(id)
      .outcome()
      .catch(() => undefined)
    // A read has three tries too, and whoever waits may ask again.
    while (outcome === undefined)
      outcome = await executor
        .future(id)
        .outcome()
        .catch(() => undefined)
    expect(outcome).toEqual({
      state: 'succeeded',
      value: `${n}: `.concat(`${n} `.repeat(SIZE / 2).slice(0, 40_000 + n)),
    })
  }
  expect(faults).toEqual(expect.arrayContaining(['putBlob', 'getBlob']))
  await backend.abandon()
})
