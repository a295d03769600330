/**
 * A small shop's executor under test: tasks that add, charge, fail at first, and submit.
 * @module
 */
import { type Config, createExecutor, currentTask } from 'errand'
import { type TestExecutorOptions, testExecutor } from 'errand/testing'
import { onTestFinished } from 'vitest'

/** Puts a new executor of `config` under test, until the test has ended. */
export function shopUnderTest<const C extends Config>(config: C, options: TestExecutorOptions = {}) {
  const charges: string[] = []
  const add = (a: number, b: number) => a + b
  const charge = (order: string) => {
    charges.push(order)
    return charges.length
  }
  const flaky = () => {
    if (currentTask.attempt < 3) throw new Error(`attempt ${currentTask.attempt}`)
    return 'at last'
  }
  const parent = async (order: string) => (await currentTask.submit(charge, order)).id
  const executor = createExecutor(config, { tasks: { math: { add }, charge, flaky, parent } })
  const t = testExecutor(executor, options)
  onTestFinished(() => t.close())
  return { executor, t, charges, add, charge, flaky, parent }
}
